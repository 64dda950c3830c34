"""Figures for Prometheus, added up over all worker processes.

Each worker counts in memory, which costs a request next to nothing, and every second writes its counts to a file of
its own in a folder that ``run`` made. Whichever worker is asked adds up the files, those of workers that have gone
included, for a counter must not fall.
"""

from __future__ import annotations

import os
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import suppress
from itertools import accumulate
from pathlib import Path
from typing import Any

import orjson
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

BOUNDS = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100)
"""Seconds that separate the buckets of the time to answer."""

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class Figures:
    """The counts of one worker. ``folder`` is where all of them leave theirs; without one, a worker knows its own."""

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder
        self.events: Counter[str] = Counter()
        self._requests: Counter[tuple[str, str, int]] = Counter()
        self._seconds: dict[str, list[float]] = {}

    def observe(self, area: str, method: str, status: int, seconds: float) -> None:
        """Count one answered request. ``area`` comes from a short fixed list, so the number of counts is bounded."""
        self._requests[area, method if method in _METHODS else "other", status] += 1
        slots = self._seconds.get(area)
        if slots is None:
            slots = self._seconds[area] = [0.0] * (len(BOUNDS) + 2)
        slots[bisect_left(BOUNDS, seconds)] += 1
        slots[-1] += seconds

    def save(self) -> None:
        """Leave the counts for the other workers; a full disk only makes them old."""
        if self.folder is not None:
            file = self.folder / str(os.getpid())
            with suppress(OSError):
                file.with_suffix(".new").write_bytes(orjson.dumps(self._document()))
                file.with_suffix(".new").replace(file)

    def exposition(self, gauges: Iterable[Metric] = ()) -> tuple[str, bytes]:
        """Content type and text of the figures of all workers, and of the moment."""
        registry = CollectorRegistry()
        registry.register(_Sum(self._all(), gauges))
        return CONTENT_TYPE_LATEST, generate_latest(registry)

    @property
    def workers(self) -> int:
        """Of this server so far, those that ended included."""
        return 1 if self.folder is None else sum(1 for one in self.folder.iterdir() if not one.suffix)

    def _document(self) -> dict[str, Any]:
        requests = {" ".join(map(str, key)): number for key, number in self._requests.items()}
        return {"requests": requests, "seconds": self._seconds, "events": self.events}

    def _all(self) -> list[dict[str, Any]]:
        if self.folder is None:
            return [self._document()]
        self.save()
        found = []
        for file in self.folder.iterdir():
            with suppress(OSError, orjson.JSONDecodeError):
                found.append(orjson.loads(file.read_bytes() if not file.suffix else b"{}"))
        return found


class _Sum(Collector):
    """The documents of all workers as metrics."""

    def __init__(self, documents: Iterable[dict[str, Any]], gauges: Iterable[Metric]) -> None:
        self._gauges = gauges
        self._requests: Counter[str] = Counter()
        self._events: Counter[str] = Counter({"pushes": 0, "pulls": 0, "spans_sent": 0, "spans_dropped": 0})
        self._seconds: dict[str, list[float]] = {}
        for document in documents:
            self._requests.update(document.get("requests", {}))
            self._events.update(document.get("events", {}))
            for area, slots in document.get("seconds", {}).items():
                known = self._seconds.get(area, [0.0] * len(slots))
                self._seconds[area] = [one + other for one, other in zip(known, slots, strict=True)]

    def collect(self) -> Iterator[Metric]:
        """Everything, for one scrape."""
        requests = CounterMetricFamily("havre_requests", "Requests answered.", labels=["area", "method", "status"])
        for key, number in sorted(self._requests.items()):
            requests.add_metric(key.split(), number)
        yield requests
        seconds = HistogramMetricFamily(
            "havre_request_seconds", "Seconds until an answer was complete.", labels=["area"]
        )
        bounds = [*(str(float(one)) for one in BOUNDS), "+Inf"]
        for area, (*counts, total) in sorted(self._seconds.items()):
            seconds.add_metric([area], list(zip(bounds, accumulate(counts), strict=True)), total)
        yield seconds
        yield CounterMetricFamily("havre_pushes", "Manifests accepted.", value=self._events["pushes"])
        yield CounterMetricFamily("havre_pulls", "Manifests given out.", value=self._events["pulls"])
        yield from self._gauges
        yield CounterMetricFamily("havre_spans_sent", "Parts of traces taken.", value=self._events["spans_sent"])
        yield CounterMetricFamily("havre_spans_dropped", "Parts of traces lost.", value=self._events["spans_dropped"])
