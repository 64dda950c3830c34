"""The rows that count pulls within six hours, for workers and replicas together."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from sqlalchemy import Connection, and_, bindparam, case, delete, select

from havre.metadata.schema import pull_counts
from havre.metadata.statements import insert
from havre.registry.records import Instant

AHEAD = 60_000
"""Milliseconds by which the clock of another replica may be ahead; what is later than that was counted by a wrong one."""

_OF = select(pull_counts.c.key, pull_counts.c.used, pull_counts.c.window_start).where(
    pull_counts.c.key.in_(bindparam("keys", expanding=True)), pull_counts.c.window_start >= bindparam("since")
)


class PullCountRows:
    """See ``havre.access.ports.PullCountRows``."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def of(self, keys: Collection[str], since: Instant) -> Mapping[str, tuple[int, Instant]]:
        """Pulls and the start of the window, for those of ``keys`` whose window began at or after ``since``."""
        found = self._connection.execute(_OF, {"keys": sorted(keys), "since": since})
        return {key: (used, start) for key, used, start in found}

    def add(self, pulls: Mapping[str, int], at: Instant, since: Instant) -> None:
        """Count more of them; a window that began before ``since``, or after ``at`` by far, starts anew at ``at``."""
        if not pulls:
            return
        table = pull_counts.c
        statement = insert(self._connection, pull_counts)
        running = and_(table.window_start >= since, table.window_start <= at + AHEAD)
        self._connection.execute(
            statement.on_conflict_do_update(
                index_elements=[table.key],
                set_={
                    "used": case((running, table.used + statement.excluded.used), else_=statement.excluded.used),
                    "window_start": case((running, table.window_start), else_=statement.excluded.window_start),
                },
            ),
            # In one order everywhere, so that two workers that count the same rows wait but never deadlock.
            [{"key": key, "used": pulls[key], "window_start": at} for key in sorted(pulls)],
        )

    def sweep(self, before: Instant, limit: int) -> int:
        """Forget up to ``limit`` counters whose window began before ``before``; returns how many."""
        old = select(pull_counts.c.key).where(pull_counts.c.window_start < before).limit(limit)
        return self._connection.execute(delete(pull_counts).where(pull_counts.c.key.in_(old))).rowcount
