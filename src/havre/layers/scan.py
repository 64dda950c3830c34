"""Scan: from the bytes of a layer to its tree, and from a place in it to the bytes of one file."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field

from havre.errors import InputInvalid
from havre.layers.tar import Member, Stream, members
from havre.layers.unpack import Readable, unpack
from havre.registry.inside.entries import IDENTITY, MAX_PATH, Entry, Facts, Kind, clean, join, split
from havre.registry.inside.pages import key_of

MAX_MEMBERS = 400_000
"""Members of a layer."""

MOST_NAMED = 5
"""Names that lead out which are told."""

_WHITEOUT = b".wh."
_OPAQUE = b".wh..wh..opq"
_KINDS = {
    b"\x00": Kind.FILE,
    b"0": Kind.FILE,
    b"7": Kind.FILE,
    b"s": Kind.FILE,
    b"1": Kind.HARDLINK,
    b"2": Kind.SYMLINK,
    b"3": Kind.CHARACTER_DEVICE,
    b"4": Kind.BLOCK_DEVICE,
    b"5": Kind.FOLDER,
    b"6": Kind.PIPE,
}
_DEVICES = (Kind.CHARACTER_DEVICE, Kind.BLOCK_DEVICE)


@dataclass(slots=True)
class _Folder:
    facts: Facts | None = None
    """None: only implied by what lies in it."""
    children: dict[bytes, Facts | _Folder] = field(default_factory=dict)


class Scan:
    """One layer's tree while it is read."""

    def __init__(self) -> None:
        self._root = _Folder()
        self._whiteouts: set[tuple[bytes, bytes]] = set()
        self.outside: list[bytes] = []
        self.counts = dict.fromkeys(
            ("members", "bytes", "outside", "duplicates", "devices", "sparse", "unpacked", "others"), 0
        )

    def read(self, source: Readable) -> None:
        """Read a whole layer. Raises InputInvalid for what is no layer, is damaged, or exceeds a limit."""
        stream = Stream(unpack(source))
        for member in members(stream):
            self.counts["members"] += 1
            if self.counts["members"] > MAX_MEMBERS:
                raise InputInvalid(f"it has more than {MAX_MEMBERS} members, which is the most that is read")
            self._take(member, stream)
        self.counts["unpacked"] = stream.position

    def entries(self) -> Iterator[Entry]:
        """What was read, in the order of keys."""
        found = [Entry(folder, name, Facts(Kind.WHITEOUT if name else Kind.OPAQUE)) for folder, name in self._whiteouts]
        if self._root.facts:
            found.append(Entry(b"", b"", self._root.facts))
        waiting = [(b"", self._root)]
        while waiting:
            path, node = waiting.pop()
            for name, child in node.children.items():
                if isinstance(child, _Folder):
                    waiting.append((join(path, name), child))
                    if child.facts:
                        found.append(Entry(path, name, child.facts))
                else:
                    found.append(Entry(path, name, child))
        found.sort(key=key_of)
        return iter(found)

    def _take(self, member: Member, stream: Stream) -> None:
        path = clean(member.name)
        kind = _KINDS.get(member.kind)
        if kind is None:
            self.counts["others"] += 1
            return
        target = member.target
        if kind is Kind.HARDLINK and path is not None:
            linked = clean(target)
            path, target = (None, b"") if linked is None else (path, linked)
        if path is None:
            self.counts["outside"] += 1
            if len(self.outside) < MOST_NAMED:
                self.outside.append(member.name[:200])
            return
        folder, name = split(path)
        if name.startswith(_WHITEOUT):
            self._white_out(folder, name)
            return
        identity = b""
        if kind is Kind.FILE:
            identity = self._file(member, stream)
        elif kind in _DEVICES:
            self.counts["devices"] += 1
        size = member.size if kind is Kind.FILE else 0
        offset = 0 if member.kind == b"s" else member.offset
        identity = identity.ljust(IDENTITY, b"\x00")
        facts = Facts(
            kind, size, member.mode, member.uid, member.gid, member.mtime, 0, offset, 0, identity, target[:MAX_PATH]
        )
        self._place(path, facts)

    def _file(self, member: Member, stream: Stream) -> bytes:
        self.counts["bytes"] += member.size
        if member.kind == b"s":
            self.counts["sparse"] += 1
        hasher = hashlib.sha256()
        for piece in stream.data(member.stored):
            hasher.update(piece)
        return hasher.digest()[:IDENTITY]

    def _white_out(self, folder: bytes, name: bytes) -> None:
        if name == _OPAQUE:
            self._whiteouts.add((folder, b""))
        elif not name.startswith(_WHITEOUT * 2) and len(name) > len(_WHITEOUT):
            # Names with the prefix twice are notes of old engines to themselves.
            self._whiteouts.add((folder, name[len(_WHITEOUT) :]))

    def _place(self, path: bytes, facts: Facts) -> None:
        node = self._root
        *parents, name = path.split(b"/")
        if not name:
            if facts.kind is Kind.FOLDER:
                node.facts = facts
            return
        done = b""
        for parent in parents:
            child = node.children.get(parent)
            if not isinstance(child, _Folder):
                if child is not None:
                    self._whiteouts.add((done, parent))
                child = node.children[parent] = _Folder()
            node, done = child, join(done, parent)
        there = node.children.get(name)
        if there is not None and not (isinstance(there, _Folder) and there.facts is None):
            self.counts["duplicates"] += 1
        if facts.kind is not Kind.FOLDER:
            node.children[name] = facts
        elif isinstance(there, _Folder):
            there.facts = facts
        else:
            if there is not None:
                # What it was for a moment has swept away whatever lower layers have there.
                self._whiteouts.add((done, name))
            node.children[name] = _Folder(facts)


def content_at(source: Readable, offset: int, size: int) -> Iterator[bytes]:
    """``size`` bytes from ``offset`` on of the unpacked layer. Raises InputInvalid if there are fewer."""
    stream = Stream(unpack(source))
    stream.skip(offset)
    yield from stream.data(size)
