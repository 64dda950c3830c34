"""Files as a check sees them: read from the disk itself, compared, and set aside when they are not what they should be."""

from __future__ import annotations

import errno
import os
import secrets
from collections.abc import AsyncIterator, Iterator, Sequence
from concurrent.futures import Future
from itertools import islice
from pathlib import Path

from havre.errors import UploadBusy
from havre.oci.digest import Digest, Hasher
from havre.registry.check_ports import Examined, Pace
from havre.registry.ports import Clock
from havre.storage import disk
from havre.storage.filesystem import BATCH, STALE_AFTER, Threads, finished
from havre.storage.layout import Layout

PIECE = 2 * 1024 * 1024
"""Bytes read and hashed at a time: how long a check takes to stop, and what a pace is kept in."""

_UNREADABLE = {errno.EIO, errno.EBADMSG, errno.EUCLEAN}


class FileChecks:
    """Implements ``havre.registry.check_ports.BlobChecks`` over files."""

    def __init__(self, layout: Layout, threads: Threads, clock: Clock) -> None:
        self._layout = layout
        self._threads = threads
        self._clock = clock

    async def examine(self, key: str, algorithm: str, pace: Pace) -> Examined | None:
        """Read and hash the file; None if there is none."""
        if not self._layout.is_key(key):
            return None
        with disk.failures_named("checking a blob"):
            try:
                descriptor = await self._threads.run(_open_cold, self._layout.blob(key))
            except FileNotFoundError:
                return None
        job: Future[int] | None = None
        hasher = Hasher(algorithm)
        try:
            status = os.fstat(descriptor)
            while True:
                job = self._threads.start(_feed, descriptor, hasher)
                try:
                    number = await finished(job)
                except OSError as error:
                    if error.errno not in _UNREADABLE:
                        raise disk.named(error, "checking a blob") from error
                    return Examined(status.st_size, None, _mark(status))
                if not number:
                    return Examined(hasher.size, hasher.digest(algorithm), _mark(status))
                await pace(number)
        finally:
            if job is None or job.done():
                os.close(descriptor)
            else:
                job.add_done_callback(lambda _: os.close(descriptor))

    def absent(self, key: str) -> bool:
        """Is there no such file now?"""
        return not self._layout.is_key(key) or disk.size_of(self._layout.blob(key)) is None

    async def copies(self, digest: Digest) -> Sequence[str]:
        """All keys under which content of this digest may lie."""
        plain = self._layout.key(digest)
        folder = self._layout.blob(plain).parent

        def look() -> list[str]:
            names = sorted(one.name for one in folder.iterdir()) if folder.is_dir() else []
            start = f"{digest.encoded}."
            return [
                f"{plain}{name[len(digest.encoded) :]}"
                for name in names
                if name == digest.encoded or name.startswith(start)
            ]

        return [key for key in await self._threads.run(look) if self._layout.is_key(key)]

    async def renew(self, key: str) -> bool:
        """Date the file as of now, under the lock of who would remove it; False if there is none or it is held."""
        with disk.failures_named("keeping a copy of a blob"):
            return await finished(self._threads.start(disk.renew, self._layout.blob(key), self._clock() / 1000))

    async def quarantine(self, key: str, mark: str) -> bool:
        """Move the file to the quarantine, if it is that one and nobody holds it."""
        path = self._layout.blob(key)
        with disk.failures_named("setting a blob aside"):
            return await finished(self._threads.start(self._set_aside, path, mark))

    async def keep(self, name: str, content: bytes) -> None:
        """Write a file of the quarantine."""

        def write() -> None:
            self._layout.quarantine.mkdir(mode=0o700, exist_ok=True)
            (self._layout.quarantine / f"{name}.{secrets.token_hex(4)}").write_bytes(content)
            disk.sync_folder(self._layout.quarantine)

        with disk.failures_named("setting a manifest aside"):
            await finished(self._threads.start(write))

    async def files(self) -> AsyncIterator[Sequence[tuple[str, int, bool]]]:
        """Every file among the blobs, in batches."""
        before = (self._clock() - STALE_AFTER) / 1000
        found = _below(self._layout.blobs, before)
        while batch := await self._threads.run(lambda: list(islice(found, BATCH))):
            yield batch

    def _set_aside(self, path: Path, mark: str) -> bool:
        try:
            # Locked as whoever removes it would, so that it is still this file that gets the other name.
            descriptor = disk.open_locked(path, create=False)
        except (FileNotFoundError, UploadBusy):
            return False
        try:
            if _mark(os.fstat(descriptor)) != mark:
                return False
            self._layout.quarantine.mkdir(mode=0o700, exist_ok=True)
            path.rename(self._layout.quarantine / f"{path.parent.parent.name}-{path.name}.{secrets.token_hex(4)}")
            disk.sync_folder(self._layout.quarantine)
            disk.sync_folder(path.parent)
        finally:
            os.close(descriptor)
        return True


def _mark(status: os.stat_result) -> str:
    return f"{status.st_dev}:{status.st_ino}:{status.st_mtime_ns}:{status.st_size}"


def _open_cold(path: Path) -> int:
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    # What the kernel remembers of the file may be right while the disk is wrong.
    os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    return descriptor


def _feed(descriptor: int, hasher: Hasher) -> int:
    piece = os.pread(descriptor, PIECE, hasher.size)
    hasher.update(piece)
    return len(piece)


def _below(root: Path, before: float) -> Iterator[tuple[str, int, bool]]:
    for folder, _, names in os.walk(root):
        for name in names:
            path = Path(folder, name)
            try:
                status = path.stat(follow_symlinks=False)
            except FileNotFoundError:
                continue
            yield path.relative_to(root).as_posix(), status.st_size, status.st_mtime < before
