"""Repositories offered to other accounts, until they are taken or declined."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Request
from pydantic import BaseModel, Field

from havre.access.actors import Actor
from havre.access.permissions import owns
from havre.oci.names import RepositoryName
from havre.registry.records import Transfer
from havre.server.api.caller import admit_owner, app_of, author, whole_account
from havre.server.api.models import RepositoryOut, Strict, Text, moment

router = APIRouter(tags=["transfers"])

Owner = Annotated[Actor, Depends(whole_account)]
Id = Annotated[int, Path(ge=1, le=1 << 53)]


class TransferIn(Strict):
    """What is offered, and to whom."""

    repository: Text = Field(max_length=255, examples=["alice/app"])
    to: Text = Field(max_length=60, examples=["bobby"])


class TransferOut(BaseModel):
    """An offer."""

    id: int
    repository: str
    sender: str = Field(description="The account that offers it; empty when that is gone.")
    to: str
    created: datetime

    @classmethod
    def of(cls, one: Transfer) -> TransferOut:
        """From the record."""
        return cls(
            id=one.repository.id,
            repository=str(one.repository.name),
            sender=one.from_name,
            to=one.to_name,
            created=moment(one.created),
        )


@router.get("/user/transfers")
async def get(request: Request, actor: Owner) -> list[TransferOut]:
    """What the account is offered, the latest first. There are never more than two hundred."""
    return [TransferOut.of(one) for one in await app_of(request).renames.offers(actor.user_id or 0)]


@router.post("/user/transfers", status_code=201)
async def post(request: Request, actor: Owner, wanted: TransferIn) -> TransferOut:
    """Offer a repository to another account, in place of an offer made before. Nothing changes until it is taken."""
    app, name = app_of(request), RepositoryName.parse(wanted.repository)
    await admit_owner(app, actor, name)
    return TransferOut.of(await app.renames.offer(name, wanted.to, **author(request, actor)))


@router.post("/user/transfers/{repository}/accept")
async def accept(request: Request, actor: Owner, repository: Id) -> RepositoryOut:
    """Take what is offered. The old name leads to the new one."""
    app = app_of(request)
    name = await app.renames.accept(repository, **author(request, actor))
    return RepositoryOut.of(await app.repositories.get(name))


@router.delete("/user/transfers/{repository}", status_code=204)
async def delete(request: Request, actor: Owner, repository: Id) -> None:
    """Decline what is offered, or withdraw what one has offered."""
    renames = app_of(request).renames
    offer = await renames.pending(repository)
    if offer.to_id != actor.user_id and owns(actor, offer.repository):
        await renames.withdraw(offer.repository.name)
    else:
        await renames.decline(repository, by=actor)
