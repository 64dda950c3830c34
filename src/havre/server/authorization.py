"""Who calls, and may they: the door that every call to the registry API goes through.

A bearer token carries what it allows, so the usual call is decided from memory. Only what a token does not carry is
looked up: a public repository is there for everyone, and a refusal must know why it refuses, for the sentence that
``docker push`` prints, and for whether a wider token would help.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from havre.access.actors import ANONYMOUS, Action, Actor
from havre.access.permissions import allowed
from havre.errors import Denied, HavreError, NameUnknown, Unauthorized
from havre.oci.names import RepositoryName
from havre.server.auth.caller import parse_basic
from havre.server.http import Request

if TYPE_CHECKING:
    from havre.server.app import App

_SCOPES = {Action.PULL: "pull", Action.PUSH: "pull,push", Action.DELETE: "pull,delete"}


@dataclass(frozen=True, slots=True)
class Identity:
    """Who a request comes from. ``access`` is what its token carries; None when it brought no token."""

    actor: Actor
    proved: bool
    """Did it bring any proof, a token of nobody included?"""
    access: Mapping[RepositoryName, frozenset[Action]] | None = None


async def identify(app: App, request: Request) -> Identity:
    """Read the Authorization header; raises Unauthorized if what it proves is wrong or too old."""
    header = request.header("authorization")
    if header is None:
        return Identity(ANONYMOUS, proved=False)
    scheme, _, value = header.partition(" ")
    if scheme.lower() == "bearer":
        bearer = app.bearer.verify(value.strip())
        return Identity(bearer.actor, proved=True, access=bearer.access)
    if scheme.lower() == "basic":
        name, secret = parse_basic(value)
        if not name and not secret:
            # podman and skopeo send an empty name and password when they have none.
            return Identity(ANONYMOUS, proved=False)
        client = request.header("user-agent") or ""
        return Identity(await app.credentials.check(name, secret, request.client_address, client), proved=True)
    raise Unauthorized("the Authorization header must begin with Bearer or Basic")


async def authorize(app: App, request: Request, name: RepositoryName, action: Action) -> Identity:
    """Let the caller through, or raise what tells it why not and what to do next."""
    try:
        identity = await identify(app, request)
    except Unauthorized as error:
        error.scope = _scope(request, name, action)
        raise
    if await permits(app, identity, name, action):
        return identity
    raise await _refusal(app, identity, name, action, _scope(request, name, action))


async def permits(app: App, identity: Identity, name: RepositoryName, action: Action) -> bool:
    """May this caller do ``action``: by its token, by its account, or because anyone may?"""
    if identity.access is not None:
        if action in identity.access.get(name, ()):
            return True
        # A token without this scope still sees what everybody sees.
        return await _may(app, ANONYMOUS, name, action)
    return await _may(app, identity.actor, name, action)


async def _may(app: App, actor: Actor, name: RepositoryName, action: Action) -> bool:
    return action in await app.database.read(lambda rows: allowed(rows, actor, name, (action,)))


async def _refusal(app: App, identity: Identity, name: RepositoryName, action: Action, scope: str) -> HavreError:
    actor = identity.actor
    if actor.anonymous:
        # Said of every name alike: whether there is a private repository behind it stays unknown.
        text = f"sign in to {action.value} {name}: it does not exist, or is not open to everyone"
        return Unauthorized(text, scope=scope, insufficient=identity.proved)
    if identity.access is not None and await _may(app, actor, name, action):
        text = f"this token was not made for {action.value} on {name}: ask for another with that scope"
        return Unauthorized(text, scope=scope, insufficient=True)
    if action is Action.PULL:
        return NameUnknown(f"repository {name} does not exist, or {actor.name} may not see it", detail={"name": name})
    return Denied(_advice(actor, name, action))


def _advice(actor: Actor, name: RepositoryName, action: Action) -> str:
    """Why not, and what to do instead; the same whether the repository exists or not."""
    doing = {Action.PUSH: "push to", Action.DELETE: "delete from"}.get(action, f"{action.value} on")
    if actor.grants is not None and not actor.covers(action, name):
        return (
            f"the access token of {actor.name} may not {doing} {name}; make one that may under"
            " Settings, Access tokens, and log in with it"
        )
    if name.official:
        return (
            f"{name} is the name of an official image, which only administrators may {doing};"
            f" use your own namespace: {actor.name}/{name}"
        )
    return f"{actor.name} may not {doing} {name}; use your own namespace ({actor.name}/{name.leaf}), or ask {name.namespace}"


def _scope(request: Request, name: RepositoryName, action: Action) -> str:
    """What to ask a token for, to be let through."""
    if request.method == "HEAD" and "/blobs/" in request.path:
        # Who looks whether a blob is here is about to push it, and some (oras for Python) never ask for a second token.
        action = Action.PUSH
    return f"repository:{name}:{_SCOPES.get(action, action.value)}"
