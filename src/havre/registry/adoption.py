"""Adoption: what an administrator brings in from another registry, and how it differs from what people push.

Blobs and manifests come the way of every push. Three things are different, and all are here or named here: no plan
bounds what comes (`UploadLimits.plans`), repositories and tags keep the times they had, and nothing that was pushed
here since is moved back.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum

from havre.errors import NameUnknown
from havre.oci.digest import Digest
from havre.oci.names import Namespace, RepositoryName, Tag
from havre.registry.audit import OPERATOR, record
from havre.registry.naming import first_visibility, follow, pushable
from havre.registry.ports import Clock, Metadata, Rows
from havre.registry.records import Instant, Repository, Viewer, Visibility
from havre.registry.tags import assign

ADMINISTRATOR = Viewer(is_admin=True)
"""For whom an import looks for content that is here already: all of it."""

MAX_MOVES = 1_000
"""Moves of one tag that are remembered: the newest."""


@dataclass(frozen=True, slots=True)
class Moves:
    """A tag, and what it pointed at since when, oldest first; the last one is what it points at now.

    A time of 0 is unknown: it stands for now, and gives way to whatever was pushed here.
    """

    tag: Tag
    targets: Sequence[tuple[Instant, Digest]]


class Placed(StrEnum):
    """What became of a tag."""

    MOVED = "moved"
    """It points where it pointed elsewhere."""
    SAME = "same"
    """It did already."""
    NEWER = "newer"
    """Something else was pushed here later: that stays."""


class Adoption:
    """Makes repositories and tags for what comes from elsewhere. Callers act for an administrator."""

    def __init__(self, metadata: Metadata, clock: Clock) -> None:
        self._metadata = metadata
        self._clock = clock

    async def has_namespace(self, namespace: Namespace) -> bool:
        """Does an account, or the place of official images, have this name?"""
        return await self._metadata.read(lambda rows: rows.repositories.namespace(namespace) is not None)

    async def find(self, name: RepositoryName) -> Repository | None:
        """What a push to ``name`` would go to; None if it would make it. Raises as ``naming.pushable``."""
        return await self._metadata.read(lambda rows: pushable(rows, name))

    async def repository(
        self, name: RepositoryName, visibility: Visibility | None, since: Instant, source: str
    ) -> Repository:
        """Make a repository that was there elsewhere ``since``, or return the one that is here.

        Without ``visibility`` it is what a first push would make. No plan is asked. Raises NameUnknown if nobody owns
        the namespace, and as ``naming.pushable``.
        """
        now = self._clock()

        def work(rows: Rows) -> Repository:
            found = pushable(rows, name)
            if found is not None:
                return found
            namespace = rows.repositories.namespace(name.namespace)
            if namespace is None:
                raise NameUnknown(f"there is no account {name.namespace}", detail={"name": str(name)})
            begins = visibility or first_visibility(rows, namespace, name)
            made = rows.repositories.add(name, begins, min(since or now, now))
            detail = {"imported from": source}
            record(rows, OPERATOR, "repository.create", name, at=now, repository_id=made.id, detail=detail)
            return made

        return await self._metadata.write(work)

    async def present(self, name: RepositoryName, digests: Collection[Digest]) -> set[Digest]:
        """Those of ``digests`` whose manifest is in the repository; none if there is no repository."""

        def work(rows: Rows) -> set[Digest]:
            repository = rows.repositories.get(name)
            return set(rows.manifests.sizes(repository.id, digests)) if repository else set()

        return await self._metadata.read(work)

    async def absent(self, name: RepositoryName, digests: Collection[Digest]) -> set[Digest]:
        """Those of ``digests`` that the repository holds neither as manifest nor as blob."""

        def work(rows: Rows) -> set[Digest]:
            repository = rows.repositories.get(name)
            return rows.manifests.absent(repository.id, digests) if repository else set(digests)

        return await self._metadata.read(work)

    async def stored(self, digest: Digest) -> bool:
        """Is this content in any repository, from where it can be linked?"""
        return await self._metadata.read(lambda rows: rows.blobs.mountable(ADMINISTRATOR, digest) is not None)

    async def place(self, name: RepositoryName, tags: Sequence[Moves]) -> dict[Tag, Placed]:
        """Let tags point where they pointed elsewhere, and remember their moves; all of them or, if one fails, none.

        Every target must be in the repository: raises ManifestUnknown. A tag that moved here later than it did there
        stays where it is. What is remembered of a move is not remembered again.
        """
        now = self._clock()

        def work(rows: Rows) -> dict[Tag, Placed]:
            repository = follow(rows, name)
            return {moves.tag: _place(rows, repository, moves, now) for moves in tags}

        return await self._metadata.write(work)

    async def compare(self, name: RepositoryName, tags: Sequence[Moves]) -> dict[Tag, Placed]:
        """What ``place`` would do, if every target came."""

        def work(rows: Rows) -> dict[Tag, Placed]:
            repository = rows.repositories.get(name)
            return {moves.tag: _compared(rows, repository, moves)[0] if repository else Placed.MOVED for moves in tags}

        return await self._metadata.read(work)


def _compared(rows: Rows, repository: Repository, moves: Moves) -> tuple[Placed, Instant]:
    """What is to be done, and when the tag moved here last."""
    here = rows.tags.get(repository.id, moves.tag)
    at, target = moves.targets[-1]
    if here is None:
        return Placed.MOVED, -1
    if here.digest == target:
        return Placed.SAME, here.updated
    return (Placed.NEWER if here.updated > at else Placed.MOVED), here.updated


def _place(rows: Rows, repository: Repository, moves: Moves, now: Instant) -> Placed:
    placed, since = _compared(rows, repository, moves)
    if placed is Placed.MOVED:
        newer = [move for move in moves.targets[-MAX_MOVES:] if move[0] > since]
        for at, target in newer or moves.targets[-1:]:
            assign(rows, repository, moves.tag, target, None, min(at or now, now))
    return placed
