"""The audit trail, as rows: written once, read newest first along an index, forgotten when they are old."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson
from sqlalchemy import ColumnElement, Connection, Select, bindparam, delete, func, insert, select, tuple_

from havre.access.records import AuditQuery
from havre.metadata.schema import audit_events
from havre.registry.records import AuditEvent, Instant

_EVENT = audit_events.c
_ADD = insert(audit_events)
_COLUMNS = (
    _EVENT.at,
    _EVENT.actor_id,
    _EVENT.actor,
    _EVENT.action,
    _EVENT.subject,
    _EVENT.repository_id,
    _EVENT.address,
    _EVENT.detail,
    _EVENT.id,
)
_AFTER = select(*_COLUMNS).where(_EVENT.id > bindparam("position")).order_by(_EVENT.id).limit(bindparam("most"))
_LAST = select(func.max(_EVENT.id))


def _read(row: Sequence[Any]) -> AuditEvent:
    at, actor_id, actor, action, subject, repository_id, address, detail, identity = row
    return AuditEvent(at, actor_id, actor, action, subject, repository_id, address, orjson.loads(detail), identity)


class AuditRows:
    """See ``havre.access.ports.AuditRows``."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, event: AuditEvent) -> None:
        """Remember what was done, together with the change itself."""
        self._connection.execute(
            _ADD,
            {
                "at": event.at,
                "actor_id": event.actor_id,
                "actor": event.actor,
                "action": event.action,
                "subject": event.subject,
                "repository_id": event.repository_id,
                "address": event.address,
                "detail": orjson.dumps(dict(event.detail)).decode(),
            },
        )

    def page(self, query: AuditQuery, before: tuple[Instant, int] | None, limit: int) -> Sequence[AuditEvent]:
        """What matches, newest first, older than the event at ``before`` (its time and id)."""
        found: Select[Any] = select(*_COLUMNS).where(*_matches(query))
        if before is not None:
            found = found.where(tuple_(_EVENT.at, _EVENT.id) < tuple_(*before))
        found = found.order_by(_EVENT.at.desc(), _EVENT.id.desc()).limit(limit)
        return [_read(row) for row in self._connection.execute(found)]

    def after(self, position: int, limit: int) -> Sequence[AuditEvent]:
        """The events with a higher id than ``position``, in the order of their ids."""
        return [_read(row) for row in self._connection.execute(_AFTER, {"position": position, "most": limit})]

    def last(self) -> int:
        """The highest id there is; 0 if nothing was ever written down."""
        return int(self._connection.execute(_LAST).scalar_one() or 0)

    def sweep(self, before: Instant, limit: int) -> int:
        """Forget up to ``limit`` events older than ``before``, the oldest first; returns how many."""
        old = select(_EVENT.id).where(_EVENT.at < before).order_by(_EVENT.at, _EVENT.id).limit(limit)
        return self._connection.execute(delete(audit_events).where(_EVENT.id.in_(old))).rowcount


def _matches(query: AuditQuery) -> list[ColumnElement[bool]]:
    asked = (
        (_EVENT.actor, query.actor),
        (_EVENT.action, query.action),
        (_EVENT.subject, query.subject),
        (_EVENT.repository_id, query.repository_id),
    )
    found: list[ColumnElement[bool]] = [column == value for column, value in asked if value]
    if query.since is not None:
        found.append(_EVENT.at >= query.since)
    if query.until is not None:
        found.append(_EVENT.at < query.until)
    return found
