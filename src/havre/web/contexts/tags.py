"""Contexts of lists of tags, of their removal and their history, and of pulls over time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote, urlencode

from havre.oci.digest import Digest
from havre.registry.records import Instant, TagOrder
from havre.registry.statistics import PullStatistics
from havre.web.contexts import RepositoryHead, TagRow


@dataclass(frozen=True, slots=True)
class TagsPage:
    """The tags of a repository. Addresses of the pages around this one are empty where there is none."""

    head: RepositoryHead
    text: str
    order: TagOrder
    tags: Sequence[TagRow]
    total: int
    exact: bool
    counted: bool
    previous: str
    next: str
    removed: int = 0
    """How many tags were just removed."""
    problem: str = ""
    """What was wrong with the tags chosen."""


@dataclass(frozen=True, slots=True)
class GoingImage:
    """A manifest that goes with its last tag."""

    digest: Digest
    tags: Sequence[str]


@dataclass(frozen=True, slots=True)
class RemovalPage:
    """What removing some tags would do, before it is done."""

    head: RepositoryHead
    tags: Sequence[tuple[str, Digest, bool]]
    """Name, what it points at, and whether an image loses its last tag by it."""
    images: int
    others: int
    """Parts of indexes, signatures and the like that go with the images."""
    blobs: int
    bytes: int
    complete: bool

    @property
    def names(self) -> str:
        """As the form sends them."""
        return "\n".join(name for name, _, _ in self.tags)


@dataclass(frozen=True, slots=True)
class MoveRow:
    """One move of a tag."""

    tag: str
    kind: str
    """``made``, ``moved``, ``again`` or ``removed``."""
    before: Digest | None
    after: Digest | None
    before_here: bool
    after_here: bool
    actor: str
    at: Instant
    target: Digest | None
    """What the tag can go back to by this move; None where that is gone, or where it points at it already."""
    current: bool
    """Is this where the tag points now?"""
    action: str
    """Where the form that goes back is sent."""


@dataclass(frozen=True, slots=True)
class HistoryPage:
    """Moves of one tag, or of all."""

    head: RepositoryHead
    tag: str
    """Empty: of all."""
    moves: Sequence[MoveRow]
    next: str
    may_restore: bool
    restored: bool = False
    problem: str = ""


@dataclass(frozen=True, slots=True)
class PullsChart:
    """Pulls of a repository over some days, for the figure ``pulls_chart.html``."""

    statistics: PullStatistics
    days: Sequence[tuple[str, int]]
    """Each day as a date, and its pulls."""
    tags: Sequence[tuple[str, int]]
    """The tags pulled most; an empty name stands for pulls by digest."""
    clients: Sequence[tuple[str, int]]
    """For who manages the repository; else empty."""
    path: str
    """The page of pulls."""

    @property
    def total(self) -> int:
        """Pulls in all these days."""
        return self.statistics.total


@dataclass(frozen=True, slots=True)
class PullsPage:
    """``…/-/pulls``."""

    head: RepositoryHead
    chart: PullsChart
    ranges: Sequence[tuple[str, str, bool]]
    """Address, text, and whether it is the one shown."""


def address(base: str, **fields: object) -> str:
    """An address with those parameters that are not empty."""
    query = urlencode({name: str(value) for name, value in fields.items() if value})
    return f"{base}?{query}" if query else base


def tag_path(head: RepositoryHead, reference: str) -> str:
    """The page of a tag or digest."""
    return f"{head.path}/tags/{quote(reference)}"
