"""Bytes in files: the default store. ``layout`` says where they are, ``disk`` in which order they are synced.

The event loop never waits for the disk: system calls that may take long run in a few threads. While a thread hashes
and writes one piece of an upload, the next piece is gathered from the network; while a reader is sent one piece, the
next is read. So a request holds two pieces in memory, however large the layer is.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Collection, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import asynccontextmanager
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from havre.errors import BlobUnknown, HavreError, Unavailable, UploadUnknown
from havre.oci.digest import Digest, Hasher
from havre.oci.ranges import ByteRange
from havre.registry.ports import Body, Clock, Elsewhere, LocalFile, Swept
from havre.registry.records import Instant, Segments
from havre.storage import disk
from havre.storage.adopting import Adopter
from havre.storage.layout import Layout

WRITE_PIECE = 1024 * 1024
"""Bytes gathered before a thread is given them."""

READ_PIECE = 512 * 1024
"""Bytes read at a time."""

STALE_AFTER = 60 * 60 * 1000
"""Milliseconds for which an upload or a blob without a row is left alone."""

BATCH = 500
"""Uploads or blobs asked about at a time."""

P = ParamSpec("P")
T = TypeVar("T")


class Threads:
    """The threads that wait for the disk. None runs before the first job, so a process may fork until then."""

    def __init__(self, number: int = 16) -> None:
        self._pool = ThreadPoolExecutor(number, "storage")

    def start(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Begin a job."""
        return self._pool.submit(function, *args, **kwargs)

    async def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Do a job and wait for it."""
        return await asyncio.wrap_future(self.start(function, *args, **kwargs))

    def close(self) -> None:
        """Wait for running jobs and end the threads."""
        self._pool.shutdown()


async def finished(job: Future[T]) -> T:
    """The result of a job that runs to its end even if the waiting task is cancelled."""
    return await asyncio.shield(asyncio.wrap_future(job))


class FileBlobs:
    """Finished content, as files."""

    def __init__(self, layout: Layout, threads: Threads, clock: Clock) -> None:
        self._layout = layout
        self._threads = threads
        self._clock = clock

    async def size(self, key: str) -> int | None:
        """Bytes stored under ``key``, None if there is nothing."""
        with disk.failures_named("looking for a blob"):
            # Not in a thread: one stat costs less than the way there and back.
            return disk.size_of(self._layout.blob(key))

    async def locate(self, key: str) -> LocalFile | Elsewhere | None:
        """The blob's file, None if there is nothing."""
        path = self._layout.blob(key)
        with disk.failures_named("looking for a blob"):
            return LocalFile(str(path)) if disk.size_of(path) is not None else None

    def read(self, key: str, span: ByteRange) -> AsyncIterator[bytes]:
        """The bytes of ``span``. Raises BlobUnknown, and Unavailable if the file is shorter or can not be read."""
        missing = BlobUnknown(f"there is no content under the key {key}")
        return _read(self._threads, self._layout.blob(key), span, missing)

    async def delete(self, key: str) -> None:
        """Remove the content; nothing happens if there is none."""
        path = self._layout.blob(key)
        with disk.failures_named("deleting a blob"):
            await self._threads.run(path.unlink, missing_ok=True)

    async def remove(
        self, keys: Collection[str], gone: Callable[[Collection[str]], Awaitable[Collection[str]]]
    ) -> None:
        """Remove the files of those keys that ``gone`` returns, held meanwhile against every other removal."""
        paths = {self._layout.blob(key): key for key in keys}
        with disk.failures_named("removing blobs"):
            holding = self._threads.start(disk.hold, list(paths))
            try:
                held = await finished(holding)
            except asyncio.CancelledError:
                holding.add_done_callback(_let_go)
                raise
            remove: list[Path] = []
            try:
                remove = [self._layout.blob(key) for key in await gone([paths[one.path] for one in held])]
            finally:
                await finished(self._threads.start(disk.let_go, held, remove))

    async def strays(
        self,
        known: Callable[[Collection[str]], Awaitable[Collection[str]]],
        after: str = "",
        *,
        remove: bool = True,
    ) -> Swept:
        """Remove old files that ``known`` does not know: one batch, from behind ``after`` on."""
        before = (self._clock() - STALE_AFTER) / 1000
        with disk.failures_named("looking for stray files"):
            batch = await self._threads.run(_take_files, disk.old_below(self._layout.blobs, before, after))
        named = {key: size for key, size in batch if self._layout.is_key(key)}
        orphans = set(named) - set(await known(named)) if named else set()
        sizes: list[int | None] = [named[key] for key in orphans]
        if remove and orphans:
            paths = [self._layout.blob(key) for key in orphans]
            with disk.failures_named("removing stray files"):
                sizes = await self._threads.run(disk.remove_all, paths, before)
        found = [size for size in sizes if size is not None]
        return Swept(batch[-1][0] if len(batch) == BATCH else "", len(batch), len(found), sum(found))


class FileUploads:
    """Content on its way, one locked file per upload."""

    def __init__(self, layout: Layout, threads: Threads, clock: Clock) -> None:
        self._layout = layout
        self._threads = threads
        self._clock = clock
        self._publisher = disk.Publisher()
        self._adopter = Adopter()

    @asynccontextmanager
    async def hold(self, upload_id: str, offset: int, segments: Segments = ()) -> AsyncGenerator[_Held, None]:
        """Lock the upload's file, as the port says."""
        opening = self._threads.start(disk.UploadFile, self._layout.upload(upload_id), offset)
        try:
            file = await finished(opening)
        except asyncio.CancelledError:
            opening.add_done_callback(_close_opened)
            raise
        held = _Held(self._threads, file, partial(self._publish, upload_id, file))
        try:
            yield held
        finally:
            held.close()

    def read(self, upload_id: str, size: int, segments: Segments = ()) -> AsyncIterator[bytes]:
        """The first ``size`` bytes. Raises UploadUnknown, and Unavailable if there are fewer."""
        missing = UploadUnknown(f"the bytes of the upload {upload_id} are gone: begin a new upload")
        return _read(self._threads, self._layout.upload(upload_id), ByteRange(0, size), missing)

    async def adopt(self, upload_id: str, file: LocalFile, size: int, *, link: bool) -> str:
        """Link or clone the file, as the port says."""
        upload = self._layout.upload(upload_id)
        return await finished(self._threads.start(self._adopter.take, Path(file.path), upload, size, link=link))

    async def finish(self, upload_id: str, digest: Digest, size: int, segments: Segments = ()) -> str:
        """Sync the bytes, give them a name that nobody has, sync that; return the key."""
        return await finished(self._threads.start(self._publish, upload_id, None, digest, size))

    def _publish(self, upload_id: str, file: disk.UploadFile | None, digest: Digest, size: int) -> str:
        keys = {self._layout.blob(key): key for key in (self._layout.key(digest), self._layout.key(digest, upload_id))}
        names, at = list(keys), self._clock() / 1000
        if file is not None:
            return keys[self._publisher.publish_held(file, names, size, at)]
        return keys[self._publisher.publish(self._layout.upload(upload_id), names, size, at)]

    async def discard(self, upload_id: str, segments: Segments = ()) -> None:
        """Remove the file. A request that is still writing to it writes to nothing from then on."""
        path = self._layout.upload(upload_id)
        with disk.failures_named("discarding an upload"):
            await self._threads.run(path.unlink, missing_ok=True)

    async def stale(self, known: Callable[[Collection[str]], Awaitable[Collection[str]]]) -> int:
        """Remove old files that ``known`` does not know and no request holds; returns how many."""
        removed = 0
        before: Instant = self._clock() - STALE_AFTER
        # Not closed by us: if this is cancelled, a thread may be in the middle of it. Its end closes the folder.
        names = disk.old_files(self._layout.uploads, before / 1000)
        with disk.failures_named("looking for stale uploads"):
            while batch := await self._threads.run(_take, names):
                orphans = set(batch) - set(await known(batch))
                paths = [self._layout.uploads / name for name in orphans]
                sizes = await self._threads.run(disk.remove_all, paths)
                removed += sum(size is not None for size in sizes)
        return removed


class _Held:
    """A locked file. Gathers chunks into pieces, and gives each to a thread while the next one is gathered."""

    def __init__(self, threads: Threads, file: disk.UploadFile, publish: Callable[[Digest, int], str]) -> None:
        self._threads = threads
        self._file = file
        self._publish = publish
        self._piece = bytearray()
        self._job: Future[Any] | None = None

    async def append(self, body: Body, hasher: Hasher) -> int:
        """Write ``body``, as the port says. ``hasher`` is fed in a thread: leave it alone meanwhile."""
        try:
            async for chunk in body:
                await self._add(chunk, hasher)
        finally:
            if self._piece:
                await self._flush_piece(hasher)
            await self._settle()
        return self._file.size

    def keep(self) -> Segments:
        """None: the upload's id tells."""
        return ()

    async def finish(self, digest: Digest, size: int) -> str:
        """Publish the file, as the port says."""
        self._job = job = self._threads.start(self._publish, digest, size)
        return await finished(job)

    async def _add(self, chunk: bytes, hasher: Hasher) -> None:
        if len(chunk) >= WRITE_PIECE and not self._piece:
            await self._hand_over(chunk, hasher)
            return
        self._piece += chunk
        if len(self._piece) >= WRITE_PIECE:
            await self._flush_piece(hasher)

    async def _flush_piece(self, hasher: Hasher) -> None:
        # Settled first: if this is cancelled, the piece is still there and the bytes stay in order.
        await self._settle()
        piece, self._piece = self._piece, bytearray()
        await self._hand_over(piece, hasher)

    async def _hand_over(self, piece: bytes | bytearray, hasher: Hasher) -> None:
        await self._settle()
        self._job = self._threads.start(self._file.write, piece, hasher)

    async def _settle(self) -> None:
        if self._job:
            await finished(self._job)

    def close(self) -> None:
        """Close the file: at once, or as soon as the thread has ended its work if the request was cancelled."""
        if self._job:
            self._job.add_done_callback(lambda _: self._file.close())
        else:
            self._file.close()


def _close_opened(opening: Future[disk.UploadFile]) -> None:
    if not opening.exception():
        opening.result().close()


def _take(names: Iterator[str]) -> list[str]:
    return list(islice(names, BATCH))


def _take_files(files: Iterator[tuple[str, int]]) -> list[tuple[str, int]]:
    return list(islice(files, BATCH))


def _let_go(holding: Future[list[disk.Held]]) -> None:
    if not holding.exception():
        disk.let_go(holding.result())


async def _read(threads: Threads, path: Path, span: ByteRange, missing: HavreError) -> AsyncIterator[bytes]:
    """The bytes of ``span``, read one piece ahead. Raises ``missing`` if there is no file, Unavailable otherwise."""
    descriptor = await _open(threads, path, missing)
    position, job = span.start, None
    try:
        while position < span.stop:
            job = job or threads.start(os.pread, descriptor, min(READ_PIECE, span.stop - position), position)
            with disk.failures_named("reading"):
                piece = await finished(job)
            if not piece:
                raise Unavailable(
                    f"the registry's storage holds only {position} bytes of {path.name}, {span.stop} were expected"
                )
            position += len(piece)
            rest = span.stop - position
            job = threads.start(os.pread, descriptor, min(READ_PIECE, rest), position) if rest else None
            yield piece
    finally:
        if job:
            job.add_done_callback(lambda _: os.close(descriptor))
        else:
            os.close(descriptor)


async def _open(threads: Threads, path: Path, missing: HavreError) -> int:
    opening = threads.start(os.open, path, os.O_RDONLY)
    try:
        with disk.failures_named("reading"):
            return await finished(opening)
    except asyncio.CancelledError:
        opening.add_done_callback(lambda done: None if done.exception() else os.close(done.result()))
        raise
    except Unavailable as error:
        if isinstance(error.__cause__, FileNotFoundError):
            raise missing from error.__cause__
        raise


def system_clock() -> Instant:
    """Milliseconds since 1970, UTC."""
    return time.time_ns() // 1_000_000
