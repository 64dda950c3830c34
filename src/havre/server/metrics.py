"""Figures for Prometheus, added up over all worker processes.

Each worker writes its counters to a file of its own below ``PROMETHEUS_MULTIPROC_DIR`` (``run`` sets it before the
workers start), so whichever worker is asked can answer for all.
"""

from __future__ import annotations

import os
from functools import cache

from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

REQUESTS = Counter("havre_requests", "Requests answered.", ["area", "method", "status"])
SECONDS = Histogram(
    "havre_request_seconds",
    "Seconds until an answer was complete.",
    ["area"],
    buckets=(0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100),
)
PUSHES = Counter("havre_pushes", "Manifests accepted.")
PULLS = Counter("havre_pulls", "Manifests given out.")


@cache
def _request_counter(area: str, method: str, status: int) -> Counter:
    return REQUESTS.labels(area, method, str(status))


@cache
def _histogram(area: str) -> Histogram:
    return SECONDS.labels(area)


_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


def observe(area: str, method: str, status: int, seconds: float) -> None:
    """Count one answered request. Every label comes from a short fixed list."""
    _request_counter(area, method if method in _METHODS else "other", status).inc()
    _histogram(area).observe(seconds)


def exposition() -> tuple[str, bytes]:
    """Content type and text of all figures."""
    registry = REGISTRY
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        registry = CollectorRegistry()
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return CONTENT_TYPE_LATEST, generate_latest(registry)
