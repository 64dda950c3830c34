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
_OF = select(stars.c.repository_id).where(stars.c.user_id == bindparam("user")).order_by(stars.c.repository_id)
_FORGET = delete(stars).where(stars.c.user_id == bindparam("user"))


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
        if self._connection.execute(insert_new(self._connection, stars), values).rowcount == 0:
            return False
        self._connection.execute(_ADD, {"repository": repository_id, "more": 1})
        return True

    def remove(self, user_id: int, repository_id: int) -> bool:
        """Take the star back; False if there was none."""
        if self._connection.execute(_REMOVE, {"user": user_id, "repository": repository_id}).rowcount == 0:
            return False
        self._connection.execute(_ADD, {"repository": repository_id, "more": -1})
        return True

    def forget(self, user_id: int) -> None:
        """Take all stars of an account back, as when it is closed."""
        starred = self._connection.scalars(_OF, {"user": user_id}).all()
        if starred:
            self._connection.execute(_ADD, [{"repository": one, "more": -1} for one in starred])
            self._connection.execute(_FORGET, {"user": user_id})
