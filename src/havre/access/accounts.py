"""Accounts: who may have one, what it may be called, and how it changes.

Names follow Docker's: 4 to 30 lower-case letters and digits. A name is the namespace of its images, is never given to
anyone else, and must not be one of our own addresses.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from havre.access.actors import Actor
from havre.access.audit import OPERATOR, record
from havre.access.passwords import Passwords, check_password
from havre.access.ports import Metadata, Rows
from havre.access.records import User
from havre.access.throttle import SignUp
from havre.errors import Conflict, Denied, InputInvalid
from havre.oci.names import OFFICIAL
from havre.registry.audit import Author
from havre.registry.ports import Clock
from havre.registry.records import Visibility

RESERVED = frozenset(
    f"{OFFICIAL} about abuse account accounts admin administrator anonymous api assets auth billing blog catalog contact"
    " dashboard docs docker explore favicon feed havre healthz help home hooks images internal invite jobs legal login"
    " logout mail metrics moderator nobody none null oauth official organisation organisations organization"
    " organizations owner password plans pricing privacy public readyz registry repositories repository robots root"
    " search security session sessions settings setup shop signin signout signup staff static status super superuser"
    " support system team teams terms test token tokens undefined user users webhook webhooks well-known".split()
)
"""Names of pages, of roles, and of things people would mistake for ours."""

_NAME = re.compile(r"[a-z0-9]{4,30}", re.ASCII)
_EMAIL = re.compile(r"[^@\s\x00-\x1f\x7f<>()\[\],;:\\\"]{1,64}@[a-z0-9](?:[a-z0-9.-]{0,187}[a-z0-9])?", re.ASCII)
_LANGUAGES = ("", "en", "fr")
_THEMES = ("", "light", "dark")

MAX_BIO = 300
"""Characters that people may say about themselves."""


def check_name(name: str) -> str:
    """The rule for new accounts' names; returns the name, or raises InputInvalid."""
    if not _NAME.fullmatch(name):
        raise InputInvalid(
            f"{name[:40]!r} can not be an account's name: use 4 to 30 lower-case letters and digits", field="name"
        )
    if name in RESERVED:
        raise InputInvalid(f"the name {name!r} is reserved: choose another", field="name")
    return name


def check_email(email: str) -> str:
    """The rule for e-mail addresses; returns it in lower case, or raises InputInvalid."""
    cleaned = email.strip().lower()
    if not _EMAIL.fullmatch(cleaned) or ".." in cleaned:
        raise InputInvalid(f"{email[:80]!r} is not an e-mail address: write it like alice@example.org", field="email")
    return cleaned


class Accounts:
    """Creates, finds and changes accounts. ``signup`` is the setting of that name, ``visibility`` that of new accounts."""

    def __init__(
        self,
        metadata: Metadata,
        passwords: Passwords,
        clock: Clock,
        *,
        signup: str = "open",
        visibility: Visibility = Visibility.PUBLIC,
        signups: int = 20,
    ) -> None:
        self._metadata = metadata
        self._passwords = passwords
        self._clock = clock
        self._visibility = visibility
        self._signups = signups
        self.signup = signup

    async def sign_up(self, name: str, email: str, password: str, address: str = "") -> User:
        """Create an account for someone who asks for one. Raises as ``create`` does, Denied if sign-up is closed, and
        TooManyRequests after ``signups`` accounts from one address.
        """
        if self.signup != "open":
            raise Denied("this registry does not take new accounts by itself: ask an administrator for one")
        check_password(password, check_name(name))
        check_email(email)
        # What breaks a rule costs and tells nothing. What does not is counted, be the name taken or not.
        await self._metadata.write(lambda rows: self._count(rows, address), durable=False)
        return await self._create(name, email, password, is_admin=False, first=False, by=None, address=address)

    async def create(
        self, name: str, email: str, password: str, is_admin: bool = False, *, by: Author = OPERATOR, address: str = ""
    ) -> User:
        """Create an account and its namespace for someone else.

        Raises InputInvalid, with ``field``, for what breaks a rule, and Conflict when the name or address is taken.
        """
        return await self._create(name, email, password, is_admin, first=False, by=by, address=address)

    async def create_first_administrator(self, name: str, email: str, password: str, address: str = "") -> User:
        """Create the administrator of a new registry; of several that try at once, one wins. Raises as ``create`` does.

        Raises Denied when there is an administrator already.
        """
        return await self._create(name, email, password, is_admin=True, first=True, by=None, address=address)

    async def needs_first_administrator(self) -> bool:
        """Has nobody been made administrator yet?"""
        return not await self._metadata.read(lambda rows: rows.accounts.administered())

    async def by_name(self, name: str) -> User | None:
        """The account of that name, or None."""
        if not _NAME.fullmatch(name):
            return None
        stored = await self._metadata.read(lambda rows: rows.accounts.find(name))
        return stored.user if stored else None

    async def get(self, user_id: int) -> User | None:
        """The account with that id, or None."""
        return await self._metadata.read(lambda rows: rows.accounts.get(user_id))

    async def list(self, after: str = "", limit: int = 100) -> Sequence[User]:
        """Accounts by name, greater than ``after``; at most 1000 at a time."""
        return await self._metadata.read(lambda rows: rows.accounts.page(after, max(0, min(limit, 1000))))

    async def disable(self, name: str) -> User:
        """Shut an account out: no login, session or token of it works, from now on. Its images stay."""
        return await self._set_disabled(name, disabled=True)

    async def enable(self, name: str) -> User:
        """Let a disabled account in again; its browsers have to sign in anew."""
        return await self._set_disabled(name, disabled=False)

    async def set_password(
        self, user_id: int, new: str, *, keep_session: int | None = None, by: Author = OPERATOR, address: str = ""
    ) -> None:
        """Change the password and end every session but ``keep_session``, and every mailed link. Access tokens stay.

        Raises InputInvalid if the password breaks the rule or there is no such account.
        """
        user = await self.get(user_id)
        if user is None:
            raise InputInvalid(f"there is no account {user_id}")
        check_password(new, user.name)
        name, hashed, now = user.name, await self._passwords.hash(new), self._clock()

        def work(rows: Rows) -> None:
            rows.accounts.change(user_id, password=hashed)
            rows.sessions.delete_all(user_id, keep=keep_session)
            rows.mailed_links.delete_all(user_id)
            record(rows, by, "account.password", name, at=now, address=address)

        await self._metadata.write(work)

    async def change_default_visibility(self, user_id: int, visibility: Visibility) -> None:
        """Choose what a first push makes of new repositories; those that exist stay as they are."""
        await self._metadata.write(lambda rows: rows.accounts.change(user_id, default_visibility=visibility))

    async def change_language(self, user_id: int, language: str) -> None:
        """Choose the language of the pages: ``en``, ``fr``, or nothing for the browser's. Raises InputInvalid."""
        if language not in _LANGUAGES:
            raise InputInvalid(f"{language[:20]!r} is not a language of these pages: choose en or fr", field="language")
        await self._metadata.write(lambda rows: rows.accounts.change(user_id, language=language))

    async def change_profile(self, user_id: int, *, bio: str, theme: str) -> None:
        """Change what the person says about themselves, and the theme of the pages. Raises InputInvalid."""
        bio = " ".join(bio.split())
        if len(bio) > MAX_BIO or not bio.isprintable():
            raise InputInvalid(f"write at most {MAX_BIO} printable characters about yourself", field="bio")
        if theme not in _THEMES:
            raise InputInvalid(f"{theme[:20]!r} is not a theme of these pages: choose light or dark", field="theme")
        await self._metadata.write(lambda rows: rows.accounts.change(user_id, bio=bio, theme=theme))

    async def _create(
        self, name: str, email: str, password: str, is_admin: bool, *, first: bool, by: Author | None, address: str
    ) -> User:
        check_name(name)
        email = check_email(email)
        check_password(password, name)
        # A taken name is refused before the work of hashing, and again by the rows if someone is quicker.
        await self._metadata.read(lambda rows: _refuse_taken(rows, name, email, first))
        hashed, now = await self._passwords.hash(password), self._clock()

        def work(rows: Rows) -> User:
            _refuse_taken(rows, name, email, first)
            if first and rows.settings.put_first("first_administrator", name) != name:
                raise Denied(_TOO_LATE)
            user = rows.accounts.add(name, email, hashed, is_admin, self._visibility, now)
            detail = {"as": "administrator" if is_admin else "member"}
            # Who signs up does so as the account that this makes.
            author = by or Actor(user.id, user.name)
            record(rows, author, "account.create", name, at=now, address=address, detail=detail)
            return user

        return await self._metadata.write(work)

    def _count(self, rows: Rows, address: str) -> None:
        attempt, now = SignUp(address, self._signups), self._clock()
        attempt.check(rows.login_failures, now)
        attempt.failed(rows.login_failures, now)

    async def _set_disabled(self, name: str, *, disabled: bool) -> User:
        now = self._clock()

        def work(rows: Rows) -> User | None:
            stored = rows.accounts.find(name) if _NAME.fullmatch(name) else None
            if stored is None:
                return None
            if stored.user.closed is not None:
                raise Conflict(f"{name} deleted the account: nobody gets that name again")
            rows.accounts.change(stored.user.id, disabled=disabled)
            rows.sessions.delete_all(stored.user.id)
            if stored.user.disabled != disabled:
                record(rows, OPERATOR, "account.disable" if disabled else "account.enable", name, at=now)
            return rows.accounts.get(stored.user.id)

        user = await self._metadata.write(work)
        if user is None:
            raise InputInvalid(f"there is no account {name[:40]!r}", field="name")
        return user


_TOO_LATE = "this registry has an administrator already: sign in, or ask them for an account"


def _refuse_taken(rows: Rows, name: str, email: str, first: bool) -> None:
    if first and rows.accounts.administered():
        raise Denied(_TOO_LATE)
    if rows.accounts.find(name):
        raise Conflict(f"the name {name!r} is taken: choose another", detail={"field": "name"})
    if rows.accounts.find(email):
        raise Conflict(
            f"there is an account with the address {email} already: sign in, or use another", detail={"field": "email"}
        )
