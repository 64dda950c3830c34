"""Stars: what people mark to find it again, and to say that they like it."""

from __future__ import annotations

from havre.oci.names import RepositoryName
from havre.registry.ports import Clock, Metadata
from havre.registry.repositories import find


class Stars:
    """Gives and takes stars. Callers have checked that the account may see the repository."""

    def __init__(self, metadata: Metadata, clock: Clock) -> None:
        self._metadata = metadata
        self._clock = clock

    async def star(self, name: RepositoryName, user_id: int) -> None:
        """Star it; again does nothing. Raises NameUnknown."""
        now = self._clock()
        await self._metadata.write(lambda rows: rows.stars.put(user_id, find(rows, name).id, now))

    async def unstar(self, name: RepositoryName, user_id: int) -> None:
        """Take the star back; nothing happens if there was none. Raises NameUnknown."""
        await self._metadata.write(lambda rows: rows.stars.remove(user_id, find(rows, name).id))
