"""Removal: many tags at once, looked at beforehand: which images lose their last name, and how many bytes go with them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

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


class Removals:
    """Looks at a removal, and carries it out. Callers have checked permissions on the repository."""

    def __init__(self, metadata: Metadata, clock: Clock, events: Events) -> None:
        self._metadata = metadata
        self._clock = clock
        self._events = events

    async def preview(self, name: RepositoryName, tags: Collection[Tag]) -> Removal:
        """What removing ``tags`` would do; raises NameUnknown, and InputInvalid for none or too many."""
        _check(tags)
        return await self._metadata.read(lambda rows: _look(rows, find(rows, name).id, tags))

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
            removal = _look(rows, repository.id, tags)
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


def _look(rows: Rows, repository_id: int, tags: Collection[Tag]) -> Removal:
    removal, targets = rows.removal, rows.removal.targets(repository_id, tags)
    reached = set(targets.values())
    fresh = set(reached)
    while fresh:
        fresh = removal.around(repository_id, fresh, MAX_MANIFESTS + 1) - reached
        reached |= fresh
        if len(reached) > MAX_MANIFESTS:
            return Removal(targets, frozenset(), 0, 0, complete=False)
    # What is held holds what it lists in turn, so this goes on until nothing is.
    while reached and (held := removal.held(repository_id, reached, tags)):
        reached -= held
    blobs, size = removal.freed(repository_id, reached) if reached else (0, 0)
    return Removal(dict(sorted(targets.items())), frozenset(reached), blobs, size)
