"""Tags of a repository."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request

from havre.access.actors import Action, Actor
from havre.oci.names import Tag
from havre.registry.records import TagOrder, TagPlace
from havre.server.api.caller import admit, app_of, caller, repository_name
from havre.server.api.models import TagPage, Text

router = APIRouter(tags=["tags"])

Caller = Annotated[Actor, Depends(caller)]


@router.get("/repositories/{namespace}/{name:path}/tags")
async def get(
    request: Request,
    actor: Caller,
    namespace: str,
    name: str,
    q: Annotated[Text, Query(max_length=128, description="Part of a tag's name.")] = "",
    order: TagOrder = TagOrder.NEWEST,
    after: Annotated[Text, Query(max_length=160, description="The `next` of the page before.")] = "",
    per_page: Annotated[int, Query(ge=1, le=100)] = 25,
) -> TagPage:
    """One page of tags, the last pushed first or in another order."""
    app = app_of(request)
    repository = await admit(app, actor, repository_name(namespace, name), Action.PULL)
    place = TagPlace.parse(after) if after else None
    return TagPage.of(await app.tags.page(repository, q, order, after=place, per_page=per_page))


@router.delete("/repositories/{namespace}/{name:path}/tags/{tag}", status_code=204)
async def delete(request: Request, actor: Caller, namespace: str, name: str, tag: str) -> None:
    """Remove a tag; what it pointed at stays under its digest."""
    app, path = app_of(request), repository_name(namespace, name)
    await admit(app, actor, path, Action.DELETE)
    await app.tags.delete(path, Tag.parse(tag), actor.user_id)
