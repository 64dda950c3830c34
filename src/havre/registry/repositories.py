"""Repositories: made by a first push, seen by those who may, described and removed by their owner."""

from __future__ import annotations

from collections.abc import Sequence

from havre.errors import InputInvalid, NameUnknown
from havre.oci.names import Namespace, RepositoryName
from havre.registry.ports import Clock, Metadata, Rows
from havre.registry.records import Instant, Page, Repository, Viewer, Visibility

MAX_DESCRIPTION = 100
"""Characters of the short description, as on Docker Hub."""

MAX_README = 100_000
"""Characters of the overview."""


def find(rows: Rows, name: RepositoryName) -> Repository:
    """The repository, within a unit of work; raises NameUnknown."""
    repository = rows.repositories.get(name)
    if repository is None:
        raise NameUnknown(f"repository {name} does not exist, or you may not see it", detail={"name": str(name)})
    return repository


def searchable(text: str, most: int) -> str:
    """What can be looked for: at most ``most`` characters, and no NUL, which no text in the rows can hold."""
    return text.replace("\0", "").strip()[:most]


def ensure(rows: Rows, name: RepositoryName, at: Instant) -> Repository:
    """The repository, made now if this is its first push. Raises NameUnknown if nobody owns the namespace."""
    repository = rows.repositories.get(name)
    if repository is not None:
        return repository
    namespace = rows.repositories.namespace(name.namespace)
    if namespace is None:
        raise NameUnknown(
            f"there is no account {name.namespace}: push to a repository under your own name",
            detail={"name": str(name)},
        )
    return rows.repositories.add(name, namespace.default_visibility, at)


class Repositories:
    """What can be asked of repositories, and done to them. Callers have checked permissions before."""

    def __init__(self, metadata: Metadata, clock: Clock) -> None:
        self._metadata = metadata
        self._clock = clock

    async def get(self, name: RepositoryName) -> Repository:
        """By name; raises NameUnknown."""
        return await self._metadata.read(lambda rows: find(rows, name))

    async def names(self, viewer: Viewer, after: str, limit: int) -> Sequence[RepositoryName]:
        """At most ``limit`` names in byte order after ``after``, of repositories that ``viewer`` may see."""
        return await self._metadata.read(lambda rows: rows.repositories.names(viewer, after, limit))

    async def search(
        self,
        viewer: Viewer,
        text: str = "",
        page: int = 1,
        per_page: int = 25,
        namespace: Namespace | None = None,
        newest_first: bool = False,
    ) -> Page[Repository]:
        """Repositories that ``viewer`` may see whose name or description contains ``text``: best match first, or by
        last push.
        """
        text = searchable(text, 200)
        found, total = await self._metadata.read(
            lambda rows: rows.repositories.search(
                viewer, text, namespace, (page - 1) * per_page, per_page, newest_first=newest_first
            )
        )
        return Page(found, total, page, per_page)

    async def create(self, name: RepositoryName, visibility: Visibility) -> Repository:
        """Make it before a first push; returns the one that exists, unchanged. Raises NameUnknown."""
        now = self._clock()
        return await self._metadata.write(lambda rows: rows.repositories.add(name, visibility, now))

    async def describe(
        self, name: RepositoryName, *, description: str | None = None, readme: str | None = None
    ) -> None:
        """Change the texts that are not None. Raises NameUnknown, and InputInvalid for a text that is too long."""
        if description is not None and len(description) > MAX_DESCRIPTION:
            raise InputInvalid(
                f"the description has {len(description)} characters, at most {MAX_DESCRIPTION} are allowed",
                field="description",
            )
        if readme is not None and len(readme) > MAX_README:
            raise InputInvalid(
                f"the overview has {len(readme)} characters, at most {MAX_README} are allowed", field="readme"
            )
        for field, text in (("description", description), ("readme", readme)):
            if text is not None and "\0" in text:
                raise InputInvalid("the text holds a NUL character: remove it", field=field)

        def work(rows: Rows) -> None:
            repository = find(rows, name)
            rows.repositories.change(repository.id, description=description)
            if readme is not None:
                rows.readmes.put(repository.id, readme)

        await self._metadata.write(work)

    async def readme(self, repository: Repository) -> str:
        """Its overview, in Markdown; empty if none was written."""
        return await self._metadata.read(lambda rows: rows.readmes.get(repository.id))

    async def set_visibility(self, name: RepositoryName, visibility: Visibility) -> None:
        """Show it to everyone or to its owner alone, from the next request on. Raises NameUnknown."""
        await self._metadata.write(lambda rows: rows.repositories.change(find(rows, name).id, visibility=visibility))

    async def delete(self, name: RepositoryName) -> None:
        """Remove it with its tags and manifests. Raises NameUnknown."""
        await self._metadata.write(lambda rows: rows.repositories.delete(find(rows, name).id))

    async def count_pulls(self, pulls: Sequence[tuple[int, int]]) -> None:
        """Add to the counters: (repository id, pulls). Losing a few in a power failure is fine."""
        await self._metadata.write(lambda rows: rows.repositories.count_pulls(pulls), durable=False)
