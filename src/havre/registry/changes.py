"""Several changes of a repository at once: all of them, or none if one is refused."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from havre.oci.names import RepositoryName
from havre.registry.audit import ITSELF, Author
from havre.registry.ports import Clock, Metadata, Rows
from havre.registry.records import Visibility
from havre.registry.renames import parsed, rename
from havre.registry.repositories import archive, describe, set_visibility


@dataclass(frozen=True, slots=True)
class Change:
    """What shall be otherwise; None leaves it as it is."""

    description: str | None = None
    readme: str | None = None
    categories: Sequence[str] | None = None
    visibility: Visibility | None = None
    archived: bool | None = None
    name: str | None = None
    """Within its namespace."""


class Changes:
    """Changes repositories. Callers have checked that the actor administers the repository, and owns it for a new name."""

    def __init__(self, metadata: Metadata, clock: Clock) -> None:
        self._metadata = metadata
        self._clock = clock

    async def make(
        self, name: RepositoryName, change: Change, *, by: Author = ITSELF, address: str = ""
    ) -> RepositoryName:
        """Change it in one unit of work; returns its name from now on.

        Raises NameUnknown, InputInvalid for a text that can not be, OverPlan, and Conflict for a name that is taken.
        """
        at = self._clock()

        def work(rows: Rows) -> RepositoryName:
            if (change.description, change.readme, change.categories) != (None, None, None):
                describe(rows, name, change.description, change.readme, change.categories, by, address, at)
            if change.visibility is not None:
                set_visibility(rows, name, change.visibility, by, address, at)
            if change.archived is not None:
                archive(rows, name, change.archived, by, address, at)
            if change.name is None:
                return name
            new = parsed(name.namespace, change.name)
            rename(rows, name, new, by, address, at)
            return new

        return await self._metadata.write(work)
