"""What administrators look at, as records, and the port of its rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from havre.registry.records import Instant, Visibility


class UserOrder(StrEnum):
    """How accounts are sorted."""

    NAME = "name"
    NEWEST = "newest"
    STORAGE = "storage"


class RepositoryOrder(StrEnum):
    """How repositories are sorted."""

    NAME = "name"
    STORAGE = "storage"
    PUSHED = "pushed"
    PULLS = "pulls"


class Shown(StrEnum):
    """Which repositories are listed."""

    ALL = ""
    PUBLIC = "public"
    PRIVATE = "private"
    DELETED = "deleted"


@dataclass(frozen=True, slots=True)
class Counts:
    """How much there is of everything."""

    users: int
    administrators: int
    disabled: int
    repositories: int
    private: int
    deleted: int
    uploads: int
    upload_bytes: int
    schema: str
    engine: str
    """Database and its version, such as ``SQLite 3.40.1``."""


@dataclass(frozen=True, slots=True)
class ContentCount:
    """What is stored, as of ``at``. Counted piece by piece, so it may be a little off while pushes go on."""

    at: Instant
    blobs: int
    bytes: int
    unlinked: int
    """Bytes that no repository links."""
    deleted: int
    """Bytes that only deleted repositories link."""


@dataclass(frozen=True, slots=True)
class Account:
    """An account in the list of all."""

    id: int
    name: str
    email: str
    is_admin: bool
    disabled: bool
    plan: str
    """Title of the plan; empty for administrators, whom none limits."""
    private_used: int
    stored: int
    created: Instant
    closed: bool


@dataclass(frozen=True, slots=True)
class AnyRepository:
    """A repository in the list of all."""

    path: str
    """On the wire; of a deleted one, what it was."""
    visibility: Visibility
    storage: int
    pulls: int
    updated: Instant
    deleted: Instant | None
    archived: bool


class AdministrationRows(Protocol):
    """Everything, for administrators. Lists count what they match, some milliseconds for ten thousand rows."""

    def counts(self) -> Counts:
        """How much there is."""

    def content(self, after: int, limit: int) -> tuple[int, ContentCount] | None:
        """The next ``limit`` blobs after an id, counted, and the last id; None when there are no more."""

    def users(self, text: str, order: UserOrder, offset: int, limit: int) -> tuple[Sequence[Account], int]:
        """Accounts whose name or address contains ``text``, and how many there are."""

    def user(self, name: str) -> Account | None:
        """One of them."""

    def repositories(
        self, text: str, shown: Shown, order: RepositoryOrder, offset: int, limit: int
    ) -> tuple[Sequence[AnyRepository], int]:
        """Repositories whose path contains ``text``, and how many there are."""

    def change(self, user_id: int, is_admin: bool) -> None:
        """Make an account an administrator, or an ordinary one."""

    def administrators(self) -> int:
        """How many administrators could sign in."""

    def remember(self, count: ContentCount | None) -> ContentCount | None:
        """Keep what was counted, in place of the last count; None only asks for that."""
