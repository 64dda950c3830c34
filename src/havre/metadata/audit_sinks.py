"""How far each sink of the audit trail has been told, as rows."""

from __future__ import annotations

from sqlalchemy import Connection, bindparam, select, update

from havre.metadata.schema import audit_sinks
from havre.metadata.statements import insert_new
from havre.registry.records import Instant

_POSITION = select(audit_sinks.c.position).where(audit_sinks.c.kind == bindparam("sink"))
_MOVE = (
    update(audit_sinks)
    .where(audit_sinks.c.kind == bindparam("sink"))
    .values(position=bindparam("last"), told=bindparam("at"))
)


class AuditSinkRows:
    """See ``havre.access.ports.AuditSinkRows``."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def position(self, kind: str) -> int | None:
        """The id of the last event that the sink was told of; None for one that nobody knows."""
        found: int | None = self._connection.execute(_POSITION, {"sink": kind}).scalar_one_or_none()
        return found

    def begin(self, kind: str, position: int) -> None:
        """Make a sink known; nothing happens if it is."""
        self._connection.execute(insert_new(self._connection, audit_sinks).values(kind=kind, position=position))

    def move(self, kind: str, position: int, at: Instant) -> None:
        """The sink was told of every event up to this one."""
        self._connection.execute(_MOVE, {"sink": kind, "last": position, "at": at})
