"""Jobs as rows."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, and_, bindparam, delete, func, or_, select, update

from havre.metadata.schema import jobs
from havre.registry.job_ports import JobRecord, State
from havre.registry.records import Instant

_JOB = select(
    jobs.c.id,
    jobs.c.kind,
    jobs.c.key,
    jobs.c.payload,
    jobs.c.state,
    jobs.c.attempts,
    jobs.c.not_before,
    jobs.c.lease,
    jobs.c.lease_until,
    jobs.c.done,
    jobs.c.total,
    jobs.c.message,
    jobs.c.created,
    jobs.c.updated,
)
_NAMES = [column.name for column in _JOB.selected_columns]
_GET = _JOB.where(jobs.c.kind == bindparam("kind"), jobs.c.key == bindparam("key")).order_by(jobs.c.id.desc()).limit(1)
_FREE = (
    _JOB.where(
        jobs.c.kind.in_(bindparam("kinds", expanding=True)),
        or_(
            and_(jobs.c.state == State.WAITING, jobs.c.not_before <= bindparam("at")),
            and_(jobs.c.state == State.RUNNING, jobs.c.lease_until < bindparam("at")),
        ),
    )
    .order_by(jobs.c.not_before, jobs.c.id)
    .limit(1)
)
_HELD = (jobs.c.id == bindparam("job_id"), jobs.c.lease == bindparam("holder"), jobs.c.state == State.RUNNING)
_COUNTS = select(jobs.c.state, func.count()).group_by(jobs.c.state)

_COUNTS_OF_KIND = _COUNTS.where(jobs.c.kind == bindparam("kind"))


def _record(row: Sequence[Any]) -> JobRecord:
    values: dict[str, Any] = dict(zip(_NAMES, row, strict=True))
    return JobRecord(**{**values, "state": State(values["state"])})


class JobRows:
    """Implements ``havre.registry.job_ports.JobRows``."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def get(self, kind: str, key: str) -> JobRecord | None:
        """The latest job of this kind and key, ended or not."""
        row = self._connection.execute(_GET, {"kind": kind, "key": key}).first()
        return _record(row) if row else None

    def add(self, kind: str, key: str, payload: str, at: Instant) -> None:
        """A new job that may begin at once. The caller has seen that none of its kind and key is unfinished."""
        self._connection.execute(
            jobs.insert(),
            {
                "kind": kind,
                "key": key,
                "payload": payload,
                "state": State.WAITING,
                "not_before": at,
                "created": at,
                "updated": at,
            },
        )

    def claim(self, kinds: Collection[str], lease: str, at: Instant, until: Instant) -> JobRecord | None:
        """Take the job that has waited longest, or whose lease ran out; None if there is none."""
        # Two that look at once are put in order by the engine: SQLite lets one in at a time, PostgreSQL refuses one
        # of them, whose unit of work is then run again.
        row = self._connection.execute(_FREE, {"kinds": list(kinds), "at": at}).first()
        if row is None:
            return None
        self._connection.execute(
            update(jobs)
            .where(jobs.c.id == row[0])
            .values(
                state=State.RUNNING, lease=lease, lease_until=until, attempts=jobs.c.attempts + 1, updated=at, done=0
            )
        )
        taken = self._connection.execute(_JOB.where(jobs.c.id == row[0])).one()
        return _record(taken)

    def renew(self, job_id: int, lease: str, until: Instant, done: int, total: int) -> bool:
        """Hold on to a job and say how far it is; False if the lease was lost."""
        statement = update(jobs).where(*_HELD).values(lease_until=until, done=done, total=total)
        return self._connection.execute(statement, {"job_id": job_id, "holder": lease}).rowcount > 0

    def settle(self, job_id: int, lease: str, state: State, message: str, not_before: Instant, attempts: int) -> bool:
        """Give a job back in a state; False, and nothing changed, if the lease was lost. One that is done keeps no
        payload.
        """
        values: dict[str, Any] = {
            "state": state,
            "message": message,
            "not_before": not_before,
            "attempts": attempts,
            "lease": "",
            "lease_until": None,
        }
        if state.ended:
            values["updated"] = not_before
        if state is State.DONE:
            values["payload"] = "{}"
        statement = update(jobs).where(*_HELD).values(values)
        return self._connection.execute(statement, {"job_id": job_id, "holder": lease}).rowcount > 0

    def counts(self, kind: str = "") -> Mapping[str, int]:
        """How many jobs there are, of one kind or of all, by state."""
        statement = _COUNTS_OF_KIND if kind else _COUNTS
        return {row[0]: row[1] for row in self._connection.execute(statement, {"kind": kind} if kind else {})}

    def page(self, states: Collection[str], offset: int, limit: int) -> Sequence[JobRecord]:
        """Jobs of these states, the newest first."""
        statement = _JOB.where(jobs.c.state.in_(list(states))).order_by(jobs.c.id.desc()).offset(offset).limit(limit)
        return [_record(row) for row in self._connection.execute(statement)]

    def forget(self, before: Instant) -> int:
        """Remove jobs that ended before; returns how many."""
        ended = jobs.c.state.in_([State.DONE, State.FAILED])
        return self._connection.execute(delete(jobs).where(ended, jobs.c.updated < before)).rowcount
