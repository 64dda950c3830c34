"""Entries: what one path of a layer or an image is, and what became of it between two states.

Paths are bytes without a leading slash, as layers hold them: nobody promises that they are text. The root is ``b""``.
"""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

MAX_PATH = 4096
"""Bytes of a path, and of what a link leads to. Longer ones can not be unpacked on Linux."""

MAX_DEPTH = 128
"""Folders within each other."""

IDENTITY = 16
"""Bytes of an identity: the first of a SHA-256."""

NOTHING = bytes(IDENTITY)

MOVED_FROM, MOVED_TO = b"< ", b"> "
"""How the note of a change begins that tells where a file's content was before, or is now."""


class Kind(IntEnum):
    """What lies at a path. The last two occur in layers only (OCI image specification, layer.md, "Whiteouts")."""

    FOLDER = 0
    FILE = 1
    SYMLINK = 2
    HARDLINK = 3
    CHARACTER_DEVICE = 4
    BLOCK_DEVICE = 5
    PIPE = 6
    WHITEOUT = 7
    """The name is taken away from what lies below."""
    OPAQUE = 8
    """Everything in the folder is taken away from what lies below; the name is empty."""


class Facts(NamedTuple):
    """What is known of one path."""

    kind: Kind
    size: int = 0
    """Bytes of a file; of a folder all that lies below it."""
    mode: int = 0
    uid: int = 0
    gid: int = 0
    mtime: int = 0
    """Seconds since 1970."""
    layer: int = 0
    """The layer that brought it, counted from 0."""
    offset: int = 0
    """Where a file's bytes begin in the unpacked layer."""
    files: int = 0
    """Of a folder: how many things that are no folder lie below it."""
    identity: bytes = NOTHING
    """Equal for equal content; of a folder for equal content, names, rights and owners of all below it."""
    target: bytes = b""
    """What a link leads to."""


class Entry(NamedTuple):
    """One path with its facts."""

    folder: bytes
    name: bytes
    facts: Facts

    @property
    def path(self) -> bytes:
        """The whole path."""
        return join(self.folder, self.name)


class Change(NamedTuple):
    """What became of one path. For a folder the figures are those of everything below it."""

    folder: bytes
    name: bytes
    kind: Kind
    """After the change, or before it if it was removed."""
    status: str
    """``a`` added, ``c`` changed, ``r`` removed, ``m`` another mode or owner, ``t`` written again with the same content;
    empty for a folder that is the same but for what lies in it."""
    before: int
    """Bytes that were changed or removed."""
    after: int
    """Bytes that were added or that changed ones have now."""
    added: int
    changed: int
    removed: int
    note: bytes = b""
    """How mode, owner or kind changed, such as ``0644 0:0 > 0755 0:0``; or where a file came from, or went."""

    @property
    def path(self) -> bytes:
        """The whole path."""
        return join(self.folder, self.name)

    @property
    def difference(self) -> int:
        """Bytes more, or less if negative."""
        return self.after - self.before


def join(folder: bytes, name: bytes) -> bytes:
    """The path of ``name`` in ``folder``."""
    return folder + b"/" + name if folder and name else folder or name


def split(path: bytes) -> tuple[bytes, bytes]:
    """Folder and name of a path."""
    folder, _, name = path.rpartition(b"/")
    return folder, name


def clean(path: bytes) -> bytes | None:
    """``path`` without empty parts and dots; None if it leads out by ``..``, or is longer or deeper than allowed."""
    if len(path) > MAX_PATH:
        return None
    parts = [part for part in path.split(b"/") if part not in (b"", b".")]
    if b".." in parts or len(parts) > MAX_DEPTH:
        return None
    return b"/".join(parts)
