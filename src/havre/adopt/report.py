"""Report: what an import brought, what was here already, and what it left out and why."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

MAX_LISTED = 10_000
"""Things left out that are named one by one; beyond, they are counted."""


@dataclass(slots=True)
class Counts:
    """How many of each. ``bytes`` are those of blobs."""

    repositories: int = 0
    tags: int = 0
    manifests: int = 0
    blobs: int = 0
    bytes: int = 0


@dataclass(frozen=True, slots=True)
class Left:
    """Something that stayed behind: what it is, where, and why."""

    kind: str
    """``repository``, ``tag``, ``manifest`` or ``blob``."""
    where: str
    what: str
    why: str


@dataclass(slots=True)
class Report:
    """The end of an import, or in a dry run what one would do."""

    source: str
    dry_run: bool = False
    brought: Counts = field(default_factory=Counts)
    present: Counts = field(default_factory=Counts)
    empty: int = 0
    """Repositories that hold nothing; they are not made here."""
    linked: int = 0
    """Bytes, of those brought, that were not written because both trees hold one file."""
    cloned: int = 0
    """Bytes, of those brought, that share their place on disk until one side changes."""
    skipped: list[Left] = field(default_factory=list)
    damaged: list[Left] = field(default_factory=list)
    unlisted: int = 0
    """How many more were left out than are listed."""

    @property
    def complete(self) -> bool:
        """Did everything come?"""
        return not (self.skipped or self.damaged)

    def skip(self, kind: str, where: str, what: str, why: str) -> None:
        """Remember what the rules here do not take, or what is not needed."""
        self._add(self.skipped, Left(kind, where, what, why))

    def damage(self, kind: str, where: str, what: str, why: str) -> None:
        """Remember what is missing or broken in the source."""
        self._add(self.damaged, Left(kind, where, what, why))

    def to_json(self) -> dict[str, Any]:
        """For scripts."""
        return asdict(self) | {"complete": self.complete}

    def _add(self, found: list[Left], left: Left) -> None:
        if len(found) < MAX_LISTED:
            found.append(left)
        else:
            self.unlisted += 1
