"""Jobs: work that must be done once, by whichever worker comes first, and again if that one dies.

A job is a row. Who takes it holds a lease, renewed while the work goes on; a lease that ran out is anyone's. Work must
therefore be such that doing it twice does no harm, and whoever finishes proves in the same unit of work that the lease
is still held.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from havre.errors import Unavailable
from havre.registry.job_ports import HasJobs, JobRecord, State
from havre.registry.ports import Clock, Metadata, Rows
from havre.registry.records import Instant

LEASE = 30 * 1000
"""Milliseconds after which a worker that is not heard of is taken for dead."""

MAX_ATTEMPTS = 4
"""How often a job is begun before it counts as failed."""

MAX_WAITING = 2000
"""Jobs of one kind that may wait; more are refused."""

KEPT = 7 * 24 * 3600 * 1000
"""Milliseconds for which jobs that ended are remembered."""

FAILED_FOR = 60 * 1000
"""Milliseconds for which work that failed is not ordered anew."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long work that fails is tried again. Times are milliseconds."""

    attempts: int = MAX_ATTEMPTS
    """How often it is begun, counting those who died over it."""
    first: int = 5 * 1000
    factor: int = 4
    longest: int = 3600 * 1000
    """The pause after the first attempt, what each is times the one before, and the longest."""
    age: int | None = None
    """How old the job may become: the last attempt is made then."""

    def next(self, job: JobRecord, now: Instant) -> Instant | None:
        """When to try again; None if it is time to give up."""
        if job.attempts >= self.attempts:
            return None
        at: int = now + min(self.first * self.factor ** (job.attempts - 1), self.longest)
        if self.age is None:
            return at
        end = job.created + self.age
        return None if now >= end else min(at, end)


USUAL = Patience()


class LeaseLost(Exception):
    """Somebody else has the job by now."""


class Postponed(Exception):
    """What the job needs is not there yet: again in a moment, which counts as no attempt."""


class Jobs:
    """Orders work and hands it out."""

    def __init__(self, metadata: Metadata, clock: Clock, patience: Mapping[str, Patience] | None = None) -> None:
        """``patience``, by kind, where it is not the usual one."""
        self._metadata = metadata
        self._clock = clock
        self._patience = patience or {}

    async def take(self, kinds: Collection[str], lease: str) -> JobRecord | None:
        """The next job for a worker called ``lease``; one that was begun too often is given up on the way."""
        now = self._clock()
        # Looked first: a worker with nothing to do must not write.
        if not await self._metadata.read(lambda rows: _unfinished(rows, kinds)):
            return None
        while True:
            job = await self._metadata.write(lambda rows: rows.jobs.claim(kinds, lease, now, now + LEASE))
            if job is None or job.attempts <= self._patience.get(job.kind, USUAL).attempts:
                return job
            await self.fail(job, "given up: whoever began it died, again and again")

    async def renew(self, job: JobRecord, done: int, total: int) -> None:
        """Hold on, and tell how far it is. Raises LeaseLost."""
        until = self._clock() + LEASE
        if not await self._metadata.write(
            lambda rows: rows.jobs.renew(job.id, job.lease, until, done, total), durable=False
        ):
            raise LeaseLost

    async def finish(self, job: JobRecord) -> None:
        """It is done; nothing happens if somebody else has it by now."""
        await self._settle(job, State.DONE, "", 0, job.attempts)

    async def fail(self, job: JobRecord, message: str) -> None:
        """It can not be done."""
        await self._settle(job, State.FAILED, message, 0, job.attempts)

    async def again(self, job: JobRecord, message: str) -> bool:
        """It failed for now: tried again after a pause that grows; False if it was tried often enough, and has failed."""
        now = self._clock()
        at = self._patience.get(job.kind, USUAL).next(job, now)
        if at is None:
            await self.fail(job, message)
        else:
            await self._settle(job, State.WAITING, message, at - now, job.attempts)
        return at is not None

    async def give_back(self, job: JobRecord, pause: int = 0) -> None:
        """Let another have it, after some milliseconds; as if it had not been begun."""
        await self._settle(job, State.WAITING, "", pause, job.attempts - 1)

    async def forget(self) -> int:
        """Remove those that ended long ago; returns how many."""
        before = self._clock() - KEPT
        return await self._metadata.write(lambda rows: rows.jobs.forget(before), durable=False)

    async def _settle(self, job: JobRecord, state: State, message: str, pause: int, attempts: int) -> None:
        at = self._clock() + pause
        await self._metadata.write(
            lambda rows: rows.jobs.settle(job.id, job.lease, state, message[:2000], at, attempts)
        )


def _unfinished(rows: HasJobs, kinds: Collection[str]) -> bool:
    """Is there a job of one of these kinds that somebody does or could do? Mostly one question tells that there is none."""

    def any_of(counts: Mapping[str, int]) -> bool:
        return bool(counts.get(State.WAITING) or counts.get(State.RUNNING))

    return any_of(rows.jobs.counts()) and any(any_of(rows.jobs.counts(kind)) for kind in kinds)


def order(rows: HasJobs, kind: str, key: str, payload: Mapping[str, Any], at: Instant) -> JobRecord:
    """The unfinished job of this kind and key, made if there is none. Raises Unavailable if too many wait, or if the
    same has just failed.
    """
    job = rows.jobs.get(kind, key)
    if job is not None and job.state is State.FAILED and job.updated > at - FAILED_FOR:
        raise Unavailable(f"this was tried a moment ago and failed: {job.message}", retry_after=60)
    if job is None or job.state.ended:
        if rows.jobs.counts(kind).get(State.WAITING, 0) >= MAX_WAITING:
            raise Unavailable(f"{MAX_WAITING} jobs wait already: try again in a few minutes", retry_after=120)
        rows.jobs.add(kind, key, json.dumps(payload), at)
        job = rows.jobs.get(kind, key)
        assert job is not None
    return job


def prove(rows: Rows, job: JobRecord, at: Instant) -> None:
    """Within the unit of work that keeps a job's result: the lease is still held. Raises LeaseLost."""
    if not rows.jobs.renew(job.id, job.lease, at + LEASE, job.total, job.total):
        raise LeaseLost
