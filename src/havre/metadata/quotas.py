"""What namespaces may hold and hold, as rows. See ``storage_figures`` for how storage is counted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, and_, bindparam, case, func, literal, select, text

from havre.metadata.schema import (
    blobs,
    namespace_blobs,
    namespaces,
    plans,
    repositories,
    repository_blobs,
    storage_changes,
    users,
)
from havre.oci.digest import Digest
from havre.oci.names import Namespace, RepositoryName
from havre.registry.quota_ports import UNLIMITED, Limits, Quota
from havre.registry.records import Visibility

_STANDARD = plans.alias("standard")
# Said twice: word for word as the index of the one default says it, and as a value to look up in it.
_IS_DEFAULT = text("standard.is_default AND standard.is_default = true")
DEFAULT_PLAN = select(_STANDARD.c.id).where(_IS_DEFAULT).scalar_subquery()
"""The id of the plan of whoever was given no other."""

_OTHER = repositories.alias("other")
PRIVATE_USED = (
    select(func.count())
    .select_from(_OTHER)
    .where(
        _OTHER.c.namespace_id == namespaces.c.id,
        _OTHER.c.visibility == literal(Visibility.PRIVATE.value, literal_execute=True),
        _OTHER.c.deleted.is_(None),
    )
    .correlate(namespaces)
    .scalar_subquery()
)
"""Private repositories of the namespace of the outer statement, deleted ones aside: a walk along an index of them."""

STORED = namespaces.c.storage + (
    select(func.coalesce(func.sum(storage_changes.c.namespace_bytes), 0))
    .where(storage_changes.c.namespace_id == namespaces.c.id)
    .correlate(namespaces)
    .scalar_subquery()
)
"""Bytes of the namespace of the outer statement."""

_QUOTA = (
    namespaces.c.name,
    users.c.id,
    users.c.is_admin,
    plans.c.title,
    plans.c.private_repositories,
    plans.c.storage,
    plans.c.collaborators,
)
_FROM = (
    select(*_QUOTA)
    .outerjoin_from(namespaces, users, users.c.id == namespaces.c.user_id)
    .outerjoin(plans, plans.c.id == func.coalesce(users.c.plan_id, DEFAULT_PLAN))
    .where(namespaces.c.name == bindparam("namespace"))
)
_OF = _FROM.add_columns(PRIVATE_USED, STORED)
_FIRST = and_(repositories.c.id.is_(None), users.c.default_visibility == Visibility.PRIVATE.value)
_BEFORE_PUSH = _FROM.outerjoin(repositories, repositories.c.path == bindparam("path")).add_columns(
    case((_FIRST, PRIVATE_USED), else_=0),
    case((plans.c.storage.is_not(None), STORED), else_=0),
    repositories.c.id,
    users.c.default_visibility,
)
_HOLDS = (
    select(namespace_blobs.c.links)
    .join_from(namespaces, namespace_blobs, namespace_blobs.c.namespace_id == namespaces.c.id)
    .join(blobs, blobs.c.id == namespace_blobs.c.blob_id)
    .where(namespaces.c.name == bindparam("namespace"), blobs.c.digest == bindparam("digest"))
)
_WEIGHS = select(func.coalesce(func.sum(repository_blobs.c.size), 0)).where(
    repository_blobs.c.repository_id == bindparam("repository_id")
)


def _quota(row: Sequence[Any]) -> Quota:
    name, owner, is_admin, title, private, storage, collaborators, private_used, stored = row[:9]
    limited = owner is not None and not is_admin and title is not None
    limits = Limits(private, storage, collaborators) if limited else UNLIMITED
    return Quota(Namespace(name), limits, title if limited else "", private_used, int(stored))


class QuotaRows:
    """See ``havre.registry.quota_ports.QuotaRows``."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def of(self, namespace: Namespace) -> Quota | None:
        """Everything about one namespace; None if there is none."""
        row = self._connection.execute(_OF, {"namespace": namespace}).first()
        return _quota(row) if row else None

    def before_push(self, name: RepositoryName) -> tuple[Quota, Visibility | None] | None:
        """For the beginning of a push: the quota, and what a first push would make of the repository, in one statement."""
        row = self._connection.execute(_BEFORE_PUSH, {"namespace": name.namespace, "path": name}).first()
        if row is None:
            return None
        exists, visibility = row[9], row[10]
        return _quota(row), None if exists is not None else Visibility(visibility or Visibility.PUBLIC)

    def holds(self, namespace: Namespace, digest: Digest) -> bool:
        """Does a repository of the namespace link this content already?"""
        return self._connection.execute(_HOLDS, {"namespace": namespace, "digest": digest}).first() is not None

    def weighs(self, repository_id: int) -> int:
        """Bytes that a repository links."""
        return int(self._connection.execute(_WEIGHS, {"repository_id": repository_id}).scalar_one())
