"""Writing one object as its bytes come: hashed in a thread, and sent in parts, two of which are on their way at a time."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator, Coroutine
from concurrent.futures import Future
from typing import Any

from havre.errors import ClientGone
from havre.oci.digest import Hasher
from havre.registry.byte_ports import Body
from havre.registry.records import Segment
from havre.storage.filesystem import Threads, finished
from havre.storage.objects.bucket import MAX_PARTS, PART, PIECE, Bucket, segment_key

_background: set[asyncio.Task[Any]] = set()


def later(work: Coroutine[Any, Any, Any]) -> None:
    """Have something done that nobody waits for. What fails is found again by who looks for strays."""

    async def quietly() -> None:
        with contextlib.suppress(Exception):
            await work

    task = asyncio.create_task(quietly())
    _background.add(task)
    task.add_done_callback(_background.discard)


async def settled() -> None:
    """Wait for what was begun with ``later``."""
    while _background:
        await asyncio.gather(*_background)


class Feed:
    """A body, in pieces that have been hashed. Each is hashed while the next one arrives."""

    def __init__(self, body: Body, hasher: Hasher, threads: Threads) -> None:
        self._body = body
        self._hasher = hasher
        self._threads = threads
        self._hashing: Future[None] | None = None
        self.gone: ClientGone | None = None
        """Why there is no more, if the sender left."""
        self._ended = False

    def ended(self) -> bool:
        """Was that all?"""
        return self._ended

    async def piece(self) -> bytearray:
        """The next bytes, about PIECE of them; fewer, or none, at the end."""
        piece = bytearray()
        while len(piece) < PIECE and not self._ended:
            try:
                piece += await anext(self._body)
            except StopAsyncIteration:
                self._ended = True
            except ClientGone as error:
                self.gone, self._ended = error, True
        await self.settle()
        if piece:
            self._hashing = self._threads.start(self._hasher.update, piece)
        return piece

    async def settle(self) -> None:
        """Wait until everything has been hashed."""
        if self._hashing:
            await finished(self._hashing)


class Pipe:
    """Bytes on their way into one object, which is there once ``close`` has returned, and not before.

    In memory are the part that is gathered, those that are being sent, and two pieces.
    """

    def __init__(self, bucket: Bucket, key: str, part: int = PART) -> None:
        self._bucket = bucket
        self._key = key
        self._queue: asyncio.Queue[bytes | bytearray | None] = asyncio.Queue(1)
        self._broken = False
        self._writing = asyncio.create_task(bucket.put_parts(key, self._pieces(), part))

    async def _pieces(self) -> AsyncIterator[bytes | bytearray]:
        while (piece := await self._queue.get()) is not None and not self._broken:
            yield piece
        if self._broken:
            # Makes the writer tell the store to forget what it got.
            raise ClientGone("the upload was given up")

    async def send(self, piece: bytes | bytearray | None) -> None:
        """Hand over the next bytes, once there is room for them. Raises what the store raised."""
        sending = asyncio.ensure_future(self._queue.put(piece))
        try:
            await asyncio.wait({sending, self._writing}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            sending.cancel()
        if self._writing.done():
            self._writing.result()

    async def close(self) -> None:
        """That was all: wait until the object is there."""
        await self.send(None)
        await asyncio.shield(self._writing)

    def abort(self) -> None:
        """Have the store forget it, some time soon."""
        self._broken = True
        with contextlib.suppress(asyncio.QueueFull):
            self._queue.put_nowait(None)
        later(self._undo())

    async def _undo(self) -> None:
        await asyncio.gather(self._writing, return_exceptions=True)
        await self._bucket.delete([self._key])


async def write_segments(bucket: Bucket, upload_id: str, offset: int, feed: Feed) -> AsyncIterator[Segment]:
    """Store all that ``feed`` gives; one segment, unless that would have more parts than stores allow."""
    while not feed.ended():
        first: list[bytearray] = []
        while not feed.ended() and sum(map(len, first)) < PART:
            first.append(await feed.piece())
        size = sum(map(len, first))
        if not size:
            return
        key = segment_key(upload_id, offset, secrets.token_hex(8))
        if feed.ended():
            await bucket.put(key, first[0] if len(first) == 1 else b"".join(first))
        else:
            size = await _write_long(bucket, key, first, feed)
        yield Segment(key, size)
        offset += size


async def _write_long(bucket: Bucket, key: str, first: list[bytearray], feed: Feed) -> int:
    pipe, size = Pipe(bucket, key), 0
    try:
        while first:
            piece = first.pop(0)
            size += len(piece)
            await pipe.send(piece)
        while not feed.ended() and size < MAX_PARTS * PART:
            piece = await feed.piece()
            size += len(piece)
            if piece:
                await pipe.send(piece)
        await pipe.close()
    except BaseException:
        pipe.abort()
        raise
    return size
