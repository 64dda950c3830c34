"""Deletion with a way back: a deleted repository is gone for everyone at once, and removed for good some days later.

Until then it keeps all that it holds. Its name is free: who pushes to it begins
anew, and the deleted one can then only come back once the name is free again.
"""

from __future__ import annotations

from collections.abc import Sequence

from havre.errors import Conflict, NameUnknown
from havre.oci.names import Namespace, RepositoryName
from havre.registry.audit import ITSELF, Author, record
from havre.registry.naming import find
from havre.registry.ports import Clock, Metadata, Rows
from havre.registry.quotas import check_incoming
from havre.registry.records import DeletedRepository, Instant

DAY = 24 * 3600 * 1000
MAX_SHOWN = 200
"""Deleted repositories in one list."""

BATCH = 20


class Deletion:
    """Deletes, restores and purges. Callers have checked that the actor owns the repository. ``days`` is the respite."""

    def __init__(self, metadata: Metadata, clock: Clock, days: int = 7) -> None:
        self._metadata = metadata
        self._clock = clock
        self.days = days

    async def delete(self, name: RepositoryName, *, by: Author = ITSELF, address: str = "") -> int:
        """Delete it; returns the id by which it can be restored. Raises NameUnknown."""
        now = self._clock()

        def work(rows: Rows) -> int:
            repository = find(rows, name)
            rows.moves.hide(repository.id, now)
            record(rows, by, "repository.delete", name, at=now, repository_id=repository.id, address=address)
            return repository.id

        return await self._metadata.write(work)

    async def deleted(self, namespace: Namespace) -> Sequence[DeletedRepository]:
        """What can still be restored in a namespace, the last deleted first."""
        return await self._metadata.read(lambda rows: rows.moves.hidden_in(namespace, MAX_SHOWN))

    async def get(self, repository_id: int) -> DeletedRepository:
        """A deleted repository; raises NameUnknown."""
        return await self._metadata.read(lambda rows: _hidden(rows, repository_id))

    def until(self, one: DeletedRepository) -> Instant:
        """When it is removed for good, give or take some minutes."""
        return one.deleted + self.days * DAY

    async def restore(self, repository_id: int, *, by: Author = ITSELF, address: str = "") -> RepositoryName:
        """Bring it back as it was; returns its name. Raises NameUnknown, Conflict if the name is in use again, and OverPlan."""
        now = self._clock()

        def work(rows: Rows) -> RepositoryName:
            one = _hidden(rows, repository_id)
            # What is deleted counts no more, so others may have taken its place meanwhile.
            check_incoming(rows.quotas, one.name.namespace, one.id, one.visibility)
            if not rows.moves.show(repository_id):
                raise Conflict(
                    f"{one.name} can not come back, for there is a repository of that name again: rename or delete that"
                    " one first"
                )
            record(rows, by, "repository.restore", one.name, at=now, repository_id=one.id, address=address)
            return one.name

        return await self._metadata.write(work)

    async def purge(self, repository_id: int, *, by: Author = ITSELF, address: str = "") -> None:
        """Remove a deleted repository for good. Raises NameUnknown."""
        now = self._clock()

        def work(rows: Rows) -> None:
            one = _hidden(rows, repository_id)
            rows.repositories.delete(repository_id)
            record(rows, by, "repository.purge", one.name, at=now, repository_id=one.id, address=address)

        await self._metadata.write(work)

    async def sweep(self) -> int:
        """Remove for good what was deleted long enough ago; returns how many. Safe beside itself."""
        removed, before = 0, self._clock() - self.days * DAY
        while True:
            stale = await self._metadata.read(lambda rows: rows.moves.expired(before, BATCH))
            for repository_id in stale:
                try:
                    await self.purge(repository_id)
                    removed += 1
                except NameUnknown:
                    continue  # another worker, or its owner, was quicker
            if len(stale) < BATCH:
                return removed


def _hidden(rows: Rows, repository_id: int) -> DeletedRepository:
    one = rows.moves.hidden(repository_id)
    if one is None:
        raise NameUnknown("there is no such deleted repository: it was restored, or removed for good")
    return one
