"""Collaborators of a repository."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request

from havre.access.actors import Action, Actor
from havre.server.api.caller import account, admit, app_of, author, repository_name
from havre.server.api.models import CollaboratorOut, RoleIn

router = APIRouter(tags=["collaborators"])

Account = Annotated[Actor, Depends(account)]


@router.get("/repositories/{namespace}/{name:path}/collaborators")
async def get(request: Request, actor: Account, namespace: str, name: str) -> list[CollaboratorOut]:
    """Who has a role in it, by name. There are never more than two hundred."""
    app = app_of(request)
    repository = await admit(app, actor, repository_name(namespace, name), Action.ADMIN)
    return [CollaboratorOut.of(one) for one in await app.collaborators.of(repository)]


@router.put("/repositories/{namespace}/{name:path}/collaborators/{person}", status_code=204)
async def put(request: Request, actor: Account, namespace: str, name: str, person: str, wanted: RoleIn) -> None:
    """Give an account a role, or another one."""
    app, path = app_of(request), repository_name(namespace, name)
    await admit(app, actor, path, Action.ADMIN)
    await app.collaborators.put(path, person, wanted.role, **author(request, actor))


@router.delete("/repositories/{namespace}/{name:path}/collaborators/{person}", status_code=204)
async def delete(request: Request, actor: Account, namespace: str, name: str, person: str) -> None:
    """Take the role away; everyone may do so for themselves."""
    app, path = app_of(request), repository_name(namespace, name)
    leaving = person == actor.name and actor.grants is None
    await admit(app, actor, path, Action.PULL if leaving else Action.ADMIN)
    await app.collaborators.remove(path, person, **author(request, actor))
