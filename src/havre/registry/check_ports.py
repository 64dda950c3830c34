"""What a check of everything needs: bytes that can be looked at and set aside, and rows by the batch."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Protocol

from havre.oci.digest import Digest
from havre.oci.names import RepositoryName

Pace = Callable[[int], Awaitable[None]]
"""Is told of bytes that were read, and waits when they were too many."""


@dataclass(frozen=True, slots=True)
class Examined:
    """What lies under a key: ``digest`` is None if the disk would not give it all. ``mark`` tells it from any other."""

    size: int
    digest: Digest | None
    mark: str


class BlobChecks(Protocol):
    """The bytes behind a ``BlobStore``, as a check sees them."""

    async def examine(self, key: str, algorithm: str, pace: Pace) -> Examined | None:
        """Read all that lies under ``key`` from the disk; None if there is nothing."""

    def absent(self, key: str) -> bool:
        """Is there nothing under ``key`` now? At once, for it is asked within a unit of work."""

    async def copies(self, digest: Digest) -> Sequence[str]:
        """All keys under which content of this digest may lie."""

    async def renew(self, key: str) -> bool:
        """What lies under ``key`` is as new from now on, so that nobody takes it for a stray before a row names it.

        False if there is nothing, or if somebody holds it, who may be removing it.
        """

    async def quarantine(self, key: str, mark: str) -> bool:
        """Set aside what lies under ``key``, for a person to look at; nothing is served from there.

        False, and nothing happens, if it is not what ``mark`` tells any more, or if somebody holds it.
        """

    async def keep(self, name: str, content: bytes) -> None:
        """Set aside what was no file, under a name that tells what it was."""

    def files(self) -> AsyncIterator[Sequence[tuple[str, int, bool]]]:
        """Every file among the blobs, in batches: its key, its size, and is it so old that its row must be there?"""


@dataclass(frozen=True, slots=True)
class Stored:
    """Content as its row describes it."""

    id: int
    digest: Digest
    size: int
    key: str


@dataclass(frozen=True, slots=True)
class Shelved:
    """A manifest as its row holds it; ``edges`` are digests and kinds, in order."""

    id: int
    repository_id: int
    repository: RepositoryName
    digest: Digest
    media_type: str
    content: bytes
    edges: tuple[tuple[Digest, str], ...]


class CheckRows(Protocol):
    """Rows as a check goes through them."""

    def contents(self, after: int, limit: int) -> Sequence[Stored]:
        """Content by id greater than ``after``."""

    def content(self, digest: Digest) -> Stored | None:
        """Content as it is described now."""

    def manifests(self, after: int, limit: int) -> Sequence[Shelved]:
        """Manifests by id greater than ``after``."""

    def lacking(self, manifest_ids: Collection[int]) -> Sequence[tuple[int, Digest]]:
        """What those manifests name and their repositories do not hold: id of the manifest, digest."""

    def tags_hurt(self, digest: Digest, limit: int) -> Sequence[str]:
        """Tags, as ``alice/app:latest``, whose images need this content or manifest, directly or through an index."""

    def known_keys(self, keys: Collection[str]) -> Collection[str]:
        """Those of ``keys`` that a row names, or that an upload under way may (``byte_ports.SEGMENTS``)."""

    def dangling(self) -> Sequence[tuple[str, int]]:
        """Rows that refer to rows that are not there: what they are, how many; none if there are none."""

    def miscounted(self) -> int:
        """Figures of storage that are not what the links add up to."""


class RepairRows(Protocol):
    """Changes that put rows in order again."""

    def lose(self, digest: Digest, key: str) -> bool:
        """Remove content's row and its links if it still has this key; a push then begins anew. False if it has not."""

    def find_again(self, digest: Digest, lost: str, key: str) -> bool:
        """Content lies under another key than its row says; False if that says something else by now."""

    def mend_edges(self, manifest_id: int, edges: Sequence[tuple[Digest, str]]) -> None:
        """Have a manifest's edges be these."""

    def sweep(self) -> int:
        """Remove rows that refer to nothing; returns how many."""

    def recount(self) -> None:
        """Add all figures of storage up again."""

    def recall(self, key: str) -> str | None:
        """What was remembered under this name."""

    def remember(self, key: str, value: str) -> None:
        """Remember how far a check is."""


class CheckingRows(CheckRows, RepairRows, Protocol):
    """Both."""
