"""Tags: names that move. The only place where a tag is made, moved or removed, and where that is remembered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from havre.errors import ManifestUnknown
from havre.oci.digest import Digest
from havre.oci.names import RepositoryName, Tag
from havre.registry.events import Deleted, Events
from havre.registry.ports import Clock, Metadata, Rows
from havre.registry.records import Instant, ManifestRecord, Page, Repository, TagEvent, TagRecord
from havre.registry.repositories import find, searchable


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


class Tags:
    """What can be asked of tags, and done to them. Callers have checked permissions on the repository."""

    def __init__(self, metadata: Metadata, clock: Clock, events: Events) -> None:
        self._metadata = metadata
        self._clock = clock
        self._events = events

    async def names(self, name: RepositoryName, after: str, limit: int) -> Sequence[Tag]:
        """At most ``limit`` tags in byte order after ``after``; raises NameUnknown."""
        return await self._metadata.read(lambda rows: rows.tags.names(find(rows, name).id, after, limit))

    async def page(
        self, repository: Repository, text: str = "", newest_first: bool = True, page: int = 1, per_page: int = 25
    ) -> Page[TagView]:
        """Tags whose name contains ``text``, with what they point at."""

        def work(rows: Rows) -> Page[TagView]:
            found, total = rows.tags.page(
                repository.id, searchable(text, 128), newest_first, (page - 1) * per_page, per_page
            )
            views = [TagView(tag, manifest, platforms(rows, repository.id, manifest)) for tag, manifest in found]
            return Page(views, total, page, per_page)

        return await self._metadata.read(work)

    async def history(self, repository: Repository, tag: Tag | None = None, limit: int = 50) -> Sequence[TagEvent]:
        """The last moves of one tag or of all, newest first."""
        return await self._metadata.read(lambda rows: rows.tags.events(repository.id, tag, limit))

    async def delete(self, name: RepositoryName, tag: Tag, user_id: int | None) -> None:
        """Remove a tag; what it pointed at stays under its digest. Raises NameUnknown or ManifestUnknown."""
        now = self._clock()

        def work(rows: Rows) -> Repository:
            repository = find(rows, name)
            if not remove(rows, repository, tag, user_id, now):
                raise ManifestUnknown(f"repository {name} has no tag {tag}", detail={"tag": str(tag)})
            return repository

        repository = await self._metadata.write(work)
        self._events.publish(Deleted(repository.id, name, None, (tag,), user_id))


def assign(rows: Rows, repository: Repository, tag: Tag, digest: Digest, user_id: int | None, at: Instant) -> None:
    """Point ``tag`` at ``digest``, within a unit of work."""
    rows.tags.put(repository.id, tag, digest, user_id, at)


def remove(rows: Rows, repository: Repository, tag: Tag, user_id: int | None, at: Instant) -> bool:
    """Remove ``tag``, within a unit of work; False if there was none."""
    return rows.tags.delete(repository.id, tag, user_id, at)


def platforms(rows: Rows, repository_id: int, manifest: ManifestRecord) -> tuple[str, ...]:
    """What a manifest runs on: one platform for an image, those of its children for an index."""
    if manifest.platform:
        return (manifest.platform,)
    known = {child.platform for child in rows.manifests.children(repository_id, manifest.digest)}
    return tuple(sorted(one for one in known if one and not one.startswith("unknown/")))
