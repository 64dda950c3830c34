"""The token endpoint: ``GET`` and ``POST /auth/token`` (distribution token and OAuth 2.0 token specifications).

Clients come here from the challenge of ``/v2/``, prove who they are or that they are nobody, and take away a bearer
token for the repositories they named. A scope that is denied, unknown or malformed is left out and never fails the
request, because clients ask for more than they need when they try to mount. No refresh tokens are given out: docker
would store them in place of the password, and nothing could narrow or revoke them.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import orjson

from havre.access.actors import ANONYMOUS, Actor
from havre.access.bearer import LIFE
from havre.access.passwords import TOKEN_PREFIX
from havre.access.permissions import allowed
from havre.access.scopes import Access, parse_scopes
from havre.errors import InputInvalid, WrongCredentials
from havre.server.auth.caller import identify
from havre.server.http import Request, Response, parse_fields

if TYPE_CHECKING:
    from havre.access.ports import Rows
    from havre.server.app import App

MAX_FORM = 64 * 1024
"""Bytes of a POST form."""


async def token(app: App, request: Request) -> Response:
    """Answer with a token for what the caller may do of what it asked for.

    Without a scope it is a login check. Raises WrongCredentials, TooManyRequests, and for a form InputInvalid or
    TooLarge.
    """
    if request.method == "POST":
        form = parse_fields((await request.body(MAX_FORM)).decode(errors="replace"))
        actor = await _by_form(app, request, dict(form))
        scopes = [value for key, value in form if key == "scope"]
    else:
        actor = await identify(
            app.credentials, request.header("authorization"), request.client_address, request.header("user-agent") or ""
        )
        scopes = request.parameters("scope")
    request.actor_name = actor.name
    app.rates.check_account(actor.user_id)
    granted = await _grant(app, actor, parse_scopes(scopes))
    now = app.clock()
    text = app.bearer.mint(actor, granted, now)
    body = {
        "token": text,
        "access_token": text,
        "token_type": "Bearer",
        "expires_in": LIFE,
        "issued_at": datetime.fromtimestamp(now // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "scope": str(granted),
    }
    headers = [("content-type", "application/json"), ("cache-control", "no-store")]
    return Response(200, headers, orjson.dumps(body))


async def _by_form(app: App, request: Request, form: dict[str, str]) -> Actor:
    """Who is it that posts this form (RFC 6749, sections 4.3 and 6)?"""
    address, client = request.client_address, request.header("user-agent") or ""
    grant_type = form.get("grant_type", "")
    if grant_type == "password":
        name, secret = form.get("username", ""), form.get("password", "")
        return await app.credentials.check(name, secret, address, client) if name or secret else ANONYMOUS
    if grant_type == "refresh_token":
        # What a client keeps as its "identity token" may well be one of our personal access tokens.
        kept = form.get("refresh_token", "")
        if not kept.startswith(TOKEN_PREFIX):
            raise WrongCredentials("this registry gives out no refresh tokens: log in again")
        return await app.credentials.check_token(kept, address, client)
    raise InputInvalid(
        f"grant_type {grant_type[:40]!r} is not offered here: use password or refresh_token", field="grant_type"
    )


async def _grant(app: App, actor: Actor, asked: Access) -> Access:
    """What the actor may do of what is asked. The catalogue is for all: it lists only what the caller may see."""
    if not asked.repositories:
        return asked

    def work(rows: Rows) -> Access:
        repositories = {name: allowed(rows, actor, name, actions) for name, actions in asked.repositories.items()}
        return replace(asked, repositories={name: actions for name, actions in repositories.items() if actions})

    return await app.database.read(work)
