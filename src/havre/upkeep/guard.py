"""The guard: while it stands, nothing that a backup still has to copy is removed.

It is a job that a backup itself does, with a lease that it renews: whoever removes content asks ``backup_runs`` in the
transaction that removes. A backup that dies holds nothing for longer than its lease.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import secrets
import socket
from pathlib import Path
from types import TracebackType
from typing import Self

from havre.errors import Conflict, HavreError
from havre.metadata.engine import Database
from havre.registry.holds import BACKUP, BACKUP_KEY, HOLD, backup_runs
from havre.registry.job_ports import JobRecord, State
from havre.registry.ports import Clock, Rows

RENEW_SECONDS = HOLD / 1000 / 6


class Guard:
    """Stands from the beginning of the block to its end; ``lost`` once it could not be kept up."""

    def __init__(self, database: Database, clock: Clock, folder: Path) -> None:
        self._database = database
        self._clock = clock
        # Who holds the folder's lock and finds itself named here knows that it follows one that died.
        self._payload = {"folder": str(folder), "host": socket.gethostname()}
        self._lease = secrets.token_hex(8)
        self._job: JobRecord | None = None
        self._task: asyncio.Task[None] | None = None
        self._kept = 0
        self.done, self.total = 0, 0
        """How far the backup is, for who watches."""

    @property
    def lost(self) -> bool:
        """Might something have been removed meanwhile?"""
        return self._clock() > self._kept + HOLD

    async def __aenter__(self) -> Self:
        """Raises Conflict if another backup runs."""
        self._job = await self._database.write(self._begin)
        self._kept = self._clock()
        self._task = asyncio.create_task(self._hold())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stand no longer, and keep how it ended."""
        if self._task:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        job, now = self._job, self._clock()
        if job is None:
            return
        state = State.FAILED if error else State.DONE
        message = error.message if isinstance(error, HavreError) else str(error or "")
        done, total = self.done, self.total

        def end(rows: Rows) -> None:
            rows.jobs.renew(job.id, job.lease, now, done, total)
            rows.jobs.settle(job.id, job.lease, state, message[:2000], now, job.attempts)

        with contextlib.suppress(HavreError):
            await self._database.write(end)

    def _begin(self, rows: Rows) -> JobRecord:
        now = self._clock()
        former = rows.jobs.get(BACKUP, BACKUP_KEY)
        if former is not None and backup_runs(rows, now):
            if former.values != self._payload:
                raise Conflict(
                    "another backup of this registry runs already: wait until it has ended"
                    f" (one that died is forgotten after {HOLD // 1000} seconds)"
                )
            rows.jobs.settle(former.id, former.lease, State.FAILED, "it died", now, former.attempts)
            former = None
        if former is None or former.state.ended:
            rows.jobs.add(BACKUP, BACKUP_KEY, json.dumps(self._payload), now)
        job = rows.jobs.claim([BACKUP], self._lease, now, now + HOLD)
        if job is None:
            raise Conflict("another backup of this registry has just begun: wait until it has ended")
        return job

    async def _hold(self) -> None:
        while True:
            await asyncio.sleep(RENEW_SECONDS)
            job, now, done, total = self._job, self._clock(), self.done, self.total
            assert job is not None
            with contextlib.suppress(HavreError):
                until = now + HOLD
                if await self._database.write(
                    lambda rows, job=job, until=until, done=done, total=total: rows.jobs.renew(  # type: ignore[misc]
                        job.id, job.lease, until, done, total
                    )
                ):
                    self._kept = now
