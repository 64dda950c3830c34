"""Personal access tokens: secrets for scripts and clients, narrowed to some repositories and actions."""

from __future__ import annotations

import contextlib
import hashlib
import re
import secrets
import uuid
from collections.abc import Sequence

from havre.access.actors import Actor, Grant
from havre.access.audit import record
from havre.access.passwords import TOKEN_PREFIX
from havre.access.ports import Metadata, Rows
from havre.access.records import AccessToken
from havre.errors import Conflict, HavreError, InputInvalid, WrongCredentials
from havre.registry.ports import Clock
from havre.registry.records import Instant

MAX_TOKENS = 100
"""Of one account."""

MAX_GRANTS = 32
"""Of one token."""

MAX_LABEL = 100
MAX_CLIENT = 200

WRONG = "that personal access token is wrong, expired or revoked; make another under Settings, Access tokens"

_UID = re.compile(r"[0-9a-f-]{36}", re.ASCII)
_LAZY = 60_000
"""Milliseconds in which the last use is written at most once."""


class AccessTokens:
    """Makes, checks, lists and revokes personal access tokens."""

    def __init__(self, metadata: Metadata, clock: Clock) -> None:
        self._metadata = metadata
        self._clock = clock

    async def create(
        self, user_id: int, label: str, grants: Sequence[Grant], expires: Instant | None = None, *, address: str = ""
    ) -> tuple[AccessToken, str]:
        """Make a token; returns it with its secret, which can never be read again.

        Raises InputInvalid for a label, grants or an expiry that break their rule, and Conflict when the account has
        ``MAX_TOKENS`` already.
        """
        label, now = label.strip(), self._clock()
        if not label or len(label) > MAX_LABEL or not label.isprintable():
            raise InputInvalid(f"give the token a name of 1 to {MAX_LABEL} printable characters", field="label")
        if not 1 <= len(grants) <= MAX_GRANTS:
            raise InputInvalid(f"a token needs 1 to {MAX_GRANTS} grants, not {len(grants)}", field="grants")
        grants = [Grant.parse(grant.pattern, grant.actions) for grant in grants]
        if expires is not None and expires <= now:
            raise InputInvalid("the token would have expired already: choose a time to come", field="expires")
        secret = TOKEN_PREFIX + secrets.token_urlsafe(32)
        uid = str(uuid.uuid4())

        def work(rows: Rows) -> AccessToken:
            if rows.access_tokens.count(user_id) >= MAX_TOKENS:
                raise Conflict(f"this account has {MAX_TOKENS} access tokens already: revoke one first")
            token = rows.access_tokens.add(uid, user_id, label, _hash(secret), secret[-4:], grants, now, expires)
            _record(rows, user_id, "token.create", {"token": uid, "label": label}, now, address)
            return token

        return await self._metadata.write(work), secret

    async def check(self, secret: str, address: str, client: str, login: str | None) -> Actor:
        """Whose token is this? With ``login``, only if it belongs to the account of that name or e-mail address.

        Remembers where it was used, at most once a minute. Raises WrongCredentials.
        """
        secret_hash, now = _hash(secret), self._clock()
        found = await self._metadata.read(lambda rows: rows.access_tokens.find(secret_hash))
        if found is None:
            raise WrongCredentials(WRONG)
        token, user = found
        expired = token.expires is not None and token.expires <= now
        if expired or user.disabled or (login is not None and login not in (user.name, user.email)):
            raise WrongCredentials(WRONG)
        if token.last_used is None or now - token.last_used >= _LAZY:
            await self._touch(token.id, now, address, client)
        return Actor(user.id, user.name, user.is_admin, token.grants)

    async def list(self, user_id: int) -> Sequence[AccessToken]:
        """An account's tokens, the newest first."""
        return await self._metadata.read(lambda rows: rows.access_tokens.of(user_id, MAX_TOKENS))

    async def revoke(self, user_id: int, uid: str, address: str = "") -> None:
        """Make a token worthless at once. Raises InputInvalid if this account has no such token."""
        now = self._clock()

        def work(rows: Rows) -> bool:
            gone = rows.access_tokens.delete(user_id, uid)
            if gone:
                _record(rows, user_id, "token.revoke", {"token": uid}, now, address)
            return gone

        known = _UID.fullmatch(uid) is not None
        if not known or not await self._metadata.write(work):
            raise InputInvalid(f"this account has no access token {uid[:40]!r}", field="uid")

    async def _touch(self, token_id: int, now: Instant, address: str, client: str) -> None:
        shown = "".join(c for c in client[:MAX_CLIENT] if c.isprintable())
        # A full disk or a database that can not be written must not stop pulls.
        with contextlib.suppress(HavreError):
            await self._metadata.write(
                lambda rows: rows.access_tokens.touch(token_id, now, address[:64], shown), durable=False
            )


def _record(rows: Rows, user_id: int, action: str, detail: dict[str, str | int], now: Instant, address: str) -> None:
    user = rows.accounts.get(user_id)
    name = user.name if user else ""
    record(rows, Actor(user_id, name), action, name, at=now, address=address, detail=detail)


def _hash(secret: str) -> bytes:
    return hashlib.sha256(secret[:300].encode(errors="surrogatepass")).digest()
