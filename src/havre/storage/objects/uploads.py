"""Uploads in an object store: each append is an object of its own, a segment, and the row says which of them count.

Nobody is kept out: of two who append at one offset each makes an object, and only one changes the row. What has one
segment, as almost everything that clients push, is content as it lies there, and finishing it copies nothing.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Collection
from contextlib import asynccontextmanager

from havre.errors import Unavailable, UploadInvalid, UploadUnknown
from havre.oci.digest import Digest, Hasher
from havre.oci.ranges import ByteRange
from havre.registry.byte_ports import Body, Clock, LocalFile
from havre.registry.records import Segment, Segments
from havre.storage.disk import too_short
from havre.storage.filesystem import Threads
from havre.storage.objects.bucket import MAX_PARTS, PART, Bucket, segment_key
from havre.storage.objects.leftovers import Leftovers
from havre.storage.objects.writing import Feed, Pipe, later, write_segments


class ObjectUploads:
    """Implements ``havre.registry.ports.UploadStore``."""

    def __init__(self, bucket: Bucket, threads: Threads, clock: Clock) -> None:
        self._bucket = bucket
        self._threads = threads
        self._leftovers = Leftovers(bucket.place, threads, clock)

    @asynccontextmanager
    async def hold(self, upload_id: str, offset: int, segments: Segments = ()) -> AsyncGenerator[_Held, None]:
        """Begin to write, as the port says; what was appended and not kept is removed."""
        if _total(segments) != offset:
            raise too_short(upload_id, offset, _total(segments))
        held = _Held(self, self._bucket, self._threads, upload_id, segments)
        try:
            yield held
        finally:
            held.let_go()

    async def read(self, upload_id: str, size: int, segments: Segments = ()) -> AsyncIterator[bytes]:
        """The first ``size`` bytes. Raises UploadUnknown, and Unavailable if there are fewer."""
        if _total(segments) < size:
            raise _gone(upload_id)
        for one in segments:
            span = ByteRange(0, min(one.size, size))
            if span.length:
                async for piece in self._bucket.read(one.key, span, _gone(upload_id)):
                    yield piece
            size -= span.length

    async def adopt(self, upload_id: str, file: LocalFile, size: int, *, link: bool) -> str:
        """Nothing: an object store shares no files with this machine."""
        return ""

    async def finish(self, upload_id: str, digest: Digest, size: int, segments: Segments = ()) -> str:
        """The key of the one segment; several are written once more as one. Raises as the port says."""
        total = _total(segments)
        if total < size:
            raise too_short(upload_id, size, total)
        if len(segments) == 1 and total == size:
            (only,) = segments
            stored = await self._bucket.size(only.key)
            if stored != size:
                raise too_short(upload_id, size, stored or 0)
            return only.key
        key = segment_key(upload_id, 0, secrets.token_hex(8))
        if size == 0:
            await self._bucket.put(key, b"")
        else:
            await self._join(upload_id, key, size, segments)
        return key

    async def discard(self, upload_id: str, segments: Segments = ()) -> None:
        """Remove the segments."""
        if segments:
            await self._bucket.delete([one.key for one in segments])

    async def stale(self, known: Callable[[Collection[str]], Awaitable[Collection[str]]]) -> int:
        """Have the store forget what was begun by who died of it, and return how many.

        Segments of unknown uploads are strays, as content without a row is: ``BlobStore.strays`` finds both.
        """
        return await self._leftovers.remove(known)

    async def _join(self, upload_id: str, key: str, size: int, segments: Segments) -> None:
        part = max(PART, -(-size // MAX_PARTS))
        pipe = Pipe(self._bucket, key, part)
        try:
            async for piece in self.read(upload_id, size, segments):
                await pipe.send(piece)
            await pipe.close()
        except UploadUnknown as error:
            pipe.abort()
            raise UploadInvalid(error.message) from error
        except BaseException:
            pipe.abort()
            raise
        await check_size(self._bucket, key, size)


class _Held:
    """An upload at the offset up to which it was acknowledged."""

    def __init__(
        self, store: ObjectUploads, bucket: Bucket, threads: Threads, upload_id: str, segments: Segments
    ) -> None:
        self._store = store
        self._bucket = bucket
        self._threads = threads
        self._upload_id = upload_id
        self._before = segments
        self._new: list[Segment] = []
        self._kept = False

    async def append(self, body: Body, hasher: Hasher) -> int:
        """Store ``body`` as a new segment, as the port says. ``hasher`` is fed in a thread: leave it alone meanwhile."""
        feed = Feed(body, hasher, self._threads)
        offset = _total(self._before)
        try:
            async for segment in write_segments(self._bucket, self._upload_id, offset, feed):
                self._new.append(segment)
                if segment.size > PART:
                    await check_size(self._bucket, segment.key, segment.size)
        finally:
            await feed.settle()
        if feed.gone:
            raise feed.gone
        return offset + _total(self._new)

    def keep(self) -> Segments:
        """All segments, the new ones too, which stay from now on."""
        self._kept = True
        return (*self._before, *self._new)

    async def finish(self, digest: Digest, size: int) -> str:
        """As ``UploadStore.finish``; what was joined is no longer needed."""
        segments = (*self._before, *self._new)
        if not self._before and len(self._new) == 1 and self._new[0].size == size:
            key = self._new[0].key
        else:
            key = await self._store.finish(self._upload_id, digest, size, segments)
        self._new = [one for one in self._new if one.key != key]
        return key

    def let_go(self) -> None:
        """Remove what was appended, unless it was kept."""
        if self._new and not self._kept:
            later(self._bucket.delete([one.key for one in self._new]))


async def check_size(bucket: Bucket, key: str, size: int) -> None:
    """Raise Unavailable, and remove the object, if the store says that it has another size."""
    stored = await bucket.size(key)
    if stored != size:
        await asyncio.shield(bucket.delete([key]))
        raise Unavailable(
            f"the registry's object store kept {stored or 0} of {size} bytes: send them again", retry_after=5
        )


def _total(segments: Segments | list[Segment]) -> int:
    return sum(one.size for one in segments)


def _gone(upload_id: str) -> UploadUnknown:
    return UploadUnknown(f"the bytes of the upload {upload_id} are gone: begin a new upload")
