"""Scopes: what a client asks a token for, ``repository:marin/app:pull,push`` (distribution token specification, "scope").

Nothing here fails: a scope we do not understand is one we do not grant.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from havre.access.actors import Action
from havre.access.permissions import WIRE_ACTIONS
from havre.errors import NameInvalid
from havre.oci.names import RepositoryName

MAX_SCOPES = 64
"""Repositories in one token; clients ask for one, or a handful when they mount."""

MAX_TEXT = 32 * 1024
"""Characters of scopes that are looked at in one request."""


@dataclass(frozen=True, slots=True)
class Access:
    """Actions by repository, and whether the catalogue may be read: what is asked for, or what a token carries."""

    repositories: Mapping[RepositoryName, frozenset[Action]] = field(default_factory=dict)
    catalog: bool = False

    def __str__(self) -> str:
        """As the ``scope`` of a token response; repositories without any action are left out."""
        parts = [
            f"repository:{name}:{','.join(action.value for action in Action if action in actions)}"
            for name, actions in self.repositories.items()
            if actions
        ]
        if self.catalog:
            parts.append("registry:catalog:*")
        return " ".join(parts)


def parse_scopes(texts: Iterable[str]) -> Access:
    """Read ``scope`` parameters, each with one or several scopes separated by spaces.

    The same repository asked for twice gets both sets of actions. ``*`` stands for every action a client can ask for.
    Looks at no more than ``MAX_TEXT`` characters and ``MAX_SCOPES`` repositories.
    """
    repositories: dict[RepositoryName, frozenset[Action]] = {}
    catalog = False
    for scope in " ".join(texts)[:MAX_TEXT].split():
        kind, _, rest = scope.partition(":")
        resource, _, action_text = rest.rpartition(":")
        kind = kind.partition("(")[0]
        if kind == "registry" and resource == "catalog":
            catalog = True
        elif kind == "repository":
            actions = _actions(action_text)
            try:
                name = RepositoryName.parse(resource)
            except NameInvalid:
                continue
            if actions and (name in repositories or len(repositories) < MAX_SCOPES):
                repositories[name] = repositories.get(name, frozenset()) | actions
    return Access(repositories, catalog)


def _actions(text: str) -> frozenset[Action]:
    asked = set(text.split(","))
    return WIRE_ACTIONS if "*" in asked else frozenset(action for action in WIRE_ACTIONS if action.value in asked)
