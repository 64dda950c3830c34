"""What may be garbage, as rows: links that no manifest names, and content that no repository links."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Integer,
    Select,
    and_,
    bindparam,
    case,
    delete,
    false,
    literal_column,
    select,
    true,
    tuple_,
    update,
)

from havre.metadata.schema import blobs, manifest_edges, manifests, repository_blobs, settings
from havre.metadata.statements import insert
from havre.metadata.uploads import unfinished
from havre.registry.gc_ports import Content, Link
from havre.registry.records import Instant

_LINK = repository_blobs.c
_EDGE = manifest_edges.c
_HERE = manifests.c.repository_id == _LINK.repository_id
# Numbers that the statements spell out: left open, they would be unknown to who plans them once for all.
_ONE = literal_column("1", Integer)
_FEW = literal_column("100", Integer)
"""Manifests, wherever they are, that are looked at for naming some content, before those of the repository are."""


def _one(found: Select[Any]) -> ColumnElement[bool]:
    """Is there a row? Not by EXISTS, which PostgreSQL, to answer it for many, turns into reading all there are."""
    return found.limit(_ONE).correlate(blobs, repository_blobs).scalar_subquery().is_not(None)


# Most content is named by few manifests, and most repositories have few: but the layers of a base image are named by
# hundreds of thousands, and some repositories have as many. So the first of the ones are looked at, then the others.
_NAMING = select(_EDGE.manifest_id).where(_EDGE.digest == blobs.c.digest)
_FIRST = _NAMING.limit(_FEW).correlate(blobs).subquery("first")
_NAMED_BY_FEW = _one(
    select(manifests.c.id).join_from(_FIRST, manifests, manifests.c.id == _FIRST.c.manifest_id).where(_HERE)
)
# The digest is made one of no index, so that the repository's own manifests lead to their edges.
_NAMED_HERE = _one(
    select(manifests.c.id)
    .join_from(manifests, manifest_edges, _EDGE.manifest_id == manifests.c.id)
    .where(_HERE, _EDGE.digest + literal_column("''") == blobs.c.digest)
)
_NAMED = case((_NAMED_BY_FEW, true()), (_one(_NAMING.offset(_FEW)), _NAMED_HERE), else_=false())
_YOUNG = and_(_LINK.condemned.is_(None), _LINK.linked > bindparam("before"))
_LINKS = (
    select(
        _LINK.repository_id,
        _LINK.blob_id,
        _LINK.size,
        _LINK.condemned,
        case((_YOUNG, true()), else_=_NAMED),
    )
    .join_from(repository_blobs, blobs, blobs.c.id == _LINK.blob_id)
    .where(tuple_(_LINK.repository_id, _LINK.blob_id) > tuple_(bindparam("repository_id"), bindparam("blob_id")))
    .order_by(_LINK.repository_id, _LINK.blob_id)
    .limit(bindparam("limit"))
)
_THESE = (_LINK.repository_id == bindparam("here"), _LINK.blob_id.in_(bindparam("these", expanding=True)))
_STILL_NAMED = (
    select(_NAMED).select_from(blobs).where(blobs.c.id == _LINK.blob_id).correlate(repository_blobs).scalar_subquery()
)
_ACQUIT_LINKS = (
    update(repository_blobs).where(*_THESE, _LINK.condemned.is_not(None), _STILL_NAMED).values(condemned=None)
)
_CONDEMN_LINKS = (
    update(repository_blobs)
    .where(*_THESE, _LINK.condemned.is_(None), _LINK.linked <= bindparam("before"), ~_STILL_NAMED)
    .values(condemned=bindparam("at"))
)
_REMOVE_LINKS = (
    delete(repository_blobs).where(*_THESE, _LINK.condemned <= bindparam("before"), ~_STILL_NAMED).returning(_LINK.size)
)

_IS_LINKED = _one(select(_LINK.repository_id).where(_LINK.blob_id == blobs.c.id))
_CONTENTS = (
    select(blobs.c.id, blobs.c.storage_key, blobs.c.size, blobs.c.condemned, _IS_LINKED)
    .where(blobs.c.id > bindparam("after"))
    .order_by(blobs.c.id)
    .limit(bindparam("limit"))
)
_AMONG = blobs.c.id.in_(bindparam("these", expanding=True))
_ACQUIT = update(blobs).where(_AMONG, blobs.c.condemned.is_not(None), _IS_LINKED).values(condemned=None)
_CONDEMN = update(blobs).where(_AMONG, blobs.c.condemned.is_(None), ~_IS_LINKED).values(condemned=bindparam("at"))
_LOCK = select(blobs.c.id).where(_AMONG).order_by(blobs.c.id).with_for_update()
_REMOVE = (
    delete(blobs)
    .where(_AMONG, blobs.c.condemned <= bindparam("before"), ~_IS_LINKED)
    .returning(blobs.c.storage_key, blobs.c.size)
)
_KNOWN = select(blobs.c.storage_key).where(blobs.c.storage_key.in_(bindparam("keys", expanding=True)))
_REMEMBERED = select(settings.c.value).where(settings.c.key == bindparam("key"))


class GarbageRows:
    """Implements ``havre.registry.gc_ports.GarbageRows``."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def links(self, after: tuple[int, int], before: Instant, limit: int) -> Sequence[Link]:
        """Links by (repository, content) greater than ``after``; those made after ``before`` count as needed."""
        values = {"repository_id": after[0], "blob_id": after[1], "before": before, "limit": limit}
        rows = self._connection.execute(_LINKS, values)
        return [Link(here, blob, size, since, bool(needed)) for here, blob, size, since, needed in rows]

    def settle_links(
        self, repository_id: int, blob_ids: Collection[int], at: Instant, before: Instant
    ) -> tuple[int, int, Sequence[int]]:
        """Condemn links that nothing needs, acquit those that something needs, remove those condemned ``before``."""
        run, these = self._connection.execute, {"here": repository_id, "these": sorted(blob_ids)}
        acquitted = run(_ACQUIT_LINKS, these).rowcount
        removed = run(_REMOVE_LINKS, these | {"before": before}).scalars().all()
        condemned = run(_CONDEMN_LINKS, these | {"before": before, "at": at}).rowcount
        return condemned, acquitted, removed

    def contents(self, after: int, limit: int) -> Sequence[Content]:
        """Content by id greater than ``after``."""
        rows = self._connection.execute(_CONTENTS, {"after": after, "limit": limit})
        return [Content(one, key, size, since, bool(needed)) for one, key, size, since, needed in rows]

    def settle_contents(self, blob_ids: Collection[int], at: Instant) -> tuple[int, int]:
        """Condemn what nobody links, acquit what somebody links; returns how many of each."""
        these = {"these": sorted(blob_ids)}
        acquitted = self._connection.execute(_ACQUIT, these).rowcount
        return self._connection.execute(_CONDEMN, these | {"at": at}).rowcount, acquitted

    def remove_contents(self, blob_ids: Collection[int], before: Instant) -> Sequence[tuple[str, int]]:
        """Remove the rows of what was condemned ``before`` and nobody links; returns their keys and sizes."""
        these = {"these": sorted(blob_ids)}
        # PostgreSQL makes who links one of these wait here, and start anew once they are gone.
        self._connection.execute(_LOCK, these)
        return [(key, size) for key, size in self._connection.execute(_REMOVE, these | {"before": before})]

    def known_keys(self, keys: Collection[str]) -> Collection[str]:
        """Those of ``keys`` that a row names, or that an upload under way may; at most some hundreds."""
        found = set(self._connection.execute(_KNOWN, {"keys": sorted(keys)}).scalars())
        return found | unfinished(self._connection, keys)

    def remembered(self, key: str) -> str | None:
        """What was remembered under a name."""
        value: str | None = self._connection.execute(_REMEMBERED, {"key": key}).scalar_one_or_none()
        return value

    def remember(self, key: str, value: str) -> None:
        """Remember something under a name."""
        statement = insert(self._connection, settings).values(key=key, value=value)
        self._connection.execute(
            statement.on_conflict_do_update(index_elements=[settings.c.key], set_={"value": value})
        )
