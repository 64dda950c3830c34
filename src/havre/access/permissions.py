"""Permissions: one question, ``may``. Every door asks it, so a rule about who may do what is written here alone."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from havre.access.actors import Action, Actor
from havre.access.ports import PermissionRows
from havre.oci.names import RepositoryName
from havre.registry.records import NamespaceRecord, Repository, Role

WIRE_ACTIONS = frozenset({Action.PULL, Action.PUSH, Action.DELETE})
"""What a client can ask a token for."""

ROLE_ACTIONS = {
    Role.READ: frozenset({Action.PULL}),
    Role.WRITE: frozenset({Action.PULL, Action.PUSH}),
    Role.ADMIN: frozenset(Action),
}
"""What a collaborator may do, by role. Renaming, giving away and deleting the whole is left to owners: see ``owns``."""


def may(
    actor: Actor,
    action: Action,
    name: RepositoryName,
    repository: Repository | None,
    namespace: NamespaceRecord | None,
    role: Role | None = None,
) -> bool:
    """May ``actor`` do this with the repository called ``name``, in which it has ``role``?

    ``repository`` is None when it does not exist: owners and administrators may bring it into being. ``namespace`` is
    the one ``name`` lies in. Everybody pulls what is public. Owners may do everything in their namespace, and
    administrators everywhere; official images, whose namespace nobody owns, are theirs alone. Collaborators may do what
    their role says. Grants only narrow; one for a former name still counts for the repository that had it.
    """
    if action is Action.PULL and repository is not None and not repository.private:
        return True
    if actor.user_id is None:
        return False
    if not actor.covers(action, name) and (repository is None or not actor.covers(action, repository.name)):
        return False
    if actor.is_admin:
        return True
    if repository is None:
        return namespace is not None and namespace.owner_id == actor.user_id
    return repository.owner_id == actor.user_id or (role is not None and action in ROLE_ACTIONS[role])


def owns(actor: Actor, repository: Repository) -> bool:
    """May ``actor`` rename, give away and delete the repository as a whole? Its owner may, and administrators."""
    known = actor.user_id is not None and actor.covers(Action.ADMIN, repository.name)
    return known and (actor.is_admin or repository.owner_id == actor.user_id)


@dataclass(frozen=True, slots=True)
class Standing:
    """What a name leads someone to."""

    repository: Repository | None
    """The repository of that name, or the one that was called so; None if there is none, or none they may see."""
    actions: frozenset[Action]
    """What they may do with the name. Of a former name that is pulling, and what they will be told to do elsewhere."""


def stand(rows: PermissionRows, actor: Actor, name: RepositoryName) -> Standing:
    """How ``actor`` stands to ``name``, read from the rows of one unit of work.

    Former names are looked for only when nothing is called so now.
    """
    repository = rows.repositories.get(name)
    moved = rows.redirects.get(name) if repository is None else None
    if moved is not None:
        repository = moved.repository
    actions = _actions(rows, actor, name, repository)
    if Action.PULL not in actions:
        repository = None
    if moved is not None:
        # Whoever owns the namespace may push there, and is then told where to; pulling is only for who may see it.
        actions |= _actions(rows, actor, name, None) - {Action.PULL}
    return Standing(repository, actions)


def allowed(rows: PermissionRows, actor: Actor, name: RepositoryName, wanted: Iterable[Action]) -> frozenset[Action]:
    """Those of ``wanted`` that ``actor`` may do, read from the rows of one unit of work."""
    return stand(rows, actor, name).actions & frozenset(wanted)


def _actions(
    rows: PermissionRows, actor: Actor, name: RepositoryName, repository: Repository | None
) -> frozenset[Action]:
    namespace, role = None, None
    if actor.user_id is not None and not actor.is_admin:
        if repository is None:
            namespace = rows.repositories.namespace(name.namespace)
        elif repository.owner_id != actor.user_id:
            role = rows.collaborators.role(repository.id, actor.user_id)
    return frozenset(action for action in Action if may(actor, action, name, repository, namespace, role))
