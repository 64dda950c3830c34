"""What the tests of storage share: bodies as the wire gives them, a clock to turn, and one harness per backend."""

import asyncio
import random
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from havre.errors import ClientGone
from havre.oci.digest import Digest, Hasher
from havre.oci.ranges import ByteRange
from havre.registry.ports import BlobStore, UploadStore
from havre.registry.records import Segments
from havre.storage import open_storage
from havre.storage.filesystem import WRITE_PIECE
from havre.storage.memory import MemoryBlobs, MemoryUploads
from havre.storage.objects.bucket import MARK
from tests.support.objectstore import BUCKET, REGION, ObjectStore

HOUR = 60 * 60 * 1000

EDGES = (0, 1, WRITE_PIECE - 1, WRITE_PIECE, WRITE_PIECE + 1, 3 * WRITE_PIECE + 7)
"""Sizes around those at which work is handed to a thread."""


def content(size: int, seed: int = 0) -> bytes:
    """Bytes of which no two places look alike."""
    return random.Random(seed).randbytes(size)


async def body(*chunks: bytes) -> AsyncIterator[bytes]:
    """A body that arrives whole."""
    for chunk in chunks:
        yield chunk


async def torn(*chunks: bytes) -> AsyncIterator[bytes]:
    """A body whose sender leaves after ``chunks``."""
    for chunk in chunks:
        yield chunk
    raise ClientGone("the client closed the connection")


def cut(data: bytes, size: int) -> list[bytes]:
    """``data`` in chunks of ``size``, as a network would deliver it."""
    return [data[start : start + size] for start in range(0, len(data), size)]


async def joined(pieces: AsyncIterator[bytes]) -> bytes:
    """Everything a reader gets, which must come in pieces of at most 1 MiB."""
    found = []
    async for piece in pieces:
        assert 0 < len(piece) <= 1024 * 1024
        found.append(piece)
    return b"".join(found)


async def loop_turned(turns: int) -> None:
    """Let everything else run that many times, to stop it at a certain point."""
    for _ in range(turns):
        await asyncio.sleep(0)


@dataclass
class TurnedClock:
    """A clock that stands still until it is turned. It starts at the time of the machine, as the files do."""

    now: int

    def __call__(self) -> int:
        return self.now


async def append(uploads: UploadStore, upload: str, offset: int, body: AsyncIterator[bytes], hasher: Hasher) -> int:
    """Append as a request does that finds the upload as it expected, to a store that needs no row."""
    async with uploads.hold(upload, offset) as held:
        return await held.append(body, hasher)


@dataclass
class Stores:
    """One backend under test; ``used`` and ``keys`` are what the test put there, ``rows`` what rows remember of uploads."""

    blobs: BlobStore
    uploads: UploadStore
    clock: TurnedClock
    used: set[str] = field(default_factory=set)
    keys: set[str] = field(default_factory=set)
    rows: dict[str, Segments] = field(default_factory=dict)
    locks: bool = True
    """Does it keep others out, rather than keep what each of them does apart?"""

    async def append(self, upload: str, offset: int, *chunks: bytes) -> int:
        """Append and check that the hasher was fed what was written."""
        hasher = Hasher()
        size = await self.take(upload, offset, body(*chunks), hasher)
        assert hasher.size == sum(map(len, chunks))
        assert hasher.digest() == Digest.of(b"".join(chunks))
        return size

    async def take(
        self, upload: str, offset: int, arriving: AsyncIterator[bytes], hasher: Hasher, *, acknowledged: bool = True
    ) -> int:
        """Append as a request does; what is not ``acknowledged`` no row ever heard of."""
        self.used.add(upload)
        async with self.uploads.hold(upload, offset, self.rows.get(upload, ())) as held:
            try:
                size = await held.append(arriving, hasher)
            except ClientGone:
                self.rows[upload] = held.keep()
                raise
            if acknowledged:
                self.rows[upload] = held.keep()
            return size

    async def discard(self, upload: str) -> None:
        """Discard as whoever removed the row."""
        await self.uploads.discard(upload, self.rows.pop(upload, ()))

    async def finish(self, upload: str, data: bytes, algorithm: str = "sha256") -> str:
        """Finish an upload whose first bytes are ``data``."""
        self.used.add(upload)
        segments = self.rows.get(upload, ())
        key = await self.uploads.finish(upload, Digest.of(data, algorithm), len(data), segments)
        self.keys.add(key)
        self.rows.pop(upload, None)
        if rest := tuple(one for one in segments if one.key != key):
            await self.uploads.discard(upload, rest)
        return key

    async def push(self, upload: str, data: bytes) -> str:
        """A whole upload."""
        await self.append(upload, 0, data)
        return await self.finish(upload, data)

    async def stored(self, upload: str, size: int) -> bytes:
        """The first bytes of an upload."""
        return await joined(self.uploads.read(upload, size, self.rows.get(upload, ())))

    async def whole(self, key: str) -> bytes:
        """All bytes of a blob."""
        size = await self.blobs.size(key)
        assert size is not None
        return await joined(self.blobs.read(key, ByteRange(0, size)))

    async def empty(self) -> None:
        """Take away what the test knows of."""
        for upload in self.used:
            await self.discard(upload)
        for key in self.keys:
            await self.blobs.delete(key)


def on_files(root: Path, clock: TurnedClock) -> Iterator[Stores]:
    """The file store below ``root``, which must be left without a file, and without one held open."""
    storage = open_storage("", root, clock)
    yield Stores(storage.blobs, storage.uploads, clock)
    storage.close()
    assert files_below(root) == []
    assert open_below(root) == []


def in_objects(server: ObjectStore, prefix: str, clock: TurnedClock) -> Iterator[Stores]:
    """An object store below ``prefix``, where nothing must be left but its mark, not even what never became whole."""
    url = f"s3://{BUCKET}/{prefix}"
    storage = open_storage(url, prefix, clock, (server.endpoint, REGION, "auto"))
    yield Stores(storage.blobs, storage.uploads, clock, locks=False)
    storage.close()
    assert server.keys_below(prefix) == [MARK]
    assert server.begun_below(prefix) == []


def in_memory(clock: TurnedClock) -> Iterator[Stores]:
    """The memory store, which must be left empty."""
    blobs = MemoryBlobs(clock)
    uploads = MemoryUploads(blobs, clock)
    yield Stores(blobs, uploads, clock)
    assert (len(blobs), len(uploads)) == (0, 0)


def files_below(root: Path) -> list[str]:
    """The files of a tree."""
    return sorted(str(path.relative_to(root)) for path in root.rglob("*") if not path.is_dir())


def open_below(root: Path) -> list[str]:
    """The files below ``root`` that this process holds open."""
    targets = []
    for link in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):  # the one that was used to list them
            targets.append(str(link.readlink()))
    return [target for target in targets if target.startswith(str(root))]


def run(*words: str | Path) -> None:
    """Run a program that must succeed."""
    subprocess.run(words, check=True)
