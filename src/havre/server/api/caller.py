"""Who calls the JSON API, and may they: by password, personal access token, or the session of a browser."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, TypedDict

from fastapi import Depends, Request

from havre.access.actors import ANONYMOUS, Action, Actor
from havre.access.permissions import Standing, owns, stand
from havre.errors import Conflict, Denied, NameUnknown, Unauthorized
from havre.oci.names import RepositoryName
from havre.registry.records import Repository
from havre.server import urls
from havre.server.auth.caller import identify
from havre.web.security import same_origin, session_secret

if TYPE_CHECKING:
    from havre.access.ports import Rows
    from havre.server.app import App
    from havre.server.http import Request as HavreRequest

_SAFE = {"GET", "HEAD", "OPTIONS"}


def app_of(request: Request) -> App:
    """The application whose services answer."""
    app: App = request.app.state.havre
    return app


def request_of(request: Request) -> HavreRequest:
    """The request as the middleware prepared it: with its id and the client's true address."""
    prepared: HavreRequest = request.state.request
    return prepared


async def caller(request: Request) -> Actor:
    """Who calls. Raises WrongCredentials and TooManyRequests, and Denied for a change that another site asks for."""
    app, prepared = app_of(request), request_of(request)
    authorization, client = prepared.header("authorization"), prepared.header("user-agent") or ""
    if authorization is not None:
        actor = await identify(app.credentials, authorization, prepared.client_address, client)
    else:
        actor = await _by_session(app, request)
    prepared.actor_name = actor.name
    app.rates.check_account(actor.user_id)
    return actor


async def _by_session(app: App, request: Request) -> Actor:
    external = app.config.external_url
    secret = session_secret(request, secure=urls.origin(request_of(request), external).startswith("https:"))
    found = await app.sessions.resolve(secret) if secret else None
    if found is None:
        return ANONYMOUS
    if request.method not in _SAFE and not same_origin(request, external):
        raise Denied("this change was asked for by another site: use this site's own pages, or an access token")
    return found[0]


async def account(actor: Annotated[Actor, Depends(caller)]) -> Actor:
    """Who calls, if it is someone. Raises Unauthorized."""
    if actor.anonymous:
        raise Unauthorized("sign in: send a personal access token as Bearer, or a name and a password as Basic")
    return actor


async def whole_account(actor: Annotated[Actor, Depends(account)]) -> Actor:
    """Who calls, if nothing narrows it: an access token must not make another that reaches further. Raises Denied."""
    if actor.grants is not None:
        raise Denied("access tokens can not manage access tokens: sign in with the account's password")
    return actor


async def admit(app: App, actor: Actor, name: RepositoryName, action: Action) -> Repository:
    """The repository, if ``actor`` may do ``action`` with it.

    Who reads is led on from a former name. Raises NameUnknown if it does not exist or may not be seen, Conflict for a
    change by a former name, else Unauthorized or Denied.
    """

    def work(rows: Rows) -> Standing:
        return stand(rows, actor, name)

    standing = await app.database.read(work)
    repository = standing.repository
    if repository is None:
        raise NameUnknown(f"repository {name} does not exist, or you may not see it", detail={"name": name})
    if repository.name != name and action is not Action.PULL:
        raise Conflict(f"{name} is now called {repository.name}: use that name", detail={"name": str(repository.name)})
    if action in standing.actions:
        return repository
    if actor.anonymous:
        raise Unauthorized(f"sign in to change {name}")
    if not actor.covers(action, name):
        raise Denied(f"this access token may not {action.value} {name}: make one with a wider grant")
    raise Denied(f"{actor.name} may not change {name}: ask its owner, {name.namespace}")


async def admit_owner(app: App, actor: Actor, name: RepositoryName) -> Repository:
    """The repository, if ``actor`` owns it or administers the registry; raises as ``admit``."""
    repository = await admit(app, actor, name, Action.ADMIN)
    if not owns(actor, repository):
        raise Denied(f"{actor.name} may not rename, give away or delete {name}: ask its owner, {name.namespace}")
    return repository


class Author(TypedDict):
    """Who asks for a change and from where, as the audit trail writes it down."""

    by: Actor
    address: str


def author(request: Request, actor: Actor) -> Author:
    """For the arguments ``by`` and ``address`` of what changes something."""
    return {"by": actor, "address": request_of(request).client_address}


def repository_name(namespace: str, name: str) -> RepositoryName:
    """The name in a path of the API; raises NameInvalid."""
    return RepositoryName.parse(f"{namespace}/{name}")
