"""Ports: the rows that access needs, one small store per noun, each with its promises written down.

They are part of the same unit of work as the registry's (``registry/ports``), and follow the same rule: a function
given to ``read`` or ``write`` may run again after a conflict, so it must have no other effect.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Protocol, TypeVar

from havre.access.actors import Grant
from havre.access.administration_ports import AdministrationRows
from havre.access.plan_ports import PlanRows, UsageRows
from havre.access.records import (
    AccessToken,
    AuditQuery,
    Authenticator,
    AuthenticatorKey,
    Factor,
    Letter,
    MailedLink,
    Purpose,
    SessionRecord,
    StoredPassword,
    User,
)
from havre.registry.job_ports import JobRows
from havre.registry.ports import AuditRows as AuditWriter
from havre.registry.ports import RepositoryRows
from havre.registry.quota_ports import QuotaRows
from havre.registry.records import AuditEvent, Instant, Visibility
from havre.registry.repository_ports import CollaboratorRows, RedirectRows
from havre.registry.search_ports import SearchRows

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

    def administered(self, besides: int | None = None) -> bool:
        """Is there an administrator, disabled or not? ``besides`` an account: one that is not disabled."""

    def change(
        self,
        user_id: int,
        *,
        password: str | None = None,
        disabled: bool | None = None,
        default_visibility: Visibility | None = None,
        language: str | None = None,
        theme: str | None = None,
        bio: str | None = None,
        email: str | None = None,
        email_verified: Instant | None = None,
    ) -> bool:
        """Change what is not None; False if there is no such account. ``password`` is a hash in PHC form.

        A new ``email`` is unverified unless ``email_verified`` says when it was; raises Conflict if it is taken.
        """


class SessionRows(Protocol):
    """Browsers that are signed in, by the SHA-256 of their secret."""

    def add(
        self,
        secret_hash: bytes,
        user_id: int,
        at: Instant,
        expires: Instant,
        address: str,
        user_agent: str,
        pending: bool = False,
    ) -> SessionRecord:
        """Remember a new session."""

    def find(self, secret_hash: bytes) -> tuple[SessionRecord, User] | None:
        """The session and its account, expired or pending or not."""

    def touch(self, session_id: int, at: Instant, expires: Instant) -> None:
        """Remember that it was seen."""

    def of(self, user_id: int, at: Instant, limit: int) -> Sequence[SessionRecord]:
        """Sessions neither pending nor expired at ``at``, the last seen first."""

    def delete(self, user_id: int, session_id: int) -> bool:
        """End one of this account's sessions; False if there was none."""

    def delete_all(self, user_id: int, keep: int | None = None) -> int:
        """End all of an account's sessions but ``keep``; returns how many ended."""

    def delete_secret(self, secret_hash: bytes) -> bool:
        """End the session with this secret; False if there was none."""

    def trim(self, user_id: int, at: Instant, keep: int, pending: bool = False) -> None:
        """Remove sessions that expired before ``at``, and all but this account's ``keep`` last seen ones.

        Pending sessions and others are counted apart: who knows only the password must not push anyone out.
        """


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


class PullCountRows(Protocol):
    """Counters of pulls, each within a window of time that begins with its first pull."""

    def of(self, keys: Collection[str], since: Instant) -> Mapping[str, tuple[int, Instant]]:
        """Pulls and the start of the window, for those of ``keys`` whose window began at or after ``since``."""

    def add(self, pulls: Mapping[str, int], at: Instant, since: Instant) -> None:
        """Count more of them; a window that began before ``since``, or after ``at`` by far, starts anew at ``at``."""

    def sweep(self, before: Instant, limit: int) -> int:
        """Forget up to ``limit`` counters whose window began before ``before``; returns how many."""


class AuthenticatorRows(Protocol):
    """Second factors, and the recovery codes that stand in for them."""

    def add(
        self,
        user_id: int,
        kind: Factor,
        label: str,
        key: bytes,
        at: Instant,
        credential: bytes = b"",
        counter: int = 0,
        confirmed: Instant | None = None,
    ) -> Authenticator:
        """Remember a new one. Raises Conflict if the passkey with this ``credential`` is known already."""

    def of(self, user_id: int) -> Sequence[AuthenticatorKey]:
        """An account's, confirmed or not, the oldest first; at most 100."""

    def use(self, authenticator_id: int, counter: int, at: Instant) -> bool:
        """Remember a proof: moves the counter on and confirms what was not. False if ``counter`` is no step forward.

        A passkey that does not count keeps 0, which is allowed.
        """

    def delete(self, user_id: int, authenticator_id: int) -> bool:
        """Forget one of this account's; False if there was none."""

    def delete_all(self, user_id: int) -> int:
        """Forget all of an account's, with its recovery codes; returns how many authenticators there were."""

    def replace_codes(self, user_id: int, hashes: Sequence[bytes]) -> None:
        """Give an account new recovery codes in place of the old ones."""

    def use_code(self, user_id: int, code_hash: bytes, at: Instant) -> bool:
        """Use a recovery code up; False if it is none, or was used before."""

    def codes_left(self, user_id: int) -> int:
        """How many recovery codes have not been used."""


class MailedLinkRows(Protocol):
    """Links that were mailed, by the SHA-256 of their secret."""

    def add(self, secret_hash: bytes, link: MailedLink, at: Instant) -> None:
        """Remember a link, and forget some that expired before ``at``."""

    def find(self, secret_hash: bytes, purpose: Purpose) -> MailedLink | None:
        """The link, expired or not."""

    def delete_all(self, user_id: int) -> int:
        """Make all links of an account worthless; returns how many there were."""

    def waiting(self, user_id: int, purpose: Purpose, at: Instant) -> MailedLink | None:
        """The last link of an account that has not expired at ``at``."""


class BelongingRows(Protocol):
    """Everything that is held about an account."""

    def export(self, user_id: int, limit: int) -> Mapping[str, Sequence[Mapping[str, object]]]:
        """By table, the rows that are about it, without secrets; the newest ``limit`` of each."""

    def close(self, user_id: int, at: Instant) -> None:
        """Forget all of it but the name, which stays taken. Repositories must be gone already."""


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

    def after(self, position: int, limit: int) -> Sequence[AuditEvent]:
        """The events with a higher id than ``position``, in the order of their ids."""

    def last(self) -> int:
        """The highest id there is; 0 if nothing was ever written down."""


class AuditSinkRows(Protocol):
    """How far the audit trail was told elsewhere."""

    def position(self, kind: str) -> int | None:
        """The id of the last event that the sink was told of; None for one that nobody knows."""

    def begin(self, kind: str, position: int) -> None:
        """Make a sink known; nothing happens if it is."""

    def move(self, kind: str, position: int, at: Instant) -> None:
        """The sink was told of every event up to this one."""


class AuditSink(Protocol):
    """Where the audit trail is told as well."""

    @property
    def name(self) -> str:
        """Its address for people, without a secret."""

    @property
    def kind(self) -> str:
        """The kind of its jobs: the same as long as the address is the same, and another for every other."""

    async def write(self, events: Sequence[AuditEvent]) -> None:
        """Hand over some events, in order. On return it has them all; raises Unavailable if it may have them later."""


class PermissionRows(Protocol):
    """What permissions are read from."""

    @property
    def repositories(self) -> RepositoryRows: ...
    @property
    def redirects(self) -> RedirectRows: ...
    @property
    def collaborators(self) -> CollaboratorRows: ...


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
    def pull_counts(self) -> PullCountRows: ...
    @property
    def settings(self) -> SettingRows: ...
    @property
    def authenticators(self) -> AuthenticatorRows: ...
    @property
    def mailed_links(self) -> MailedLinkRows: ...
    @property
    def belongings(self) -> BelongingRows: ...
    @property
    def search(self) -> SearchRows: ...
    @property
    def audit(self) -> AuditRows: ...
    @property
    def audit_sinks(self) -> AuditSinkRows: ...
    @property
    def quotas(self) -> QuotaRows: ...
    @property
    def plans(self) -> PlanRows: ...
    @property
    def usage(self) -> UsageRows: ...
    @property
    def administration(self) -> AdministrationRows: ...
    @property
    def jobs(self) -> JobRows: ...


class Post(Protocol):
    """Takes letters to people. How they travel, and in which words, is no business of ours."""

    async def send(self, letter: Letter) -> None:
        """Hand it in. Raises Unavailable if it may be taken later, InputInvalid if it never will be."""


class Metadata(Protocol):
    """Where rows are; see ``havre.registry.ports.Metadata`` for what ``durable`` promises."""

    async def read(self, work: Callable[[Rows], T]) -> T:
        """Run ``work``, which must not write, and return what it returns."""

    async def write(self, work: Callable[[Rows], T], *, durable: bool = True) -> T:
        """Run ``work`` in a transaction and commit; an exception undoes all of it."""
