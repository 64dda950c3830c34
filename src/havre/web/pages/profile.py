"""A person's public page."""

from __future__ import annotations

from starlette.responses import Response

from havre.errors import NameUnknown
from havre.oci.names import Namespace
from havre.web.contexts import ProfilePage, RepositoryCard
from havre.web.visit import Visit, pager

_PER_PAGE = 20


async def show(visit: Visit) -> Response:
    """``/u/{name}``: their repositories, the private ones only for those who may see them."""
    name = visit.request.path_params["name"]
    user = await visit.app.accounts.by_name(name)
    if user is None or user.disabled:
        raise NameUnknown("there is no such account")
    found = await visit.app.repositories.search(
        visit.actor.viewer, "", visit.page_number(), _PER_PAGE, namespace=Namespace.parse(user.name), newest_first=True
    )
    mine = visit.actor.user_id == user.id
    cards = [RepositoryCard(one) for one in found.items]
    return visit.page("profile.html", ProfilePage(user.name, user.created, mine, cards, pager(found)))
