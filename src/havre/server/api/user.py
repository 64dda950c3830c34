"""The account that calls."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request

from havre.access.actors import Actor
from havre.errors import Unauthorized
from havre.server.api.caller import account, app_of
from havre.server.api.models import UserOut

router = APIRouter(tags=["user"])


@router.get("/user")
async def get(request: Request, actor: Annotated[Actor, Depends(account)]) -> UserOut:
    """Say who calls."""
    user = await app_of(request).accounts.by_name(actor.name)
    if user is None:
        raise Unauthorized("this account is gone")
    return UserOut.of(user)
