"""Former names of repositories, as rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, bindparam, delete, select

from havre.metadata.repositories import REPOSITORY, repository_from
from havre.metadata.schema import namespaces, redirects, repositories
from havre.metadata.statements import insert
from havre.oci.names import OFFICIAL, Namespace, RepositoryName
from havre.registry.records import Instant, Redirect

_LEADS = (
    select(redirects.c.path, redirects.c.created, *REPOSITORY)
    .join_from(redirects, repositories)
    .join(namespaces, namespaces.c.id == repositories.c.namespace_id)
    .where(repositories.c.deleted.is_(None))
)
_GET = _LEADS.where(redirects.c.path == bindparam("path"))
_OF = (
    _LEADS.where(redirects.c.repository_id == bindparam("repository_id"))
    .order_by(redirects.c.path)
    .limit(bindparam("limit"))
)
# A range instead of LIKE, which would not use the key: "/" is followed by "0".
_WITHIN = (
    _LEADS.where(redirects.c.path > bindparam("first"), redirects.c.path < bindparam("beyond"))
    .order_by(redirects.c.path)
    .limit(bindparam("limit"))
)
_DELETE = delete(redirects).where(redirects.c.path == bindparam("path"))


def _redirect(row: Sequence[Any]) -> Redirect:
    return Redirect(RepositoryName(row[0]), repository_from(row[2:]), row[1])


class RedirectRows:
    """Implements ``havre.registry.ports.RedirectRows``."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def get(self, path: RepositoryName) -> Redirect | None:
        """Where a former name leads."""
        row = self._connection.execute(_GET, {"path": path}).first()
        return _redirect(row) if row else None

    def put(self, path: RepositoryName, repository_id: int, at: Instant) -> None:
        """Have a former name lead to a repository from now on."""
        leads = {"repository_id": repository_id, "created": at}
        statement = insert(self._connection, redirects).values(path=path, **leads)
        self._connection.execute(statement.on_conflict_do_update(index_elements=[redirects.c.path], set_=leads))

    def delete(self, path: RepositoryName) -> bool:
        """Free the name; False if nothing was remembered of it."""
        return self._connection.execute(_DELETE, {"path": path}).rowcount > 0

    def of(self, repository_id: int, limit: int) -> Sequence[Redirect]:
        """The former names of a repository, by name."""
        found = self._connection.execute(_OF, {"repository_id": repository_id, "limit": limit})
        return [_redirect(row) for row in found]

    def within(self, namespace: Namespace, limit: int) -> Sequence[Redirect]:
        """Former names in a namespace, by name, wherever they lead. Of official images none: they have no owner."""
        if namespace == OFFICIAL:
            return []
        span = {"first": f"{namespace}/", "beyond": f"{namespace}0", "limit": limit}
        return [_redirect(row) for row in self._connection.execute(_WITHIN, span)]
