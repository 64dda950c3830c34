"""Records: what the registry remembers of each noun, as frozen values.

Times are whole milliseconds since 1970, UTC. Sizes are bytes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Generic, TypeVar

from havre.errors import InputInvalid
from havre.oci.descriptor import Descriptor
from havre.oci.digest import Digest
from havre.oci.names import Namespace, RepositoryName, Tag

Instant = int
"""Milliseconds since 1970-01-01 UTC."""


class Visibility(StrEnum):
    """Who may see and pull a repository."""

    PUBLIC = "public"
    PRIVATE = "private"


class Role(StrEnum):
    """What someone else may do with a repository, given by its owner; each includes those before."""

    READ = "read"
    """See and pull it, even when it is private."""
    WRITE = "write"
    """Push to it, too."""
    ADMIN = "admin"
    """Delete tags and change its settings, too; not rename, give away or delete it as a whole."""


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
    stars: int = 0
    pushed_by: int | None = None
    """The account of the last push."""
    archived: Instant | None = None
    """Since when it can only be read."""
    categories: tuple[str, ...] = ()

    @property
    def private(self) -> bool:
        """Is it hidden from others?"""
        return self.visibility is Visibility.PRIVATE


@dataclass(frozen=True, slots=True)
class Redirect:
    """A former name of a repository: who asks for it is led to ``repository``."""

    path: RepositoryName
    repository: Repository
    created: Instant


@dataclass(frozen=True, slots=True)
class Collaborator:
    """Someone with a role in another one's repository."""

    user_id: int
    name: str
    role: Role
    created: Instant


@dataclass(frozen=True, slots=True)
class DeletedRepository:
    """A repository that was deleted and can still come back."""

    id: int
    name: RepositoryName
    """As it was called."""
    owner_id: int | None
    visibility: Visibility
    deleted: Instant


@dataclass(frozen=True, slots=True)
class Transfer:
    """A repository offered to another account, until that account takes or declines it."""

    repository: Repository
    from_name: str
    """The account that offers it; empty when that is gone."""
    to_id: int
    to_name: str
    created: Instant


@dataclass(frozen=True, slots=True)
class BlobRecord:
    """Content that storage holds under ``key``."""

    digest: Digest
    size: int
    key: str
    condemned: bool = False
    """Nobody needs it where it was found: it may go soon (see ``gc``)."""


@dataclass(frozen=True, slots=True)
class Segment:
    """Bytes of an upload that a store keeps as a thing of its own: its key, and how many bytes it has."""

    key: str
    size: int


Segments = tuple[Segment, ...]
"""Where an upload's acknowledged bytes lie, in order; none where the upload's id tells."""


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
    room: int | None = None
    """Bytes that its namespace had left when it began; None: no limit."""
    segments: Segments = ()


@dataclass(frozen=True, slots=True)
class UploadInFlight:
    """An upload as those see it who watch: ``size`` bytes have arrived, acknowledged or not."""

    id: str
    pusher: str
    """Empty if that account is gone."""
    size: int
    created: Instant


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
    pulls: int = 0
    pulled: Instant = 0
    """The last pull by this tag; 0 if there was none."""


class TagOrder(StrEnum):
    """How a list of tags is sorted."""

    NEWEST = "newest"
    NAME = "name"
    SIZE = "size"
    """The largest first."""
    PULLED = "pulled"
    """The last pulled first, those never pulled at the end."""


@dataclass(frozen=True, slots=True)
class TagPlace:
    """Where a tag stands in a sorted list: what it is sorted by (0 in the order of names), then its name."""

    value: int
    name: Tag

    def __str__(self) -> str:
        return f"{self.value}:{self.name}"

    @classmethod
    def parse(cls, text: str) -> TagPlace:
        """Read what ``str`` wrote; raises InputInvalid."""
        value, _, name = text.partition(":")
        if not (value.isascii() and value.isdigit() and len(value) < 19):
            raise InputInvalid("this is no place in a list of tags: begin with its first page", field="after")
        return cls(int(value), Tag.parse(name))


@dataclass(frozen=True, slots=True)
class TagEvent:
    """One move of a tag: ``before`` is None when it was made, ``after`` when it was removed."""

    tag: Tag
    before: Digest | None
    after: Digest | None
    actor: str
    at: Instant
    id: int = field(default=0, compare=False)
    """Given out in the order of the moves."""


@dataclass(frozen=True, slots=True)
class PullFigure:
    """Pulls of one day by one tag and one family of clients; both empty in old days, whose details are forgotten."""

    repository_id: int
    day: int
    """Since 1970-01-01, UTC."""
    tag: Tag | None
    """None: by digest."""
    client: str
    pulls: int


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
