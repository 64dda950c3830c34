"""Tags: names that move. The only place where a tag is made, moved or removed, and where that is remembered."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from havre.errors import ManifestUnknown
from havre.oci.digest import Digest
from havre.oci.names import RepositoryName, Tag
from havre.registry.audit import Author, record
from havre.registry.events import Deleted, Events, Pushed
from havre.registry.naming import follow, writable
from havre.registry.policy import check_writable
from havre.registry.ports import Clock, Metadata, Rows
from havre.registry.records import (
    Instant,
    ManifestRecord,
    Repository,
    TagEvent,
    TagOrder,
    TagPlace,
    TagRecord,
)
from havre.registry.repositories import searchable
from havre.registry.tag_names import TagNames

COUNTED = 10_000
"""Tags of a repository are counted up to here, and said to be more beyond."""

MATCHES_COUNTED = 1_000
"""Tags that match a text are counted up to here."""

NAMED = 20
"""Tags that the audit trail names; it tells how many there were."""

FIRST_SLICE = 4_000
"""Names looked at for a text in a list before those that ``tag_names`` keeps are asked."""

SLICE = 20_000
"""Names looked at for a text before anything else gets its turn: some three milliseconds."""

MAX_SCAN = 300_000
"""Names looked at for one page of matches; whoever wants more goes on from there."""


@dataclass(frozen=True, slots=True)
class TagView:
    """A tag as people look at it: what it points at, for which platforms, and how many bytes a pull moves."""

    tag: TagRecord
    manifest: ManifestRecord
    platforms: tuple[str, ...]

    @property
    def size(self) -> int:
        """Bytes of config and layers, over all platforms."""
        return self.manifest.total_size


@dataclass(frozen=True, slots=True)
class TagPage:
    """A stretch of a sorted list, and where the stretches before and after it end and begin."""

    items: Sequence[TagView]
    total: int
    """How many there are, as far as they were counted; 0 where nobody counted: beyond the first page of matches."""
    exact: bool
    """Is ``total`` all of them?"""
    previous: TagPlace | None = None
    """The stretch before this one ends before here; None if this is the first."""
    next: TagPlace | None = None
    """The next one begins after here; None if this is the last."""


@dataclass(slots=True)
class _Walk:
    """A way through a sorted list, for a text, up to some number of matches."""

    repository_id: int
    order: TagOrder
    text: str
    start: TagPlace | None
    backwards: bool
    wanted: int
    found: list[TagPlace] = field(default_factory=list)
    stopped: TagPlace | None = None
    """Where it ended although the list goes on, without what was wanted."""

    def step(self, rows: Rows, names: int = SLICE) -> TagPlace | None:
        """Look at the next slice; returns where to go on, None at the end of the list."""
        lists, start = rows.tag_lists, self.start
        until = lists.reach(self.repository_id, self.order, start, self.backwards, names) if self.text else None
        left = self.wanted - len(self.found)
        self.found += lists.places(self.repository_id, self.order, self.text, start, until, self.backwards, left)
        self.start = until
        return until

    def jump(self, rows: Rows, names: Collection[Tag]) -> None:
        """Go to the end at once: all that matches is among ``names``."""
        places = list(rows.tag_lists.named(self.repository_id, self.order, names))
        if self.backwards:
            places.reverse()
        beyond = 0 if self.start is None else _until(places, self.start, self.order, backwards=self.backwards)
        self.found += places[beyond : beyond + self.wanted - len(self.found)]

    async def go(self, metadata: Metadata, kept: TagNames) -> None:
        """Walk until enough is found, the list ends, or it has been long enough."""
        until = await metadata.read(lambda rows: self.step(rows, FIRST_SLICE))
        if until is None or len(self.found) >= self.wanted:
            return
        names = await kept.containing(self.repository_id, self.text, MATCHES_COUNTED)
        if names is not None:
            await metadata.read(lambda rows: self.jump(rows, names))
            return
        for _ in range(MAX_SCAN // SLICE):
            until = await metadata.read(self.step)
            if until is None or len(self.found) >= self.wanted:
                return
            await asyncio.sleep(0)
        self.stopped = self.start


class Tags:
    """What can be asked of tags, and done to them. Callers have checked permissions on the repository."""

    def __init__(self, metadata: Metadata, clock: Clock, events: Events) -> None:
        self._metadata = metadata
        self._clock = clock
        self._events = events
        self._names = TagNames(metadata)

    async def names(self, name: RepositoryName, after: str, limit: int) -> Sequence[Tag]:
        """At most ``limit`` tags in byte order after ``after``; raises NameUnknown."""
        return await self._metadata.read(lambda rows: rows.tags.names(follow(rows, name).id, after, limit))

    async def page(
        self,
        repository: Repository,
        text: str = "",
        order: TagOrder = TagOrder.NEWEST,
        *,
        after: TagPlace | None = None,
        before: TagPlace | None = None,
        per_page: int = 25,
    ) -> TagPage:
        """Tags whose name contains ``text``, with what they point at: those after a place, or before it.

        Every page costs the same, and a rare text never keeps others waiting: the list is walked in slices.
        """
        text, backwards = searchable(text, 128), before is not None and after is None
        counting = bool(text) and after is None and not backwards
        wanted = max(per_page, MATCHES_COUNTED) + 1 if counting else per_page + 1
        walk = _Walk(repository.id, order, text, before if backwards else after, backwards, wanted)
        await walk.go(self._metadata, self._names)
        shown = walk.found[:per_page]
        more = walk.found[per_page - 1] if len(walk.found) > per_page else walk.stopped
        if backwards:
            shown.reverse()
        first, last = (shown[0], shown[-1]) if shown else (None, None)

        def work(rows: Rows) -> TagPage:
            if text:
                exact = counting and not walk.stopped and len(walk.found) < wanted
                total = min(len(walk.found), wanted - 1) if counting else 0
            else:
                total = rows.tag_lists.count(repository.id, COUNTED + 1)
                exact, total = total <= COUNTED, min(total, COUNTED)
            return TagPage(
                views(rows, repository.id, [place.name for place in shown]),
                total,
                exact,
                previous=more if backwards else first if after is not None else None,
                next=(last or before) if backwards else more,
            )

        return await self._metadata.read(work)

    async def history(
        self,
        repository: Repository,
        tag: Tag | None = None,
        limit: int = 50,
        before: tuple[Instant, int] | None = None,
    ) -> Sequence[TagEvent]:
        """The last moves of one tag or of all, newest first; ``before`` is time and id of the last one known."""
        return await self._metadata.read(lambda rows: rows.tags.events(repository.id, tag, limit, before))

    async def delete(self, name: RepositoryName, tag: Tag, author: Author, address: str = "") -> None:
        """Remove a tag; what it pointed at stays under its digest. Raises NameUnknown or ManifestUnknown."""
        now = self._clock()

        def work(rows: Rows) -> Repository:
            repository = writable(rows, name)
            if not remove(rows, repository, tag, author.user_id, now):
                raise ManifestUnknown(f"repository {name} has no tag {tag}", detail={"tag": str(tag)})
            subject = f"{repository.name}:{tag}"
            record(rows, author, "tag.delete", subject, at=now, repository_id=repository.id, address=address)
            return repository

        repository = await self._metadata.write(work)
        self._events.publish(Deleted(repository.id, name, None, (tag,), author.user_id))

    async def restore(self, name: RepositoryName, tag: Tag, digest: Digest, author: Author, address: str = "") -> None:
        """Point a tag, which may be gone, at a manifest that is still here.

        Raises NameUnknown, ManifestUnknown, and Denied if the repository is archived.
        """
        now = self._clock()

        def work(rows: Rows) -> Repository:
            repository = writable(rows, name)
            assign(rows, repository, tag, digest, author.user_id, now)
            rows.repositories.change(repository.id, updated=now)
            subject, detail = f"{name}:{tag}", {"digest": str(digest)}
            record(
                rows,
                author,
                "tag.restore",
                subject,
                at=now,
                repository_id=repository.id,
                address=address,
                detail=detail,
            )
            return repository

        repository = await self._metadata.write(work)
        self._events.publish(Pushed(repository.id, name, digest, (tag,), author.user_id))

    async def present(self, repository: Repository, digests: Collection[Digest]) -> dict[Digest, int]:
        """Those of ``digests`` whose manifest is here, with the bytes of config and layers."""
        return await self._metadata.read(lambda rows: rows.manifests.sizes(repository.id, digests))


def _until(places: Sequence[TagPlace], start: TagPlace, order: TagOrder, *, backwards: bool) -> int:
    """How many of the places, which are in order, come before ``start`` or are it."""
    up = (order is TagOrder.NAME) is not backwards
    edge = (start.value, start.name) if order is not TagOrder.NAME else (0, start.name)
    for number, place in enumerate(places):
        here = (place.value, place.name)
        if here > edge if up else here < edge:
            return number
    return len(places)


def assign(rows: Rows, repository: Repository, tag: Tag, digest: Digest, user_id: int | None, at: Instant) -> None:
    """Point ``tag`` at ``digest``, within a unit of work. Raises Denied if the repository is archived."""
    check_writable(repository)
    rows.tags.put(repository.id, tag, digest, user_id, at)


def remove(rows: Rows, repository: Repository, tag: Tag, user_id: int | None, at: Instant) -> bool:
    """Remove ``tag``, within a unit of work; False if there was none. Raises Denied if the repository is archived."""
    check_writable(repository)
    return rows.tags.delete(repository.id, tag, user_id, at)


def described(tags: Sequence[Tag]) -> dict[str, str | int]:
    """Tags that went, as the audit trail tells of them."""
    named = sorted(tags)
    return {"tags": len(named), "names": ", ".join(named[:NAMED])}


def views(rows: Rows, repository_id: int, names: Sequence[Tag]) -> list[TagView]:
    """Tags as people look at them, within a unit of work; those that are gone are left out."""
    found = rows.tag_lists.views(repository_id, names)
    return [TagView(tag, manifest, tuple(platforms)) for tag, manifest, platforms in found]
