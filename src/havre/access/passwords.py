"""Passwords: argon2id in threads (RFC 9106), so that a storm of logins neither stops the loop nor eats the memory.

One verification takes about 64 MiB for some tens of milliseconds. At most ``AT_ONCE`` run at the same time, and at
most ``WAITING`` callers wait for their turn; more are told to come back.
"""

from __future__ import annotations

import asyncio
import secrets
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from havre.errors import InputInvalid, TooManyRequests

if TYPE_CHECKING:
    from argon2 import PasswordHasher

AT_ONCE = 2
WAITING = 256
MIN_LENGTH = 8
MAX_LENGTH = 256

TOKEN_PREFIX = "hvr_pat_"  # noqa: S105 - a public marker, by which people and scanners recognise our tokens
"""What every personal access token begins with, and no password may."""


def check_password(password: str, name: str) -> None:
    """The rule for new passwords; raises InputInvalid, which never repeats the password."""
    if not MIN_LENGTH <= len(password) <= MAX_LENGTH:
        why = f"it has {len(password)} characters; use {MIN_LENGTH} to {MAX_LENGTH}"
    elif password.lower() == name:
        why = "it is the account's name; choose another"
    elif password.startswith(TOKEN_PREFIX):
        why = f"{TOKEN_PREFIX!r} is how personal access tokens begin; choose another"
    elif not password.isprintable():
        why = "it holds control characters; use letters, digits, signs and spaces"
    elif len(set(password)) < 3:
        why = "it repeats one or two characters; choose another"
    else:
        return
    raise InputInvalid(f"that password can not be used: {why}", field="password")


class Passwords:
    """Hashes and verifies. ``hasher`` sets the cost; by default that of argon2-cffi (RFC 9106, low memory)."""

    def __init__(self, hasher: PasswordHasher | None = None) -> None:
        self._given = hasher
        self._lock = threading.Lock()
        self._tools: tuple[PasswordHasher, str] | None = None
        self._gate = asyncio.Semaphore(AT_ONCE)
        self._waiting = 0

    async def hash(self, password: str) -> str:
        """The argon2id hash in PHC form. Raises TooManyRequests when too many wait."""
        async with self.turn():
            return await asyncio.to_thread(lambda: self._ready()[0].hash(password))

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Wait for a place among the few that may hash at once. Raises TooManyRequests when too many wait."""
        if self._waiting >= WAITING:
            raise TooManyRequests("too many people are signing in just now; try again in some seconds", retry_after=5)
        self._waiting += 1
        try:
            await self._gate.acquire()
        finally:
            self._waiting -= 1
        try:
            yield
        finally:
            self._gate.release()

    async def verify(self, stored: str | None, password: str) -> bool:
        """Is it the password? Without a stored hash the answer is no, after as much work. Call it within a ``turn``."""
        return await asyncio.to_thread(self._verify, stored, password)

    def _verify(self, stored: str | None, password: str) -> bool:
        from argon2.exceptions import Argon2Error, InvalidHashError

        hasher, decoy = self._ready()
        try:
            hasher.verify(stored or decoy, password[: MAX_LENGTH + 1].encode(errors="surrogatepass"))
        except (Argon2Error, InvalidHashError):
            return False
        return stored is not None

    def _ready(self) -> tuple[PasswordHasher, str]:
        with self._lock:
            if self._tools is None:
                from argon2 import PasswordHasher

                hasher = self._given or PasswordHasher()
                self._tools = hasher, hasher.hash(secrets.token_urlsafe())
            return self._tools
