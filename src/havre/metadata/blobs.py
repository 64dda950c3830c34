"""Content and which repository links it, as rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, bindparam, delete, select

from havre.errors import BlobUnknown
from havre.metadata.repositories import visible
from havre.metadata.schema import blobs, repositories, repository_blobs
from havre.metadata.statements import insert_new
from havre.oci.digest import Digest
from havre.registry.records import BlobRecord, Instant, Viewer

_BLOB = select(blobs.c.digest, blobs.c.size, blobs.c.storage_key)
_FIND = _BLOB.where(blobs.c.digest == bindparam("digest"))
_LINKED = _BLOB.join_from(blobs, repository_blobs).where(
    blobs.c.digest == bindparam("digest"), repository_blobs.c.repository_id == bindparam("repository_id")
)
_ID = select(blobs.c.id).where(blobs.c.digest == bindparam("digest"))
_ID_AND_SIZE = select(blobs.c.id, blobs.c.size).where(blobs.c.digest == bindparam("digest"))
_UNLINK = delete(repository_blobs).where(
    repository_blobs.c.repository_id == bindparam("repository_id"),
    repository_blobs.c.blob_id == _ID.scalar_subquery(),
)


def _blob(row: Sequence[Any] | None) -> BlobRecord | None:
    return BlobRecord(Digest(row[0]), row[1], row[2]) if row else None


class BlobRows:
    """Implements ``havre.registry.ports.BlobRows``."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def find(self, digest: Digest) -> BlobRecord | None:
        """Content by digest, in whatever repository."""
        return _blob(self._connection.execute(_FIND, {"digest": digest}).first())

    def linked(self, repository_id: int, digest: Digest) -> BlobRecord | None:
        """Content that this repository links."""
        return _blob(self._connection.execute(_LINKED, {"digest": digest, "repository_id": repository_id}).first())

    def add(self, blob: BlobRecord, at: Instant) -> BlobRecord:
        """Remember content; returns the record that stands (the first one wins)."""
        self._connection.execute(
            insert_new(self._connection, blobs),
            {"digest": blob.digest, "size": blob.size, "storage_key": blob.key, "created": at},
        )
        stands = self.find(blob.digest)
        assert stands is not None
        return stands

    def link(self, repository_id: int, digest: Digest, at: Instant) -> None:
        """Link known content to a repository; linking again does nothing. Raises BlobUnknown for unknown content."""
        known = self._connection.execute(_ID_AND_SIZE, {"digest": digest}).first()
        if known is None:
            raise BlobUnknown(f"there is no content {digest}", detail={"digest": digest})
        self._connection.execute(
            insert_new(self._connection, repository_blobs),
            {"repository_id": repository_id, "blob_id": known[0], "size": known[1], "linked": at},
        )

    def unlink(self, repository_id: int, digest: Digest) -> bool:
        """Remove the link; False if there was none."""
        return self._connection.execute(_UNLINK, {"repository_id": repository_id, "digest": digest}).rowcount > 0

    def mountable(self, viewer: Viewer, digest: Digest) -> BlobRecord | None:
        """Content that some repository links which ``viewer`` may pull."""
        statement = (
            _BLOB.join_from(blobs, repository_blobs)
            .join(repositories, repositories.c.id == repository_blobs.c.repository_id)
            .where(blobs.c.digest == digest, visible(viewer))
            .limit(1)
        )
        return _blob(self._connection.execute(statement).first())
