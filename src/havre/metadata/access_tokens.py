"""The rows of personal access tokens."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, bindparam, delete, func, insert, select, update

from havre.access.actors import Action, Grant
from havre.access.records import AccessToken, User
from havre.metadata.accounts import COLUMNS as USER_COLUMNS
from havre.metadata.accounts import read_user
from havre.metadata.schema import access_tokens, users
from havre.registry.records import Instant

_COLUMNS = (
    access_tokens.c.id,
    access_tokens.c.uid,
    access_tokens.c.user_id,
    access_tokens.c.label,
    access_tokens.c.hint,
    access_tokens.c.grants,
    access_tokens.c.created,
    access_tokens.c.expires,
    access_tokens.c.last_used,
    access_tokens.c.last_address,
    access_tokens.c.last_client,
)
_FIND = (
    select(*_COLUMNS, *USER_COLUMNS)
    .join(users, users.c.id == access_tokens.c.user_id)
    .where(access_tokens.c.secret_hash == bindparam("secret_hash"))
)


def _write_grants(grants: Sequence[Grant]) -> str:
    return json.dumps([{"pattern": one.pattern, "actions": sorted(one.actions)} for one in grants])


@lru_cache(maxsize=256)
def _read_grants(text: str) -> tuple[Grant, ...]:
    # An action that a newer version wrote is left out: that narrows the token, and never widens it.
    known = {action.value: action for action in Action}
    return tuple(
        Grant(one["pattern"], frozenset(known[action] for action in one["actions"] if action in known))
        for one in json.loads(text)
    )


def _read(row: Sequence[Any]) -> AccessToken:
    token_id, uid, user_id, label, hint, grants, *rest = row[: len(_COLUMNS)]
    return AccessToken(token_id, uid, user_id, label, hint, _read_grants(grants), *rest)


class AccessTokenRows:
    """See ``havre.access.ports.AccessTokenRows``."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

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
        values = {
            "uid": uid,
            "user_id": user_id,
            "label": label,
            "secret_hash": secret_hash,
            "hint": hint,
            "grants": _write_grants(grants),
            "created": at,
            "expires": expires,
            "last_address": "",
            "last_client": "",
        }
        return _read(self._connection.execute(insert(access_tokens).returning(*_COLUMNS), values).one())

    def find(self, secret_hash: bytes) -> tuple[AccessToken, User] | None:
        """The token and its account, expired or not."""
        row = self._connection.execute(_FIND, {"secret_hash": secret_hash}).one_or_none()
        return (_read(row), read_user(row, len(_COLUMNS))) if row else None

    def touch(self, token_id: int, at: Instant, address: str, client: str) -> None:
        """Remember its last use."""
        self._connection.execute(
            update(access_tokens)
            .where(access_tokens.c.id == token_id)
            .values(last_used=at, last_address=address, last_client=client)
        )

    def of(self, user_id: int, limit: int) -> Sequence[AccessToken]:
        """An account's tokens, the newest first."""
        statement = (
            select(*_COLUMNS)
            .where(access_tokens.c.user_id == user_id)
            .order_by(access_tokens.c.created.desc(), access_tokens.c.id.desc())
            .limit(limit)
        )
        return [_read(row) for row in self._connection.execute(statement)]

    def count(self, user_id: int) -> int:
        """How many tokens an account has."""
        statement = select(func.count()).where(access_tokens.c.user_id == user_id)
        return int(self._connection.execute(statement).scalar_one())

    def delete(self, user_id: int, uid: str) -> bool:
        """Revoke one of this account's tokens; False if there was none."""
        statement = delete(access_tokens).where(access_tokens.c.user_id == user_id, access_tokens.c.uid == uid)
        return self._connection.execute(statement).rowcount > 0
