"""Who has what, and what needs it, as rows: for people who ask why something is still there."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, bindparam, func, literal, select, union_all

from havre.metadata.schema import (
    blobs,
    condemned_manifests,
    manifest_edges,
    manifests,
    repositories,
    repository_blobs,
    tags,
    uploads,
)
from havre.oci.digest import Digest
from havre.oci.names import RepositoryName, Tag
from havre.registry.why_ports import Holder, Known, Place

TAGS = 5
"""Tags that are named for one manifest."""

_NAME = func.coalesce(repositories.c.deleted_path, repositories.c.path)
_PLACE = (repositories.c.id, _NAME, repositories.c.deleted.is_not(None))
_CONTENT = select(blobs.c.size, blobs.c.created, blobs.c.condemned).where(blobs.c.digest == bindparam("digest"))
_LINKS = (
    select(*_PLACE, repository_blobs.c.condemned)
    .join_from(blobs, repository_blobs, repository_blobs.c.blob_id == blobs.c.id)
    .join(repositories, repositories.c.id == repository_blobs.c.repository_id)
    .where(blobs.c.digest == bindparam("digest"))
    .order_by(repositories.c.id)
    .limit(bindparam("limit"))
)
_SINCE = select(condemned_manifests.c.since).where(condemned_manifests.c.manifest_id == manifests.c.id)
_MANIFESTS = (
    select(*_PLACE, manifests.c.id, _SINCE.scalar_subquery())
    .join_from(repositories, manifests, manifests.c.repository_id == repositories.c.id)
    .where(manifests.c.digest == bindparam("digest"))
    .order_by(repositories.c.id)
    .limit(bindparam("limit"))
)
_HERE = manifests.c.repository_id == bindparam("repository_id")
_BELOW = manifests.alias("below")
_NEEDING = union_all(
    select(manifests.c.id, manifests.c.digest, manifest_edges.c.kind, _SINCE.scalar_subquery())
    .join_from(manifest_edges, manifests, manifest_edges.c.manifest_id == manifests.c.id)
    .where(_HERE, manifest_edges.c.digest == bindparam("digest")),
    select(manifests.c.id, manifests.c.digest, literal("subject"), _SINCE.scalar_subquery())
    .join_from(
        _BELOW,
        manifests,
        (manifests.c.repository_id == _BELOW.c.repository_id) & (manifests.c.digest == _BELOW.c.subject),
    )
    .where(_HERE, _BELOW.c.digest == bindparam("digest")),
).limit(bindparam("limit"))
_TAGS = select(tags.c.name).where(tags.c.manifest_id == bindparam("manifest_id")).order_by(tags.c.name).limit(TAGS)
_UPLOADS = (
    select(uploads.c.repository)
    .where(uploads.c.prefixes.contains(bindparam("digest")))
    .order_by(uploads.c.id)
    .limit(bindparam("limit"))
)


class HolderRows:
    """Implements ``havre.registry.why_ports.HolderRows``."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def content(self, digest: Digest) -> Known | None:
        """The content of that digest."""
        row = self._connection.execute(_CONTENT, {"digest": digest}).first()
        return Known(*row) if row else None

    def links(self, digest: Digest, limit: int) -> Sequence[Place]:
        """Repositories that link content of that digest."""
        rows = self._connection.execute(_LINKS, {"digest": digest, "limit": limit})
        return [Place(one, RepositoryName(name), bool(deleted), since) for one, name, deleted, since in rows]

    def manifests(self, digest: Digest, limit: int) -> Sequence[tuple[Place, Holder]]:
        """Manifests of that digest, and where they are."""
        rows = self._connection.execute(_MANIFESTS, {"digest": digest, "limit": limit}).all()
        return [
            (
                Place(one, RepositoryName(name), bool(deleted), since),
                Holder(manifest_id, digest, "manifest", self._tags(manifest_id), since),
            )
            for one, name, deleted, manifest_id, since in rows
        ]

    def needing(self, repository_id: int, digest: Digest, limit: int) -> Sequence[Holder]:
        """Manifests of the repository that name the digest, and the one that is the subject of it."""
        values = {"repository_id": repository_id, "digest": digest, "limit": limit}
        rows = self._connection.execute(_NEEDING, values).all()
        return [Holder(one, Digest(name), kind, self._tags(one), since) for one, name, kind, since in rows]

    def uploads(self, digest: Digest, limit: int) -> Sequence[RepositoryName]:
        """Where uploads are in flight whose bytes so far have that digest."""
        found = self._connection.execute(_UPLOADS, {"digest": digest, "limit": limit}).scalars()
        return [RepositoryName(name) for name in found]

    def _tags(self, manifest_id: int) -> list[Tag]:
        return [Tag(name) for name in self._connection.execute(_TAGS, {"manifest_id": manifest_id}).scalars()]
