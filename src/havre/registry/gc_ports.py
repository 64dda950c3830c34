"""What collection needs from the rows, and what it found. ``gc`` says what it all means."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Protocol

from havre.oci.digest import Digest
from havre.registry.records import Instant


@dataclass(frozen=True, slots=True)
class Link:
    """A repository's link to content."""

    repository_id: int
    blob_id: int
    size: int
    condemned: Instant | None
    needed: bool
    """Does a manifest of the repository name it, or is it too young to tell?"""


@dataclass(frozen=True, slots=True)
class Content:
    """Content, and whether any repository links it."""

    id: int
    key: str
    size: int
    condemned: Instant | None
    needed: bool


@dataclass(frozen=True, slots=True)
class Untagged:
    """A manifest at which no tag points, or that is condemned."""

    id: int
    repository_id: int
    digest: Digest
    condemned: Instant | None


@dataclass(frozen=True, slots=True)
class Above:
    """What keeps a manifest as long as it is kept itself: an index that lists it, or its subject."""

    below: int
    id: int
    tagged: bool


class GarbageRows(Protocol):
    """Links and content that may be garbage. Whoever changes something looks again, in the same unit of work."""

    def links(self, after: tuple[int, int], before: Instant, limit: int) -> Sequence[Link]:
        """Links by (repository, content) greater than ``after``; those made after ``before`` count as needed."""

    def settle_links(
        self, repository_id: int, blob_ids: Collection[int], at: Instant, before: Instant
    ) -> tuple[int, int, Sequence[int]]:
        """Condemn links that nothing needs, acquit those that something needs, remove those condemned ``before``.

        Returns how many were condemned and acquitted, and the sizes of what was removed.
        """

    def contents(self, after: int, limit: int) -> Sequence[Content]:
        """Content by id greater than ``after``."""

    def settle_contents(self, blob_ids: Collection[int], at: Instant) -> tuple[int, int]:
        """Condemn what nobody links, acquit what somebody links; returns how many of each."""

    def remove_contents(self, blob_ids: Collection[int], before: Instant) -> Sequence[tuple[str, int]]:
        """Remove the rows of what was condemned ``before`` and nobody links; returns their keys and sizes."""

    def known_keys(self, keys: Collection[str]) -> Collection[str]:
        """Those of ``keys`` that a row names, or that an upload under way may (``byte_ports.SEGMENTS``)."""

    def remembered(self, key: str) -> str | None:
        """What was remembered under a name."""

    def remember(self, key: str, value: str) -> None:
        """Remember something under a name."""


class UntaggedRows(Protocol):
    """Manifests that no tag points at."""

    def page(self, before: int, limit: int) -> tuple[Sequence[Untagged], int | None]:
        """Some with an id less than ``before``, the greatest first; not of repositories that were deleted.

        And before which to go on, None at the end: of many that have tags, a page may hold few or none.
        """

    def above(self, manifest_ids: Collection[int]) -> Sequence[Above]:
        """What stands directly above these manifests in their repositories."""

    def condemn(self, manifest_ids: Collection[int], at: Instant) -> None:
        """Nothing that has a name leads to them since ``at``."""

    def acquit(self, manifest_ids: Collection[int]) -> None:
        """Something leads to them."""

    def condemned(self, limit: int) -> Sequence[int]:
        """Some that are condemned."""

    def doomed(self, manifest_ids: Collection[int], before: Instant) -> Sequence[tuple[int, Digest]]:
        """Those condemned ``before`` with no tag and nothing above them: (repository, digest)."""
