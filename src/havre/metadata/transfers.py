"""Repositories offered to other accounts, as rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, bindparam, delete, select

from havre.metadata.repositories import REPOSITORY, repository_from
from havre.metadata.schema import namespaces, repositories, transfers, users
from havre.metadata.statements import insert
from havre.registry.records import Instant, Transfer

_FROM = users.alias("giver")
_OFFER = (
    select(transfers.c.to_id, transfers.c.created, users.c.name, _FROM.c.name, *REPOSITORY)
    .join_from(transfers, repositories)
    .join(namespaces, namespaces.c.id == repositories.c.namespace_id)
    .join(users, users.c.id == transfers.c.to_id)
    .join(_FROM, _FROM.c.id == transfers.c.from_id)
    .where(repositories.c.deleted.is_(None))
)
_GET = _OFFER.where(transfers.c.repository_id == bindparam("repository_id"))
_TO = (
    _OFFER.where(transfers.c.to_id == bindparam("user_id"))
    .order_by(transfers.c.created.desc(), transfers.c.repository_id)
    .limit(bindparam("limit"))
)
_DELETE = delete(transfers).where(transfers.c.repository_id == bindparam("repository_id"))


def _transfer(row: Sequence[Any]) -> Transfer:
    to_id, created, to_name, from_name = row[:4]
    return Transfer(repository_from(row[4:]), from_name, to_id, to_name, created)


class TransferRows:
    """Implements ``havre.registry.ports.TransferRows``."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def put(self, repository_id: int, from_id: int, to_id: int, at: Instant) -> None:
        """Offer it, in place of an offer made before."""
        offer = {"from_id": from_id, "to_id": to_id, "created": at}
        statement = insert(self._connection, transfers).values(repository_id=repository_id, **offer)
        self._connection.execute(
            statement.on_conflict_do_update(index_elements=[transfers.c.repository_id], set_=offer)
        )

    def get(self, repository_id: int) -> Transfer | None:
        """The offer, unless the repository is deleted."""
        row = self._connection.execute(_GET, {"repository_id": repository_id}).first()
        return _transfer(row) if row else None

    def delete(self, repository_id: int) -> bool:
        """Forget the offer; False if there was none."""
        return self._connection.execute(_DELETE, {"repository_id": repository_id}).rowcount > 0

    def to(self, user_id: int, limit: int) -> Sequence[Transfer]:
        """What an account is offered, the latest first."""
        found = self._connection.execute(_TO, {"user_id": user_id, "limit": limit})
        return [_transfer(row) for row in found]
