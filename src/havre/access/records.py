"""Records of accounts and of what proves one: frozen values that never hold a secret."""

from __future__ import annotations

from dataclasses import dataclass

from havre.access.actors import Grant
from havre.registry.records import Instant, Visibility


@dataclass(frozen=True, slots=True)
class User:
    """An account. Its name is also that of its namespace, and is never given to anyone else."""

    id: int
    name: str
    email: str
    is_admin: bool
    disabled: bool
    default_visibility: Visibility
    """What a first push makes of a new repository."""
    created: Instant
    language: str = ""
    """``en`` or ``fr``; empty: what the browser asks for."""


@dataclass(frozen=True, slots=True)
class StoredPassword:
    """What a password is checked against: the account and the argon2id hash in PHC form.

    The hash doubles as a stamp: whoever remembers that a password was right also remembers for which hash.
    """

    user: User
    hash: str


@dataclass(frozen=True, slots=True)
class SessionRecord:
    """A browser that is signed in."""

    id: int
    user_id: int
    created: Instant
    last_seen: Instant
    """Accurate to some minutes."""
    expires: Instant
    address: str
    user_agent: str


@dataclass(frozen=True, slots=True)
class AccessToken:
    """A personal access token as its owner may see it; the secret itself is not kept anywhere."""

    id: int
    uid: str
    """The public handle."""
    user_id: int
    label: str
    hint: str
    """The last four characters of the secret."""
    grants: tuple[Grant, ...]
    created: Instant
    expires: Instant | None
    """None: it does not expire."""
    last_used: Instant | None = None
    """Accurate to a minute."""
    last_address: str = ""
    last_client: str = ""


@dataclass(frozen=True, slots=True)
class AuditQuery:
    """Which events of the audit trail: those that match everything that is not empty."""

    actor: str = ""
    action: str = ""
    subject: str = ""
    repository_id: int | None = None
    since: Instant | None = None
    """At this time or later."""
    until: Instant | None = None
    """Before this time."""
