"""Adopting: what a file of this machine holds becomes an upload's content without being written again.

A hard link is two names of one file: whoever may write to the other one changes ours, so it is made only when asked for.
A clone (btrfs, XFS, bcachefs, ZFS) shares its place on disk only until one side changes, and is always right.
"""

from __future__ import annotations

import fcntl
import os
from contextlib import suppress
from pathlib import Path

_FICLONE = 0x40049409
"""The request of Linux (ioctl_ficlonerange(2)), which no library names before Python 3.14."""


class Adopter:
    """Links or clones files; remembers which devices can not clone, so that they are asked once."""

    def __init__(self) -> None:
        self._unable: set[int] = set()

    def take(self, source: Path, upload: Path, size: int, *, link: bool) -> str:
        """``linked``, ``cloned``, or nothing, with nothing done. A file of another size is not taken."""
        # A link to a symbolic link would be one, and content that we may not write can not be locked.
        found = source.resolve()
        if link and os.access(found, os.R_OK | os.W_OK):
            with suppress(OSError):
                os.link(found, upload)
                return _kept(upload, size, "linked")
        return self._clone(found, upload, size)

    def _clone(self, source: Path, upload: Path, size: int) -> str:
        with suppress(OSError), source.open("rb") as original:
            device = os.fstat(original.fileno()).st_dev
            if device in self._unable:
                return ""
            copy = os.open(upload, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o640)
            try:
                fcntl.ioctl(copy, _FICLONE, original.fileno())
                return _kept(upload, size, "cloned")
            except OSError:
                self._unable.add(device)
                upload.unlink()
            finally:
                os.close(copy)
        return ""


def _kept(upload: Path, size: int, how: str) -> str:
    if upload.stat().st_size == size:
        return how
    upload.unlink()
    return ""
