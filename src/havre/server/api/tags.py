"""Tags of a repository."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request

from havre.access.actors import Action, Actor
from havre.errors import InputInvalid
from havre.oci.digest import Digest
from havre.oci.names import Tag
from havre.registry.records import TagOrder, TagPlace
from havre.server.api.caller import admit, app_of, caller, repository_name, request_of
from havre.server.api.models import Text
from havre.server.api.tag_models import TagHistory, TagPage, TagRemoval, TagRestoration, TagsRemoved

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


@router.get("/repositories/{namespace}/{name:path}/tags/{tag}/history")
async def history(
    request: Request,
    actor: Caller,
    namespace: str,
    name: str,
    tag: str,
    before: Annotated[Text, Query(max_length=40, description="The `next` of the page before.")] = "",
    per_page: Annotated[int, Query(ge=1, le=100)] = 25,
) -> TagHistory:
    """The moves of a tag, which may be gone: the newest first."""
    app = app_of(request)
    repository = await admit(app, actor, repository_name(namespace, name), Action.PULL)
    found = await app.tags.history(repository, Tag.parse(tag), per_page + 1, _place(before))
    return TagHistory.of(found, per_page)


@router.post("/repositories/{namespace}/{name:path}/tags/{tag}/restore", status_code=204)
async def restore(request: Request, actor: Caller, namespace: str, name: str, tag: str, body: TagRestoration) -> None:
    """Point a tag, which may be gone, at a manifest that is still here."""
    app = app_of(request)
    repository = await admit(app, actor, repository_name(namespace, name), Action.PUSH)
    digest = Digest.parse(body.digest)
    await app.tags.restore(repository.name, Tag.parse(tag), digest, actor, request_of(request).client_address)


@router.post("/repositories/{namespace}/{name:path}/tags/remove")
async def remove(request: Request, actor: Caller, namespace: str, name: str, body: TagRemoval) -> TagsRemoved:
    """Remove several tags at once or, with `preview`, only tell what goes with them."""
    app = app_of(request)
    repository = await admit(app, actor, repository_name(namespace, name), Action.DELETE)
    tags = [Tag.parse(one) for one in dict.fromkeys(body.tags)]
    if body.preview:
        return TagsRemoved.of(await app.removals.preview(repository.name, tags), images=body.images)
    address = request_of(request).client_address
    return TagsRemoved.of(
        await app.removals.remove(repository.name, tags, actor, images=body.images, address=address),
        images=body.images,
    )


def _place(text: str) -> tuple[int, int] | None:
    at, _, identity = text.partition(".")
    if not text:
        return None
    if not all(one.isascii() and one.isdigit() and len(one) < 19 for one in (at, identity)):
        raise InputInvalid("this is no place in a history: begin with its first page", field="before")
    return int(at), int(identity)


@router.delete("/repositories/{namespace}/{name:path}/tags/{tag}", status_code=204)
async def delete(request: Request, actor: Caller, namespace: str, name: str, tag: str) -> None:
    """Remove a tag; what it pointed at stays under its digest."""
    app, path = app_of(request), repository_name(namespace, name)
    await admit(app, actor, path, Action.DELETE)
    await app.tags.delete(path, Tag.parse(tag), actor, request_of(request).client_address)
