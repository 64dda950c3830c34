"""Blobs: content reached only through a repository that links it."""

from __future__ import annotations

from collections.abc import AsyncIterator

from havre.errors import BlobUnknown, NameUnknown
from havre.oci.digest import Digest
from havre.oci.names import RepositoryName
from havre.oci.ranges import ByteRange
from havre.registry.memory import Memory
from havre.registry.naming import ensure, follow, writable
from havre.registry.ports import BlobStore, Clock, Elsewhere, LocalFile, Metadata, Rows
from havre.registry.records import BlobRecord, Viewer


class Blobs:
    """Stat, read, mount and unlink blobs. Callers have checked permissions on the repository."""

    def __init__(self, metadata: Metadata, store: BlobStore, clock: Clock) -> None:
        self._metadata = metadata
        self._store = store
        self._clock = clock
        self._memory: Memory[BlobRecord] = Memory(metadata)

    async def stat(self, name: RepositoryName, digest: Digest) -> BlobRecord:
        """The blob, if this repository links it; raises NameUnknown or BlobUnknown."""
        return await self._memory.read((name, digest), lambda rows: linked(rows, name, digest), lambda _blob: 0)

    async def locate(self, blob: BlobRecord) -> LocalFile | Elsewhere | None:
        """Where the whole content can be taken from without us; None means ``read``."""
        return await self._store.locate(blob.key)

    async def present(self, blob: BlobRecord) -> bool:
        """Are its bytes there, as its row says?"""
        return await self._store.size(blob.key) is not None

    def read(self, blob: BlobRecord, span: ByteRange) -> AsyncIterator[bytes]:
        """Stream some bytes; raises BlobUnknown while streaming if they have been lost."""
        return self._store.read(blob.key, span)

    async def read_whole(self, blob: BlobRecord, limit: int) -> bytes | None:
        """The content in memory if it has at most ``limit`` bytes, else None."""
        if blob.size > limit:
            return None
        return b"".join([piece async for piece in self._store.read(blob.key, ByteRange(0, blob.size))])

    async def mount(
        self, name: RepositoryName, digest: Digest, source: RepositoryName | None, viewer: Viewer
    ) -> BlobRecord | None:
        """Link content that another repository has, so that it need not be sent; None if it can not be found there.

        What is condemned there can not.

        The caller has proved that it may pull from ``source``. Without one, only repositories that ``viewer`` may
        pull are considered (distribution spec, "Mounting a blob from another repository").
        """

        def seek(rows: Rows) -> BlobRecord | None:
            if source is None:
                return rows.blobs.mountable(viewer, digest)
            try:
                repository = follow(rows, source)
            except NameUnknown:
                return None
            found = rows.blobs.linked(repository.id, digest)
            return None if found and found.condemned else found

        now = self._clock()

        def link(rows: Rows) -> BlobRecord | None:
            blob = seek(rows)
            if blob is not None:
                rows.blobs.link(ensure(rows, name, now).id, digest, now)
            return blob

        # Looked up first: most mounts that clients try find nothing, and need no transaction that writes.
        found = await self._metadata.read(seek)
        if found is None or not await self.present(found):
            return None
        return await self._metadata.write(link)

    async def unlink(self, name: RepositoryName, digest: Digest) -> None:
        """Take the blob out of this repository; raises NameUnknown or BlobUnknown. Its bytes go when nothing links them."""

        def work(rows: Rows) -> None:
            if not rows.blobs.unlink(writable(rows, name).id, digest):
                raise unknown(name, digest)

        await self._metadata.write(work)


def linked(rows: Rows, name: RepositoryName, digest: Digest) -> BlobRecord:
    """The blob, if the repository links it, within a unit of work; raises NameUnknown or BlobUnknown."""
    blob = rows.blobs.linked(follow(rows, name).id, digest)
    if blob is None:
        raise unknown(name, digest)
    return blob


def unknown(name: RepositoryName, digest: Digest) -> BlobUnknown:
    """What tells that the repository does not have the blob."""
    return BlobUnknown(f"repository {name} has no blob {digest}", detail={"digest": str(digest)})
