"""Names of repositories: which may be made, what a former name leads to, and what a push to one gets.

Former names are looked for only when nothing has the name now, so they cost nothing on the way of a pull.
"""

from __future__ import annotations

from havre.errors import Denied, NameInvalid, NameUnknown
from havre.oci.names import RepositoryName
from havre.registry.policy import check_writable
from havre.registry.ports import Rows
from havre.registry.quotas import check_private
from havre.registry.records import Instant, NamespaceRecord, Redirect, Repository, Visibility

RESERVED = frozenset({"tags", "collaborators", "compare", "star"})
"""Words that pages and API put behind a repository's name: no repository below another may be called so, or one address
would mean two things. ``marin/tags`` is fine, ``marin/app/tags`` is not."""

HIDDEN = 100
"""Deleted repositories of a namespace that are looked at."""


def check_name(name: RepositoryName) -> None:
    """Refuse a new name that would be hidden behind a page of another repository; raises NameInvalid."""
    for part in name.split("/")[2:]:
        if part in RESERVED:
            raise NameInvalid(
                f"a repository can not be called {name}: {part!r} is an address of its own there; choose another word",
                detail={"name": str(name), "field": "name"},
            )


def find(rows: Rows, name: RepositoryName) -> Repository:
    """The repository, within a unit of work; raises NameUnknown."""
    repository = rows.repositories.get(name)
    if repository is None:
        raise NameUnknown(f"repository {name} does not exist, or you may not see it", detail={"name": str(name)})
    return repository


def follow(rows: Rows, name: RepositoryName) -> Repository:
    """The repository that is or was called so, for those who read; raises NameUnknown.

    The caller has checked that the reader may pull by this name.
    """
    repository = rows.repositories.get(name)
    if repository is None and (moved := rows.redirects.get(name)) is not None:
        return moved.repository
    return repository or find(rows, name)


def writable(rows: Rows, name: RepositoryName) -> Repository:
    """The repository, for those who change what it holds; raises NameUnknown, and Denied for an archived or former one."""
    repository = rows.repositories.get(name)
    if repository is None and (moved := rows.redirects.get(name)) is not None:
        raise renamed(moved)
    found = repository or find(rows, name)
    check_writable(found)
    return found


def pushable(rows: Rows, name: RepositoryName, begun: Instant | None = None) -> Repository | None:
    """The repository that a push goes to, None if it is a first push.

    ``begun`` is when an upload began: one that was under way when its repository was renamed still goes there. Raises
    Denied for an archived repository and for a former name, NameInvalid for a new name that can not be.
    """
    repository = rows.repositories.get(name)
    if repository is None:
        moved = rows.redirects.get(name)
        if moved is None:
            check_name(name)
            return None
        if begun is None or begun > moved.created:
            raise renamed(moved)
        repository = moved.repository
    check_writable(repository)
    return repository


def ensure(rows: Rows, name: RepositoryName, at: Instant, begun: Instant | None = None) -> Repository:
    """The repository, made now if this is its first push; otherwise as ``pushable``.

    A first push makes what the owner chose, but nothing public where something private was deleted. Raises NameUnknown
    if nobody owns the namespace, OverPlan if its plan allows no further private repository.
    """
    repository = pushable(rows, name, begun)
    if repository is not None:
        return repository
    namespace = rows.repositories.namespace(name.namespace)
    if namespace is None:
        raise NameUnknown(
            f"there is no account {name.namespace}: push to a repository under your own name",
            detail={"name": str(name)},
        )
    visibility = first_visibility(rows, namespace, name)
    if visibility is Visibility.PRIVATE:
        check_private(rows.quotas, name.namespace)
    return rows.repositories.add(name, visibility, at)


def first_visibility(rows: Rows, namespace: NamespaceRecord, name: RepositoryName) -> Visibility:
    """What a repository begins as: what the owner chose, but never public where something private was deleted."""
    deleted = [one.visibility for one in rows.moves.hidden_in(name.namespace, HIDDEN) if one.name == name]
    private = Visibility.PRIVATE in (*deleted[:1], namespace.default_visibility)
    return Visibility.PRIVATE if private else Visibility.PUBLIC


def renamed(moved: Redirect) -> Denied:
    """What tells someone who would change a repository by its former name."""
    target = moved.repository
    # Who gave a repository away learns no more of it than others do.
    shown = not target.private or target.name.namespace == moved.path.namespace
    now = f"is now called {target.name}: use that name" if shown else "belongs to someone else now"
    return Denied(f"{moved.path} {now}, or free {moved.path} on your Repositories page to begin anew")
