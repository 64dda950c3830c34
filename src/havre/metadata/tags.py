"""Tags and the memory of their moves, as rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, bindparam, delete, func, select, tuple_

from havre.errors import ManifestUnknown
from havre.metadata.schema import condemned_manifests, manifests, tag_events, tags, users
from havre.metadata.statements import insert
from havre.oci.digest import Digest
from havre.oci.names import Tag
from havre.registry.records import Instant, TagEvent, TagRecord

RECENT = 1_000
"""Moves, of all repositories, that are looked through for news of one."""

_HERE = tags.c.repository_id == bindparam("repository_id")
_NAMED = tags.c.name == bindparam("tag")
_TO_MANIFEST = tags.c.manifest_id == manifests.c.id
_TO_USER = tags.c.user_id == users.c.id

# Built once: making a statement costs more than running it, and SQLAlchemy knows it again by identity.
_GET = (
    select(tags.c.name, manifests.c.digest, tags.c.updated, users.c.name, tags.c.pulls, tags.c.pulled)
    .join_from(tags, manifests, _TO_MANIFEST)
    .outerjoin(users, _TO_USER)
    .where(_HERE, _NAMED)
)
_TARGET = select(manifests.c.digest).join_from(tags, manifests, _TO_MANIFEST).where(_HERE, _NAMED)
_IS_MANIFEST = (manifests.c.repository_id == bindparam("repository_id")) & (manifests.c.digest == bindparam("digest"))
_MANIFEST_ID = select(manifests.c.id).where(_IS_MANIFEST)
_MANIFEST = select(manifests.c.id, manifests.c.total_size).where(_IS_MANIFEST)
_ACQUIT = delete(condemned_manifests).where(condemned_manifests.c.manifest_id == bindparam("manifest_id"))
_DELETE = delete(tags).where(_HERE, _NAMED)
# A manifest belongs to one repository, so its id says enough; naming both would tempt SQLite to walk along all tags.
_OF = select(tags.c.name).where(tags.c.manifest_id == _MANIFEST_ID.scalar_subquery()).order_by(tags.c.name)
_NAMES = (
    select(tags.c.name).where(_HERE, tags.c.name > bindparam("after")).order_by(tags.c.name).limit(bindparam("limit"))
)
# In the order of the index, whose last part is the row's id: no sorting, however many moves there are.
_EVENTS = (
    select(tag_events.c.tag, tag_events.c.before, tag_events.c.after, users.c.name, tag_events.c.at, tag_events.c.id)
    .outerjoin_from(tag_events, users, tag_events.c.user_id == users.c.id)
    .where(tag_events.c.repository_id == bindparam("repository_id"))
    .order_by(tag_events.c.at.desc(), tag_events.c.id.desc())
    .limit(bindparam("limit"))
)
_OF_TAG = tag_events.c.tag == bindparam("tag")
_BEFORE = tuple_(tag_events.c.at, tag_events.c.id) < tuple_(bindparam("before_at"), bindparam("before_id"))
_EVENTS_BY_KIND = {
    (False, False): _EVENTS,
    (True, False): _EVENTS.where(_OF_TAG),
    (False, True): _EVENTS.where(_BEFORE),
    (True, True): _EVENTS.where(_OF_TAG, _BEFORE),
}
_LAST = select(func.max(tag_events.c.id))
# Along the ids of all repositories, few of which are new, and not along the moves of this one, which may be many.
_RECENT = (
    select(tag_events)
    .where(tag_events.c.id > bindparam("after"))
    .order_by(tag_events.c.id.desc())
    .limit(RECENT)
    .subquery()
)
_NEWS = (
    select(_RECENT.c.tag, _RECENT.c.before, _RECENT.c.after, users.c.name, _RECENT.c.at, _RECENT.c.id)
    .outerjoin_from(_RECENT, users, _RECENT.c.user_id == users.c.id)
    .where(_RECENT.c.repository_id == bindparam("repository_id"))
    .order_by(_RECENT.c.id.desc())
)


class TagRows:
    """Implements ``havre.registry.ports.TagRows``."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def get(self, repository_id: int, tag: Tag) -> TagRecord | None:
        """The tag, or None."""
        row = self._connection.execute(_GET, {"repository_id": repository_id, "tag": tag}).first()
        return TagRecord(Tag(row[0]), Digest(row[1]), row[2], row[3] or "", row[4], row[5]) if row else None

    def put(self, repository_id: int, tag: Tag, digest: Digest, user_id: int | None, at: Instant) -> Digest | None:
        """Make or move it and remember the move; returns what it pointed at. The same digest again is remembered too.

        Raises ManifestUnknown if the repository holds no such manifest.
        """
        manifest = self._connection.execute(_MANIFEST, {"repository_id": repository_id, "digest": digest}).first()
        if manifest is None:
            raise ManifestUnknown(f"this repository has no manifest {digest}", detail={"digest": digest})
        self._connection.execute(_ACQUIT, {"manifest_id": manifest[0]})
        before = self._target(repository_id, tag)
        moved = {"manifest_id": manifest[0], "size": manifest[1], "updated": at, "user_id": user_id}
        statement = insert(self._connection, tags).values(repository_id=repository_id, name=tag, **moved)
        self._connection.execute(
            statement.on_conflict_do_update(index_elements=[tags.c.repository_id, tags.c.name], set_=moved)
        )
        self._remember(repository_id, tag, before, digest, user_id, at)
        return before

    def delete(self, repository_id: int, tag: Tag, user_id: int | None, at: Instant) -> bool:
        """Remove it and remember that; False if there was none."""
        before = self._target(repository_id, tag)
        if before is None:
            return False
        self._connection.execute(_DELETE, {"repository_id": repository_id, "tag": tag})
        self._remember(repository_id, tag, before, None, user_id, at)
        return True

    def of(self, repository_id: int, digest: Digest) -> Sequence[Tag]:
        """The tags that point at a manifest, in byte order."""
        found = self._connection.execute(_OF, {"repository_id": repository_id, "digest": digest})
        return [Tag(name) for (name,) in found]

    def names(self, repository_id: int, after: str, limit: int) -> Sequence[Tag]:
        """Tag names in byte order, greater than ``after``."""
        values = {"repository_id": repository_id, "after": after, "limit": limit}
        return [Tag(name) for (name,) in self._connection.execute(_NAMES, values)]

    def events(
        self, repository_id: int, tag: Tag | None, limit: int, before: tuple[Instant, int] | None = None
    ) -> Sequence[TagEvent]:
        """Moves, newest first, of one tag or of all; those before a time and an id."""
        at, identity = before or (0, 0)
        values = {"repository_id": repository_id, "limit": limit, "tag": tag, "before_at": at, "before_id": identity}
        statement = _EVENTS_BY_KIND[tag is not None, before is not None]
        return [_event(row) for row in self._connection.execute(statement, values)]

    def news(self, repository_id: int, after: int | None) -> tuple[int, Sequence[TagEvent]]:
        """The id of the last move anywhere; and this repository's moves since ``after``, as far as they are recent.

        None asks only from where to go on.
        """
        last = self._connection.execute(_LAST).scalar() or 0
        if after is None or after == last:
            return last, []
        values = {"repository_id": repository_id, "after": after}
        return last, [_event(row) for row in self._connection.execute(_NEWS, values)]

    def _target(self, repository_id: int, tag: Tag) -> Digest | None:
        found = self._connection.execute(_TARGET, {"repository_id": repository_id, "tag": tag}).scalar()
        return None if found is None else Digest(found)

    def _remember(
        self,
        repository_id: int,
        tag: Tag,
        before: Digest | None,
        after: Digest | None,
        user_id: int | None,
        at: Instant,
    ) -> None:
        self._connection.execute(
            tag_events.insert(),
            {
                "repository_id": repository_id,
                "tag": tag,
                "before": before,
                "after": after,
                "user_id": user_id,
                "at": at,
            },
        )


def _event(row: Sequence[Any]) -> TagEvent:
    name, before, after, actor, at, identity = row
    return TagEvent(
        Tag(name), Digest(before) if before else None, Digest(after) if after else None, actor or "", at, identity
    )
