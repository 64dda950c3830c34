"""Statistics: pulls by day, by tag and by client, as they are counted and as people look at them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from havre.oci.digest import Digest
from havre.oci.names import Tag
from havre.oci.reference import Reference
from havre.registry.ports import Clock, Metadata, Rows
from havre.registry.records import Instant, PullFigure, Repository

DAY = 24 * 3600 * 1000
"""Milliseconds."""

KEPT_DAYS = 365
"""Older days keep their number of pulls, and lose tags and clients."""

FOLD_BATCH = 500
"""Days of repositories that are folded in one unit of work."""

TAGS_SHOWN = 10

OTHER = "other"

_CLIENTS = (
    ("docker/", "docker"),
    ("docker-client/", "docker"),
    ("containerd/", "containerd"),
    ("containers/", "podman"),
    ("libpod/", "podman"),
    ("podman/", "podman"),
    ("skopeo/", "skopeo"),
    ("buildah/", "buildah"),
    ("buildkit/", "buildkit"),
    ("oras", "oras"),
    ("helm/", "helm"),
    ("crane/", "crane"),
    ("go-containerregistry/", "crane"),
    ("havre/", "havre"),
)
"""How programs begin to name themselves, and the family they belong to."""

PullKey = tuple[int, int, Reference, str]
"""Repository, day, what was asked for, and the family of clients."""


@lru_cache(maxsize=512)
def client_family(program: str) -> str:
    """The family of a program by the name that it gives itself, such as ``docker/28.2.2 go/go1.24``."""
    named = program.lower()
    return next((family for beginning, family in _CLIENTS if named.startswith(beginning)), OTHER)


@dataclass(frozen=True, slots=True)
class PullStatistics:
    """Pulls of one repository over some days."""

    first_day: int
    """Since 1970-01-01, UTC."""
    by_day: Sequence[int]
    """One number for each day, today's last."""
    by_tag: Sequence[tuple[Tag | None, int]]
    """The tags (None: by digest) that were pulled most."""
    by_client: Sequence[tuple[str, int]]
    """Families of clients, the busiest first."""

    @property
    def total(self) -> int:
        """In all these days."""
        return sum(self.by_day)


class Statistics:
    """Counts pulls into days, and tells about them. Callers have checked permissions on the repository."""

    def __init__(self, metadata: Metadata, clock: Clock) -> None:
        self._metadata = metadata
        self._clock = clock

    async def count(self, pulls: Mapping[PullKey, int]) -> None:
        """Add what was counted. Losing a little in a power failure is fine.

        Clients that ask for a digest are counted under its tag if it has just one. What an index lists was pulled
        along with the index, and is no pull of its own.
        """
        now = self._clock()

        def work(rows: Rows) -> None:
            figures: Counter[tuple[int, int, Tag | None, str]] = Counter()
            for (repository_id, day, reference, client), number in pulls.items():
                tag = reference if isinstance(reference, Tag) else None
                if isinstance(reference, Digest):
                    tags, listed = rows.pulls.origins(repository_id, reference)
                    if listed and not tags:
                        continue
                    tag = tags[0] if len(tags) == 1 else None
                figures[repository_id, day, tag, client] += number
            rows.pulls.add([PullFigure(*key, number) for key, number in figures.items()], now)

        await self._metadata.write(work, durable=False)

    async def pulls(self, repository: Repository, days: int, *, details: bool = True) -> PullStatistics:
        """The last ``days`` days, today included; without ``details``, neither tags nor clients."""
        since = day_of(self._clock()) - days + 1

        def work(rows: Rows) -> PullStatistics:
            by_day, clients = [0] * days, Counter[str]()
            if not details:
                for day, number in rows.pulls.daily(repository.id, since):
                    by_day[min(day - since, days - 1)] += number
                return PullStatistics(since, by_day, (), ())
            for day, client, number in rows.pulls.by_day(repository.id, since):
                # A worker whose clock is ahead may have counted tomorrow already.
                by_day[min(day - since, days - 1)] += number
                clients[client or OTHER] += number
            by_tag = rows.pulls.by_tag(repository.id, since, TAGS_SHOWN)
            by_client = sorted(clients.items(), key=lambda one: (-one[1], one[0]))
            return PullStatistics(since, by_day, by_tag, by_client)

        return await self._metadata.read(work)

    async def fold(self) -> int:
        """Forget the details of old days; returns how many days of repositories. Safe beside itself."""
        before, folded = day_of(self._clock()) - KEPT_DAYS, 0
        while True:
            some = await self._metadata.write(lambda rows: rows.pulls.fold(before, FOLD_BATCH), durable=False)
            folded += some
            if some < FOLD_BATCH:
                return folded


def day_of(at: Instant) -> int:
    """The day of a moment, since 1970-01-01, UTC."""
    return at // DAY
