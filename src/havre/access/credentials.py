"""Credentials: turns a name and a password or personal access token into an actor, or says no.

The same sentence, after the same work, answers an unknown name, a wrong password and a disabled account.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass

from havre.access.access_tokens import AccessTokens
from havre.access.actors import Actor
from havre.access.audit import record
from havre.access.passwords import TOKEN_PREFIX, Passwords
from havre.access.ports import Metadata, Rows
from havre.access.records import StoredPassword
from havre.access.throttle import PER_ACCOUNT, Attempt
from havre.errors import WrongCredentials
from havre.registry.ports import Clock
from havre.registry.records import Instant

CACHE_SECONDS = 60
CACHE_SIZE = 4096
MAX_NAME = 254
"""Characters of a name or e-mail address."""

WRONG = "incorrect username or password"
"""What a person reads; docker puts ``unauthorized:`` before it."""

SECOND_FACTOR = (
    "this account has two-factor authentication: use a personal access token in place of the password; make one on this"
    " registry's pages under Settings, Access tokens (/settings/tokens)"
)
"""For clients that come with the right password."""


@dataclass(frozen=True, slots=True)
class _Remembered:
    """A password was right: until when we believe it, and for which stored hash."""

    until: Instant
    hash: str


@dataclass(frozen=True, slots=True)
class _Found:
    """What the rows say about one attempt: the account if there is one, and how often it failed from here."""

    stored: StoredPassword | None
    attempt: Attempt
    failures: int


class Credentials:
    """Checks what people and clients prove themselves with.

    A right password is remembered for a minute under a key that only this process has and that the password can not be
    read from; each use still compares the stored hash and the throttle, so a changed password, a disabled account and
    a throttled address count at once, on every worker.
    """

    def __init__(self, metadata: Metadata, passwords: Passwords, tokens: AccessTokens, clock: Clock) -> None:
        self._metadata = metadata
        self._passwords = passwords
        self._tokens = tokens
        self._clock = clock
        self._key = secrets.token_bytes(32)
        self._remembered: dict[bytes, _Remembered] = {}

    async def check(self, name: str, secret: str, address: str, client: str = "") -> Actor:
        """Who is this? ``name`` is an account's name or e-mail address, ``secret`` its password or one of its tokens.

        ``address`` and ``client`` (a User-Agent) are where the request came from. Raises WrongCredentials, never saying
        what is wrong, or TooManyRequests after too many wrong passwords. Tokens are not throttled: they can not be
        guessed, and automation should not stop because someone guesses passwords behind the same address. An account
        with a second factor takes tokens alone, which is said to whoever knows its password.
        """
        login = name.strip().lower()
        if secret.startswith(TOKEN_PREFIX):
            return await self._tokens.check(secret, address, client, login)
        if not login or not secret or len(login) > MAX_NAME or not login.isprintable():
            raise WrongCredentials(WRONG)
        stored = await self._check_password(login, secret, address)
        if stored.second_factor:
            raise WrongCredentials(SECOND_FACTOR)
        user = stored.user
        return Actor(user.id, user.name, user.is_admin)

    async def check_password(self, name: str, secret: str, address: str) -> StoredPassword:
        """Whose password is it? For pages, which ask for the second factor themselves if there is one.

        Raises as ``check`` does, and takes no tokens.
        """
        login = name.strip().lower()
        if not login or not secret or len(login) > MAX_NAME or not login.isprintable():
            raise WrongCredentials(WRONG)
        if secret.startswith(TOKEN_PREFIX):
            raise WrongCredentials("sign in with the account's password, not with an access token")
        return await self._check_password(login, secret, address)

    async def check_token(self, secret: str, address: str, client: str = "") -> Actor:
        """Who has this personal access token? For requests that carry it alone. Raises WrongCredentials."""
        return await self._tokens.check(secret, address, client, None)

    async def _check_password(self, login: str, secret: str, address: str) -> StoredPassword:
        memory = hmac.digest(self._key, f"{login}\0{address}\0{secret}".encode(errors="surrogatepass"), hashlib.sha256)
        if known := self._recall(memory, await self._look_up(login, address)):
            return known
        async with self._passwords.turn():
            # Asked again: whoever came before us may have used up the attempts, or have proved the same password.
            found = await self._look_up(login, address)
            if known := self._recall(memory, found):
                return known
            stored, attempt = found.stored, found.attempt
            right = await self._passwords.verify(stored.hash if stored else None, secret)
            if not right or stored is None or stored.user.disabled:
                await self._count_failure(found, address)
                raise WrongCredentials(WRONG)
        if found.failures:
            await self._metadata.write(lambda rows: attempt.succeeded(rows.login_failures), durable=False)
        self._remember(memory, stored)
        return stored

    async def _count_failure(self, found: _Found, address: str) -> None:
        """Count it for the throttle; the audit trail gets the first of a window, and the one that shuts the door."""
        now, stored = self._clock(), found.stored

        def work(rows: Rows) -> None:
            found.attempt.failed(rows.login_failures, now)
            # A name that nobody has may be a password in the wrong field: it is written nowhere.
            if stored is not None and found.failures in {0, PER_ACCOUNT - 1}:
                actor, detail = Actor(stored.user.id, stored.user.name), {"attempts": found.failures + 1}
                record(rows, actor, "account.sign_in_failed", actor.name, at=now, address=address, detail=detail)

        await self._metadata.write(work, durable=False)

    async def _look_up(self, login: str, address: str) -> _Found:
        """The account and its throttle, in one unit of work. Raises TooManyRequests."""
        now = self._clock()

        def work(rows: Rows) -> _Found:
            stored = rows.accounts.find(login)
            # By name and by e-mail address it is one account, with one counter.
            attempt = Attempt(stored.user.name if stored else login, address)
            return _Found(stored, attempt, attempt.check(rows.login_failures, now))

        return await self._metadata.read(work)

    def _recall(self, memory: bytes, found: _Found) -> StoredPassword | None:
        known, stored = self._remembered.get(memory), found.stored
        # After a wrong password from here, only a verification forgives: the memory must not help who guesses.
        if known is None or stored is None or found.failures:
            return None
        if known.until <= self._clock() or known.hash != stored.hash or stored.user.disabled:
            self._remembered.pop(memory, None)
            return None
        return stored

    def _remember(self, memory: bytes, stored: StoredPassword) -> None:
        while len(self._remembered) >= CACHE_SIZE:
            del self._remembered[next(iter(self._remembered))]
        self._remembered[memory] = _Remembered(self._clock() + CACHE_SECONDS * 1000, stored.hash)
