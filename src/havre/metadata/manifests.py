"""Manifests with their exact bytes, and the edges to what they point at, as rows."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import orjson
from sqlalchemy import Connection, bindparam, delete, select, union_all

from havre.metadata import search_index
from havre.metadata.schema import blobs, condemned_manifests, manifest_edges, manifests, repository_blobs, tags
from havre.metadata.statements import insert_new
from havre.oci.digest import Digest
from havre.oci.names import Tag
from havre.registry.records import ManifestRecord

SUMMARY = (
    manifests.c.digest,
    manifests.c.media_type,
    manifests.c.created,
    manifests.c.size,
    manifests.c.artifact_type,
    manifests.c.subject,
    manifests.c.platform,
    manifests.c.total_size,
    manifests.c.annotations,
)
"""The columns of a manifest without its content, in the order that ``manifest_from`` reads."""

# Built once: making a statement costs more than running it, and SQLAlchemy knows it again by identity.
_WHOLE = select(*SUMMARY, manifests.c.content)
_HERE = manifests.c.repository_id == bindparam("repository_id")
_GET = _WHOLE.where(_HERE, manifests.c.digest == bindparam("digest"))
_TAGGED = _WHOLE.join_from(tags, manifests, tags.c.manifest_id == manifests.c.id).where(
    tags.c.repository_id == bindparam("repository_id"), tags.c.name == bindparam("tag")
)
_DELETE = delete(manifests).where(_HERE, manifests.c.digest == bindparam("digest"))
_ACQUIT = delete(condemned_manifests).where(
    condemned_manifests.c.manifest_id
    == select(manifests.c.id).where(_HERE, manifests.c.digest == bindparam("digest")).scalar_subquery()
)

_PARENT = manifests.alias("parent")
_CHILDREN = (
    _WHOLE.select_from(_PARENT)
    .join(manifest_edges, manifest_edges.c.manifest_id == _PARENT.c.id)
    .join(
        manifests,
        (manifests.c.repository_id == _PARENT.c.repository_id) & (manifests.c.digest == manifest_edges.c.digest),
    )
    .where(
        _PARENT.c.repository_id == bindparam("repository_id"),
        _PARENT.c.digest == bindparam("digest"),
        manifest_edges.c.kind == "manifest",
    )
    .order_by(manifest_edges.c.position)
)
_REFERRERS = (
    select(*SUMMARY)
    .where(_HERE, manifests.c.subject == bindparam("subject"), manifests.c.digest > bindparam("after"))
    .order_by(manifests.c.digest)
    .limit(bindparam("limit"))
)
_AMONG = manifests.c.digest.in_(bindparam("digests", expanding=True))
_SIZES = select(manifests.c.digest, manifests.c.total_size).where(_HERE, _AMONG)
_PRESENT = union_all(
    select(manifests.c.digest).where(_HERE, _AMONG),
    select(blobs.c.digest)
    .join_from(blobs, repository_blobs)
    .where(
        repository_blobs.c.repository_id == bindparam("repository_id"),
        blobs.c.digest.in_(bindparam("digests", expanding=True)),
    ),
)

# Digests in one statement: both engines allow more, and sizes repeat, so that the prepared statements are used again.
_SLICE = 500


def manifest_from(row: Sequence[Any], content: bytes = b"") -> ManifestRecord:
    """A record from the columns of ``SUMMARY``, which the row begins with."""
    digest, media_type, created, size, artifact_type, subject, platform, total_size, annotations = row[:9]
    return ManifestRecord(
        Digest(digest),
        media_type,
        content,
        created,
        size,
        artifact_type,
        Digest(subject) if subject else None,
        platform,
        total_size,
        {} if annotations == "{}" else orjson.loads(annotations),
    )


class ManifestRows:
    """Implements ``havre.registry.ports.ManifestRows``."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def get(self, repository_id: int, digest: Digest) -> ManifestRecord | None:
        """By digest."""
        row = self._connection.execute(_GET, {"repository_id": repository_id, "digest": digest}).first()
        return manifest_from(row, row[9]) if row else None

    def tagged(self, repository_id: int, tag: Tag) -> ManifestRecord | None:
        """What a tag points at now."""
        row = self._connection.execute(_TAGGED, {"repository_id": repository_id, "tag": tag}).first()
        return manifest_from(row, row[9]) if row else None

    def add(self, repository_id: int, manifest: ManifestRecord, children: Sequence[tuple[Digest, str]]) -> None:
        """Store it with its edges: (digest, kind), kind being ``config``, ``layer`` or ``manifest``.

        Storing the same digest again does nothing.
        """
        values = {
            "repository_id": repository_id,
            "digest": manifest.digest,
            "media_type": manifest.media_type,
            "size": manifest.size,
            "artifact_type": manifest.artifact_type,
            "subject": manifest.subject,
            "platform": manifest.platform,
            "total_size": manifest.total_size,
            "created": manifest.created,
            "annotations": orjson.dumps(dict(manifest.annotations)).decode(),
            "content": manifest.content,
        }
        statement = insert_new(self._connection, manifests).returning(manifests.c.id)
        manifest_id = self._connection.execute(statement, values).scalar()
        if manifest_id is None:
            # Pushed again: whoever did has just been told that it is here.
            self._connection.execute(_ACQUIT, {"repository_id": repository_id, "digest": manifest.digest})
            return
        search_index.count(self._connection, repository_id, manifest)
        if children:
            edges = [
                {"manifest_id": manifest_id, "position": position, "digest": digest, "kind": kind}
                for position, (digest, kind) in enumerate(children)
            ]
            self._connection.execute(manifest_edges.insert(), edges)

    def delete(self, repository_id: int, digest: Digest) -> bool:
        """Remove it and, by cascade, its edges; False if there was none. Tags must have gone first."""
        search_index.discount(self._connection, repository_id, [digest])
        return self._connection.execute(_DELETE, {"repository_id": repository_id, "digest": digest}).rowcount > 0

    def absent(self, repository_id: int, digests: Collection[Digest]) -> set[Digest]:
        """Those of ``digests`` that are neither a linked blob nor a manifest of the repository."""
        missing = set(digests)
        for some in _slices(digests):
            present = self._connection.execute(_PRESENT, {"repository_id": repository_id, "digests": some})
            missing.difference_update(present.scalars())
        return missing

    def children(self, repository_id: int, digest: Digest) -> Sequence[ManifestRecord]:
        """The manifests an index lists and this repository holds, in its order; contents included."""
        rows = self._connection.execute(_CHILDREN, {"repository_id": repository_id, "digest": digest})
        return [manifest_from(row, row[9]) for row in rows]

    def referrers(
        self, repository_id: int, subject: Digest, artifact_types: Collection[str], after: str, limit: int
    ) -> Sequence[ManifestRecord]:
        """Manifests with that subject, by digest greater than ``after``; of any type if ``artifact_types`` is empty.

        Their ``content`` is left empty.
        """
        statement = _REFERRERS
        if artifact_types:
            statement = statement.where(manifests.c.artifact_type.in_(list(artifact_types)))
        values = {"repository_id": repository_id, "subject": subject, "after": after, "limit": limit}
        return [manifest_from(row) for row in self._connection.execute(statement, values)]

    def sizes(self, repository_id: int, digests: Collection[Digest]) -> dict[Digest, int]:
        """``total_size`` of those manifests that are here."""
        found: dict[Digest, int] = {}
        for some in _slices(digests):
            rows = self._connection.execute(_SIZES, {"repository_id": repository_id, "digests": some})
            found.update((Digest(digest), size) for digest, size in rows)
        return found


def _slices(digests: Collection[Digest]) -> list[list[Digest]]:
    # Without repeats, in the order given.
    every = list(dict.fromkeys(digests))
    return [every[start : start + _SLICE] for start in range(0, len(every), _SLICE)]
