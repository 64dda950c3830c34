"""Disk: the system calls that make bytes survive, in the order that counts.

Everything here blocks, so ``filesystem`` calls it in threads. The promises, and what keeps each:

* One writer per upload, among all processes: an exclusive ``flock`` on its file, taken before it is cut or written.
* Content behind a digest is whole: it is written elsewhere, and gets its name at once, which nobody has.
* Content behind a digest survives a power failure: its bytes are synced before it gets its name, the folder that
  received the name after it, and a folder made on the way is synced into its parent.
* What is taken away is what was looked at: whoever removes or moves a file holds its ``flock``, so that no name can
  go to new content meanwhile.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from havre.errors import HavreError, StorageFull, Unavailable, UploadBusy, UploadInvalid
from havre.oci.digest import Hasher

WRITE_BACK = 8 * 1024 * 1024
"""Bytes after which the kernel is asked to begin writing, so that the sync at the end finds little left to do."""

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}

# What file systems say that offer no second names, or have no room for one more.
_NO_LINKS = {errno.EPERM, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK, errno.ENOSPC, errno.EDQUOT}


@contextmanager
def failures_named(doing: str) -> Iterator[None]:
    """Raise StorageFull or Unavailable in place of an OSError that comes up while ``doing``.

    Paths stay out of the sentence, for it reaches clients; the OSError goes on as the cause, for the log.
    """
    try:
        yield
    except OSError as error:
        raise named(error, doing) from error


def named(error: OSError, doing: str) -> HavreError:
    """The failure of the product that ``error`` stands for."""
    reason = error.strerror or type(error).__name__
    if error.errno in _FULL:
        return StorageFull(
            f"the registry's storage is full ({reason}, while {doing}): nothing half-written was kept;"
            " its administrator has to make room before you push again"
        )
    return Unavailable(
        f"the registry's storage failed ({reason}, while {doing}): try again later, and tell its administrator if"
        " it stays so",
        retry_after=10,
    )


def open_locked(path: Path, *, create: bool) -> int:
    """Open a file for this caller alone and return the descriptor; closing it gives the lock back.

    Raises UploadBusy if somebody else holds it, FileNotFoundError if it is not there and ``create`` is off.
    """
    flags = os.O_RDWR | os.O_NOFOLLOW | (os.O_CREAT if create else 0)
    while True:
        descriptor = os.open(path, flags, 0o640)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _is_named(descriptor, path):
                return descriptor
        except BlockingIOError as error:
            os.close(descriptor)
            raise UploadBusy(
                f"another request is writing to the upload {path.name}: wait for it to end, then ask for the"
                " upload's status and go on from there"
            ) from error
        except BaseException:
            os.close(descriptor)
            raise
        # Between open and lock another request finished this upload: the file is a blob now and not ours to touch.
        os.close(descriptor)


def _is_named(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat(follow_symlinks=False))
    except FileNotFoundError:
        return False


class UploadFile:
    """An upload's file, locked, which takes bytes from ``offset`` on. One thread at a time."""

    def __init__(self, path: Path, offset: int) -> None:
        """Open and lock. Raises UploadBusy, UploadInvalid, StorageFull and Unavailable."""
        self.path = path
        self._start = self._end = self._asked = offset
        self._failure: HavreError | None = None
        with failures_named("opening an upload"):
            try:
                self.descriptor = open_locked(path, create=offset == 0)
            except FileNotFoundError as error:
                raise too_short(path.name, offset, 0) from error
            try:
                stored = os.fstat(self.descriptor).st_size
                if stored < offset:
                    raise too_short(path.name, offset, stored)
                self._beyond = stored > offset
            except BaseException:
                self.close()
                raise

    def write(self, piece: bytes | bytearray, hasher: Hasher) -> None:
        """Hash ``piece`` and write it to the end; before the first one, what lies beyond the offset is cut off.

        If the disk refuses, the file is cut back to where it was opened, and every later call raises the same: a
        piece after a lost one would make a hole.
        """
        if self._failure:
            raise self._failure
        hasher.update(piece)
        try:
            if self._beyond:
                os.ftruncate(self.descriptor, self._start)
                self._beyond = False
            with memoryview(piece) as view:
                written = 0
                while written < len(view):
                    written += os.pwrite(self.descriptor, view[written:], self._end + written)
            self._end += written
            self._begin_write_back()
        except OSError as error:
            self._failure = named(error, "writing an upload")
            with suppress(OSError):
                os.ftruncate(self.descriptor, self._start)
            raise self._failure from error

    @property
    def size(self) -> int:
        """Bytes in the file."""
        return self._end

    def close(self) -> None:
        """Give the lock back."""
        os.close(self.descriptor)

    def _begin_write_back(self) -> None:
        # DONTNEED on dirty pages makes Linux start to write them and keeps them cached. Over 1 GiB it took the final
        # sync from 320 ms to 4 ms, and slowed no write.
        if self._end - self._asked >= WRITE_BACK:
            os.posix_fadvise(self.descriptor, self._asked, self._end - self._asked, os.POSIX_FADV_DONTNEED)
            self._asked = self._end


def too_short(upload_id: str, wanted: int, stored: int) -> UploadInvalid:
    """The failure when an upload holds fewer bytes than it should."""
    return UploadInvalid(
        f"{stored} bytes of the upload {upload_id} are stored, not {wanted}: begin a new upload",
        detail={"stored": stored, "wanted": wanted},
    )


def size_of(path: Path) -> int | None:
    """Bytes in the file, None if there is none."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return None


class Publisher:
    """Turns uploads into blobs."""

    def __init__(self) -> None:
        self._durable: set[Path] = set()

    def publish(self, upload: Path, names: Sequence[Path], size: int, at: float) -> Path:
        """Make the first ``size`` bytes of ``upload`` content under the first of ``names`` that is free, as of ``at``.

        Bytes and name are durable when this returns the name. ``names`` lie in one folder, and nobody else uses the
        last one. Raises UploadBusy, UploadInvalid if there are fewer bytes, StorageFull and Unavailable.
        """
        with failures_named("finishing an upload"):
            try:
                descriptor = open_locked(upload, create=size == 0)
            except FileNotFoundError as error:
                raise too_short(upload.name, size, 0) from error
            try:
                return self._publish_locked(descriptor, upload, names, size, at)
            finally:
                os.close(descriptor)

    def publish_held(self, file: UploadFile, names: Sequence[Path], size: int, at: float) -> Path:
        """The same for an upload that the caller holds."""
        with failures_named("finishing an upload"):
            if not _is_named(file.descriptor, file.path):
                # It was discarded meanwhile.
                raise too_short(file.path.name, size, 0)
            return self._publish_locked(file.descriptor, file.path, names, size, at)

    def _publish_locked(self, descriptor: int, upload: Path, names: Sequence[Path], size: int, at: float) -> Path:
        stored = os.fstat(descriptor).st_size
        if stored < size:
            raise too_short(upload.name, size, stored)
        if stored > size:
            os.ftruncate(descriptor, size)
        # Who looks for files that no row knows leaves new ones alone, and the upload may be days old.
        os.utime(descriptor, (at, at))
        try:
            os.fdatasync(descriptor)
        except OSError:
            # After a failed sync Linux marks the pages clean: a second try would succeed without the bytes.
            with suppress(OSError):
                upload.unlink()
            raise
        folder = names[0].parent
        for one in (folder.parent, folder):
            self._make_folder(one)
        blob = _name_new(descriptor, upload, names)
        sync_folder(folder)
        # Last, so that who died on the way can be followed by who tries again.
        upload.unlink(missing_ok=True)
        return blob

    def _make_folder(self, folder: Path) -> None:
        """Make ``folder``, and sync its name once per process.

        That the folder exists is not enough: another process may have made it a moment ago and not synced it yet.
        """
        try:
            folder.mkdir(mode=0o750)
        except FileExistsError:
            if folder in self._durable:
                return
        sync_folder(folder.parent)
        self._durable.add(folder)


def _name_new(descriptor: int, upload: Path, names: Sequence[Path]) -> Path:
    """Give an upload's locked file the first of the names that is free."""
    for name in names[:-1]:
        try:
            # Not a rename, which would put it in place of what got that name a moment ago.
            os.link(upload, name, follow_symlinks=False)
        except FileExistsError:
            if not _is_named(descriptor, name):
                continue
            # A publisher that died gave it this name; nobody takes it away while we hold the lock.
        except OSError as error:
            if error.errno in _NO_LINKS:
                continue
            raise
        return name
    upload.rename(names[-1])
    return names[-1]


def sync_folder(folder: Path) -> None:
    """Make the names in ``folder`` durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def old_files(folder: Path, before: float) -> Generator[str, None, None]:
    """Names of the files in ``folder`` that nobody wrote to since ``before`` (seconds since 1970)."""
    with os.scandir(folder) as entries:
        for entry in entries:
            with suppress(FileNotFoundError):
                if entry.is_file(follow_symlinks=False) and entry.stat(follow_symlinks=False).st_mtime < before:
                    yield entry.name


def remove_unless_busy(path: Path, before: float = float("inf")) -> int | None:
    """Remove a file that nobody holds and nobody wrote to since ``before``, and return its size; None if it stays."""
    try:
        descriptor = open_locked(path, create=False)
    except (UploadBusy, FileNotFoundError):
        return None
    try:
        status = os.fstat(descriptor)
        if status.st_mtime >= before:
            return None
        path.unlink(missing_ok=True)
    finally:
        os.close(descriptor)
    return status.st_size


def renew(path: Path, at: float) -> bool:
    """Date a file as of ``at``, so that ``remove_unless_busy`` leaves it alone; False if it is gone or somebody holds it."""
    try:
        descriptor = open_locked(path, create=False)
    except (UploadBusy, FileNotFoundError):
        return False
    try:
        os.utime(descriptor, (at, at))
    finally:
        os.close(descriptor)
    return True


def remove_all(paths: Sequence[Path], before: float = float("inf")) -> list[int | None]:
    """Each as ``remove_unless_busy``."""
    return [remove_unless_busy(path, before) for path in paths]


class Held:
    """A file that only this caller may take away, or one that is not there."""

    def __init__(self, path: Path) -> None:
        """Raises UploadBusy if somebody else holds it."""
        self.path = path
        try:
            self._descriptor = open_locked(path, create=False)
        except FileNotFoundError:
            self._descriptor = -1

    def remove(self) -> None:
        """Take it away. What has got this name since, because there was nothing, stays."""
        if self._descriptor >= 0:
            self.path.unlink(missing_ok=True)

    def release(self) -> None:
        """Let others have it."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def hold(paths: Sequence[Path]) -> list[Held]:
    """Hold those files that nobody else holds."""
    held: list[Held] = []
    try:
        for path in paths:
            with suppress(UploadBusy):
                held.append(Held(path))
    except BaseException:
        let_go(held)
        raise
    return held


def let_go(held: Sequence[Held], remove: Sequence[Path] = ()) -> None:
    """Take away the files named in ``remove``, and let go of all."""
    try:
        for one in held:
            if one.path in remove:
                one.remove()
    finally:
        for one in held:
            one.release()


def old_below(root: Path, before: float, after: str) -> Generator[tuple[str, int], None, None]:
    """Paths below ``root``, as ALGORITHM/PREFIX/NAME, and sizes of the files that nobody wrote to since ``before``.

    In their order, from behind ``after`` on.
    """
    for algorithm in _folders(root):
        for prefix in _folders(root / algorithm):
            folder = f"{algorithm}/{prefix}"
            if folder < after[: len(folder)]:
                continue
            for name in _files(root / folder):
                if f"{folder}/{name}" <= after:
                    continue
                with suppress(FileNotFoundError):
                    status = (root / folder / name).stat(follow_symlinks=False)
                    if stat.S_ISREG(status.st_mode) and status.st_mtime < before:
                        yield f"{folder}/{name}", status.st_size


def _files(folder: Path) -> list[str]:
    with suppress(FileNotFoundError):
        return sorted(path.name for path in folder.iterdir())
    return []


def _folders(folder: Path) -> list[str]:
    with suppress(FileNotFoundError, NotADirectoryError), os.scandir(folder) as entries:
        return sorted(entry.name for entry in entries if entry.is_dir(follow_symlinks=False))
    return []
