"""Tags and the memory of their moves, as rows."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, bindparam, delete, func, select

from havre.errors import ManifestUnknown
from havre.metadata.manifests import SUMMARY, manifest_from
from havre.metadata.schema import manifests, tag_events, tags, users
from havre.metadata.statements import contains, insert
from havre.oci.digest import Digest
from havre.oci.names import Tag
from havre.registry.records import Instant, ManifestRecord, TagEvent, TagRecord

_HERE = tags.c.repository_id == bindparam("repository_id")
_NAMED = tags.c.name == bindparam("tag")
_TO_MANIFEST = tags.c.manifest_id == manifests.c.id
_TO_USER = tags.c.user_id == users.c.id

# Built once: making a statement costs more than running it, and SQLAlchemy knows it again by identity.
_GET = (
    select(tags.c.name, manifests.c.digest, tags.c.updated, users.c.name)
    .join_from(tags, manifests, _TO_MANIFEST)
    .outerjoin(users, _TO_USER)
    .where(_HERE, _NAMED)
)
_TARGET = select(manifests.c.digest).join_from(tags, manifests, _TO_MANIFEST).where(_HERE, _NAMED)
_MANIFEST_ID = select(manifests.c.id).where(
    manifests.c.repository_id == bindparam("repository_id"), manifests.c.digest == bindparam("digest")
)
_DELETE = delete(tags).where(_HERE, _NAMED)
# A manifest belongs to one repository, so its id says enough; naming both would tempt SQLite to walk along all tags.
_OF = select(tags.c.name).where(tags.c.manifest_id == _MANIFEST_ID.scalar_subquery()).order_by(tags.c.name)
_NAMES = (
    select(tags.c.name).where(_HERE, tags.c.name > bindparam("after")).order_by(tags.c.name).limit(bindparam("limit"))
)
# In the order of the index, whose last part is the row's id: no sorting, however many moves there are.
_EVENTS = (
    select(tag_events.c.tag, tag_events.c.before, tag_events.c.after, users.c.name, tag_events.c.at)
    .outerjoin_from(tag_events, users, tag_events.c.user_id == users.c.id)
    .where(tag_events.c.repository_id == bindparam("repository_id"))
    .order_by(tag_events.c.at.desc(), tag_events.c.id.desc())
    .limit(bindparam("limit"))
)
_EVENTS_OF_TAG = _EVENTS.where(tag_events.c.tag == bindparam("tag"))


class TagRows:
    """Implements ``havre.registry.ports.TagRows``."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def get(self, repository_id: int, tag: Tag) -> TagRecord | None:
        """The tag, or None."""
        row = self._connection.execute(_GET, {"repository_id": repository_id, "tag": tag}).first()
        return TagRecord(Tag(row[0]), Digest(row[1]), row[2], row[3] or "") if row else None

    def put(self, repository_id: int, tag: Tag, digest: Digest, user_id: int | None, at: Instant) -> Digest | None:
        """Make or move it and remember the move; returns what it pointed at. The same digest again is remembered too.

        Raises ManifestUnknown if the repository holds no such manifest.
        """
        manifest_id = self._connection.execute(
            _MANIFEST_ID, {"repository_id": repository_id, "digest": digest}
        ).scalar()
        if manifest_id is None:
            raise ManifestUnknown(f"this repository has no manifest {digest}", detail={"digest": digest})
        before = self._target(repository_id, tag)
        moved = {"manifest_id": manifest_id, "updated": at, "user_id": user_id}
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

    def page(
        self, repository_id: int, text: str, newest_first: bool, offset: int, limit: int
    ) -> tuple[Sequence[tuple[TagRecord, ManifestRecord]], int]:
        """Tags whose name contains ``text`` with their manifests, newest push or name first; and how many in all."""
        matches = [_HERE, contains(self._connection, tags.c.name, text)] if text else [_HERE]
        order = [tags.c.updated.desc(), tags.c.id.desc()] if newest_first else [tags.c.name]
        here = {"repository_id": repository_id}
        total = self._connection.execute(select(func.count()).select_from(tags).where(*matches), here).scalar_one()
        # The page is chosen along the index first: joining before that would fetch a manifest for every tag skipped.
        chosen = select(tags.c.id).where(*matches).order_by(*order).offset(offset).limit(limit)
        page = (
            select(tags.c.name, tags.c.updated, users.c.name, *SUMMARY, manifests.c.content)
            .join_from(tags, manifests, _TO_MANIFEST)
            .outerjoin(users, _TO_USER)
            .where(tags.c.id.in_(chosen))
            .order_by(*order)
        )
        found = []
        for row in self._connection.execute(page, here):
            manifest = manifest_from(row[3:], row[12])
            found.append((TagRecord(Tag(row[0]), manifest.digest, row[1], row[2] or ""), manifest))
        return found, total

    def events(self, repository_id: int, tag: Tag | None, limit: int) -> Sequence[TagEvent]:
        """Moves, newest first, of one tag or of all."""
        values = {"repository_id": repository_id, "limit": limit, "tag": tag}
        if tag is None:
            rows = self._connection.execute(_EVENTS, {"repository_id": repository_id, "limit": limit})
        else:
            rows = self._connection.execute(_EVENTS_OF_TAG, values)
        return [
            TagEvent(Tag(name), Digest(before) if before else None, Digest(after) if after else None, actor or "", at)
            for name, before, after, actor, at in rows
        ]

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
