"""Who has a role in whose repository, as rows."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, bindparam, delete, func, select

from havre.metadata.repositories import REPOSITORY, repository_from
from havre.metadata.schema import collaborators, namespaces, repositories, users
from havre.metadata.statements import insert
from havre.registry.records import Collaborator, Instant, Repository, Role

_HERE = collaborators.c.repository_id == bindparam("repository_id")
_THEIRS = collaborators.c.user_id == bindparam("user_id")
_ROLE = select(collaborators.c.role).where(_HERE, _THEIRS)
_DELETE = delete(collaborators).where(_HERE, _THEIRS)
_OF = (
    select(collaborators.c.user_id, users.c.name, collaborators.c.role, collaborators.c.created)
    .join_from(collaborators, users)
    .where(_HERE)
    .order_by(users.c.name)
    .limit(bindparam("limit"))
)
_COUNT = select(func.count()).select_from(collaborators).where(_HERE)
_SHARED = (
    select(collaborators.c.role, *REPOSITORY)
    .join_from(collaborators, repositories)
    .join(namespaces, namespaces.c.id == repositories.c.namespace_id)
    .where(_THEIRS, repositories.c.deleted.is_(None))
    .order_by(repositories.c.updated.desc(), repositories.c.id.desc())
    .limit(bindparam("limit"))
)


class CollaboratorRows:
    """Implements ``havre.registry.ports.CollaboratorRows``."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def role(self, repository_id: int, user_id: int) -> Role | None:
        """The role of an account, or None."""
        found = self._connection.execute(_ROLE, {"repository_id": repository_id, "user_id": user_id}).scalar()
        return Role(found) if found else None

    def put(self, repository_id: int, user_id: int, role: Role, at: Instant) -> None:
        """Give an account a role, in place of the one it had."""
        statement = insert(self._connection, collaborators).values(
            repository_id=repository_id, user_id=user_id, role=role.value, created=at
        )
        keys = [collaborators.c.repository_id, collaborators.c.user_id]
        self._connection.execute(statement.on_conflict_do_update(index_elements=keys, set_={"role": role.value}))

    def delete(self, repository_id: int, user_id: int) -> bool:
        """Take the role away; False if there was none."""
        return self._connection.execute(_DELETE, {"repository_id": repository_id, "user_id": user_id}).rowcount > 0

    def of(self, repository_id: int, limit: int) -> Sequence[Collaborator]:
        """All of a repository, by name."""
        found = self._connection.execute(_OF, {"repository_id": repository_id, "limit": limit})
        return [Collaborator(user_id, name, Role(role), created) for user_id, name, role, created in found]

    def count(self, repository_id: int) -> int:
        """How many a repository has."""
        return int(self._connection.execute(_COUNT, {"repository_id": repository_id}).scalar_one())

    def shared(self, user_id: int, limit: int) -> Sequence[tuple[Repository, Role]]:
        """Repositories in which an account has a role, the last pushed first."""
        found = self._connection.execute(_SHARED, {"user_id": user_id, "limit": limit})
        return [(repository_from(row[1:]), Role(row[0])) for row in found]
