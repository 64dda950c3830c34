"""Work between requests: counters are written down, expired uploads removed.

Every worker does it: each holds counters of its own, and expiry is safe beside itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from havre.errors import HavreError
from havre.oci.digest import Digest
from havre.oci.names import Tag
from havre.registry.events import Event, Looked, Pulled, Pushed
from havre.registry.ports import Clock
from havre.registry.statistics import PullKey, day_of
from havre.server.metrics import Figures

if TYPE_CHECKING:
    from havre.server.app import App

log = logging.getLogger("havre.jobs")

FLUSH_SECONDS = 2
REPORT_SECONDS = 1
EXPIRY_SECONDS = 600
FORGET_SECONDS = 24 * 3600
COLLECT_SECONDS = 600
"""How often it is looked whether it is time for a collection; the first time after as long."""

SINK_SECONDS = 2
"""How often it is looked whether the audit trail has something new to tell elsewhere."""

LOOKED_FOR = 600_000
"""Milliseconds from a look at a tag to a pull of the digest that counts for the tag."""

MAX_LOOKED = 10_000
"""Digests for which the tag that was looked at is remembered."""
FOLD_SECONDS = 5


class PullCounter:
    """Counts pulls in memory and writes them down now and then, so that a pull never waits for a transaction.

    docker and containerd look where a tag points and then pull by digest: what was looked at last is remembered for
    some minutes, so that their pulls count for the tag.
    """

    def __init__(self, figures: Figures, clock: Clock) -> None:
        self._figures = figures
        self._clock = clock
        self._waiting: Counter[PullKey] = Counter()
        self._looked: dict[tuple[int, Digest], tuple[Tag, int]] = {}

    def hear(self, event: Event) -> None:
        """Listen to the registry's events."""
        if isinstance(event, Pulled):
            now = self._clock()
            self._waiting[event.repository_id, day_of(now), self._asked(event, now), event.client] += 1
            self._figures.events["pulls"] += 1
        elif isinstance(event, Looked):
            if len(self._looked) >= MAX_LOOKED:
                self._looked.clear()
            self._looked[event.repository_id, event.digest] = event.tag, self._clock()
        elif isinstance(event, Pushed):
            self._figures.events["pushes"] += 1

    async def flush(self, app: App) -> None:
        """Write down what was counted since the last time."""
        if self._waiting:
            counted, self._waiting = self._waiting, Counter()
            try:
                await app.statistics.count(counted)
            except HavreError:
                self._waiting.update(counted)
                raise

    def _asked(self, event: Pulled, now: int) -> Tag | Digest:
        if event.tag is not None:
            return event.tag
        tag, at = self._looked.get((event.repository_id, event.digest), (None, 0))
        return tag if tag is not None and now - at < LOOKED_FOR else event.digest


class Jobs:
    """Runs the periodic work of one worker from ``start`` to ``stop``."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._tasks: list[asyncio.Task[None]] = []
        self._stopping = False

    def start(self) -> None:
        """Begin."""
        self._tasks = [
            asyncio.create_task(self._every(FLUSH_SECONDS, self._flush)),
            asyncio.create_task(self._every(REPORT_SECONDS, self._app.uploads.report)),
            asyncio.create_task(self._every(EXPIRY_SECONDS, self._expire)),
            asyncio.create_task(self._every(FOLD_SECONDS, self._fold)),
            asyncio.create_task(self._every(FORGET_SECONDS, self._forget_details)),
            asyncio.create_task(self._every(COLLECT_SECONDS, self._collect, later=True)),
        ]
        if self._app.sink_work:
            self._tasks.append(asyncio.create_task(self._every(SINK_SECONDS, self._tell)))

    async def stop(self) -> None:
        """End, with the last counts written."""
        self._stopping = True
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        with contextlib.suppress(HavreError):
            await self._flush()

    async def _flush(self) -> None:
        self._app.figures.save()
        await self._app.pull_counter.flush(self._app)
        await self._app.pull_limits.settle()

    async def _fold(self) -> None:
        await self._app.plans.fold()

    async def _forget_details(self) -> None:
        await self._app.statistics.fold()

    async def _expire(self) -> None:
        removed = await self._app.uploads.expire()
        if removed:
            log.info("removed %d unfinished uploads", removed)
        await self._app.audit.sweep()
        await self._app.administration.count_content()
        await self._app.scrub.order_if_due()
        purged = await self._app.deletion.sweep()
        if purged:
            log.info("removed %d deleted repositories for good", purged)

    async def _collect(self) -> None:
        if await self._app.collections.schedule():
            self._app.work.ordered()

    async def _tell(self) -> None:
        if await self._app.forwarding.schedule():
            for work in self._app.sink_work:
                work.ordered()

    async def _every(self, seconds: float, work: Callable[[], Awaitable[None]], *, later: bool = False) -> None:
        if later:
            await asyncio.sleep(seconds)
        while True:
            try:
                await work()
            except HavreError as error:
                log.warning("%s", error.message)
            except Exception:
                if self._stopping:
                    # What was being done when the job was cancelled failed of that.
                    return
                log.exception("a periodic job failed; it will be tried again")
            await asyncio.sleep(seconds)
