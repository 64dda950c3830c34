"""Removal: many tags at once, looked at beforehand: which images lose their last name, and how many bytes go with them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Generator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from havre.errors import InputInvalid
from havre.oci.digest import Digest
from havre.oci.names import RepositoryName, Tag
from havre.registry.audit import Author, record
from havre.registry.events import Deleted, Events
from havre.registry.naming import find, writable
from havre.registry.ports import Clock, Metadata, Rows
from havre.registry.tags import described

MAX_TAGS = 500
"""Tags that can be removed in one go."""

MAX_MANIFESTS = 1_000
"""Manifests that are looked at for one removal; beyond, tags are removed alone."""

SLICE = 150
"""Manifests, and twice as many blobs, that are looked at before anything else gets its turn: some three milliseconds."""


@dataclass(frozen=True, slots=True)
class Removal:
    """What removing some tags does."""

    tags: Mapping[Tag, Digest]
    """Those that are there, by name, and what they point at."""
    manifests: frozenset[Digest]
    """What nothing leads to afterwards: images, parts of indexes, and what was said about them."""
    blobs: int
    """Blobs that nothing refers to once these manifests are gone."""
    bytes: int
    """The size of those blobs."""
    complete: bool = True
    """False if too much hangs on the tags to look at it all: ``manifests`` is then empty."""

    @property
    def untagged(self) -> Sequence[Digest]:
        """Manifests that one of the tags points at, and that no name leads to afterwards."""
        return sorted(self.manifests.intersection(self.tags.values()))


_Look = Generator[Callable[[Rows], Any], Any, Removal]


class Removals:
    """Looks at a removal, and carries it out. Callers have checked permissions on the repository."""

    def __init__(self, metadata: Metadata, clock: Clock, events: Events) -> None:
        self._metadata = metadata
        self._clock = clock
        self._events = events

    async def preview(self, name: RepositoryName, tags: Collection[Tag]) -> Removal:
        """What removing ``tags`` would do; raises NameUnknown, and InputInvalid for none or too many.

        It is looked at piece by piece, so that what is pushed meanwhile may be seen in one and not in another.
        """
        _check(tags)
        repository = await self._metadata.read(lambda rows: find(rows, name))
        look = _look(repository.id, tags)
        try:
            work = next(look)
            while True:
                found = await self._metadata.read(work)
                await asyncio.sleep(0)
                work = look.send(found)
        except StopIteration as end:
            removal: Removal = end.value
            return removal

    async def remove(
        self, name: RepositoryName, tags: Collection[Tag], author: Author, *, images: bool, address: str = ""
    ) -> Removal:
        """Remove those of ``tags`` that are there and, with ``images``, what nothing leads to then; all or nothing.

        Raises as ``preview``, and Denied if the repository is archived. Bytes go when nothing links them any more.
        """
        _check(tags)
        now = self._clock()

        def work(rows: Rows) -> tuple[int, Removal]:
            repository = writable(rows, name)
            removal = _look_at_once(rows, repository.id, tags)
            rows.removal.remove_tags(repository.id, removal.tags, author.user_id, now)
            if images:
                rows.removal.remove_manifests(repository.id, removal.manifests)
            if removal.tags:
                named = sorted(removal.tags)
                detail = {**described(named), "images": len(removal.manifests) if images else 0}
                record(
                    rows,
                    author,
                    "tag.delete",
                    f"{name}:{named[0]}" if len(named) == 1 else str(name),
                    at=now,
                    repository_id=repository.id,
                    address=address,
                    detail=detail,
                )
            return repository.id, removal

        repository_id, removal = await self._metadata.write(work)
        if removal.tags:
            self._events.publish(Deleted(repository_id, name, None, tuple(sorted(removal.tags)), author.user_id))
        for digest in sorted(removal.manifests) if images else ():
            self._events.publish(Deleted(repository_id, name, digest, (), author.user_id))
        return removal


def _check(tags: Collection[Tag]) -> None:
    if not tags:
        raise InputInvalid("no tag is chosen: choose at least one", field="tags")
    if len(tags) > MAX_TAGS:
        raise InputInvalid(
            f"{len(tags)} tags are chosen, at most {MAX_TAGS} can be removed at once: choose fewer", field="tags"
        )


def _look_at_once(rows: Rows, repository_id: int, tags: Collection[Tag]) -> Removal:
    look = _look(repository_id, tags)
    try:
        work = next(look)
        while True:
            work = look.send(work(rows))
    except StopIteration as end:
        removal: Removal = end.value
        return removal


def _look(repository_id: int, tags: Collection[Tag]) -> _Look:
    """The pieces of work to be done on the rows, each of which is sent back what it found; then what comes of it."""
    targets: dict[Tag, Digest] = yield lambda rows: rows.removal.targets(repository_id, tags)
    reached = set(targets.values())
    fresh = set(reached)
    while fresh:
        fresh = (yield partial(_around, repository_id, fresh)) - reached
        reached |= fresh
        if len(reached) > MAX_MANIFESTS:
            return Removal(targets, frozenset(), 0, 0, complete=False)
    # What is held holds what it lists in turn, so this goes on until nothing is.
    while reached and (held := (yield partial(_held, repository_id, reached, tags))):
        reached -= held
    needed: set[Digest] = set()
    for some in _slices(reached, SLICE):
        needed |= yield partial(_needed, repository_id, some)
    number, size = 0, 0
    for some in _slices(needed, 2 * SLICE):
        counted, freed = yield partial(_freed, repository_id, some, reached)
        number, size = number + counted, size + freed
    return Removal(dict(sorted(targets.items())), frozenset(reached), number, size)


def _around(repository_id: int, digests: Collection[Digest], rows: Rows) -> set[Digest]:
    return rows.removal.around(repository_id, digests, MAX_MANIFESTS + 1)


def _held(repository_id: int, digests: Collection[Digest], tags: Collection[Tag], rows: Rows) -> set[Digest]:
    return rows.removal.held(repository_id, digests, tags)


def _needed(repository_id: int, digests: Collection[Digest], rows: Rows) -> set[Digest]:
    return rows.removal.needed(repository_id, digests)


def _freed(repository_id: int, blobs: Collection[Digest], digests: Collection[Digest], rows: Rows) -> tuple[int, int]:
    return rows.removal.freed(repository_id, blobs, digests)


def _slices(digests: Collection[Digest], size: int) -> list[Sequence[Digest]]:
    every = sorted(digests)
    return [every[start : start + size] for start in range(0, len(every), size)]
