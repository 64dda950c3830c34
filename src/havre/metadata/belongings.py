"""Everything the rows hold about an account: handed to its owner, or forgotten when they leave."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Column, Connection, delete, or_, select, update

from havre.metadata.schema import (
    access_tokens,
    audit_events,
    authenticators,
    collaborators,
    mailed_links,
    namespaces,
    recovery_codes,
    repositories,
    sessions,
    stars,
    tag_events,
    tags,
    transfers,
    users,
)
from havre.registry.records import Instant

SECRETS = {"password", "secret_hash", "key", "credential", "code_hash", "counter"}
"""Columns that never leave: what they hold proves someone, or would help to."""

OWNERS: Mapping[str, Column[Any]] = {
    "profile": users.c.id,
    "sessions": sessions.c.user_id,
    "access_tokens": access_tokens.c.user_id,
    "authenticators": authenticators.c.user_id,
    "recovery_codes": recovery_codes.c.user_id,
    "mailed_links": mailed_links.c.user_id,
    "stars": stars.c.user_id,
    "collaborations": collaborators.c.user_id,
    "offers_made": transfers.c.from_id,
    "offers_received": transfers.c.to_id,
    "tag_events": tag_events.c.user_id,
    "audit_events": audit_events.c.actor_id,
}
"""The sections of an export, each with the column that says whose a row is."""

_JSON = {"grants", "detail"}
_SIGNED: tuple[Column[Any], ...] = (tags.c.user_id, tag_events.c.user_id, repositories.c.pushed_by)
"""Where it stands as who did something to what stays."""

_FORGOTTEN = (sessions, access_tokens, authenticators, recovery_codes, mailed_links, stars, collaborators)


class BelongingRows:
    """See ``havre.access.ports.BelongingRows``."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def export(self, user_id: int, limit: int) -> Mapping[str, Sequence[Mapping[str, object]]]:
        """By table, the rows that are about it, without secrets; the newest ``limit`` of each."""
        found: dict[str, Sequence[Mapping[str, object]]] = {}
        for section, owner in OWNERS.items():
            columns = [column for column in owner.table.c if column.name not in SECRETS]
            keys = [column.desc() for column in owner.table.primary_key]
            statement = select(*columns).where(owner == user_id).order_by(*keys).limit(limit)
            found[section] = [_plain(row) for row in self._connection.execute(statement).mappings()]
        mine = select(namespaces.c.id).where(namespaces.c.user_id == user_id)
        owned = select(*repositories.c).where(repositories.c.namespace_id.in_(mine)).order_by(repositories.c.path)
        found["repositories"] = [_plain(row) for row in self._connection.execute(owned.limit(limit)).mappings()]
        return found

    def close(self, user_id: int, at: Instant) -> None:
        """Forget all of it but the name, which stays taken. Repositories must be gone already."""
        starred = select(stars.c.repository_id).where(stars.c.user_id == user_id)
        counted = update(repositories).where(repositories.c.id.in_(starred), repositories.c.stars > 0)
        self._connection.execute(counted.values(stars=repositories.c.stars - 1))
        for table in _FORGOTTEN:
            self._connection.execute(delete(table).where(table.c.user_id == user_id))
        offered = or_(transfers.c.from_id == user_id, transfers.c.to_id == user_id)
        self._connection.execute(delete(transfers).where(offered))
        for column in _SIGNED:
            self._connection.execute(update(column.table).where(column == user_id).values({column: None}))
        values = {
            "closed": at,
            "disabled": True,
            "is_admin": False,
            # Unique as every address, and nobody can have it: RFC 2606 keeps the name free.
            "email": f"{user_id}@closed.invalid",
            "email_verified": None,
            "password": "",
            "bio": "",
            "language": "",
            "theme": "",
        }
        self._connection.execute(update(users).where(users.c.id == user_id).values(values))


def _plain(row: Mapping[Any, Any]) -> Mapping[str, object]:
    return {
        str(name): json.loads(value) if name in _JSON and isinstance(value, str) else value
        for name, value in row.items()
        if not isinstance(value, bytes)
    }
