"""Stars: what the caller has marked to find it again."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request

from havre.access.actors import Action, Actor
from havre.errors import Denied
from havre.oci.names import RepositoryName
from havre.registry.search import SearchOrder, SearchQuery
from havre.server.api.caller import account, admit, app_of, repository_name
from havre.server.api.models import RepositoryPage

router = APIRouter(tags=["stars"])

Account = Annotated[Actor, Depends(account)]


@router.get("/user/starred")
async def listed(
    request: Request,
    actor: Account,
    page: Annotated[int, Query(ge=1, le=10_000)] = 1,
    per_page: Annotated[int, Query(ge=1, le=100)] = 25,
) -> RepositoryPage:
    """List what the caller starred and may see, the last pushed first."""
    query = SearchQuery(starred_by=actor.user_id, order=SearchOrder.RECENT)
    return RepositoryPage.of(await app_of(request).search.find(actor.viewer, query, page, per_page))


@router.put("/user/starred/{namespace}/{name:path}", status_code=204)
async def star(request: Request, actor: Account, namespace: str, name: str) -> None:
    """Star a repository; again does nothing."""
    path, user_id = await _admitted(request, actor, namespace, name)
    await app_of(request).stars.star(path, user_id)


@router.delete("/user/starred/{namespace}/{name:path}", status_code=204)
async def unstar(request: Request, actor: Account, namespace: str, name: str) -> None:
    """Take the star back; nothing happens if there was none."""
    path, user_id = await _admitted(request, actor, namespace, name)
    await app_of(request).stars.unstar(path, user_id)


async def _admitted(request: Request, actor: Actor, namespace: str, name: str) -> tuple[RepositoryName, int]:
    """The repository's name as it is now, and the account; raises NameUnknown, and Denied for a token for others."""
    repository = await admit(app_of(request), actor, repository_name(namespace, name), Action.PULL)
    if not actor.covers(Action.PULL, repository.name):
        raise Denied(f"this access token may not pull {repository.name}: make one with a wider grant")
    assert actor.user_id is not None
    return repository.name, actor.user_id
