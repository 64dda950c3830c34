"""Deleted repositories that can still come back."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Request

from havre.access.actors import Actor
from havre.errors import NameUnknown
from havre.oci.names import Namespace
from havre.server.api.caller import app_of, author, whole_account
from havre.server.api.models import DeletedOut, RepositoryOut

router = APIRouter(tags=["deleted repositories"])

Owner = Annotated[Actor, Depends(whole_account)]
Id = Annotated[int, Path(ge=1, le=1 << 53)]


@router.get("/user/deleted-repositories")
async def get(request: Request, actor: Owner) -> list[DeletedOut]:
    """Those of the account's own namespace, the last deleted first. There are never more than two hundred."""
    deletion = app_of(request).deletion
    return [DeletedOut.of(one, deletion.until(one)) for one in await deletion.deleted(Namespace(actor.name))]


@router.post("/user/deleted-repositories/{repository}/restore")
async def restore(request: Request, actor: Owner, repository: Id) -> RepositoryOut:
    """Bring one back as it was. Administrators may do so for everyone."""
    app = app_of(request)
    await _admit(request, actor, repository)
    name = await app.deletion.restore(repository, **author(request, actor))
    return RepositoryOut.of(await app.repositories.get(name))


@router.delete("/user/deleted-repositories/{repository}", status_code=204)
async def delete(request: Request, actor: Owner, repository: Id) -> None:
    """Remove one for good, before its time."""
    await _admit(request, actor, repository)
    await app_of(request).deletion.purge(repository, **author(request, actor))


async def _admit(request: Request, actor: Actor, repository: int) -> None:
    one = await app_of(request).deletion.get(repository)
    if one.owner_id != actor.user_id and not actor.is_admin:
        raise NameUnknown("there is no such deleted repository: it was restored, or removed for good")
