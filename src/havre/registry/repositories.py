"""Repositories: made by a first push, seen by those who may, described, shown or hidden, archived by their owner."""

from __future__ import annotations

from collections.abc import Sequence

from havre.errors import InputInvalid
from havre.oci.names import RepositoryName
from havre.registry.audit import ITSELF, Author, record
from havre.registry.naming import check_name, ensure, find
from havre.registry.ports import Clock, Metadata, Rows
from havre.registry.quotas import check_private
from havre.registry.records import Instant, Repository, Viewer, Visibility

__all__ = [
    "CATEGORIES",
    "MAX_CATEGORIES",
    "MAX_DESCRIPTION",
    "MAX_README",
    "Repositories",
    "ensure",
    "find",
    "searchable",
]

MAX_DESCRIPTION = 100
"""Characters of the short description, as on Docker Hub."""

MAX_README = 100_000
"""Characters of the overview."""

CATEGORIES = (
    "api-management",
    "content-management",
    "data-science",
    "databases",
    "developer-tools",
    "integration-delivery",
    "internet-of-things",
    "languages-frameworks",
    "machine-learning",
    "message-queues",
    "monitoring-observability",
    "networking",
    "operating-systems",
    "security",
    "web-servers",
)
"""What a repository can be filed under."""

MAX_CATEGORIES = 3
"""Of one repository, as on Docker Hub."""


def searchable(text: str, most: int) -> str:
    """What can be looked for: at most ``most`` characters, and no NUL, which no text in the rows can hold."""
    return text.replace("\0", "").strip()[:most]


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

    async def create(self, name: RepositoryName, visibility: Visibility, *, by: Author = ITSELF) -> Repository:
        """Make it before a first push, taking over a former name; returns the one that exists, unchanged.

        Raises NameUnknown for a namespace that does not exist, NameInvalid for a name that can not be, OverPlan for a
        private one beyond the plan.
        """
        now = self._clock()

        def work(rows: Rows) -> Repository:
            found = rows.repositories.get(name)
            if found is not None:
                return found
            check_name(name)
            if visibility is Visibility.PRIVATE:
                check_private(rows.quotas, name.namespace)
            made = rows.repositories.add(name, visibility, now)
            record(rows, by, "repository.create", name, at=now, repository_id=made.id)
            return made

        return await self._metadata.write(work)

    async def describe(
        self,
        name: RepositoryName,
        *,
        description: str | None = None,
        readme: str | None = None,
        categories: Sequence[str] | None = None,
        by: Author = ITSELF,
        address: str = "",
    ) -> None:
        """Change what is not None. Raises NameUnknown, and InputInvalid for a text that is too long or not a category."""
        now = self._clock()
        await self._metadata.write(lambda rows: describe(rows, name, description, readme, categories, by, address, now))

    async def readme(self, repository: Repository) -> str:
        """Its overview, in Markdown; empty if none was written."""
        return await self._metadata.read(lambda rows: rows.readmes.get(repository.id))

    async def set_visibility(
        self, name: RepositoryName, visibility: Visibility, *, by: Author = ITSELF, address: str = ""
    ) -> None:
        """Show it to everyone or to those who may alone, from the next request on. Raises NameUnknown, OverPlan."""
        now = self._clock()
        await self._metadata.write(lambda rows: set_visibility(rows, name, visibility, by, address, now))

    async def archive(self, name: RepositoryName, archived: bool, *, by: Author = ITSELF, address: str = "") -> None:
        """Let it only be read from now on, or end that. Raises NameUnknown."""
        now = self._clock()
        await self._metadata.write(lambda rows: archive(rows, name, archived, by, address, now))

    async def count_pulls(self, pulls: Sequence[tuple[int, int]]) -> None:
        """Add to the counters: (repository id, pulls). Losing a few in a power failure is fine."""
        await self._metadata.write(lambda rows: rows.repositories.count_pulls(pulls), durable=False)


def describe(
    rows: Rows,
    name: RepositoryName,
    description: str | None,
    readme: str | None,
    categories: Sequence[str] | None,
    by: Author,
    address: str,
    at: Instant,
) -> None:
    """Change those of its texts that are not None, within a unit of work; raises as ``Repositories.describe``."""
    _check_texts(description, readme)
    if categories is not None:
        categories = _checked(categories)
    repository = find(rows, name)
    rows.repositories.change(repository.id, description=description, categories=categories)
    if readme is not None:
        rows.readmes.put(repository.id, readme)
    record(rows, by, "repository.describe", name, at=at, repository_id=repository.id, address=address)


def set_visibility(
    rows: Rows, name: RepositoryName, visibility: Visibility, by: Author, address: str, at: Instant
) -> None:
    """Show or hide it, within a unit of work; raises as ``Repositories.set_visibility``."""
    repository = find(rows, name)
    if repository.visibility is visibility:
        return
    if visibility is Visibility.PRIVATE:
        check_private(rows.quotas, name.namespace)
    rows.repositories.change(repository.id, visibility=visibility)
    detail, here = {"to": visibility.value}, repository.id
    record(rows, by, "repository.visibility", name, at=at, repository_id=here, address=address, detail=detail)


def archive(rows: Rows, name: RepositoryName, archived: bool, by: Author, address: str, at: Instant) -> None:
    """Let it only be read, or end that, within a unit of work; raises NameUnknown."""
    repository = find(rows, name)
    if (repository.archived is not None) == archived:
        return
    rows.repositories.change(repository.id, archived=at if archived else 0)
    action = "repository.archive" if archived else "repository.unarchive"
    record(rows, by, action, name, at=at, repository_id=repository.id, address=address)


def _check_texts(description: str | None, readme: str | None) -> None:
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


def _checked(categories: Sequence[str]) -> list[str]:
    chosen = [one for one in CATEGORIES if one in categories]
    if len(chosen) != len(set(categories)):
        raise InputInvalid(f"that is not a category; there are {', '.join(CATEGORIES)}", field="categories")
    if len(chosen) > MAX_CATEGORIES:
        raise InputInvalid(
            f"{len(chosen)} categories are too many: choose at most {MAX_CATEGORIES}", field="categories"
        )
    return chosen
