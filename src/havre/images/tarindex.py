"""Tar index: where the members of a tar file lie, read with limits on everything that a hostile file could inflate.

Members are looked up by name and read in place. Nothing is ever unpacked under a name that came from the file.
"""

from __future__ import annotations

import os
import posixpath
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from havre.errors import InputInvalid, SizeInvalid

BLOCK = 512
MAX_MEMBERS = 200_000
MAX_EXTENSION = 1024 * 1024
"""Bytes of one extended header (long names and attributes)."""

MAX_LINKS = 8

PIECE = 1024 * 1024

_FILES = b"0\x007"
_LINKS = b"12"


@dataclass(frozen=True, slots=True)
class Member:
    """A file's bytes within the tar, or the name it links to."""

    offset: int
    size: int
    link: str = ""


class TarIndex:
    """A tar file that is open for reading by name; safe to read from several threads."""

    def __init__(self, path: Path, shown: str = "") -> None:
        self.shown = shown or str(path)
        """The name for messages."""
        self._file = path.open("rb", buffering=0)
        try:
            self._length = os.fstat(self._file.fileno()).st_size
            self.members: Mapping[str, Member] = self._scan()
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()

    def find(self, name: str) -> Member | None:
        """The file of that name, links followed within the tar. Raises InputInvalid for links in circles."""
        wanted = normal(name)
        for _ in range(MAX_LINKS):
            member = self.members.get(wanted)
            if member is None or not member.link:
                return member
            wanted = member.link
        raise InputInvalid(f"{self.shown}: the links of {name!r} lead in circles")

    def read(self, name: str, limit: int) -> bytes:
        """A small file whole. Raises InputInvalid when it is missing, SizeInvalid beyond ``limit`` bytes."""
        member = self.find(name)
        if member is None:
            raise InputInvalid(f"{self.shown} has no file {name!r}")
        if member.size > limit:
            raise SizeInvalid(f"{self.shown}: {name!r} has {member.size} bytes, at most {limit} are read")
        return b"".join(self.pieces(member))

    def pieces(self, member: Member, offset: int = 0) -> Iterator[bytes]:
        """A file's bytes from ``offset`` on."""
        position, stop = member.offset + offset, member.offset + member.size
        while position < stop:
            piece = os.pread(self._file.fileno(), min(PIECE, stop - position), position)
            if not piece:
                raise InputInvalid(f"{self.shown} became shorter while it was read")
            yield piece
            position += len(piece)

    def _scan(self) -> dict[str, Member]:
        members: dict[str, Member] = {}
        position = count = 0
        overrides: dict[str, str] = {}
        while position + BLOCK <= self._length:
            header = os.pread(self._file.fileno(), BLOCK, position)
            if header == bytes(BLOCK):
                break
            name, size, kind, link = read_header(header, self.shown)
            if size_text := overrides.get("size"):
                size = int(size_text) if size_text.isascii() and size_text.isdigit() else -1
            data = position + BLOCK
            if kind in _LINKS:
                size = 0
            if size < 0 or data + size > self._length:
                raise InputInvalid(f"{self.shown} is cut short or damaged at byte {position}")
            position = data + -(-size // BLOCK) * BLOCK
            count += 1
            if count > MAX_MEMBERS:
                raise SizeInvalid(f"{self.shown} has more than {MAX_MEMBERS} members")
            if kind in b"LKxg":
                overrides |= self._extension(kind, data, size)
                continue
            name, link = overrides.get("path", name), overrides.get("linkpath", link)
            overrides = {}
            if kind in _FILES:
                members[normal(name)] = Member(data, size)
            elif kind in _LINKS:
                base = posixpath.dirname(name) if kind == b"2" else ""
                members[normal(name)] = Member(data, 0, normal(posixpath.join(base, link)))
            # Folders, devices and sparse files hold nothing that an image archive needs.
        if not count:
            raise InputInvalid(f"{self.shown} is not a tar file")
        return members

    def _extension(self, kind: bytes, offset: int, size: int) -> dict[str, str]:
        if size > MAX_EXTENSION:
            raise SizeInvalid(f"{self.shown}: an extended header has {size} bytes, at most {MAX_EXTENSION} are read")
        content = os.pread(self._file.fileno(), size, offset)
        if kind == b"L":
            return {"path": read_text(content)}
        if kind == b"K":
            return {"linkpath": read_text(content)}
        if kind == b"g":
            return {}
        # Only these: what is not used is not kept either.
        return {key: value for key, value in read_pax(content) if key in {"path", "linkpath", "size"}}


def read_header(block: bytes, shown: str) -> tuple[str, int, bytes, str]:
    """Name, size, type and link target of one header block; its checksum is verified."""
    stored = read_number(block[148:156])
    if stored != sum(block[:148]) + 8 * 32 + sum(block[156:]):
        raise InputInvalid(f"{shown} is not a tar file, or is damaged")
    name = read_text(block[:100])
    if block[257:262] == b"ustar" and block[263:265] != b" \x00" and (prefix := read_text(block[345:500])):
        name = f"{prefix}/{name}"
    return name, read_number(block[124:136]), block[156:157], read_text(block[157:257])


def read_number(field: bytes) -> int:
    """A number of a header block: octal text, or base 256 for large files; -1 for neither."""
    if field[0] & 0x80:
        return int.from_bytes(bytes([field[0] & 0x7F]) + field[1:], "big")
    text = field.strip(b" \x00")
    try:
        return int(text, 8) if text else 0
    except ValueError:
        return -1


def read_pax(content: bytes) -> Iterator[tuple[str, str]]:
    """The records of an extended header (POSIX.1-2001, pax); what is malformed ends them."""
    position = 0
    while position < len(content):
        head, space, _ = content[position : position + 20].partition(b" ")
        if not space or not head.isdigit() or int(head) <= len(head):
            return
        record = content[position + len(head) + 1 : position + int(head)].removesuffix(b"\n")
        key, equals, value = record.partition(b"=")
        if equals and key.isascii():
            whole = value.partition(b"\x00")[0] if key in {b"path", b"linkpath"} else value
            yield key.decode("ascii"), whole.decode("utf-8", "surrogateescape")
        position += int(head)


def read_text(field: bytes) -> str:
    """A field of a header block, up to its first NUL."""
    return field.partition(b"\x00")[0].decode("utf-8", "surrogateescape")


def normal(name: str) -> str:
    """A path within the root, whatever it climbs over; empty for the root itself."""
    return posixpath.normpath(f"/{name}").lstrip("/")
