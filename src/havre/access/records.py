"""Records of accounts and of what proves one: frozen values that never hold a secret."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

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
    bio: str = ""
    """What the person says about themselves, in plain text."""
    theme: str = ""
    """``light`` or ``dark``; empty: as the browser wants."""
    email_verified: Instant | None = None
    """When a link mailed to the present address was followed; None: not yet."""
    closed: Instant | None = None
    """When its owner deleted the account; the row remains so that nobody else gets the name."""


@dataclass(frozen=True, slots=True)
class StoredPassword:
    """What a password is checked against: the account and the argon2id hash in PHC form.

    The hash doubles as a stamp: whoever remembers that a password was right also remembers for which hash.
    """

    user: User
    hash: str
    second_factor: bool = False
    """Must a second factor go with the password?"""


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
    pending: bool = False
    """The password was right and the second factor is still to come: nobody is signed in yet."""


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


class Factor(StrEnum):
    """What can be the second factor."""

    TOTP = "totp"
    """An app that shows a code of six digits for every 30 seconds (RFC 6238)."""
    PASSKEY = "passkey"
    """A key in a device or password manager that answers challenges (WebAuthn)."""


@dataclass(frozen=True, slots=True)
class Authenticator:
    """Something a person can prove themselves with besides the password, as its owner may see it."""

    id: int
    user_id: int
    kind: Factor
    label: str
    created: Instant
    confirmed: Instant | None
    """When it first proved to work; until then it is asked for nowhere."""
    last_used: Instant | None = None


@dataclass(frozen=True, slots=True)
class AuthenticatorKey:
    """What an authenticator is checked against. Stays within access and the rows."""

    authenticator: Authenticator
    key: bytes
    """The shared secret of an app, the public key of a passkey (COSE)."""
    credential: bytes
    """The id of a passkey; empty for an app."""
    counter: int
    """The last time step used, or the signature counter of a passkey."""


class Purpose(StrEnum):
    """What a mailed link is good for."""

    VERIFY = "verify"
    RESET = "reset"


@dataclass(frozen=True, slots=True)
class MailedLink:
    """A link on its way: it proves that whoever follows it reads ``email``."""

    user_id: int
    purpose: Purpose
    email: str
    expires: Instant


class Subject(StrEnum):
    """What a letter is about; the words are chosen by whoever writes it."""

    VERIFY = "verify"
    RESET = "reset"
    PASSWORD_CHANGED = "password_changed"  # noqa: S105 - the name of a letter
    EMAIL_CHANGED = "email_changed"
    FACTOR_CHANGED = "factor_changed"


@dataclass(frozen=True, slots=True)
class Letter:
    """An e-mail to be written to a person in their language."""

    subject: Subject
    to: str
    name: str
    """Of the account."""
    language: str
    """``en`` or ``fr``; empty: English."""
    link: str = ""
    """An absolute address that holds a secret: never logged."""
    detail: str = ""
    """What changed to what, such as the new address."""
