"""The rows that count wrong passwords."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import Connection, bindparam, case, delete, or_, select

from havre.metadata.schema import login_failures
from havre.metadata.statements import insert
from havre.registry.records import Instant

# Two plain parameters: a list of any length would be compiled anew for each login.
_COUNTS = select(login_failures.c.key, login_failures.c.failures, login_failures.c.window_start).where(
    or_(login_failures.c.key == bindparam("first"), login_failures.c.key == bindparam("second")),
    login_failures.c.window_start >= bindparam("since"),
)


class LoginFailureRows:
    """See ``havre.access.ports.LoginFailureRows``."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def counts(self, keys: tuple[str, str], since: Instant) -> Mapping[str, tuple[int, Instant]]:
        """Failures and the start of the window, for those of ``keys`` whose window began at or after ``since``."""
        found = self._connection.execute(_COUNTS, {"first": keys[0], "second": keys[1], "since": since})
        return {key: (failures, start) for key, failures, start in found}

    def add(self, key: str, at: Instant, since: Instant) -> None:
        """Count one more failure; a window that began before ``since`` starts anew at ``at``."""
        running = login_failures.c.window_start >= since
        self._connection.execute(
            insert(self._connection, login_failures)
            .values(key=key, failures=1, window_start=at)
            .on_conflict_do_update(
                index_elements=[login_failures.c.key],
                set_={
                    "failures": case((running, login_failures.c.failures + 1), else_=1),
                    "window_start": case((running, login_failures.c.window_start), else_=at),
                },
            )
        )

    def clear(self, key: str) -> None:
        """Forget the failures under ``key``."""
        self._connection.execute(delete(login_failures).where(login_failures.c.key == key))

    def sweep(self, before: Instant, limit: int) -> int:
        """Forget up to ``limit`` counters whose window began before ``before``; returns how many."""
        old = select(login_failures.c.key).where(login_failures.c.window_start < before).limit(limit)
        return self._connection.execute(delete(login_failures).where(login_failures.c.key.in_(old))).rowcount
