"""The rows of browsers that are signed in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, bindparam, delete, insert, select, update

from havre.access.records import SessionRecord, User
from havre.metadata.accounts import COLUMNS as USER_COLUMNS
from havre.metadata.accounts import read_user
from havre.metadata.schema import sessions, users
from havre.registry.records import Instant

_COLUMNS = (
    sessions.c.id,
    sessions.c.user_id,
    sessions.c.created,
    sessions.c.last_seen,
    sessions.c.expires,
    sessions.c.address,
    sessions.c.user_agent,
    sessions.c.pending,
)
_FIND = (
    select(*_COLUMNS, *USER_COLUMNS)
    .join(users, users.c.id == sessions.c.user_id)
    .where(sessions.c.secret_hash == bindparam("secret_hash"))
)


def _read(row: Sequence[Any]) -> SessionRecord:
    return SessionRecord(*row[: len(_COLUMNS)])


class SessionRows:
    """See ``havre.access.ports.SessionRows``."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(
        self,
        secret_hash: bytes,
        user_id: int,
        at: Instant,
        expires: Instant,
        address: str,
        user_agent: str,
        pending: bool = False,
    ) -> SessionRecord:
        """Remember a new session."""
        statement = insert(sessions).returning(*_COLUMNS)
        values = {
            "secret_hash": secret_hash,
            "user_id": user_id,
            "created": at,
            "last_seen": at,
            "expires": expires,
            "address": address,
            "user_agent": user_agent,
            "pending": pending,
        }
        return _read(self._connection.execute(statement, values).one())

    def find(self, secret_hash: bytes) -> tuple[SessionRecord, User] | None:
        """The session and its account, expired or pending or not."""
        row = self._connection.execute(_FIND, {"secret_hash": secret_hash}).one_or_none()
        return (_read(row), read_user(row, len(_COLUMNS))) if row else None

    def touch(self, session_id: int, at: Instant, expires: Instant) -> None:
        """Remember that it was seen."""
        self._connection.execute(
            update(sessions).where(sessions.c.id == session_id).values(last_seen=at, expires=expires)
        )

    def of(self, user_id: int, at: Instant, limit: int) -> Sequence[SessionRecord]:
        """Sessions neither pending nor expired at ``at``, the last seen first."""
        statement = (
            select(*_COLUMNS)
            .where(sessions.c.user_id == user_id, sessions.c.expires > at, sessions.c.pending.is_(False))
            .order_by(sessions.c.last_seen.desc(), sessions.c.id.desc())
            .limit(limit)
        )
        return [_read(row) for row in self._connection.execute(statement)]

    def delete(self, user_id: int, session_id: int) -> bool:
        """End one of this account's sessions; False if there was none."""
        statement = delete(sessions).where(sessions.c.user_id == user_id, sessions.c.id == session_id)
        return self._connection.execute(statement).rowcount > 0

    def delete_all(self, user_id: int, keep: int | None = None) -> int:
        """End all of an account's sessions but ``keep``; returns how many ended."""
        statement = delete(sessions).where(sessions.c.user_id == user_id)
        if keep is not None:
            statement = statement.where(sessions.c.id != keep)
        return self._connection.execute(statement).rowcount

    def delete_secret(self, secret_hash: bytes) -> bool:
        """End the session with this secret; False if there was none."""
        return self._connection.execute(delete(sessions).where(sessions.c.secret_hash == secret_hash)).rowcount > 0

    def trim(self, user_id: int, at: Instant, keep: int, pending: bool = False) -> None:
        """Remove sessions that expired before ``at``, and all but this account's ``keep`` last seen ones of a kind."""
        self._connection.execute(delete(sessions).where(sessions.c.expires < at))
        mine = (sessions.c.user_id == user_id, sessions.c.pending.is_(pending))
        kept = (
            select(sessions.c.id).where(*mine).order_by(sessions.c.last_seen.desc(), sessions.c.id.desc()).limit(keep)
        )
        self._connection.execute(delete(sessions).where(*mine, sessions.c.id.not_in(kept)))
