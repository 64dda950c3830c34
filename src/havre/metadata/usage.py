"""What namespaces use, as rows."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, bindparam, func, select

from havre.access.plan_ports import RepositoryUsage
from havre.metadata import storage_figures
from havre.metadata.schema import namespaces, pulls_daily, repositories
from havre.oci.names import Namespace, RepositoryName
from havre.registry.records import Visibility

_IN_NAMESPACE = (namespaces.c.name == bindparam("namespace"), repositories.c.deleted.is_(None))
_PULLS = (
    select(func.coalesce(func.sum(pulls_daily.c.pulls), 0))
    .where(pulls_daily.c.repository_id == repositories.c.id, pulls_daily.c.day >= bindparam("since"))
    .correlate(repositories)
    .scalar_subquery()
)
_LARGEST = (
    select(repositories.c.path, repositories.c.visibility, repositories.c.storage, _PULLS)
    .join_from(repositories, namespaces)
    .where(*_IN_NAMESPACE)
    .order_by(repositories.c.storage.desc(), repositories.c.path)
    .limit(bindparam("limit"))
)
_COUNT = select(func.count()).select_from(repositories).join(namespaces).where(*_IN_NAMESPACE)
_BY_DAY = (
    select(pulls_daily.c.day, func.sum(pulls_daily.c.pulls))
    .join_from(pulls_daily, repositories)
    .join(namespaces, namespaces.c.id == repositories.c.namespace_id)
    .where(*_IN_NAMESPACE, pulls_daily.c.day >= bindparam("since"))
    .group_by(pulls_daily.c.day)
    .order_by(pulls_daily.c.day)
)


class UsageRows:
    """See ``havre.access.plan_ports.UsageRows``."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def largest(self, namespace: Namespace, since_day: int, limit: int) -> Sequence[RepositoryUsage]:
        """Repositories by what they store, the largest first, with their pulls from ``since_day`` on."""
        values = {"namespace": namespace, "since": since_day, "limit": limit}
        return [
            RepositoryUsage(RepositoryName(path), Visibility(visibility), storage, int(pulls))
            for path, visibility, storage, pulls in self._connection.execute(_LARGEST, values)
        ]

    def repositories(self, namespace: Namespace) -> int:
        """How many there are, deleted ones aside."""
        return self._connection.execute(_COUNT, {"namespace": namespace}).scalar_one()

    def pulls(self, namespace: Namespace, since_day: int) -> Sequence[tuple[int, int]]:
        """Day and pulls of all repositories together, for days with any, in order."""
        found = self._connection.execute(_BY_DAY, {"namespace": namespace, "since": since_day})
        return [(day, int(pulls)) for day, pulls in found]

    def fold(self) -> int:
        """Add up a batch of what changed in storage; returns how many changes there were."""
        return storage_figures.fold(self._connection)

    def waiting(self) -> bool:
        """Is there anything to fold?"""
        return storage_figures.waiting(self._connection)
