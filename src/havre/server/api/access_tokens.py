"""Personal access tokens of the account that calls."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request

from havre.access.actors import Actor
from havre.server.api.caller import app_of, request_of, whole_account
from havre.server.api.models import AccessTokenIn, AccessTokenMade, AccessTokenOut

router = APIRouter(tags=["access tokens"])

Owner = Annotated[Actor, Depends(whole_account)]


@router.get("/user/access-tokens")
async def get(request: Request, actor: Owner) -> list[AccessTokenOut]:
    """List them, the newest first. There are never more than a hundred."""
    return [AccessTokenOut.of(one) for one in await app_of(request).access_tokens.list(_id(actor))]


@router.post("/user/access-tokens", status_code=201)
async def post(request: Request, actor: Owner, wanted: AccessTokenIn) -> AccessTokenMade:
    """Make one. Its secret is in this answer and nowhere else."""
    expires = int(wanted.expires.timestamp() * 1000) if wanted.expires else None
    grants = [one.grant() for one in wanted.grants]
    token, secret = await app_of(request).access_tokens.create(
        _id(actor), wanted.label, grants, expires, address=request_of(request).client_address
    )
    return AccessTokenMade(secret=secret, token=AccessTokenOut.of(token))


@router.delete("/user/access-tokens/{uid}", status_code=204)
async def delete(request: Request, actor: Owner, uid: str) -> None:
    """Revoke one, from the next request on."""
    await app_of(request).access_tokens.revoke(_id(actor), uid, request_of(request).client_address)


def _id(actor: Actor) -> int:
    assert actor.user_id is not None, "whole_account lets nobody else through"
    return actor.user_id
