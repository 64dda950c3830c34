"""When collection runs by itself: every so often, in small pieces between other jobs, one at a time in the whole installation."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict

from havre.registry.audit import Author, record
from havre.registry.gc import COLLECT, COLLECT_KEY, Collector, Report
from havre.registry.job_ports import JobRecord, State
from havre.registry.jobs import Postponed, order
from havre.registry.ports import Clock, Metadata, Rows

HOUR = 3600 * 1000

PREVIEW = "collect.preview"
"""Kind of the job that changes nothing and says what a collection would do. Its key is that of collections."""

_PREVIEW = "gc.preview"

PIECE_SECONDS = 5
"""After which other jobs have their turn."""


class Collections:
    """Orders the job and does it. ``hours`` from the end of one to the next; 0: only when asked to."""

    def __init__(self, metadata: Metadata, collector: Collector, clock: Clock, hours: int) -> None:
        self._metadata = metadata
        self._collector = collector
        self._clock = clock
        self._hours = hours

    async def schedule(self) -> bool:
        """Order a collection if it is time; True if it was."""
        if not self._hours:
            return False
        now = self._clock()

        def due(rows: Rows) -> bool:
            job = rows.jobs.get(COLLECT, COLLECT_KEY)
            return job is None or (job.state.ended and job.updated <= now - self._hours * HOUR)

        def work(rows: Rows) -> bool:
            if not due(rows):
                return False
            order(rows, COLLECT, COLLECT_KEY, {}, now)
            return True

        # Looked first: most of the time there is nothing to write.
        return await self._metadata.read(due) and await self._metadata.write(work)

    async def now(self, by: Author | None = None, address: str = "") -> None:
        """Order a collection now, unless one is waiting or running. Raises Unavailable if one has just failed."""
        at = self._clock()

        def work(rows: Rows) -> None:
            job = rows.jobs.get(COLLECT, COLLECT_KEY)
            order(rows, COLLECT, COLLECT_KEY, {}, at)
            if by is not None and (job is None or job.state.ended):
                record(rows, by, "collection.order", COLLECT_KEY, at=at, address=address)

        await self._metadata.write(work)

    async def order_preview(self) -> None:
        """Have it found out what a collection would do. Raises Unavailable if that has just failed."""
        await self._metadata.write(lambda rows: order(rows, PREVIEW, COLLECT_KEY, {}, self._clock()))

    async def job(self, kind: str = COLLECT) -> JobRecord | None:
        """The latest collection, or preview, as a job."""
        return await self._metadata.read(lambda rows: rows.jobs.get(kind, COLLECT_KEY))

    async def running(self) -> bool:
        """Is one waiting or running?"""
        job = await self.job()
        return job is not None and job.state in {State.WAITING, State.RUNNING}

    async def previewed(self) -> Report | None:
        """What the last preview said; None if there was none."""
        text = await self._metadata.read(lambda rows: rows.garbage.remembered(_PREVIEW))
        return Report.read(text) if text else None

    async def preview(self, _job: JobRecord, progress: Callable[[int, int], None]) -> None:
        """Do the job of a preview, in one go."""
        report = await self._collector.run(dry=True, told=lambda so_far: progress(so_far.looked, 0))
        assert report is not None, "only a run with a limit of time is interrupted"
        text = json.dumps(asdict(report))
        await self._metadata.write(lambda rows: rows.garbage.remember(_PREVIEW, text), durable=False)

    async def collect(self, _job: JobRecord, progress: Callable[[int, int], None]) -> None:
        """Do a piece of the job. Raises Postponed if there is more."""
        report = await self._collector.run(seconds=PIECE_SECONDS, told=lambda so_far: progress(so_far.looked, 0))
        if report is None:
            raise Postponed
