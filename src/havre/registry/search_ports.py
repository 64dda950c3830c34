"""Ports: what search and stars need of the rows, and what a search asks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from havre.oci.names import Namespace
from havre.registry.facets import Kind
from havre.registry.records import Instant, Repository, Viewer

MAX_FOUND = 2000
"""Of a search by text: more are neither counted nor shown. Who finds so many will type more letters."""


class SearchOrder(StrEnum):
    """How what is found is sorted."""

    BEST = "best"
    """Exact names, then names, parts of names, descriptions, overviews; official ones first in each, then by pulls and
    stars. Without a text: by pulls."""
    PULLS = "pulls"
    STARS = "stars"
    RECENT = "recent"
    """The last pushed first."""


@dataclass(frozen=True, slots=True)
class SearchQuery:
    """What is looked for: all of these must be so."""

    text: str = ""
    """Empty: everything. Nothing in it is syntax; without a letter or digit it finds nothing."""
    namespace: Namespace | None = None
    official: bool = False
    platform: str = ""
    """Such as ``linux/arm64``."""
    kind: Kind | None = None
    starred_by: int | None = None
    """An account."""
    order: SearchOrder = SearchOrder.BEST


class SearchRows(Protocol):
    """Repositories found by their words, what they hold and where they are."""

    def find(self, viewer: Viewer, query: SearchQuery, offset: int, limit: int) -> tuple[Sequence[Repository], int]:
        """What ``viewer`` may see of it, and how many there are: by text, ``MAX_FOUND`` at most."""

    def first(self, viewer: Viewer, query: SearchQuery, limit: int) -> Sequence[Repository]:
        """The first of it, without counting what needs not be counted."""


class StarRows(Protocol):
    """Who marked which repository with a star. The numbers in ``Repository.stars`` follow in the same unit of work."""

    def has(self, user_id: int, repository_id: int) -> bool:
        """Has this account starred it?"""

    def put(self, user_id: int, repository_id: int, at: Instant) -> bool:
        """Star it; False if that had been done."""

    def remove(self, user_id: int, repository_id: int) -> bool:
        """Take the star back; False if there was none."""
