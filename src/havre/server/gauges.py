"""Figures of the moment, beside those that are counted: is the database there, what waits, how much room is left.

What the rows know is the same for every server over one database: take the highest, not the sum.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, Metric

from havre import __version__
from havre.errors import HavreError
from havre.registry.job_ports import State

if TYPE_CHECKING:
    from havre.server.app import App

SECONDS = 2.0
"""For which the database may keep whoever asks for figures waiting; theirs are left out then."""


KEPT_SECONDS = 1.0
"""For which they are told again: anybody may ask for them, as often as they like."""


class Gauges:
    """The figures of one worker's moment."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._found: list[Metric] = []
        self._until = 0.0

    async def now(self) -> list[Metric]:
        """All of them. Says that the database is away rather than to fail."""
        loop = asyncio.get_running_loop()
        if loop.time() >= self._until:
            self._found = await _gauges(self._app)
            self._until = loop.time() + KEPT_SECONDS
        return self._found


async def _gauges(app: App) -> list[Metric]:
    found: list[Metric] = [InfoMetricFamily("havre", "What serves.", value={"version": __version__}), *_room(app)]
    replaced = max(0, app.figures.workers - app.config.workers)
    found.append(CounterMetricFamily("havre_workers_replaced", "Workers that ended by themselves.", value=replaced))
    try:
        async with asyncio.timeout(SECONDS):
            jobs = await app.database.read(lambda rows: rows.jobs.counts())
            behind = await app.forwarding.behind()
    except (HavreError, TimeoutError):
        return [*found, _gauge("havre_database_up", "Does the database answer?", 0)]
    found.append(_gauge("havre_database_up", "Does the database answer?", 1))
    states = {str(state): jobs.get(state, 0) for state in State if state is not State.DONE}
    found.append(_labelled("havre_jobs", "Jobs of the whole installation.", "state", states))
    sinks = {kind.removeprefix("audit."): number for kind, number in behind.items()}
    found.append(_labelled("havre_audit_behind", "Audit events that a sink was not told of yet.", "sink", sinks))
    return found


def _room(app: App) -> Iterator[Metric]:
    """Of the file system that content lies on; nothing for an object store."""
    parts = urlsplit(app.config.storage_url)
    if parts.scheme == "file":
        try:
            system = os.statvfs(unquote(parts.path))
        except OSError:
            return
        yield _gauge(
            "havre_storage_size_bytes", "Of the file system with the content.", system.f_blocks * system.f_frsize
        )
        yield _gauge("havre_storage_free_bytes", "Of them, those still free.", system.f_bavail * system.f_frsize)


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(name, text, value=value)


def _labelled(name: str, text: str, label: str, values: Mapping[str, float]) -> Metric:
    found = GaugeMetricFamily(name, text, labels=[label])
    for one, value in sorted(values.items()):
        found.add_metric([one], value)
    return found
