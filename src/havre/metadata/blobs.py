"""Content and which repository links it, as rows."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import cache
from typing import Any

from sqlalchemy import Connection, bindparam, delete, select, update

from havre.errors import BlobUnknown
from havre.metadata.repositories import visible
from havre.metadata.schema import blobs, repositories, repository_blobs
from havre.metadata.statements import insert_for, insert_new
from havre.oci.digest import Digest
from havre.registry.records import BlobRecord, Instant, Viewer

_BLOB = select(blobs.c.digest, blobs.c.size, blobs.c.storage_key)
_FIND = _BLOB.where(blobs.c.digest == bindparam("digest"))
_LINKED = (
    select(blobs.c.digest, blobs.c.size, blobs.c.storage_key, repository_blobs.c.condemned.is_not(None))
    .join_from(blobs, repository_blobs)
    .where(blobs.c.digest == bindparam("digest"), repository_blobs.c.repository_id == bindparam("repository_id"))
)
_ID = select(blobs.c.id).where(blobs.c.digest == bindparam("digest"))
_TO_LINK = select(blobs.c.id, blobs.c.size, blobs.c.condemned).where(blobs.c.digest == bindparam("digest"))
_REPLACE = (
    update(blobs)
    .where(blobs.c.digest == bindparam("this"), blobs.c.storage_key == bindparam("lost"))
    .values(storage_key=bindparam("key"), size=bindparam("bytes"))
)
_ACQUIT_CONTENT = update(blobs).where(blobs.c.id == bindparam("blob_id")).values(condemned=None)
_ACQUIT = (
    update(repository_blobs)
    .where(
        repository_blobs.c.repository_id == bindparam("here"),
        repository_blobs.c.condemned.is_not(None),
        repository_blobs.c.blob_id.in_(
            select(blobs.c.id).where(blobs.c.digest.in_(bindparam("digests", expanding=True)))
        ),
    )
    .values(condemned=None)
)
_UNLINK = delete(repository_blobs).where(
    repository_blobs.c.repository_id == bindparam("repository_id"),
    repository_blobs.c.blob_id == _ID.scalar_subquery(),
)

# Digests in one statement; both engines allow more.
_SLICE = 500


@cache
def _link(engine: str) -> Any:
    return insert_for(engine, repository_blobs).on_conflict_do_update(
        index_elements=[repository_blobs.c.repository_id, repository_blobs.c.blob_id],
        set_={"condemned": None},
        where=repository_blobs.c.condemned.is_not(None),
    )


def _blob(row: Sequence[Any] | None) -> BlobRecord | None:
    return BlobRecord(Digest(row[0]), *row[1:]) if row else None


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

    def add(self, blob: BlobRecord, at: Instant, instead_of: str = "") -> BlobRecord:
        """Remember content; returns the record that stands: the first one, unless its key is ``instead_of``."""
        values = {"digest": blob.digest, "size": blob.size, "storage_key": blob.key, "created": at}
        if self._connection.execute(insert_new(self._connection, blobs), values).rowcount > 0:
            return blob
        if instead_of:
            values = {"this": blob.digest, "lost": instead_of, "key": blob.key, "bytes": blob.size}
            self._connection.execute(_REPLACE, values)
        stands = self.find(blob.digest)
        assert stands is not None
        return stands

    def link(self, repository_id: int, digest: Digest, at: Instant) -> None:
        """Link known content to a repository; linking again only acquits it. Raises BlobUnknown for unknown content."""
        known = self._connection.execute(_TO_LINK, {"digest": digest}).first()
        if known is None:
            raise BlobUnknown(f"there is no content {digest}", detail={"digest": digest})
        if known[2] is not None:
            self._connection.execute(_ACQUIT_CONTENT, {"blob_id": known[0]})
        values = {"repository_id": repository_id, "blob_id": known[0], "size": known[1], "linked": at}
        self._connection.execute(_link(self._connection.dialect.name), values)

    def acquit(self, repository_id: int, digests: Collection[Digest]) -> None:
        """Somebody needs these: those that the repository links and that were condemned are so no more."""
        every = sorted(set(digests))
        for start in range(0, len(every), _SLICE):
            some = every[start : start + _SLICE]
            self._connection.execute(_ACQUIT, {"here": repository_id, "digests": some})

    def unlink(self, repository_id: int, digest: Digest) -> bool:
        """Remove the link; False if there was none."""
        return self._connection.execute(_UNLINK, {"repository_id": repository_id, "digest": digest}).rowcount > 0

    def mountable(self, viewer: Viewer, digest: Digest) -> BlobRecord | None:
        """Content that some repository links which ``viewer`` may pull."""
        statement = (
            _BLOB.join_from(blobs, repository_blobs)
            .join(repositories, repositories.c.id == repository_blobs.c.repository_id)
            .where(blobs.c.digest == digest, repository_blobs.c.condemned.is_(None), visible(viewer))
            .limit(1)
        )
        return _blob(self._connection.execute(statement).first())
