"""Stack: layers laid upon each other, bottom first, with white-outs applied, as engines unpack them.

What a layer does is told as changes. A folder's white-outs act on the layers below alone, wherever in the layer they
stand (OCI image specification, layer.md, "Whiteouts"). A path through a symbolic link of a lower layer lands where the
link leads within the image, and never outside of it.
"""

from __future__ import annotations

import hashlib
import heapq
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from havre.errors import InputInvalid
from havre.registry.inside.compare import Changes
from havre.registry.inside.entries import IDENTITY, MAX_DEPTH, Entry, Facts, Kind, join

MAX_ENTRIES = 600_000
"""Paths of an image."""

MOST_WASTED = 100
"""Paths that are named among the wasted ones."""

_LINKS = 16
_NEW_FOLDER = Facts(Kind.FOLDER, mode=0o755)


@dataclass(slots=True)
class Folder:
    """A folder while the tree grows."""

    facts: Facts = _NEW_FOLDER
    children: dict[bytes, Facts | Folder] = field(default_factory=dict)


def facts_of(node: Facts | Folder) -> Facts:
    """What is known of a node."""
    return node.facts if isinstance(node, Folder) else node


def below(folder: bytes, node: Folder) -> Iterator[tuple[bytes, Facts]]:
    """Everything below a folder: path and facts."""
    waiting = [(folder, node)]
    while waiting:
        path, one = waiting.pop()
        for name, child in one.children.items():
            whole = join(path, name)
            yield whole, facts_of(child)
            if isinstance(child, Folder):
                waiting.append((whole, child))


class Stack:
    """An image while its layers are laid down."""

    def __init__(self) -> None:
        self.root = Folder()
        self.wasted: dict[bytes, list[int]] = defaultdict(lambda: [0, 0])
        """By path: bytes that a later layer overwrote or removed, and how often."""
        self._count = 0

    def lay(self, number: int, entries: Iterable[Entry]) -> Changes:
        """Lay the next layer; returns what it changed. Raises InputInvalid when the image gets too large."""
        changes = Changes()
        gone: dict[bytes, Facts] = {}
        kept = []
        for entry in entries:
            if entry.facts.kind is Kind.WHITEOUT:
                self._take_away(entry.folder, entry.name, gone)
            elif entry.facts.kind is Kind.OPAQUE:
                self._clear(entry.folder, gone)
            else:
                kept.append(entry)
        for entry in kept:
            self._put(entry.folder, entry.name, entry.facts._replace(layer=number), gone, changes)
        for path, facts in gone.items():
            changes.add(path, facts, None)
        return changes

    def entries(self) -> Iterator[Entry]:
        """The whole tree with the figures of its folders, in the order of their keys."""
        folders: dict[bytes, Folder] = {}
        self._settle(b"", self.root, folders)
        for path in sorted(folders):
            children = folders[path].children
            for name in sorted(name for name, child in children.items() if isinstance(child, Folder)):
                yield Entry(path, name, facts_of(children[name]))
            for name in sorted(name for name, child in children.items() if not isinstance(child, Folder)):
                yield Entry(path, name, facts_of(children[name]))

    def waste(self) -> tuple[int, list[tuple[bytes, int, int]]]:
        """Wasted bytes in all, and the paths that waste most: path, bytes, how often."""
        total = sum(size for size, _ in self.wasted.values())
        most = heapq.nlargest(MOST_WASTED, self.wasted.items(), key=lambda one: (one[1][0], one[0]))
        return total, [(path, size, times) for path, (size, times) in most]

    def _settle(self, path: bytes, node: Folder, folders: dict[bytes, Folder]) -> None:
        folders[path] = node
        size = files = 0
        hasher = hashlib.sha256()
        for name in sorted(node.children):
            child = node.children[name]
            if isinstance(child, Folder):
                self._settle(join(path, name), child, folders)
            facts = facts_of(child)
            size += facts.size
            files += facts.files if isinstance(child, Folder) else 1
            hasher.update(
                b"%d %d %d %d %d %d %d " % (*facts[:2], *facts[2:5], len(name), len(facts.target))
                + name
                + facts.target
                + facts.identity
            )
        node.facts = node.facts._replace(size=size, files=files, identity=hasher.digest()[:IDENTITY])

    def _put(self, folder: bytes, name: bytes, facts: Facts, gone: dict[bytes, Facts], changes: Changes) -> None:
        path, node = self._open(folder, facts.layer, gone, changes)
        if not name:
            node.facts = facts
            return
        whole = join(path, name)
        there = node.children.get(name)
        before = facts_of(there) if there is not None else gone.pop(whole, None)
        if there is None:
            self._count += 1
            if self._count > MAX_ENTRIES:
                raise InputInvalid(f"the image has more than {MAX_ENTRIES} paths, which is the most that is shown")
        if isinstance(there, Folder):
            if facts.kind is Kind.FOLDER:
                there.facts = facts
            else:
                self._empty(whole, there, gone)
                node.children[name] = facts
        else:
            if there is not None:
                self._waste(whole, there)
            node.children[name] = Folder(facts) if facts.kind is Kind.FOLDER else facts
        changes.add(whole, before, facts)

    def _open(self, folder: bytes, layer: int, gone: dict[bytes, Facts], changes: Changes) -> tuple[bytes, Folder]:
        """The folder of an entry with its path once links are followed; made if it is missing."""
        path, node = b"", self.root
        parts = folder.split(b"/") if folder else []
        parts.reverse()
        links = 0
        while parts:
            name = parts.pop()
            whole = join(path, name)
            child = node.children.get(name)
            if isinstance(child, Facts) and child.kind is Kind.SYMLINK and links < _LINKS:
                links += 1
                onward = led(path, child.target)
                if len(onward) + len(parts) <= MAX_DEPTH:
                    parts += reversed(onward)
                    path, node = b"", self.root
                    continue
            if not isinstance(child, Folder):
                self._put(path, name, _NEW_FOLDER._replace(layer=layer), gone, changes)
                child = node.children[name]
                assert isinstance(child, Folder)
            path, node = whole, child
        return path, node

    def _find(self, folder: bytes) -> tuple[bytes, Folder] | None:
        """The folder with its path once links are followed; None if it is not there."""
        path, node = b"", self.root
        parts = folder.split(b"/") if folder else []
        parts.reverse()
        links = 0
        while parts:
            name = parts.pop()
            child = node.children.get(name)
            if isinstance(child, Folder):
                path, node = join(path, name), child
            elif child is not None and child.kind is Kind.SYMLINK and links < _LINKS:
                links += 1
                onward = led(path, child.target)
                if len(onward) + len(parts) > MAX_DEPTH:
                    return None
                parts += reversed(onward)
                path, node = b"", self.root
            else:
                return None
        return path, node

    def _take_away(self, folder: bytes, name: bytes, gone: dict[bytes, Facts]) -> None:
        found = self._find(folder)
        if found is None or name not in found[1].children:
            return
        path = join(found[0], name)
        child = found[1].children.pop(name)
        self._count -= 1
        if isinstance(child, Folder):
            self._empty(path, child, gone)
        else:
            self._waste(path, child)
        gone[path] = facts_of(child)

    def _clear(self, folder: bytes, gone: dict[bytes, Facts]) -> None:
        if (found := self._find(folder)) is not None:
            self._empty(*found, gone)

    def _empty(self, path: bytes, node: Folder, gone: dict[bytes, Facts]) -> None:
        for whole, facts in below(path, node):
            gone[whole] = facts
            self._waste(whole, facts)
            self._count -= 1
        node.children = {}

    def _waste(self, path: bytes, facts: Facts) -> None:
        if facts.kind is Kind.FILE and facts.size:
            entry = self.wasted[path]
            entry[0] += facts.size
            entry[1] += 1


def led(folder: bytes, target: bytes) -> list[bytes]:
    """The parts of where a link in ``folder`` leads, within the image: ``..`` at the root stays there."""
    parts = [] if target.startswith(b"/") or not folder else folder.split(b"/")
    for part in target.split(b"/"):
        if part == b"..":
            parts = parts[:-1]
        elif part not in (b"", b"."):
            parts.append(part)
    return parts
