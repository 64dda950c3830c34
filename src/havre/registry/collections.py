"""When collection runs by itself: every so often, in small pieces between other jobs, one at a time in the whole installation."""

from __future__ import annotations

from collections.abc import Callable

from havre.registry.gc import COLLECT, COLLECT_KEY, Collector
from havre.registry.job_ports import JobRecord, State
from havre.registry.jobs import Postponed, order
from havre.registry.ports import Clock, Metadata, Rows

HOUR = 3600 * 1000

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

    async def now(self) -> None:
        """Order a collection now, unless one is waiting or running. Raises Unavailable if one has just failed."""
        await self._metadata.write(lambda rows: order(rows, COLLECT, COLLECT_KEY, {}, self._clock()))

    async def running(self) -> bool:
        """Is one waiting or running?"""
        job = await self._metadata.read(lambda rows: rows.jobs.get(COLLECT, COLLECT_KEY))
        return job is not None and job.state in {State.WAITING, State.RUNNING}

    async def collect(self, _job: JobRecord, progress: Callable[[int, int], None]) -> None:
        """Do a piece of the job. Raises Postponed if there is more."""
        report = await self._collector.run(seconds=PIECE_SECONDS, told=lambda so_far: progress(so_far.looked, 0))
        if report is None:
            raise Postponed
