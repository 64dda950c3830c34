"""The rows of accounts, each with the namespace of its name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, bindparam, exists, insert, select, update
from sqlalchemy.exc import IntegrityError

from havre.access.records import StoredPassword, User
from havre.errors import Conflict
from havre.metadata.schema import authenticators, namespaces, users
from havre.registry.records import Instant, Visibility

COLUMNS = (
    users.c.id,
    users.c.name,
    users.c.email,
    users.c.is_admin,
    users.c.disabled,
    users.c.default_visibility,
    users.c.created,
    users.c.language,
    users.c.bio,
    users.c.theme,
    users.c.email_verified,
    users.c.closed,
)
"""What ``read_user`` reads, in its order."""

# Made once: SQLAlchemy then finds the compiled statement by identity, and a login asks one of these each time.
_BY_ID = select(*COLUMNS).where(users.c.id == bindparam("id"))
_SECOND_FACTOR = exists().where(authenticators.c.user_id == users.c.id, authenticators.c.confirmed.is_not(None))
_BY_NAME = select(*COLUMNS, users.c.password, _SECOND_FACTOR).where(users.c.name == bindparam("login"))
_BY_EMAIL = select(*COLUMNS, users.c.password, _SECOND_FACTOR).where(users.c.email == bindparam("login"))


def read_user(row: Sequence[Any], start: int = 0) -> User:
    """The account in the columns of ``row`` from ``start``."""
    user_id, name, email, is_admin, disabled, visibility, *rest = row[start : start + len(COLUMNS)]
    return User(user_id, name, email, is_admin, disabled, Visibility(visibility), *rest)


class AccountRows:
    """See ``havre.access.ports.AccountRows``."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, name: str, email: str, password: str, is_admin: bool, visibility: Visibility, at: Instant) -> User:
        """Create an account and its namespace; raises Conflict if the name or the address is taken."""
        values = {
            "name": name,
            "email": email,
            "password": password,
            "is_admin": is_admin,
            "disabled": False,
            "default_visibility": visibility.value,
            "language": "",
            "created": at,
        }
        try:
            user_id = self._connection.execute(insert(users).values(values).returning(users.c.id)).scalar_one()
            self._connection.execute(insert(namespaces).values(name=name, kind="user", user_id=user_id, created=at))
        except IntegrityError as error:
            raise Conflict(f"the name {name!r} or the address {email} is taken: choose another") from error
        return User(user_id, name, email, is_admin, disabled=False, default_visibility=visibility, created=at)

    def get(self, user_id: int) -> User | None:
        """By id."""
        row = self._connection.execute(_BY_ID, {"id": user_id}).one_or_none()
        return read_user(row) if row else None

    def find(self, login: str) -> StoredPassword | None:
        """By name, or by e-mail address if there is an ``@`` in ``login``; with the hash of its password."""
        statement = _BY_EMAIL if "@" in login else _BY_NAME
        row = self._connection.execute(statement, {"login": login}).one_or_none()
        return StoredPassword(read_user(row), row[-2], bool(row[-1])) if row else None

    def page(self, after: str, limit: int) -> Sequence[User]:
        """By name, greater than ``after``."""
        statement = select(*COLUMNS).where(users.c.name > after).order_by(users.c.name).limit(limit)
        return [read_user(row) for row in self._connection.execute(statement)]

    def administered(self, besides: int | None = None) -> bool:
        """Is there an administrator, disabled or not? ``besides`` an account: one that is not disabled."""
        found = exists().where(users.c.is_admin)
        if besides is not None:
            found = found.where(users.c.id != besides, users.c.disabled.is_(False))
        return bool(self._connection.execute(select(found)).scalar_one())

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
        """Change what is not None; False if there is no such account. Raises Conflict if the address is taken."""
        asked = {
            "password": password,
            "disabled": disabled,
            "default_visibility": default_visibility.value if default_visibility else None,
            "language": language,
            "theme": theme,
            "bio": bio,
            "email": email,
            "email_verified": email_verified,
        }
        values: dict[str, object] = {key: value for key, value in asked.items() if value is not None}
        if email is not None:
            holder = self.find(email)
            if holder is not None and holder.user.id != user_id:
                raise Conflict(f"there is an account with the address {email} already: use another")
            values["email_verified"] = email_verified
        if not values:
            return self.get(user_id) is not None
        return self._connection.execute(update(users).where(users.c.id == user_id).values(values)).rowcount > 0
