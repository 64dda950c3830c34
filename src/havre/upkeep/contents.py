"""Contents: the registry's own bytes, as a backup takes them and a restore brings them, in a folder or in a bucket."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import Protocol
from urllib.parse import unquote, urlsplit

from havre.config import Config
from havre.errors import BlobUnknown, Conflict
from havre.oci.digest import Digest, Hasher
from havre.oci.ranges import ByteRange
from havre.storage import open_configured
from havre.storage.disk import size_of, sync_folder
from havre.storage.layout import Layout
from havre.storage.objects.bucket import MARK, PART, Bucket, is_key
from havre.storage.objects.place import place_of
from havre.upkeep.files import Pace, copy_verified, digest_of, written
from havre.upkeep.shelf import Content

_MARK = "restoring.json"


class Contents(Protocol):
    """Where a registry keeps its bytes. Each method blocks, and may be called in several threads."""

    def take(self, key: str, content: Content, target: Path, pace: Pace) -> bool:
        """Copy what is stored under ``key`` to a file, if it is there and its bytes have the digest."""

    def key(self, digest: Digest) -> str:
        """The key under which ``bring`` stores content."""

    def bring(self, content: Content, source: Path, pace: Pace) -> bool:
        """Store the bytes of a file under that key, unless they are there; False if the file is not what it should be."""

    def settle(self) -> None:
        """What was brought is durable on return."""

    def claimed(self, generation: str) -> AbstractContextManager[None]:
        """The place for a restore: empty, or left by one of the same generation that broke off. Raises Conflict."""


def contents_of(config: Config, *, make: bool = False) -> Contents:
    """Where the registry of these settings keeps its bytes; with ``make`` there may be nothing yet. Raises ConfigError."""
    parts = urlsplit(config.storage_url)
    if make:
        open_configured(config).close()
    if parts.scheme == "file":
        return FolderContents(Layout(Path(unquote(parts.path))))
    given = config.storage_endpoint, config.storage_region, config.storage_addressing
    return BucketContents(Bucket(place_of(config.storage_url, *given)))


class FolderContents:
    """Bytes in files."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout

    def take(self, key: str, content: Content, target: Path, pace: Pace) -> bool:
        """Copy a blob's file."""
        if not self._layout.is_key(key):
            return False
        with suppress(FileNotFoundError):
            return copy_verified(self._layout.blob(key), target, content.digest, pace)
        return False

    def key(self, digest: Digest) -> str:
        """The path below the folder of blobs."""
        return self._layout.key(digest)

    def bring(self, content: Content, source: Path, pace: Pace) -> bool:
        """Copy a file to where blobs lie."""
        target, algorithm = self._layout.blob(self.key(content.digest)), content.digest.algorithm
        if size_of(target) == content.size and digest_of(target, algorithm, pace) == content.digest:
            return True
        return size_of(source) == content.size and copy_verified(source, target, content.digest, pace)

    def settle(self) -> None:
        """Sync the folders that name files."""
        folder = self._layout.blobs
        for one in (folder.parent, folder, *(path for path in folder.iterdir() if path.is_dir())):
            sync_folder(one)

    @contextmanager
    def claimed(self, generation: str) -> Iterator[None]:
        """A folder without files, with a mark beside it."""
        folder, begun = self._layout.blobs, ""
        mark = folder.parent / _MARK
        with suppress(FileNotFoundError):
            begun = _begun(mark.read_bytes())
        if begun != generation and any(path.is_file() for path in folder.rglob("*")):
            raise Conflict(
                f"{folder} is not empty: a backup is restored into a new, empty data folder only"
                " (move the old one away, or name another with --data)"
            )
        with written(mark) as file:
            file.write(_mark_of(generation))
        yield
        mark.unlink()
        sync_folder(mark.parent)


class BucketContents:
    """Bytes in an object store. Each call has a loop of its own, for those who call are threads."""

    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket
        self._layout = Layout(Path())

    def take(self, key: str, content: Content, target: Path, pace: Pace) -> bool:
        """Download an object."""
        return is_key(key) and asyncio.run(self._take(key, content, target, pace))

    async def _take(self, key: str, content: Content, target: Path, pace: Pace) -> bool:
        target.parent.mkdir(parents=True, exist_ok=True)
        hasher = Hasher(content.digest.algorithm)
        if await self._bucket.size(key) != content.size:
            return False
        with suppress(BlobUnknown, _OtherBytesError), written(target) as copy:
            async for piece in self._pieces(key, content):
                hasher.update(piece)
                copy.write(piece)
                pace(len(piece))
            if hasher.digest(content.digest.algorithm) != content.digest:
                raise _OtherBytesError
            return True
        return False

    def _pieces(self, key: str, content: Content) -> AsyncIterator[bytes]:
        missing = BlobUnknown(f"there is no content under the key {key[:200]!r}")
        return self._bucket.read(key, ByteRange(0, content.size), missing)

    def key(self, digest: Digest) -> str:
        """A key by the digest, as content that came out of a data folder has it."""
        return self._layout.key(digest)

    def bring(self, content: Content, source: Path, pace: Pace) -> bool:
        """Upload a file."""
        algorithm = content.digest.algorithm
        if asyncio.run(self._is_there(content, pace)):
            return True
        if size_of(source) != content.size or digest_of(source, algorithm, pace) != content.digest:
            return False
        key, is_small = self.key(content.digest), content.size <= PART
        bringing = (
            self._bucket.put(key, source.read_bytes()) if is_small else self._bucket.put_parts(key, _parts(source))
        )
        asyncio.run(bringing)
        return True

    async def _is_there(self, content: Content, pace: Pace) -> bool:
        key, hasher = self.key(content.digest), Hasher(content.digest.algorithm)
        if await self._bucket.size(key) != content.size:
            return False
        async for piece in self._pieces(key, content):
            hasher.update(piece)
            pace(len(piece))
        return hasher.digest(content.digest.algorithm) == content.digest

    def settle(self) -> None:
        """Nothing is left to do: what the store has acknowledged is durable."""

    @contextmanager
    def claimed(self, generation: str) -> Iterator[None]:
        """A prefix without content, with a mark in it."""
        begun, is_empty = asyncio.run(self._found())
        if begun != generation and not is_empty:
            raise Conflict(
                f"{self._bucket.place} is not empty: a backup is restored into a new, empty bucket or prefix only"
                " (name another with storage_url)"
            )
        asyncio.run(self._bucket.put(_MARK, _mark_of(generation)))
        yield
        asyncio.run(self._bucket.delete([_MARK]))

    async def _found(self) -> tuple[str, bool]:
        begun, is_empty = "", True
        async for batch in self._bucket.list():
            for one in batch:
                if one["path"] == _MARK:
                    missing = BlobUnknown(f"{_MARK} is gone")
                    pieces = self._bucket.read(_MARK, ByteRange(0, one["size"]), missing)
                    begun = _begun(b"".join([piece async for piece in pieces]))
                elif one["path"] != MARK:
                    is_empty = False
            if not is_empty and begun:
                break
        return begun, is_empty


class _OtherBytesError(Exception):
    """What was read is not what the digest says."""


async def _parts(source: Path) -> AsyncIterator[bytes]:
    # Nobody else waits for this loop.
    with source.open("rb", buffering=0) as file:
        while piece := file.read(PART):
            yield piece


def _mark_of(generation: str) -> bytes:
    return json.dumps({"generation": generation}).encode()


def _begun(content: bytes) -> str:
    """Which generation a mark names; empty if it is none."""
    with suppress(ValueError, KeyError, TypeError):
        return str(json.loads(content)["generation"])
    return ""
