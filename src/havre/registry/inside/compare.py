"""Compare: what differs between two trees, told by folder."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from havre.registry.inside.entries import MOVED_FROM, MOVED_TO, Change, Entry, Facts, Kind, join, split
from havre.registry.inside.pages import key_of


@dataclass(slots=True)
class _Figures:
    """Of one folder: everything below it."""

    before: int = 0
    after: int = 0
    added: int = 0
    changed: int = 0
    removed: int = 0


class Changes:
    """Changes as they are found, with the figures of every folder above them."""

    def __init__(self) -> None:
        self._leaves: dict[bytes, Change] = {}
        self._folders: dict[bytes, tuple[str, bytes]] = {}
        self._figures: dict[bytes, _Figures] = {b"": _Figures()}
        self._gone: dict[bytes, bytes] = {}
        self._come: dict[bytes, bytes] = {}

    def add(self, path: bytes, before: Facts | None, after: Facts | None) -> None:
        """A path was ``before`` and is ``after``; None for nothing. Of several words on a path the last one stands."""
        if before is not None and after is not None and (before.kind is Kind.FOLDER) != (after.kind is Kind.FOLDER):
            self.add(path, before, None)
            self.add(path, None, after)
            return
        status, note = status_of(before, after), _note(before, after)
        facts = after or before
        assert facts is not None
        if facts.kind is Kind.FOLDER:
            if status != "t" and self._folders.get(path, ("", b""))[0] != "a":
                self._folders[path] = (status, note)
                # The folders above must be there to reach it, even if nothing else in them changed.
                self._above(path)
            return
        was, now = before.size if before else 0, after.size if after else 0
        counts = (status == "a", status not in "ar", status == "r")
        self._leaves[path] = Change._make((*split(path), facts.kind, status, was, now, *map(int, counts), note))
        if facts.kind is Kind.FILE and facts.size:
            if status == "r":
                self._gone.setdefault(facts.identity, path)
            elif status == "a":
                self._come.setdefault(facts.identity, path)

    def records(self) -> Iterator[Change]:
        """Every change and every folder above one, in the order of their keys."""
        self._tell_moves()
        for path, change in self._leaves.items():
            self._count(path, change)
        found = list(self._leaves.values())
        for path in {*self._figures, *self._folders} - {b""}:
            figures = self._figures.get(path, _Figures())
            status, note = self._folders.get(path, ("", b""))
            counts = (figures.before, figures.after, figures.added, figures.changed, figures.removed)
            found.append(Change._make((*split(path), Kind.FOLDER, status, *counts, note)))
        found.sort(key=key_of)
        yield from found

    @property
    def totals(self) -> dict[str, int]:
        """The figures of the whole, once ``records`` has begun."""
        root = self._figures[b""]
        return {
            "before": root.before,
            "after": root.after,
            "added": root.added,
            "changed": root.changed,
            "removed": root.removed,
        }

    def _tell_moves(self) -> None:
        """Of content that is gone in one place and came in another, the first of each: where it came from, and went."""
        for identity, target in self._come.items():
            source = self._gone.get(identity)
            if source is None or self._leaves[source].status != "r" or self._leaves[target].status != "a":
                continue
            if self._leaves[source].before == self._leaves[target].after:
                self._leaves[source] = self._leaves[source]._replace(note=MOVED_TO + target)
                self._leaves[target] = self._leaves[target]._replace(note=MOVED_FROM + source)

    def _above(self, path: bytes) -> list[_Figures]:
        """The figures of all folders above a path, the root included."""
        found = []
        while path:
            path = split(path)[0]
            found.append(self._figures.setdefault(path, _Figures()))
        return found

    def _count(self, path: bytes, change: Change) -> None:
        for figures in self._above(path):
            figures.before += change.before
            figures.after += change.after
            figures.added += change.added
            figures.changed += change.changed
            figures.removed += change.removed


def status_of(before: Facts | None, after: Facts | None) -> str:
    """What happened to a path: see ``Change.status``. The time of last change alone is no difference."""
    if before is None:
        return "a"
    if after is None:
        return "r"
    if before.kind is not after.kind or before.target != after.target:
        return "c"
    if after.kind is not Kind.FOLDER and (before.size, before.identity) != (after.size, after.identity):
        return "c"
    return "t" if before[2:5] == after[2:5] else "m"


def _note(before: Facts | None, after: Facts | None) -> bytes:
    if before is None or after is None or before[2:5] == after[2:5]:
        return b""
    return b"%04o %d:%d > %04o %d:%d" % (*before[2:5], *after[2:5])


def compared(before: Iterable[Entry], after: Iterable[Entry]) -> Changes:
    """What differs between two trees, given in the order of their keys."""
    changes = Changes()
    left, right = iter(before), iter(after)
    one, other = next(left, None), next(right, None)
    while one is not None or other is not None:
        one_key = key_of(one) if one is not None else None
        other_key = key_of(other) if other is not None else None
        if other_key is None or (one_key is not None and one_key < other_key):
            assert one is not None
            changes.add(join(one.folder, one.name), one.facts, None)
            one = next(left, None)
        elif one_key is None or other_key < one_key:
            assert other is not None
            changes.add(join(other.folder, other.name), None, other.facts)
            other = next(right, None)
        else:
            assert one is not None
            assert other is not None
            if status_of(one.facts, other.facts) != "t":
                changes.add(join(one.folder, one.name), one.facts, other.facts)
            one, other = next(left, None), next(right, None)
    return changes
