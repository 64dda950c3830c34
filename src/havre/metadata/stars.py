"""Stars, as rows; each repository's number of them is kept beside it, in the same unit of work."""

from __future__ import annotations

from sqlalchemy import Connection, bindparam, delete, select, update

from havre.metadata.schema import repositories, stars
from havre.metadata.statements import insert_new
from havre.registry.records import Instant

_ONE = (stars.c.user_id == bindparam("user")) & (stars.c.repository_id == bindparam("repository"))
_HAS = select(stars.c.at).where(_ONE)
_REMOVE = delete(stars).where(_ONE)
_ADD = (
    update(repositories)
    .where(repositories.c.id == bindparam("repository"))
    .values(stars=repositories.c.stars + bindparam("more"))
)


class StarRows:
    """Implements ``havre.registry.search_ports.StarRows``."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def has(self, user_id: int, repository_id: int) -> bool:
        """Has this account starred it?"""
        return self._connection.execute(_HAS, {"user": user_id, "repository": repository_id}).first() is not None

    def put(self, user_id: int, repository_id: int, at: Instant) -> bool:
        """Star it; False if that had been done."""
        values = {"user_id": user_id, "repository_id": repository_id, "at": at}
        statement = insert_new(self._connection, stars).returning(stars.c.at)
        if self._connection.execute(statement, values).first() is None:
            return False
        self._connection.execute(_ADD, {"repository": repository_id, "more": 1})
        return True

    def remove(self, user_id: int, repository_id: int) -> bool:
        """Take the star back; False if there was none."""
        if self._connection.execute(_REMOVE, {"user": user_id, "repository": repository_id}).rowcount == 0:
            return False
        self._connection.execute(_ADD, {"repository": repository_id, "more": -1})
        return True
