"""A person's public page."""

from __future__ import annotations

from starlette.responses import Response

from havre.errors import NameUnknown
from havre.oci.names import Namespace
from havre.registry.search import SearchOrder, SearchQuery
from havre.web.contexts import RepositoryCard
from havre.web.contexts.profile import ProfilePage
from havre.web.visit import Visit, pager

_PER_PAGE = 20
_ORDERS = ("recent", "pulls", "stars")


async def show(visit: Visit) -> Response:
    """``/u/{name}?tab=&q=&sort=&page=``: their repositories, the private ones only for those who may see them.

    Under ``tab=starred`` their owner finds what they starred.
    """
    user = await visit.app.accounts.by_name(visit.request.path_params["name"])
    if user is None or user.disabled or user.closed:
        raise NameUnknown("there is no such account")
    mine = visit.actor.user_id == user.id
    starred = mine and visit.query("tab", 20) == "starred"
    text, order = visit.query("q"), visit.query("sort", 20)
    order = order if order in _ORDERS else _ORDERS[0]
    query = SearchQuery(
        text,
        namespace=None if starred else Namespace.parse(user.name),
        starred_by=user.id if starred else None,
        order=SearchOrder(order),
    )
    found = await visit.app.search.find(visit.actor.viewer, query, visit.page_number(), _PER_PAGE)
    fields = {"tab": "starred" if starred else "", "q": text, "sort": order if order != _ORDERS[0] else ""}
    cards = [RepositoryCard(one) for one in found.items]
    page = ProfilePage(user.name, user.bio, user.created, mine, starred, text, order, cards, pager(found, **fields))
    return visit.page("profile.html", page)
