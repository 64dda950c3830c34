"""Bytes in memory: the same promises without a disk, for tests and for trying things out.

Everything is gone when the process ends, and only one process sees it.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial

from havre.errors import BlobUnknown, Unavailable, UploadBusy, UploadInvalid, UploadUnknown
from havre.oci.digest import Digest, Hasher
from havre.oci.ranges import ByteRange
from havre.registry.ports import Body, Clock, Elsewhere, LocalFile, Swept
from havre.registry.records import Instant, Segments
from havre.storage.filesystem import BATCH, READ_PIECE, STALE_AFTER


class MemoryBlobs:
    """Finished content, as byte strings."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._contents: dict[str, bytes] = {}
        self._stored: dict[str, Instant] = {}
        self._held: set[str] = set()

    async def size(self, key: str) -> int | None:
        """Bytes stored under ``key``, None if there is nothing."""
        content = self._contents.get(key)
        return None if content is None else len(content)

    async def locate(self, key: str) -> LocalFile | Elsewhere | None:
        """None: only ``read`` can give what is in memory."""
        return None

    async def read(self, key: str, span: ByteRange) -> AsyncIterator[bytes]:
        """The bytes of ``span``. Raises BlobUnknown, and Unavailable if there are fewer."""
        if key not in self._contents:
            raise BlobUnknown(f"there is no content under the key {key[:200]!r}")
        async for piece in _pieces(self._contents[key], span):
            yield piece

    async def delete(self, key: str) -> None:
        """Remove the content; nothing happens if there is none."""
        self._contents.pop(key, None)

    async def remove(
        self, keys: Collection[str], gone: Callable[[Collection[str]], Awaitable[Collection[str]]]
    ) -> None:
        """Remove those of ``keys`` that ``gone`` returns, held meanwhile against every other removal."""
        held = set(keys) - self._held
        there = held.intersection(self._contents)
        self._held |= held
        try:
            for key in there.intersection(await gone(held)):
                self._contents.pop(key, None)
        finally:
            self._held -= held

    async def strays(
        self,
        known: Callable[[Collection[str]], Awaitable[Collection[str]]],
        after: str = "",
        *,
        remove: bool = True,
    ) -> Swept:
        """Remove old content that ``known`` does not know: one batch, from behind ``after`` on."""
        before = self._clock() - STALE_AFTER
        batch = sorted(key for key in self._contents if key > after and self._stored[key] < before)[:BATCH]
        orphans = set(batch) - set(await known(batch)) - self._held
        size = sum(len(self._contents.get(key, b"")) for key in orphans)
        for key in orphans if remove else ():
            self._contents.pop(key, None)
        return Swept(batch[-1] if len(batch) == BATCH else "", len(batch), len(orphans), size)

    def keep(self, names: Sequence[str], content: bytes) -> str:
        """Store what an upload has finished under the first name that is free; returns that."""
        key = next(name for name in names if name not in self._contents)
        self._contents[key], self._stored[key] = content, self._clock()
        return key

    def __len__(self) -> int:
        return len(self._contents)


@dataclass(slots=True)
class _Upload:
    touched: Instant
    content: bytearray = field(default_factory=bytearray)
    busy: bool = False


class _Held:
    """An upload that is marked as busy."""

    def __init__(self, upload: _Upload, offset: int, keep: Callable[[Digest, int], str]) -> None:
        self._upload = upload
        self._offset = offset
        self._keep = keep

    async def append(self, body: Body, hasher: Hasher) -> int:
        """Write ``body``, as the port says."""
        del self._upload.content[self._offset :]
        async for chunk in body:
            hasher.update(chunk)
            self._upload.content += chunk
        return len(self._upload.content)

    def keep(self) -> Segments:
        """None: the upload's id tells."""
        return ()

    async def finish(self, digest: Digest, size: int) -> str:
        """Keep the content, as the port says."""
        return self._keep(digest, size)


class MemoryUploads:
    """Content on its way to ``blobs``."""

    def __init__(self, blobs: MemoryBlobs, clock: Clock) -> None:
        self._blobs = blobs
        self._clock = clock
        self._uploads: dict[str, _Upload] = {}

    @asynccontextmanager
    async def hold(self, upload_id: str, offset: int, segments: Segments = ()) -> AsyncGenerator[_Held, None]:
        """Mark the upload as busy, as the port says."""
        upload = self._idle(upload_id) or _Upload(self._clock())
        if len(upload.content) < offset:
            raise _too_short(upload_id, offset, len(upload.content))
        self._uploads[upload_id] = upload
        upload.busy = True
        try:
            yield _Held(upload, offset, partial(self._keep, upload_id, upload))
        finally:
            upload.busy = False
            upload.touched = self._clock()

    async def read(self, upload_id: str, size: int, segments: Segments = ()) -> AsyncIterator[bytes]:
        """The first ``size`` bytes. Raises UploadUnknown, and Unavailable if there are fewer."""
        if upload_id not in self._uploads:
            raise UploadUnknown(f"the bytes of the upload {upload_id} are gone: begin a new upload")
        async for piece in _pieces(self._uploads[upload_id].content, ByteRange(0, size)):
            yield piece

    async def adopt(self, upload_id: str, file: LocalFile, size: int, *, link: bool) -> str:
        """Nothing: no file is in memory."""
        return ""

    async def finish(self, upload_id: str, digest: Digest, size: int, segments: Segments = ()) -> str:
        """Keep the first ``size`` bytes as content under a key that nothing else has, and return that."""
        return self._keep(upload_id, self._idle(upload_id), digest, size)

    def _keep(self, upload_id: str, upload: _Upload | None, digest: Digest, size: int) -> str:
        content = bytes(upload.content[:size]) if upload and upload is self._uploads.get(upload_id) else b""
        if len(content) < size:
            raise _too_short(upload_id, size, len(content))
        self._uploads.pop(upload_id, None)
        return self._blobs.keep((str(digest), f"{digest}.{upload_id}"), content)

    async def discard(self, upload_id: str, segments: Segments = ()) -> None:
        """Forget the upload; nothing happens if it is unknown."""
        self._uploads.pop(upload_id, None)

    async def stale(self, known: Callable[[Collection[str]], Awaitable[Collection[str]]]) -> int:
        """Forget old uploads that ``known`` does not know and no request holds; returns how many."""
        before = self._clock() - STALE_AFTER
        old = [name for name, upload in self._uploads.items() if upload.touched < before and not upload.busy]
        removed = 0
        for start in range(0, len(old), BATCH):
            batch = old[start : start + BATCH]
            for name in set(batch) - set(await known(batch)):
                removed += self._uploads.pop(name, None) is not None
        return removed

    def _idle(self, upload_id: str) -> _Upload | None:
        upload = self._uploads.get(upload_id)
        if upload and upload.busy:
            raise UploadBusy(f"another request is writing to the upload {upload_id}: wait for it to end")
        return upload

    def __len__(self) -> int:
        return len(self._uploads)


def _too_short(upload_id: str, wanted: int, stored: int) -> UploadInvalid:
    return UploadInvalid(f"{stored} bytes of the upload {upload_id} are stored, not {wanted}: begin a new upload")


async def _pieces(content: bytes | bytearray, span: ByteRange) -> AsyncIterator[bytes]:
    if len(content) < span.stop:
        raise Unavailable(f"only {len(content)} bytes are stored, {span.stop} were expected")
    for start in range(span.start, span.stop, READ_PIECE):
        yield bytes(content[start : min(start + READ_PIECE, span.stop)])
