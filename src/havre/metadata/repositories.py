"""Repositories and namespaces, as rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, bindparam, delete, literal_column, or_, select, update

from havre.errors import NameUnknown
from havre.metadata import search_index
from havre.metadata.schema import collaborators, namespaces, redirects, repositories, tags, users
from havre.metadata.statements import insert_new
from havre.oci.names import Namespace, RepositoryName
from havre.registry.records import Instant, NamespaceRecord, Repository, Viewer, Visibility

REPOSITORY = (
    repositories.c.id,
    repositories.c.path,
    namespaces.c.user_id,
    repositories.c.visibility,
    repositories.c.created,
    repositories.c.updated,
    repositories.c.description,
    repositories.c.pulls,
    repositories.c.stars,
    repositories.c.pushed_by,
    repositories.c.archived,
    repositories.c.categories,
)
"""What ``repository_from`` reads."""

_REPOSITORY = select(*REPOSITORY).join_from(repositories, namespaces)

# Built once: making a statement costs more than running it, and SQLAlchemy knows it again by identity.
_BY_PATH = _REPOSITORY.where(repositories.c.path == bindparam("path"))
_NAMESPACE = (
    select(namespaces.c.id, namespaces.c.name, namespaces.c.user_id, users.c.default_visibility)
    .outerjoin_from(namespaces, users)
    .where(namespaces.c.name == bindparam("name"))
)
_CHANGE = update(repositories).where(repositories.c.id == bindparam("repository_id"))
_COUNT_PULLS = _CHANGE.values(pulls=repositories.c.pulls + bindparam("number"))
_DELETE = delete(repositories).where(repositories.c.id == bindparam("repository_id"))
_DELETE_TAGS = delete(tags).where(tags.c.repository_id == bindparam("repository_id"))

_TAKE_OVER = delete(redirects).where(redirects.c.path == bindparam("path"))

# A member, not a call of the enumeration, for each row read: a tenth of the time.
VISIBILITIES = {str(one): one for one in Visibility}


def visible(viewer: Viewer) -> ColumnElement[bool]:
    """May ``viewer`` see a repository? Public ones, those of their own, those shared with them; administrators all.

    Nobody sees one that was deleted.
    """
    return visible_to(viewer.user_id, is_admin=viewer.is_admin)


def visible_to(user_id: int | ColumnElement[int] | None, *, is_admin: bool) -> ColumnElement[bool]:
    """The same for an account which, in a statement that is kept, can be a place left open."""
    there = repositories.c.deleted.is_(None)
    # Spelt out, so that both engines know it for what the index of public ones says.
    public = repositories.c.visibility == literal_column(f"'{Visibility.PUBLIC.value}'")
    if is_admin:
        return there
    if user_id is None:
        return and_(there, public)
    own = select(namespaces.c.id).where(namespaces.c.user_id == user_id)
    shared = select(collaborators.c.repository_id).where(collaborators.c.user_id == user_id)
    return and_(there, or_(public, repositories.c.namespace_id.in_(own), repositories.c.id.in_(shared)))


def repository_from(row: Sequence[Any]) -> Repository:
    """The record of a row that holds the columns ``REPOSITORY``."""
    identity, path, owner, visibility, created, updated, description, pulls, stars, pusher, archived, categories = row
    return Repository(
        identity,
        RepositoryName(path),
        owner,
        VISIBILITIES[visibility],
        created,
        updated,
        description,
        pulls,
        stars,
        pusher,
        archived,
        tuple(categories.split(",")) if categories else (),
    )


class RepositoryRows:
    """Implements ``havre.registry.ports.RepositoryRows``."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def namespace(self, name: Namespace) -> NamespaceRecord | None:
        """The namespace, or None."""
        row = self._connection.execute(_NAMESPACE, {"name": name}).first()
        if row is None:
            return None
        return NamespaceRecord(row[0], Namespace(row[1]), row[2], VISIBILITIES[row[3] or Visibility.PUBLIC])

    def get(self, name: RepositoryName) -> Repository | None:
        """By name, without regard to who asks."""
        row = self._connection.execute(_BY_PATH, {"path": name}).first()
        return repository_from(row) if row else None

    def add(self, name: RepositoryName, visibility: Visibility, at: Instant) -> Repository:
        """Create it, or return the one that exists. Raises NameUnknown if the namespace does not exist.

        A new one takes its name over from the repository that had it before, if a redirect remembers it.
        """
        found = self.get(name)
        if found:
            return found
        namespace = self.namespace(name.namespace)
        if namespace is None:
            raise NameUnknown(f"there is no account or organisation {name.namespace!r}", detail={"name": name})
        self._connection.execute(
            insert_new(self._connection, repositories),
            {
                "namespace_id": namespace.id,
                "name": name.leaf,
                "path": name,
                "visibility": visibility.value,
                "created": at,
                "updated": at,
            },
        )
        self._connection.execute(_TAKE_OVER, {"path": name})
        made = self.get(name)
        assert made is not None
        search_index.refresh(self._connection, made.id)
        return made

    def change(
        self,
        repository_id: int,
        *,
        visibility: Visibility | None = None,
        description: str | None = None,
        updated: Instant | None = None,
        pushed_by: int | None = None,
        archived: Instant | None = None,
        categories: Sequence[str] | None = None,
    ) -> None:
        """Change what is not None; ``archived`` of 0 takes it out of the archive."""
        values = {
            "visibility": visibility.value if visibility else None,
            "description": description,
            "updated": updated,
            "pushed_by": pushed_by,
            "archived": archived,
            "categories": ",".join(categories) if categories is not None else None,
        }
        changes: dict[str, str | int | None] = {column: value for column, value in values.items() if value is not None}
        if archived == 0:
            changes["archived"] = None
        if changes:
            self._connection.execute(_CHANGE.values(changes), {"repository_id": repository_id})
        if description is not None or categories is not None:
            search_index.refresh(self._connection, repository_id)

    def delete(self, repository_id: int) -> None:
        """Remove it with its tags, manifests and blob links, which go by the foreign keys' cascade."""
        # Tags first: they hold on to their manifests.
        self._connection.execute(_DELETE_TAGS, {"repository_id": repository_id})
        self._connection.execute(_DELETE, {"repository_id": repository_id})

    def names(self, viewer: Viewer, after: str, limit: int) -> Sequence[RepositoryName]:
        """Names that ``viewer`` may see, in byte order, greater than ``after``: a walk along the index of paths."""
        statement = (
            select(repositories.c.path)
            .where(repositories.c.path > after, visible(viewer))
            .order_by(repositories.c.path)
            .limit(limit)
        )
        return [RepositoryName(path) for (path,) in self._connection.execute(statement)]

    def count_pulls(self, pulls: Sequence[tuple[int, int]]) -> None:
        """Add to the pull counters: (repository id, number)."""
        if pulls:
            # In one order everywhere, so that two processes that count the same repositories wait but never deadlock.
            values = [{"repository_id": identity, "number": number} for identity, number in sorted(pulls)]
            self._connection.execute(_COUNT_PULLS, values)
