"""Permissions: one question, ``may``. Every door asks it, so a rule about who may do what is written here alone."""

from __future__ import annotations

from collections.abc import Iterable

from havre.access.actors import Action, Actor
from havre.access.ports import PermissionRows
from havre.oci.names import RepositoryName
from havre.registry.records import NamespaceRecord, Repository

WIRE_ACTIONS = frozenset({Action.PULL, Action.PUSH, Action.DELETE})
"""What a client can ask a token for."""


def may(
    actor: Actor,
    action: Action,
    name: RepositoryName,
    repository: Repository | None,
    namespace: NamespaceRecord | None,
) -> bool:
    """May ``actor`` do this with the repository called ``name``?

    ``repository`` is None when it does not exist: owners and administrators may bring it into being. ``namespace`` is
    the one ``name`` lies in. Everybody pulls what is public. Owners may do everything in their namespace, and
    administrators everywhere; official images, whose namespace nobody owns, are theirs alone. Grants only narrow.
    """
    if action is Action.PULL and repository is not None and not repository.private:
        return True
    if actor.user_id is None or not actor.covers(action, name):
        return False
    if actor.is_admin:
        return True
    return namespace is not None and namespace.owner_id == actor.user_id


def allowed(rows: PermissionRows, actor: Actor, name: RepositoryName, wanted: Iterable[Action]) -> frozenset[Action]:
    """Those of ``wanted`` that ``actor`` may do, read from the rows of one unit of work."""
    repository = rows.repositories.get(name)
    namespace = None if actor.user_id is None or actor.is_admin else rows.repositories.namespace(name.namespace)
    return frozenset(action for action in wanted if may(actor, action, name, repository, namespace))
