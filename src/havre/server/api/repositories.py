"""Repositories: found, described, shown or hidden, removed."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request

from havre.access.actors import Action, Actor
from havre.oci.names import Namespace
from havre.registry.changes import Change
from havre.registry.facets import Kind
from havre.registry.search import SearchOrder, SearchQuery
from havre.server.api.caller import admit, admit_owner, app_of, author, caller, repository_name
from havre.server.api.models import RepositoryChange, RepositoryPage, RepositoryWhole, Text

router = APIRouter(tags=["repositories"])

Caller = Annotated[Actor, Depends(caller)]
PageNumber = Annotated[int, Query(ge=1, le=10_000)]
PerPage = Annotated[int, Query(ge=1, le=100)]


@router.get("/repositories")
async def search(
    request: Request,
    actor: Caller,
    q: Annotated[Text, Query(max_length=200, description="Words, of which the last may be unfinished.")] = "",
    namespace: Annotated[str | None, Query(max_length=30)] = None,
    official: bool = False,
    platform: Annotated[Text, Query(max_length=100, description="Such as linux/arm64.")] = "",
    kind: Kind | None = None,
    sort: SearchOrder = SearchOrder.BEST,
    page: PageNumber = 1,
    per_page: PerPage = 25,
) -> RepositoryPage:
    """Search what the caller may see; without ``q``, list it all. By words, at most 2,000 are counted and listed."""
    where = Namespace.parse(namespace) if namespace else None
    query = SearchQuery(q, where, official, platform, kind, order=sort)
    return RepositoryPage.of(await app_of(request).search.find(actor.viewer, query, page, per_page))


# A repository's own name may hold slashes, so these come after the paths that end in /tags and the like.


@router.get("/repositories/{namespace}/{name:path}")
async def get(request: Request, actor: Caller, namespace: str, name: str) -> RepositoryWhole:
    """One repository. Official images are in the namespace ``library``."""
    app = app_of(request)
    repository = await admit(app, actor, repository_name(namespace, name), Action.PULL)
    return RepositoryWhole.whole(repository, await app.repositories.readme(repository))


@router.patch("/repositories/{namespace}/{name:path}")
async def patch(
    request: Request, actor: Caller, namespace: str, name: str, change: RepositoryChange
) -> RepositoryWhole:
    """Change texts, categories, visibility, whether it is archived, and its name: all that is asked, or nothing."""
    app, path, by = app_of(request), repository_name(namespace, name), author(request, actor)
    await (admit(app, actor, path, Action.ADMIN) if change.name is None else admit_owner(app, actor, path))
    repository = await app.repositories.get(await app.changes.make(path, Change(**change.model_dump()), **by))
    return RepositoryWhole.whole(repository, await app.repositories.readme(repository))


@router.delete("/repositories/{namespace}/{name:path}", status_code=204)
async def delete(request: Request, actor: Caller, namespace: str, name: str) -> None:
    """Delete it with all its tags and images. For some days it can be restored."""
    app, path = app_of(request), repository_name(namespace, name)
    await admit_owner(app, actor, path)
    await app.deletion.delete(path, **author(request, actor))
