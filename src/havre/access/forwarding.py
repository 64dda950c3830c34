"""The audit trail, told elsewhere as well: to a file, to syslog, to a server that takes lines of JSON.

The trail itself stays in the rows, where each event is written with the change that it tells of. From there it goes to
each sink in the order of the events, and how far it went is kept in the rows, so nothing is lost while a sink, or the
server, is away. After a crash the last batch is told once more: sinks know events by their ``id``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence

from havre.access.ports import AuditSink, Metadata, Rows
from havre.registry.job_ports import JobRecord
from havre.registry.jobs import LEASE, LeaseLost, Patience, order
from havre.registry.ports import Clock
from havre.registry.records import AuditEvent, Instant

BATCH = 500
"""Events handed to a sink at a time."""

SETTLED = 60_000
"""Milliseconds after which an id that is missing stays so. PostgreSQL gives ids before it commits: of two that are written
at the same moment the later one may be seen first, and must wait for the other, which never comes if it was undone.
"""

STAY = 600_000
"""Milliseconds for which a job goes on looking when there is nothing to tell: each job is a row, kept for a week."""

LOOK_SECONDS = 1

PATIENCE = Patience(attempts=10**6, first=1_000, factor=2, longest=60_000)
"""After one second, two, four, … and then every minute, for as long as it takes."""


class Forwarding:
    """Tells ``sinks`` of what is new in the trail. Each has a kind of job of its own, so that one that is away keeps
    no other waiting.
    """

    def __init__(self, metadata: Metadata, sinks: Sequence[AuditSink], clock: Clock) -> None:
        self._metadata = metadata
        self._sinks = {one.kind: one for one in sinks}
        self._clock = clock

    @property
    def kinds(self) -> Sequence[str]:
        """The kinds of job, one for each sink."""
        return list(self._sinks)

    async def behind(self) -> Mapping[str, int]:
        """How many events each sink, by kind, has not been told of yet. One that is new begins with what happens now."""

        def work(rows: Rows) -> dict[str, int | None]:
            last = rows.audit.last()
            found = {kind: rows.audit_sinks.position(kind) for kind in self._sinks}
            return {kind: None if at is None else max(0, last - at) for kind, at in found.items()}

        found = await self._metadata.read(work)
        unknown = [kind for kind, number in found.items() if number is None]
        if unknown:
            await self._metadata.write(lambda rows: _begin(rows, unknown))
        return {kind: number or 0 for kind, number in found.items()}

    async def schedule(self) -> bool:
        """Order the work that is due; False if there is none."""
        late = [kind for kind, number in (await self.behind()).items() if number]
        if not late:
            return False

        def unordered(rows: Rows) -> list[str]:
            jobs = {kind: rows.jobs.get(kind, self._sinks[kind].name) for kind in late}
            return [kind for kind, job in jobs.items() if job is None or job.state.ended]

        def order_them(rows: Rows) -> None:
            for kind in unordered(rows):
                order(rows, kind, self._sinks[kind].name, {}, at)

        if await self._metadata.read(unordered):
            at = self._clock()
            await self._metadata.write(order_them)
        return True

    async def work(self, job: JobRecord, progress: Callable[[int, int], None]) -> None:
        """Do the job of a sink: tell it everything, and what comes meanwhile. Raises what the sink raises."""
        sink, end = self._sinks[job.kind], self._clock() + STAY
        while True:
            if events := await self._next(sink.kind):
                await sink.write(events)
                await self._moved(job, events[-1].id)
            elif self._clock() < end:
                await asyncio.sleep(LOOK_SECONDS)
            else:
                return

    async def _next(self, kind: str) -> Sequence[AuditEvent]:
        def work(rows: Rows) -> tuple[int, Sequence[AuditEvent]]:
            position = rows.audit_sinks.position(kind) or 0
            return position, rows.audit.after(position, BATCH)

        position, found = await self._metadata.read(work)
        return list(in_order(found, position, self._clock()))

    async def _moved(self, job: JobRecord, position: int) -> None:
        at = self._clock()

        def work(rows: Rows) -> None:
            if not rows.jobs.renew(job.id, job.lease, at + LEASE, 0, 0):
                raise LeaseLost
            rows.audit_sinks.move(job.kind, position, at)

        await self._metadata.write(work)


def _begin(rows: Rows, kinds: Sequence[str]) -> None:
    for kind in kinds:
        rows.audit_sinks.begin(kind, rows.audit.last())


def in_order(events: Sequence[AuditEvent], position: int, now: Instant) -> Iterator[AuditEvent]:
    """Those of ``events``, which come after ``position`` by id, before which no other can appear any more."""
    for event in events:
        if event.id != position + 1 and event.at > now - SETTLED:
            return
        yield event
        position = event.id
