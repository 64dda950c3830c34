"""What explaining why content is kept needs from the rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from havre.oci.digest import Digest
from havre.oci.names import RepositoryName, Tag
from havre.registry.records import Instant


@dataclass(frozen=True, slots=True)
class Known:
    """Content, or a manifest, of some digest."""

    size: int
    created: Instant
    condemned: Instant | None


@dataclass(frozen=True, slots=True)
class Place:
    """A repository that has it."""

    repository_id: int
    name: RepositoryName
    deleted: bool
    """Can it only be restored?"""
    condemned: Instant | None


@dataclass(frozen=True, slots=True)
class Holder:
    """A manifest that needs something: ``kind`` says as what (config, layer, manifest, or subject)."""

    id: int
    digest: Digest
    kind: str
    tags: Sequence[Tag]
    """Some that point at it."""
    condemned: Instant | None


class HolderRows(Protocol):
    """Who has what, and what needs it."""

    def content(self, digest: Digest) -> Known | None:
        """The content of that digest."""

    def links(self, digest: Digest, limit: int) -> Sequence[Place]:
        """Repositories that link content of that digest."""

    def manifests(self, digest: Digest, limit: int) -> Sequence[tuple[Place, Holder]]:
        """Manifests of that digest, and where they are."""

    def needing(self, repository_id: int, digest: Digest, limit: int) -> Sequence[Holder]:
        """Manifests of the repository that name the digest, and the one that is the subject of it."""

    def uploads(self, digest: Digest, limit: int) -> Sequence[RepositoryName]:
        """Where uploads are in flight whose bytes so far have that digest."""
