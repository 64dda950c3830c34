"""Watching: what happens in a repository right now. The rows are the truth, so any worker sees what another does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from havre.registry.ports import Metadata, Rows
from havre.registry.records import Repository, TagEvent, UploadInFlight
from havre.registry.uploads import Uploads

MAX_UPLOADS = 50
"""Uploads that are shown at a time."""


@dataclass(frozen=True, slots=True)
class Sight:
    """One look at a repository."""

    uploads: Sequence[UploadInFlight]
    moves: Sequence[TagEvent]
    """Of tags since the look before, newest first."""
    last: int
    """The place to look on from."""


class Watching:
    """Looks at repositories. Callers have checked permissions, and look again no more often than some times a second."""

    def __init__(self, metadata: Metadata, uploads: Uploads) -> None:
        self._metadata = metadata
        self._uploads = uploads

    async def look(self, repository: Repository, after: int | None) -> Sight:
        """Uploads in flight, and moves since ``after``; None looks only from here on."""

        def work(rows: Rows) -> Sight:
            last, moves = rows.tags.news(repository.id, after)
            return Sight(rows.live.uploads(repository.name, MAX_UPLOADS), moves, last)

        sight = await self._metadata.read(work)
        here = self._uploads.arriving()
        # What this very process takes in is known to the byte; of others, as far as they reported it.
        uploads = [replace(one, size=max(one.size, here.get(one.id, 0))) for one in sight.uploads]
        return replace(sight, uploads=uploads)
