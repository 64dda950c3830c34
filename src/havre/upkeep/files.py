"""Files that are whole or not there: written beside their name, synced, renamed; and copies that are hashed on the way."""

from __future__ import annotations

import io
import os
import threading
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, cast

import zstandard

from havre.oci.digest import Digest, Hasher
from havre.storage.disk import sync_folder

PIECE = 1024 * 1024
"""Bytes read at a time."""

PART = ".part"
"""Ends the name of a file that is being written."""

_ZSTD = b"\x28\xb5\x2f\xfd"
_LEVEL = 3

Pace = Callable[[int], None]
"""Is told of bytes that were moved, and waits when they were too many."""


def pace_of(rate: float) -> Pace:
    """A pace of at most ``rate`` bytes each second; 0 waits for nothing."""
    if rate <= 0:
        return lambda _number: None
    free_at, lock = time.monotonic(), threading.Lock()

    def pace(number: int) -> None:
        nonlocal free_at
        with lock:
            # What was not used in the past is not made up for.
            free_at = max(free_at, time.monotonic()) + number / rate
            wait = free_at - time.monotonic()
        if wait > 0:
            time.sleep(wait)

    return pace


@contextmanager
def written(path: Path) -> Iterator[BinaryIO]:
    """A file to write to, which is there under its name, synced, once the block has ended well; else nothing is."""
    part = path.with_name(path.name + PART)
    try:
        with part.open("wb") as file:
            yield cast("BinaryIO", file)
            file.flush()
            os.fsync(file.fileno())
        part.rename(path)
        sync_folder(path.parent)
    except BaseException:
        with suppress(OSError):
            part.unlink(missing_ok=True)
        raise


@contextmanager
def written_rows(path: Path, *, compressed: bool) -> Iterator[BinaryIO]:
    """As ``written``, compressed with zstd on the way if wanted."""
    with written(path) as file:
        if not compressed:
            yield file
            return
        with zstandard.ZstdCompressor(_LEVEL, write_checksum=True).stream_writer(file, closefd=False) as packed:
            yield cast("BinaryIO", packed)


@contextmanager
def opened_rows(path: Path) -> Iterator[BinaryIO]:
    """A file of rows to read, compressed or not."""
    with path.open("rb") as file:
        packed = file.peek(len(_ZSTD))[: len(_ZSTD)] == _ZSTD
        if not packed:
            yield cast("BinaryIO", file)
            return
        with zstandard.ZstdDecompressor().stream_reader(file, closefd=False) as plain:
            yield cast("BinaryIO", io.BufferedReader(cast("io.RawIOBase", plain), PIECE))


def digest_of(path: Path, algorithm: str = "sha256", pace: Pace = lambda _number: None) -> Digest:
    """The digest of a file's bytes, read from the disk rather than from memory where that can be had."""
    hasher = Hasher(algorithm)
    with path.open("rb", buffering=0) as file:
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        while piece := file.read(PIECE):
            hasher.update(piece)
            pace(len(piece))
    return hasher.digest(algorithm)


def copied(source: Path, target: Path, algorithm: str, pace: Pace) -> Generator[Digest, None, None]:
    """Copy a file; yields the digest of what was copied, and keeps the copy only if the caller goes on from there."""
    hasher = Hasher(algorithm)
    target.parent.mkdir(parents=True, exist_ok=True)
    with source.open("rb", buffering=0) as file, written(target) as copy:
        while piece := file.read(PIECE):
            hasher.update(piece)
            copy.write(piece)
            pace(len(piece))
        yield hasher.digest(algorithm)


def copy_verified(source: Path, target: Path, digest: Digest, pace: Pace) -> bool:
    """Copy a file if its bytes have this digest; False, and nothing is there, if they have not. Raises OSError."""
    copying = copied(source, target, digest.algorithm, pace)
    try:
        if next(copying) != digest:
            return False
        for _ in copying:
            pass
        return True
    finally:
        copying.close()
