"""Ports of tags: what the registry needs to know and change about names that move, lists of them, and their pulls.

Part of the unit of work of ``ports``, and under its rules.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from havre.oci.digest import Digest
from havre.oci.names import Tag
from havre.registry.records import (
    Instant,
    ManifestRecord,
    PullFigure,
    TagEvent,
    TagOrder,
    TagPlace,
    TagRecord,
)

TAG_BETWEEN = "/"
"""Between the names of tags in one text: none of them has it."""


class TagRows(Protocol):
    """Tags of a repository and the memory of their moves."""

    def get(self, repository_id: int, tag: Tag) -> TagRecord | None:
        """The tag, or None."""

    def put(self, repository_id: int, tag: Tag, digest: Digest, user_id: int | None, at: Instant) -> Digest | None:
        """Make or move it and remember the move; returns what it pointed at. The same digest again is remembered too."""

    def delete(self, repository_id: int, tag: Tag, user_id: int | None, at: Instant) -> bool:
        """Remove it and remember that; False if there was none."""

    def of(self, repository_id: int, digest: Digest) -> Sequence[Tag]:
        """The tags that point at a manifest."""

    def names(self, repository_id: int, after: str, limit: int) -> Sequence[Tag]:
        """Tag names in byte order, greater than ``after``."""

    def events(
        self, repository_id: int, tag: Tag | None, limit: int, before: tuple[Instant, int] | None = None
    ) -> Sequence[TagEvent]:
        """Moves, newest first, of one tag or of all; those before a time and an id."""

    def news(self, repository_id: int, after: int | None) -> tuple[int, Sequence[TagEvent]]:
        """The id of the last move anywhere; and this repository's moves since ``after``, as far as they are recent.

        None asks only from where to go on.
        """


class TagListRows(Protocol):
    """Sorted lists of tags, walked from a place in them: no page costs more than another."""

    def count(self, repository_id: int, at_most: int) -> int:
        """How many tags there are, counted no further than ``at_most``."""

    def reach(
        self, repository_id: int, order: TagOrder, after: TagPlace | None, backwards: bool, steps: int
    ) -> TagPlace | None:
        """The place ``steps`` tags further; None if the list ends before."""

    def places(
        self,
        repository_id: int,
        order: TagOrder,
        text: str,
        after: TagPlace | None,
        until: TagPlace | None,
        backwards: bool,
        limit: int,
    ) -> Sequence[TagPlace]:
        """The next ``limit`` tags whose name contains ``text``, beyond ``after`` and no further than ``until``."""

    def named(self, repository_id: int, order: TagOrder, names: Collection[Tag]) -> Sequence[TagPlace]:
        """Where those of some thousand tags stand that exist, in that order."""

    def joined(self, repository_id: int, after: str, limit: int) -> tuple[str, str]:
        """The next ``limit`` names greater than ``after``, in one text with TAG_BETWEEN between them; and the greatest."""

    def made(self, repository_id: int, text: str, after: int, limit: int) -> tuple[int, Sequence[Tag]]:
        """The highest id of a tag anywhere; and names here that contain ``text``, which is ASCII, among the ``limit``
        tags with the lowest ids above ``after``.
        """

    def views(
        self, repository_id: int, names: Sequence[Tag]
    ) -> Sequence[tuple[TagRecord, ManifestRecord, Sequence[str]]]:
        """Those of the tags that exist, in the order given, with their manifests (contents left out) and platforms."""


class RemovalRows(Protocol):
    """What hangs on tags that may go, and their end. All collections are of at most some hundreds."""

    def targets(self, repository_id: int, tags: Collection[Tag]) -> dict[Tag, Digest]:
        """What those tags point at that exist."""

    def around(self, repository_id: int, digests: Collection[Digest], limit: int) -> set[Digest]:
        """Manifests here that these list, or whose subject is one of these; at most ``limit``."""

    def held(self, repository_id: int, digests: Collection[Digest], tags: Collection[Tag]) -> set[Digest]:
        """Those of the manifests that something else needs: another tag than ``tags``, an index that is not among
        them, or a subject that is here and not among them.
        """

    def needed(self, repository_id: int, digests: Collection[Digest]) -> set[Digest]:
        """Configs and layers that these manifests refer to."""

    def freed(self, repository_id: int, blobs: Collection[Digest], digests: Collection[Digest]) -> tuple[int, int]:
        """How many of the blobs only these manifests of all that anyone can still pull refer to, and their bytes."""

    def remove_tags(self, repository_id: int, tags: Mapping[Tag, Digest], user_id: int | None, at: Instant) -> None:
        """Remove these tags, which exist, and remember that."""

    def remove_manifests(self, repository_id: int, digests: Collection[Digest]) -> None:
        """Remove these manifests, to which no tag leads."""


class PullRows(Protocol):
    """Pulls by day."""

    def origins(self, repository_id: int, digest: Digest) -> tuple[Sequence[Tag], bool]:
        """The first two tags that point at a manifest; and whether an index of the repository lists it."""

    def add(self, figures: Sequence[PullFigure], at: Instant) -> None:
        """Add to the days, the repositories and the tags, whose last pull is ``at``. What is gone is left out."""

    def daily(self, repository_id: int, since: int) -> Sequence[tuple[int, int]]:
        """Day and pulls, from the day ``since`` on."""

    def by_day(self, repository_id: int, since: int) -> Sequence[tuple[int, str, int]]:
        """Day, family of clients and pulls, from the day ``since`` on."""

    def by_tag(self, repository_id: int, since: int, limit: int) -> Sequence[tuple[Tag | None, int]]:
        """The tags (None: by digest) that were pulled most from the day ``since`` on."""

    def fold(self, before: int, limit: int) -> int:
        """Forget tags and clients of at most ``limit`` repositories' days before a day; how many days were folded."""
