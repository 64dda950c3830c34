"""Repositories that change their name, or are deleted and come back, as rows.

A deleted repository keeps all that it holds, under a path that no name can have (``~`` and its id): whoever looks for
its name finds nothing, without asking for more than the name.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, bindparam, delete, null, select, update

from havre.metadata import search_index
from havre.metadata.repositories import VISIBILITIES
from havre.metadata.schema import namespaces, redirects, repositories, transfers
from havre.oci.names import Namespace, RepositoryName
from havre.registry.records import DeletedRepository, Instant

_HERE = repositories.c.id == bindparam("repository_id")
_TAKEN = select(repositories.c.id).where(repositories.c.path == bindparam("path"))
_NAMESPACE = select(namespaces.c.id).where(namespaces.c.name == bindparam("namespace"))
_RENAME = (
    update(repositories)
    .where(_HERE)
    .values(path=bindparam("new_path"), name=bindparam("leaf"), namespace_id=bindparam("new_namespace"))
)
_HIDE = (
    update(repositories)
    .where(_HERE)
    .values(
        path=bindparam("new_path"),
        name=bindparam("new_path"),
        deleted=bindparam("at"),
        deleted_path=bindparam("before"),
    )
)
_SHOW = (
    update(repositories)
    .where(_HERE)
    .values(path=bindparam("new_path"), name=bindparam("leaf"), deleted=null(), deleted_path=null())
)
_PATH = select(repositories.c.path).where(_HERE, repositories.c.deleted.is_(None))
_DELETED = (
    select(
        repositories.c.id,
        repositories.c.deleted_path,
        namespaces.c.user_id,
        repositories.c.visibility,
        repositories.c.deleted,
    )
    .join_from(repositories, namespaces)
    .where(repositories.c.deleted.is_not(None))
)
_DELETED_ONE = _DELETED.where(_HERE)
_DELETED_IN = (
    _DELETED.where(namespaces.c.name == bindparam("namespace"))
    .order_by(repositories.c.deleted.desc(), repositories.c.id.desc())
    .limit(bindparam("limit"))
)
_EXPIRED = (
    select(repositories.c.id)
    .where(repositories.c.deleted < bindparam("before"))
    .order_by(repositories.c.deleted)
    .limit(bindparam("limit"))
)
_FREE = delete(redirects).where(redirects.c.path == bindparam("path"))
_NO_OFFER = delete(transfers).where(transfers.c.repository_id == bindparam("repository_id"))


def _deleted(row: Sequence[Any]) -> DeletedRepository:
    return DeletedRepository(row[0], RepositoryName(row[1]), row[2], VISIBILITIES[row[3]], row[4])


class MoveRows:
    """Implements ``havre.registry.ports.MoveRows``."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def rename(self, repository_id: int, name: RepositoryName) -> bool:
        """Give it another name, perhaps in another namespace; False if that is taken or the namespace is unknown.

        A redirect from the new name goes.
        """
        namespace = self._connection.execute(_NAMESPACE, {"namespace": name.namespace}).scalar()
        if namespace is None or self._taken(name):
            return False
        values = {"repository_id": repository_id, "new_path": name, "leaf": name.leaf, "new_namespace": namespace}
        self._connection.execute(_RENAME, values)
        search_index.refresh(self._connection, repository_id)
        self._connection.execute(_FREE, {"path": name})
        return True

    def hide(self, repository_id: int, at: Instant) -> None:
        """Delete it for now: nobody finds it, its name is free. An offer to another account is forgotten."""
        before = self._connection.execute(_PATH, {"repository_id": repository_id}).scalar()
        if before is None:
            return
        values = {"repository_id": repository_id, "new_path": f"~{repository_id}", "at": at, "before": before}
        self._connection.execute(_HIDE, values)
        self._connection.execute(_NO_OFFER, {"repository_id": repository_id})

    def show(self, repository_id: int) -> bool:
        """Bring it back under its name; False if that is taken."""
        found = self.hidden(repository_id)
        if found is None or self._taken(found.name):
            return False
        values = {"repository_id": repository_id, "new_path": found.name, "leaf": found.name.leaf}
        self._connection.execute(_SHOW, values)
        self._connection.execute(_FREE, {"path": found.name})
        return True

    def hidden(self, repository_id: int) -> DeletedRepository | None:
        """A deleted repository, by its id."""
        row = self._connection.execute(_DELETED_ONE, {"repository_id": repository_id}).first()
        return _deleted(row) if row else None

    def hidden_in(self, namespace: Namespace, limit: int) -> Sequence[DeletedRepository]:
        """Deleted repositories of a namespace, the last deleted first."""
        found = self._connection.execute(_DELETED_IN, {"namespace": namespace, "limit": limit})
        return [_deleted(row) for row in found]

    def expired(self, before: Instant, limit: int) -> Sequence[int]:
        """Ids of repositories that were deleted before."""
        return list(self._connection.execute(_EXPIRED, {"before": before, "limit": limit}).scalars())

    def _taken(self, name: RepositoryName) -> bool:
        return self._connection.execute(_TAKEN, {"path": name}).scalar() is not None
