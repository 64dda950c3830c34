"""Records: what the registry remembers of each noun, as frozen values.

Times are whole milliseconds since 1970, UTC. Sizes are bytes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Generic, TypeVar

from havre.oci.descriptor import Descriptor
from havre.oci.digest import Digest
from havre.oci.names import Namespace, RepositoryName, Tag

Instant = int
"""Milliseconds since 1970-01-01 UTC."""


class Visibility(StrEnum):
    """Who may see and pull a repository."""

    PUBLIC = "public"
    PRIVATE = "private"


@dataclass(frozen=True, slots=True)
class Viewer:
    """For whom a list is made: an account's id (None: anyone), and whether it administers the registry."""

    user_id: int | None = None
    is_admin: bool = False


@dataclass(frozen=True, slots=True)
class Repository:
    """A repository. Its identity is ``id``; the name may change."""

    id: int
    name: RepositoryName
    owner_id: int | None
    """The account that owns its namespace; None for official images."""
    visibility: Visibility
    created: Instant
    updated: Instant
    """The last push."""
    description: str = ""
    pulls: int = 0

    @property
    def private(self) -> bool:
        """Is it hidden from others?"""
        return self.visibility is Visibility.PRIVATE


@dataclass(frozen=True, slots=True)
class BlobRecord:
    """Content that storage holds under ``key``."""

    digest: Digest
    size: int
    key: str


@dataclass(frozen=True, slots=True)
class UploadRecord:
    """A blob on its way: ``size`` bytes are acknowledged, whose digests are in ``prefixes`` (by algorithm)."""

    id: str
    repository: RepositoryName
    user_id: int | None
    created: Instant
    updated: Instant
    size: int = 0
    prefixes: Mapping[str, Digest] = field(default_factory=dict)
    algorithm: str = "sha256"
    """What the client said it will name the blob by (``digest-algorithm=``)."""


@dataclass(frozen=True, slots=True)
class ManifestRecord:
    """A stored manifest: the exact bytes, and what was read from them when it was accepted."""

    digest: Digest
    media_type: str
    content: bytes
    created: Instant
    size: int
    """Of ``content``."""
    artifact_type: str = ""
    subject: Digest | None = None
    platform: str = ""
    """``os/architecture[/variant]`` of an image, as its config says."""
    total_size: int = 0
    """Config and layers together; for an index, that of all its children."""
    annotations: Mapping[str, str] = field(default_factory=dict)

    @property
    def descriptor(self) -> Descriptor:
        """As the referrers API lists it."""
        return Descriptor(
            self.media_type, self.digest, self.size, artifact_type=self.artifact_type, annotations=self.annotations
        )


@dataclass(frozen=True, slots=True)
class TagRecord:
    """A tag as it stands now."""

    name: Tag
    digest: Digest
    updated: Instant
    pusher: str
    """The account that moved it last; empty when that account is gone."""


@dataclass(frozen=True, slots=True)
class TagEvent:
    """One move of a tag: ``before`` is None when it was made, ``after`` when it was removed."""

    tag: Tag
    before: Digest | None
    after: Digest | None
    actor: str
    at: Instant


@dataclass(frozen=True, slots=True)
class NamespaceRecord:
    """A namespace; ``owner_id`` is its account, None for official images."""

    id: int
    name: Namespace
    owner_id: int | None
    default_visibility: Visibility = Visibility.PUBLIC
    """Of repositories that a first push creates here: the owner's choice."""


@dataclass(frozen=True, slots=True)
class AuditEvent:
    """One line of the audit trail: who did what to whom, when and from where. It never changes."""

    at: Instant
    actor_id: int | None
    actor: str
    """The account's name; what has no account has a name that no account can have."""
    action: str
    """Noun and verb, such as ``repository.rename``."""
    subject: str
    """The name it was done to, as it was before."""
    repository_id: int | None = None
    address: str = ""
    """Of the actor's machine; empty when it was done on the server itself."""
    detail: Mapping[str, str | int] = field(default_factory=dict)
    id: int = 0
    """Given by the rows."""


T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """One page of a longer list. ``number`` counts from 1; ``total`` counts the items of all pages."""

    items: Sequence[T]
    total: int
    number: int
    per_page: int

    @property
    def last(self) -> int:
        """The number of the last page; 1 for an empty list."""
        return max(1, -(-self.total // self.per_page))
