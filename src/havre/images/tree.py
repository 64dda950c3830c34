"""Tree: the file system that an image's layers make together, white-outs applied (OCI image specification, layer.md).

A layer is read into a list of its entries; `merge` lays the lists over each other, as an engine does when it starts a
container. Nothing is unpacked: a path that climbs out of the root stays within it, and nothing ever lies below a
symbolic link, so what is made of the tree can be unpacked anywhere.
"""

from __future__ import annotations

import hashlib
import posixpath
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from havre.errors import DigestInvalid, InputInvalid, SizeInvalid
from havre.images.compression import LIMITS, Limits, Unpacked
from havre.images.tarstream import FILE, FOLDER, HARD_LINK, MAX_ENTRIES, Entry, TarStream
from havre.oci.descriptor import Descriptor
from havre.oci.digest import Hasher

_WHITEOUT = ".wh."
_OPAQUE = ".wh..wh..opq"
_RESERVED = ".wh..wh."

MAX_DEPTH = 1024
"""Folders within folders."""


@dataclass(frozen=True, slots=True)
class Listing:
    """The entries of one layer in their order, and the digest of each file's content where it was asked for."""

    entries: tuple[Entry, ...]
    contents: tuple[str, ...] = ()


@dataclass(slots=True)
class Node:
    """A place in the tree: the entry that made it, and where that lies. A folder that was only implied has no place."""

    entry: Entry
    layer: int = -1
    number: int = -1
    children: dict[str, Node] = field(default_factory=dict)

    @property
    def is_folder(self) -> bool:
        """May something lie below it?"""
        return self.entry.kind == FOLDER


class LayerFile:
    """A layer on disk, compressed or not, to be read as often as needed."""

    def __init__(self, path: Path, descriptor: Descriptor, limits: Limits = LIMITS) -> None:
        self._path = path
        self._descriptor = descriptor
        self._limits = limits

    @property
    def shown(self) -> str:
        """For messages."""
        return f"the layer {self._descriptor.digest}"

    def entries(self) -> Iterator[tuple[Entry, TarStream]]:
        """Each entry, with the stream to read its content from before the next one is asked for."""
        with self._path.open("rb") as file:
            size = self._path.stat().st_size
            stream = TarStream(Unpacked(file, self._limits.of(size), self.shown), self.shown)
            for entry in stream:
                yield entry, stream

    def check(self) -> None:
        """Raises DigestInvalid when the file is not what its name says."""
        hasher = Hasher(self._descriptor.digest.algorithm)
        with self._path.open("rb") as file:
            while piece := file.read(1024 * 1024):
                hasher.update(piece)
        found = hasher.digest(self._descriptor.digest.algorithm)
        if found != self._descriptor.digest:
            raise DigestInvalid(f"{self.shown} is damaged: its content has the digest {found}; pull the image again")

    def listing(self, *, contents: bool = False) -> Listing:
        """All entries; with ``contents`` every file's digest too. Raises InputInvalid, SizeInvalid, DigestInvalid."""
        self.check()
        entries: list[Entry] = []
        digests: list[str] = []
        for entry, stream in self.entries():
            entries.append(entry)
            if contents:
                hasher = hashlib.sha256()
                for piece in stream.content():
                    hasher.update(piece)
                digests.append(hasher.hexdigest() if entry.kind == FILE else "")
        return Listing(tuple(entries), tuple(digests))


def merge(listings: Iterable[Listing]) -> Node:
    """The root of what the layers make together, the lowest first. Raises InputInvalid, SizeInvalid."""
    root = Node(Entry("", FOLDER))
    count = 0
    for layer, listing in enumerate(listings):
        count += len(listing.entries)
        if count > MAX_ENTRIES:
            raise SizeInvalid(f"the image has more than {MAX_ENTRIES} files in its layers")
        # White-outs mean the layers below, wherever they stand in their own.
        for entry in listing.entries:
            _hide(root, entry.name)
        for number, entry in enumerate(listing.entries):
            if not posixpath.basename(entry.name).startswith(_WHITEOUT):
                _add(root, entry, layer, number)
    return root


def walk(root: Node) -> Iterator[tuple[str, Node]]:
    """Every path with its node in byte order, folders before what is in them; the root is left out."""
    pending = [("", root)]
    while pending:
        path, node = pending.pop()
        if path:
            yield path, node
        names = sorted(node.children, key=lambda name: name.encode("utf-8", "surrogateescape"), reverse=True)
        pending += [(f"{path}/{name}" if path else name, node.children[name]) for name in names]


def find(root: Node, path: str) -> Node | None:
    """The node at ``path``; links are not followed."""
    node: Node | None = root
    for name in path.split("/") if path else ():
        node = node.children.get(name) if node else None
    return node


def _hide(root: Node, path: str) -> None:
    folder, name = posixpath.split(path)
    if not name.startswith(_WHITEOUT):
        return
    parent = find(root, folder)
    if parent is None:
        return
    if name == _OPAQUE:
        parent.children.clear()
    elif not name.startswith(_RESERVED):
        parent.children.pop(name.removeprefix(_WHITEOUT), None)


def _add(root: Node, entry: Entry, layer: int, number: int) -> None:
    if not entry.name:
        if entry.kind == FOLDER:
            root.entry, root.layer, root.number = entry, layer, number
        return
    *folders, name = entry.name.split("/")
    if len(folders) > MAX_DEPTH:
        raise SizeInvalid(f"{entry.name[:200]!r} lies more than {MAX_DEPTH} folders deep")
    parent = root
    for folder in folders:
        child = parent.children.get(folder)
        if child is None or not child.is_folder:
            # A folder takes the place of a link or file, as it does in an engine's layers.
            child = parent.children[folder] = Node(Entry(folder, FOLDER))
        parent = child
    if entry.kind == HARD_LINK:
        target = find(root, entry.link)
        if target is None or target.is_folder:
            raise InputInvalid(f"{entry.name[:200]!r} is a hard link to {entry.link[:200]!r}, which is no file there")
        parent.children[name] = Node(target.entry, target.layer, target.number)
        return
    present = parent.children.get(name)
    if present and present.is_folder and entry.kind == FOLDER:
        present.entry, present.layer, present.number = entry, layer, number
    else:
        parent.children[name] = Node(entry, layer, number)
