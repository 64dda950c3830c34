"""What the templates of settings and of signing in are given."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from havre.access.records import Authenticator
from havre.registry.records import Instant
from havre.web.contexts import Form

_EMPTY = Form()


@dataclass(frozen=True, slots=True)
class Forms:
    """The forms of a page that has several; at most one of them is shown once more."""

    which: str = ""
    """The one that was sent, or whose success is told."""
    form: Form = _EMPTY

    def of(self, name: str) -> Form:
        """The form called ``name``, as it was left; empty if it is not the one."""
        return self.form if name == self.which else _EMPTY


@dataclass(frozen=True, slots=True)
class ProfileSettingsPage:
    """``/settings/profile``."""

    email: str
    verified: bool
    waiting: str
    """An address to which a link was mailed that nobody followed yet."""
    form: Form
    email_form: Form = _EMPTY
    saved: str = ""
    """``profile``, ``mailed`` or nothing."""
    outbox: bool = False
    """Does mail lie on the server, because no mail server is set?"""


@dataclass(frozen=True, slots=True)
class TokenRow:
    """One personal access token."""

    uid: str
    label: str
    hint: str
    grants: Sequence[tuple[str, Sequence[str]]]
    """Pattern and its actions, such as ``("marin/*", ("pull", "push"))``."""
    created: Instant
    expires: Instant | None
    expired: bool
    last_used: Instant | None
    last_address: str
    last_client: str


@dataclass(frozen=True, slots=True)
class TokensPage:
    """``/settings/tokens``; ``secret`` is set once, right after a token was made."""

    tokens: Sequence[TokenRow]
    form: Form
    secret: str = ""
    needed: bool = False
    """Does docker need a token, because the account has a second factor?"""


@dataclass(frozen=True, slots=True)
class SessionRow:
    """One device where the visitor is signed in."""

    id: int
    client: str
    address: str
    created: Instant
    last_seen: Instant
    current: bool


@dataclass(frozen=True, slots=True)
class SessionsPage:
    """``/settings/sessions``."""

    sessions: Sequence[SessionRow]
    saved: bool = False


@dataclass(frozen=True, slots=True)
class SecondStepPage:
    """``/login/second``: the second factor, after the password."""

    name: str
    form: Form
    next: str
    app: bool
    """Is there an authenticator app?"""
    passkey: str = ""
    """What to ask the browser for, as JSON; empty if the account has no passkey."""


@dataclass(frozen=True, slots=True)
class TwoFactorPage:
    """``/settings/two-factor``."""

    authenticators: Sequence[Authenticator]
    codes_left: int
    forms: Forms = field(default_factory=Forms)
    saved: str = ""
    """``added``, ``removed``, ``off`` or nothing."""
    creation: str = ""
    """What to ask the browser for to make a passkey, as JSON; empty where none can be made."""
    passkey: str = ""
    """What to ask the browser for to prove oneself, as JSON; empty if there is no passkey."""

    @property
    def on(self) -> bool:
        """Is the second factor asked for?"""
        return bool(self.authenticators)


@dataclass(frozen=True, slots=True)
class AppPage:
    """``/settings/two-factor/app``: a picture to scan, and the first code."""

    picture: str
    """SVG, made here."""
    secret: str
    form: Form


@dataclass(frozen=True, slots=True)
class CodesPage:
    """Fresh recovery codes, shown this once."""

    codes: Sequence[str]
    first: bool
    """Did the account get its first second factor just now?"""


@dataclass(frozen=True, slots=True)
class LeavePage:
    """``/settings/account``: taking everything along, and leaving."""

    repositories: int
    two_factor: bool
    form: Form = _EMPTY
    passkey: str = ""


@dataclass(frozen=True, slots=True)
class LinkPage:
    """Where a mailed link leads: ``/reset`` and ``/verify``."""

    code: str
    """The secret of the link; empty if it is good no more."""
    form: Form
    name: str = ""
    email: str = ""
    done: bool = False


@dataclass(frozen=True, slots=True)
class ForgotPage:
    """``/forgot``."""

    form: Form
    sent: bool = False
    outbox: bool = False
    """Does mail lie on the server, because no mail server is set?"""
