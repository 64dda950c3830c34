"""Ports: the rows that access needs, one small store per noun, each with its promises written down.

They are part of the same unit of work as the registry's (``registry/ports``), and follow the same rule: a function
given to ``read`` or ``write`` may run again after a conflict, so it must have no other effect.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol, TypeVar

from havre.access.actors import Grant
from havre.access.records import AccessToken, AuditQuery, SessionRecord, StoredPassword, User
from havre.registry.ports import AuditRows as AuditWriter
from havre.registry.ports import RepositoryRows
from havre.registry.records import AuditEvent, Instant, Visibility

T = TypeVar("T")


class AccountRows(Protocol):
    """Accounts, each with the namespace of its name."""

    def add(self, name: str, email: str, password: str, is_admin: bool, visibility: Visibility, at: Instant) -> User:
        """Create an account and its namespace; raises Conflict if the name or the address is taken."""

    def get(self, user_id: int) -> User | None:
        """By id."""

    def find(self, login: str) -> StoredPassword | None:
        """By name, or by e-mail address if there is an ``@`` in ``login``; with the hash its password is checked by."""

    def page(self, after: str, limit: int) -> Sequence[User]:
        """By name, greater than ``after``."""

    def administered(self) -> bool:
        """Is there an administrator, disabled or not?"""

    def change(
        self,
        user_id: int,
        *,
        password: str | None = None,
        disabled: bool | None = None,
        default_visibility: Visibility | None = None,
        language: str | None = None,
    ) -> bool:
        """Change what is not None; False if there is no such account. ``password`` is a hash in PHC form."""


class SessionRows(Protocol):
    """Browsers that are signed in, by the SHA-256 of their secret."""

    def add(
        self, secret_hash: bytes, user_id: int, at: Instant, expires: Instant, address: str, user_agent: str
    ) -> SessionRecord:
        """Remember a new session."""

    def find(self, secret_hash: bytes) -> tuple[SessionRecord, User] | None:
        """The session and its account, expired or not."""

    def touch(self, session_id: int, at: Instant, expires: Instant) -> None:
        """Remember that it was seen."""

    def of(self, user_id: int, at: Instant, limit: int) -> Sequence[SessionRecord]:
        """Sessions not expired at ``at``, the last seen first."""

    def delete(self, user_id: int, session_id: int) -> bool:
        """End one of this account's sessions; False if there was none."""

    def delete_all(self, user_id: int, keep: int | None = None) -> int:
        """End all of an account's sessions but ``keep``; returns how many ended."""

    def delete_secret(self, secret_hash: bytes) -> bool:
        """End the session with this secret; False if there was none."""

    def trim(self, user_id: int, at: Instant, keep: int) -> None:
        """Remove sessions that expired before ``at``, and all but this account's ``keep`` last seen ones."""


class AccessTokenRows(Protocol):
    """Personal access tokens, by the SHA-256 of their secret."""

    def add(
        self,
        uid: str,
        user_id: int,
        label: str,
        secret_hash: bytes,
        hint: str,
        grants: Sequence[Grant],
        at: Instant,
        expires: Instant | None,
    ) -> AccessToken:
        """Remember a new token."""

    def find(self, secret_hash: bytes) -> tuple[AccessToken, User] | None:
        """The token and its account, expired or not."""

    def touch(self, token_id: int, at: Instant, address: str, client: str) -> None:
        """Remember its last use."""

    def of(self, user_id: int, limit: int) -> Sequence[AccessToken]:
        """An account's tokens, the newest first."""

    def count(self, user_id: int) -> int:
        """How many tokens an account has."""

    def delete(self, user_id: int, uid: str) -> bool:
        """Revoke one of this account's tokens; False if there was none."""


class LoginFailureRows(Protocol):
    """Counters of wrong passwords, each within a window of time that begins with its first failure."""

    def counts(self, keys: tuple[str, str], since: Instant) -> Mapping[str, tuple[int, Instant]]:
        """Failures and the start of the window, for those of two ``keys`` whose window began at or after ``since``."""

    def add(self, key: str, at: Instant, since: Instant) -> None:
        """Count one more failure; a window that began before ``since`` starts anew at ``at``."""

    def clear(self, key: str) -> None:
        """Forget the failures under ``key``."""

    def sweep(self, before: Instant, limit: int) -> int:
        """Forget up to ``limit`` counters whose window began before ``before``; returns how many."""


class SettingRows(Protocol):
    """What the instance knows about itself: its id and its signing key."""

    def get(self, key: str) -> str | None:
        """The value, or None."""

    def put_first(self, key: str, value: str) -> str:
        """Set it unless it is set already; returns the value that stands, the first one of concurrent writers."""


class AuditRows(AuditWriter, Protocol):
    """The audit trail: who did what."""

    def page(self, query: AuditQuery, before: tuple[Instant, int] | None, limit: int) -> Sequence[AuditEvent]:
        """What matches, newest first, older than the event at ``before`` (its time and id)."""

    def sweep(self, before: Instant, limit: int) -> int:
        """Forget up to ``limit`` events older than ``before``, the oldest first; returns how many."""


class PermissionRows(Protocol):
    """What permissions are read from."""

    @property
    def repositories(self) -> RepositoryRows: ...


class Rows(PermissionRows, Protocol):
    """One unit of work, as access sees it."""

    @property
    def accounts(self) -> AccountRows: ...
    @property
    def sessions(self) -> SessionRows: ...
    @property
    def access_tokens(self) -> AccessTokenRows: ...
    @property
    def login_failures(self) -> LoginFailureRows: ...
    @property
    def settings(self) -> SettingRows: ...
    @property
    def audit(self) -> AuditRows: ...


class Metadata(Protocol):
    """Where rows are; see ``havre.registry.ports.Metadata`` for what ``durable`` promises."""

    async def read(self, work: Callable[[Rows], T]) -> T:
        """Run ``work``, which must not write, and return what it returns."""

    async def write(self, work: Callable[[Rows], T], *, durable: bool = True) -> T:
        """Run ``work`` in a transaction and commit; an exception undoes all of it."""
