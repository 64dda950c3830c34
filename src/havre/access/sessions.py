"""Sessions: browsers that are signed in. The cookie holds 256 random bits, the row their SHA-256."""

from __future__ import annotations

import contextlib
import hashlib
import secrets
from collections.abc import Sequence

from havre.access.actors import Actor
from havre.access.audit import record
from havre.access.ports import Metadata, Rows
from havre.access.records import SessionRecord, User
from havre.errors import HavreError, InputInvalid
from havre.registry.ports import Clock

MAX_SESSIONS = 50
"""Of one account; opening one more ends the one not seen for longest."""

MAX_PENDING = 10
"""Of one account: passwords that were right, with the second factor still to come."""

PENDING_LIFE = 10 * 60_000
"""Milliseconds within which the second factor must follow the password."""

_DAY = 86_400_000
_LAZY = 5 * 60_000
"""Milliseconds in which the time last seen is written at most once."""


class Sessions:
    """Opens, resolves, lists and ends sessions. A session lives ``days`` after it was last seen."""

    def __init__(self, metadata: Metadata, clock: Clock, days: int = 30) -> None:
        self._metadata = metadata
        self._clock = clock
        self._life = days * _DAY

    async def open(self, user_id: int, address: str, user_agent: str) -> str:
        """Begin a session; returns the secret for the cookie."""
        secret, now = secrets.token_urlsafe(32), self._clock()
        shown = "".join(c for c in user_agent[:200] if c.isprintable())

        def work(rows: Rows) -> None:
            rows.sessions.trim(user_id, now, MAX_SESSIONS - 1)
            rows.sessions.add(_hash(secret), user_id, now, now + self._life, address[:64], shown)
            user = rows.accounts.get(user_id)
            actor = Actor(user_id, user.name if user else "")
            record(rows, actor, "account.sign_in", actor.name, at=now, address=address)

        await self._metadata.write(work)
        return secret

    async def open_pending(self, user_id: int, address: str, user_agent: str) -> str:
        """Begin what becomes a session once the second factor is given: good for ``PENDING_LIFE``, and for nothing else.

        Returns the secret for the cookie; the session that follows must have another.
        """
        secret, now = secrets.token_urlsafe(32), self._clock()
        shown = "".join(c for c in user_agent[:200] if c.isprintable())

        def work(rows: Rows) -> None:
            rows.sessions.trim(user_id, now, MAX_PENDING - 1, pending=True)
            rows.sessions.add(_hash(secret), user_id, now, now + PENDING_LIFE, address[:64], shown, pending=True)

        await self._metadata.write(work, durable=False)
        return secret

    async def resolve_pending(self, secret: str) -> User | None:
        """Whose password was given in this browser, with the second factor still to come? None for nobody's."""
        secret_hash, now = _hash(secret), self._clock()
        found = await self._metadata.read(lambda rows: rows.sessions.find(secret_hash))
        if found is None or not found[0].pending or found[0].expires <= now or found[1].disabled:
            return None
        return found[1]

    async def resolve(self, secret: str) -> tuple[Actor, SessionRecord] | None:
        """Whose session is it? None if it is unknown, pending, ended or expired, or if the account is disabled."""
        secret_hash, now = _hash(secret), self._clock()
        found = await self._metadata.read(lambda rows: rows.sessions.find(secret_hash))
        if found is None:
            return None
        session, user = found
        if session.pending or session.expires <= now or user.disabled:
            return None
        if now - session.last_seen >= _LAZY:
            # A database that can not be written must not stop people from reading.
            with contextlib.suppress(HavreError):
                await self._metadata.write(
                    lambda rows: rows.sessions.touch(session.id, now, now + self._life), durable=False
                )
        return Actor(user.id, user.name, user.is_admin), session

    async def list(self, user_id: int) -> Sequence[SessionRecord]:
        """An account's sessions, the last seen first."""
        now = self._clock()
        return await self._metadata.read(lambda rows: rows.sessions.of(user_id, now, MAX_SESSIONS))

    async def revoke(self, user_id: int, session_id: int, address: str = "") -> None:
        """End one of an account's sessions. Raises InputInvalid if there is no such session."""
        now = self._clock()

        def work(rows: Rows) -> bool:
            gone = rows.sessions.delete(user_id, session_id)
            user = rows.accounts.get(user_id)
            if gone and user is not None:
                record(rows, Actor(user_id, user.name), "session.revoke", user.name, at=now, address=address)
            return gone

        if not await self._metadata.write(work):
            raise InputInvalid(f"this account has no session {session_id}", field="session")

    async def revoke_others(self, user_id: int, keep: int | None, address: str = "") -> int:
        """End all of an account's sessions but ``keep``; returns how many ended."""
        now = self._clock()

        def work(rows: Rows) -> int:
            gone, user = rows.sessions.delete_all(user_id, keep=keep), rows.accounts.get(user_id)
            if gone and user is not None:
                detail = {"sessions": gone}
                actor = Actor(user_id, user.name)
                record(rows, actor, "session.revoke", user.name, at=now, address=address, detail=detail)
            return gone

        return await self._metadata.write(work)

    async def close(self, secret: str, address: str = "") -> None:
        """End the session with this secret; nothing happens if there is none."""
        secret_hash, now = _hash(secret), self._clock()

        def work(rows: Rows) -> None:
            found = rows.sessions.find(secret_hash)
            rows.sessions.delete_secret(secret_hash)
            if found is not None and not found[0].pending and found[0].expires > now:
                user = found[1]
                record(rows, Actor(user.id, user.name), "account.sign_out", user.name, at=now, address=address)

        await self._metadata.write(work)


def _hash(secret: str) -> bytes:
    return hashlib.sha256(secret[:200].encode(errors="surrogatepass")).digest()
