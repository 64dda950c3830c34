"""Tar stream: a tar read once from its beginning to its end, entry by entry, with all that a layer may say of a file.

Every field that a hostile tar could inflate has a limit, and names are made to stay within the root.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from havre.errors import InputInvalid, SizeInvalid
from havre.images.tarindex import BLOCK, MAX_EXTENSION, normal, read_header, read_number, read_pax, read_text

MAX_NAME = 4096
"""Bytes of a path: what Linux takes."""

MAX_ENTRIES = 1_000_000
"""Entries of one layer."""

PIECE = 1024 * 1024

FILE, HARD_LINK, SYMLINK, CHARACTER, BLOCK_DEVICE, FOLDER, PIPE = "0", "1", "2", "3", "4", "5", "6"
"""Kinds of entries, as tar writes them."""

_KINDS = {b"\x00": FILE, b"7": FILE} | {kind.encode(): kind for kind in "0123456"}
_ATTRIBUTE = "SCHILY.xattr."


class Readable(Protocol):
    """What is read from."""

    def read(self, size: int, /) -> bytes:
        """At most ``size`` bytes; none at the end."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A file, folder, link or device of a layer. ``name`` is a path within the root; empty for the root itself."""

    name: str
    kind: str
    size: int = 0
    mode: int = 0o755
    uid: int = 0
    gid: int = 0
    mtime: int = 0
    """Seconds since 1970."""
    link: str = ""
    """Of a symbolic link the text as it stands; of a hard link a path within the root."""
    device: tuple[int, int] = (0, 0)
    attributes: Mapping[str, str] = field(default_factory=dict)
    """Extended attributes, under the names that pax headers have for them."""


class TarStream:
    """Iterate over the entries; `content` gives the bytes of the current one, as far as they are wanted."""

    def __init__(self, stream: Readable, shown: str) -> None:
        self._stream = stream
        self._shown = shown
        self._left = 0
        self._padding = 0

    def __iter__(self) -> Iterator[Entry]:
        """Raises InputInvalid for damage, SizeInvalid for too much of anything."""
        overrides: dict[str, str] = {}
        count = 0
        while True:
            self._skip()
            header = self._exactly(BLOCK, at_end=True)
            if header in {b"", bytes(BLOCK)}:
                return
            name, size, kind, link = read_header(header, self._shown)
            count += 1
            if count > MAX_ENTRIES:
                raise SizeInvalid(f"{self._shown} has more than {MAX_ENTRIES} entries")
            if kind in b"LKxg":
                overrides |= self._extension(kind, size)
                continue
            if text := overrides.get("size"):
                size = int(text) if text.isascii() and text.isdigit() and len(text) < 20 else -1
            entry = self._entry(header, overrides, overrides.get("path", name), overrides.get("linkpath", link), size)
            overrides = {}
            self._left = entry.size
            self._padding = -entry.size % BLOCK
            yield entry

    def content(self) -> Iterator[bytes]:
        """The bytes of the current entry, in pieces."""
        while self._left:
            piece = self._exactly(min(self._left, PIECE))
            self._left -= len(piece)
            yield piece

    def _skip(self) -> None:
        for _ in self.content():
            pass
        self._exactly(self._padding)
        self._padding = 0

    def _entry(self, header: bytes, more: Mapping[str, str], name: str, link: str, size: int) -> Entry:
        kind = _KINDS.get(header[156:157])
        shown = name[:200]
        if kind is None or any(key.startswith("GNU.sparse.") for key in more):
            raise InputInvalid(f"{self._shown}: {shown!r} is a kind of entry that layers do not hold")
        # Old tars write folders as files whose name ends with a slash.
        kind = FOLDER if kind == FILE and name.endswith("/") else kind
        if len(name) > MAX_NAME or len(link) > MAX_NAME or "\x00" in name + link:
            raise SizeInvalid(f"{self._shown}: {shown!r} has a name or a link of more than {MAX_NAME} characters")
        if size < 0:
            raise InputInvalid(f"{self._shown}: the size of {shown!r} can not be read")
        uid, gid = (
            _number(more.get(key, ""), read_number(header[at : at + 8])) for key, at in (("uid", 108), ("gid", 116))
        )
        return Entry(
            normal(name),
            kind,
            size if kind == FILE else 0,
            max(read_number(header[100:108]), 0) & 0o7777,
            uid,
            gid,
            _number(more.get("mtime", "").partition(".")[0], read_number(header[136:148])),
            normal(link) if kind == HARD_LINK else link,
            (max(read_number(header[329:337]), 0), max(read_number(header[337:345]), 0)),
            {key: value for key, value in more.items() if key.startswith(_ATTRIBUTE)},
        )

    def _extension(self, kind: bytes, size: int) -> dict[str, str]:
        if not 0 <= size <= MAX_EXTENSION:
            raise SizeInvalid(f"{self._shown}: an extended header has {size} bytes, at most {MAX_EXTENSION} are read")
        content = self._exactly(size)
        self._exactly(-size % BLOCK)
        if kind == b"L":
            return {"path": read_text(content)}
        if kind == b"K":
            return {"linkpath": read_text(content)}
        return dict(read_pax(content)) if kind == b"x" else {}

    def _exactly(self, size: int, *, at_end: bool = False) -> bytes:
        """So many bytes; with ``at_end`` none at all are fine too."""
        parts: list[bytes] = []
        missing = size
        while missing:
            piece = self._stream.read(missing)
            if not piece:
                if at_end and missing == size:
                    return b""
                raise InputInvalid(f"{self._shown} is cut short")
            parts.append(piece)
            missing -= len(piece)
        return b"".join(parts)


def _number(text: str, otherwise: int) -> int:
    """A number of an extended header; dates before 1970 and nonsense become 0."""
    if text.isascii() and text.isdigit() and len(text) < 16:
        return int(text)
    return max(otherwise, 0) if not text else 0
