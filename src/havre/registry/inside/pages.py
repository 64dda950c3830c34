"""Pages: a tree at rest, as short compressed pieces in the order of their keys, each found by its first key.

The entries of one folder lie side by side, folders before the rest, so that opening a folder reads one or two pages
however large the tree is. ``Directory`` holds the first key of each page.
"""

from __future__ import annotations

import struct
import zlib
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from typing import Generic, NamedTuple, TypeVar

from havre.registry.inside.entries import Change, Entry, Facts, Kind

FORMAT = 1
"""Of trees at rest. A tree of another format is built anew."""

PAGE = 48 * 1024
"""Bytes of a page before compression."""

MAX_PAGE = 1024 * 1024
"""Bytes that a page may have when it is read, whatever was stored."""

_SAME_FOLDER = 0xFFFF
_HEAD = struct.Struct(">HHH")
_FACTS = struct.Struct(">BQIIIqHQI16s")
_CHANGE = struct.Struct(">BcQQIII")
_KINDS = tuple(Kind)

R = TypeVar("R", bound=Entry | Change)


class Page(NamedTuple):
    """One piece of a tree: the key of its first record, and its records, compressed."""

    first: bytes
    content: bytes


def key(folder: bytes, name: bytes, kind: Kind) -> bytes:
    """Where a record lies in a tree. Paths hold no NUL."""
    return folder + (b"\x000" if kind is Kind.FOLDER else b"\x001") + name


def key_of(record: Entry | Change) -> bytes:
    """Where this record lies."""
    kind = record.kind if isinstance(record, Change) else record.facts.kind
    return key(record.folder, record.name, kind)


class Codec(Generic[R]):
    """How records of one kind are written and read."""

    def __init__(
        self, write: Callable[[R], tuple[bytes, bytes]], size: int, read: Callable[[bytes, int, bytes, bytes, bytes], R]
    ) -> None:
        self._write = write
        self._size = size
        self._read = read

    def pages(self, records: Iterable[R]) -> Iterator[Page]:
        """The pages of records, which come in the order of their keys."""
        pieces: list[bytes] = []
        length, first, folder = 0, b"", None
        for record in records:
            if not pieces:
                first, folder = key_of(record), None
            fixed, tail = self._write(record)
            if record.folder == folder:
                piece = _HEAD.pack(_SAME_FOLDER, len(record.name), len(tail)) + fixed + record.name + tail
            else:
                folder = record.folder
                head = _HEAD.pack(len(folder), len(record.name), len(tail))
                piece = b"".join((head, folder, fixed, record.name, tail))
            pieces.append(piece)
            length += len(piece)
            if length >= PAGE:
                yield Page(first, zlib.compress(b"".join(pieces), 6))
                pieces, length = [], 0
        if pieces:
            yield Page(first, zlib.compress(b"".join(pieces), 6))

    def records(self, raw: bytes) -> Iterator[R]:
        """The records of a page that was unpacked."""
        position, folder, end = 0, b"", len(raw)
        head, size, read = _HEAD.unpack_from, self._size, self._read
        while position < end:
            folder_length, name_length, tail_length = head(raw, position)
            position += 6
            if folder_length != _SAME_FOLDER:
                folder = raw[position : position + folder_length]
                position += folder_length
            fixed = position
            position += size
            name = raw[position : position + name_length]
            position += name_length
            tail = raw[position : position + tail_length]
            position += tail_length
            yield read(raw, fixed, folder, name, tail)


def unpacked(content: bytes) -> bytes:
    """The records of a page, still packed. Raises ValueError for more than a page may have."""
    unpacker = zlib.decompressobj()
    raw = unpacker.decompress(content, MAX_PAGE)
    if not unpacker.eof:
        raise ValueError("a page of a tree is damaged")
    return raw


def _write_entry(entry: Entry) -> tuple[bytes, bytes]:
    facts = entry.facts
    return _FACTS.pack(*facts[:10]), facts.target


def _read_entry(raw: bytes, at: int, folder: bytes, name: bytes, tail: bytes) -> Entry:
    kind, *rest = _FACTS.unpack_from(raw, at)
    return Entry(folder, name, Facts._make((_KINDS[kind], *rest, tail)))


def _write_change(change: Change) -> tuple[bytes, bytes]:
    fixed = _CHANGE.pack(
        change.kind,
        change.status.encode("ascii") or b"-",
        change.before,
        change.after,
        change.added,
        change.changed,
        change.removed,
    )
    return fixed, change.note


def _read_change(raw: bytes, at: int, folder: bytes, name: bytes, tail: bytes) -> Change:
    kind, status, *figures = _CHANGE.unpack_from(raw, at)
    return Change._make((folder, name, _KINDS[kind], status.decode("ascii").strip("-"), *figures, tail))


ENTRIES: Codec[Entry] = Codec(_write_entry, _FACTS.size, _read_entry)
CHANGES: Codec[Change] = Codec(_write_change, _CHANGE.size, _read_change)


class Directory:
    """The first keys of a tree's pages, in order."""

    def __init__(self, firsts: list[bytes]) -> None:
        self.firsts = firsts

    def pack(self) -> bytes:
        """As it is kept."""
        return zlib.compress(b"".join(struct.pack(">H", len(first)) + first for first in self.firsts), 6)

    @classmethod
    def unpack(cls, content: bytes) -> Directory:
        """From what was kept."""
        raw, position, firsts = zlib.decompress(content), 0, []
        while position < len(raw):
            (length,) = struct.unpack_from(">H", raw, position)
            firsts.append(raw[position + 2 : position + 2 + length])
            position += 2 + length
        return cls(firsts)

    def page_of(self, key: bytes) -> int:
        """The page in which ``key`` lies if it lies anywhere."""
        return max(0, bisect_right(self.firsts, key) - 1)
