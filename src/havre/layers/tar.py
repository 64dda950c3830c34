"""Tar: the members of a stream, one after the other, with limits on everything that a hostile one could inflate.

Reads what Go's and Python's tar readers do: ustar, GNU long names and sparse files, and pax headers
(POSIX.1-2001, pax, "pax Interchange Format"). Nothing is ever written under a name that comes from the stream.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from havre.errors import InputInvalid
from havre.layers.unpack import PIECE

BLOCK = 512
MAX_EXTENSION = 1024 * 1024
"""Bytes of one extended header."""

MAX_EXTENSIONS = 64
"""Extended headers before one member."""

MAX_SPARSE_BLOCKS = 4096
"""Blocks that list where the data of a sparse file lies."""

_NO_DATA = b"123456"
_EXTENSIONS = b"LKxgX"
_TOO_LARGE = 1 << 62


class Member(NamedTuple):
    """One member; its data must be read or skipped before the next one is asked for."""

    name: bytes
    kind: bytes
    size: int
    """Bytes of the file, with the holes of a sparse one."""
    stored: int
    """Bytes that follow in the stream."""
    mode: int
    uid: int
    gid: int
    mtime: int
    target: bytes
    offset: int
    """Where the data begins."""


class Stream:
    """Bytes that are taken in order."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._buffer = b""
        self._at = 0
        self.position = 0

    def take(self, count: int) -> bytes:
        """The next ``count`` bytes; fewer at the end."""
        end = self._at + count
        while end > len(self._buffer):
            piece = next(self._pieces, None)
            if piece is None:
                break
            self._buffer = self._buffer[self._at :] + piece
            self._at, end = 0, count
        taken = self._buffer[self._at : end]
        self._at += len(taken)
        self.position += len(taken)
        return taken

    def data(self, count: int) -> Iterator[bytes]:
        """The next ``count`` bytes in pieces. Raises InputInvalid if there are fewer."""
        while count:
            piece = self._buffer[self._at : self._at + count]
            if piece:
                self._at += len(piece)
                self.position += len(piece)
                count -= len(piece)
                yield piece
                continue
            following = next(self._pieces, None)
            if following is None:
                raise _cut(self.position)
            self._buffer, self._at = following, 0

    def skip(self, count: int) -> None:
        """Leave out the next ``count`` bytes."""
        for _ in self.data(count):
            pass


def members(stream: Stream) -> Iterator[Member]:
    """Every member up to the end mark, or up to where the stream ends between two. Raises InputInvalid for damage."""
    overrides: dict[str, bytes] = {}
    found = False
    extensions = 0
    while block := stream.take(BLOCK):
        if len(block) < BLOCK:
            raise _cut(stream.position) if found else _no_tar()
        if block == bytes(BLOCK):
            return
        member = _header(block, stream.position, found)
        found = True
        if member.kind in _EXTENSIONS:
            extensions += 1
            if extensions > MAX_EXTENSIONS:
                raise InputInvalid(f"more than {MAX_EXTENSIONS} extended headers stand before one member")
            overrides |= _extension(stream, member)
            continue
        member = _overridden(member, overrides)
        if member.kind == b"S":
            member = _sparse(stream, block, member)
        overrides, extensions = {}, 0
        after = stream.position + member.stored + -member.stored % BLOCK
        yield member
        stream.skip(after - stream.position)
    if not found:
        raise _no_tar()


def _header(block: bytes, position: int, found: bool) -> Member:
    if _number(block[148:156]) != sum(block) - sum(block[148:156]) + 8 * 32:
        raise InputInvalid(f"its tar header at byte {position - BLOCK} is damaged") if found else _no_tar()
    name = _text(block[:100])
    if block[257:262] == b"ustar" and block[257:265] != b"ustar  \x00" and (prefix := _text(block[345:500])):
        name = prefix + b"/" + name
    kind = block[156:157]
    size = _number(block[124:136])
    if not 0 <= size < _TOO_LARGE:
        raise InputInvalid(f"its tar header at byte {position - BLOCK} is damaged")
    if kind in b"\x007" and name.endswith(b"/"):
        kind = b"5"
    return Member(
        name,
        kind,
        size,
        0 if kind in _NO_DATA else size,
        _number(block[100:108]) & 0o7777,
        _number(block[108:116]) & 0xFFFFFFFF,
        _number(block[116:124]) & 0xFFFFFFFF,
        _time(_number(block[136:148])),
        _text(block[157:257]),
        position,
    )


def _overridden(member: Member, values: dict[str, bytes]) -> Member:
    """The member with what extended headers say of it."""
    if not values:
        return member
    changes: dict[str, Any] = {}
    if (name := values.get("GNU.sparse.name") or values.get("path")) is not None:
        changes["name"] = name
        if member.kind in b"\x007" and name.endswith(b"/"):
            changes["kind"] = b"5"
    if (target := values.get("linkpath")) is not None:
        changes["target"] = target
    for key, limit in (("uid", 1 << 32), ("gid", 1 << 32), ("size", _TOO_LARGE)):
        if key in values and (number := _decimal(values[key], limit)) is not None:
            changes[key] = number
    if "mtime" in values and (number := _decimal(values["mtime"].partition(b".")[0], 1 << 48)) is not None:
        changes["mtime"] = number
    if "size" in changes and member.kind not in _NO_DATA:
        changes["stored"] = changes["size"]
    real = values.get("GNU.sparse.realsize") or values.get("GNU.sparse.size")
    if real is not None and (number := _decimal(real, _TOO_LARGE)) is not None:
        changes["size"] = number
        # What follows is a map and pieces, not the file as it is: it is sized, not shown.
        changes["kind"] = b"s"
    return member._replace(**changes)


def _sparse(stream: Stream, block: bytes, member: Member) -> Member:
    """An old GNU sparse file: further blocks of its map stand between header and data."""
    extended = block[482]
    for _ in range(MAX_SPARSE_BLOCKS):
        if not extended:
            break
        more = stream.take(BLOCK)
        if len(more) < BLOCK:
            raise _cut(stream.position)
        extended = more[504]
    else:
        raise InputInvalid(f"the map of a sparse file has more than {MAX_SPARSE_BLOCKS} blocks")
    real = _number(block[483:495])
    return member._replace(kind=b"s", size=real if 0 <= real < _TOO_LARGE else 0, offset=stream.position)


def _extension(stream: Stream, member: Member) -> dict[str, bytes]:
    if member.stored > MAX_EXTENSION:
        raise InputInvalid(f"an extended header has more than {MAX_EXTENSION} bytes, which is the most that is read")
    content = b"".join(stream.data(member.stored))
    stream.skip(-member.stored % BLOCK)
    if member.kind == b"L":
        return {"path": _text(content)}
    if member.kind == b"K":
        return {"linkpath": _text(content)}
    # What a global header sets is of no interest here, but for its place in the stream.
    return dict(_records(content)) if member.kind in b"xX" else {}


def _records(content: bytes) -> Iterator[tuple[str, bytes]]:
    position = 0
    while position < len(content):
        head, space, _ = content[position : position + 20].partition(b" ")
        length = int(head) if space and head.isdigit() else 0
        record = content[position + len(head) + 1 : position + length]
        key, equals, value = record.partition(b"=")
        if length <= len(head) + 1 or not equals or not record.endswith(b"\n"):
            raise InputInvalid("an extended header is damaged")
        if key.isascii():
            yield key.decode("ascii"), value[:-1].partition(b"\x00")[0]
        position += length


def _number(field: bytes) -> int:
    """Octal text, or base 256 (signed) for what does not fit; -1 for neither."""
    if field[0] & 0x80:
        value = int.from_bytes(bytes([field[0] & 0x7F]) + field[1:], "big")
        return value - (1 << (8 * len(field) - 1)) if field[0] & 0x40 else value
    text = field.partition(b"\x00")[0].strip(b" ")
    try:
        return int(text, 8) if text else 0
    except ValueError:
        return -1


def _decimal(text: bytes, limit: int) -> int | None:
    digits = text.removeprefix(b"-")
    if not digits.isdigit() or len(digits) > 20 or int(digits) >= limit:
        return None
    return int(text) if limit <= 1 << 48 or not text.startswith(b"-") else None


def _time(seconds: int) -> int:
    return seconds if abs(seconds) < 1 << 48 else 0


def _text(field: bytes) -> bytes:
    return field.partition(b"\x00")[0]


def _cut(position: int) -> InputInvalid:
    return InputInvalid(f"it is cut short at byte {position}")


def _no_tar() -> InputInvalid:
    return InputInvalid("it is not a tar file")


__all__ = ["BLOCK", "MAX_EXTENSION", "PIECE", "Member", "Stream", "members"]
