"""The home page and search."""

from __future__ import annotations

from starlette.responses import Response

from havre.access.actors import ANONYMOUS
from havre.registry.facets import Kind
from havre.registry.search import MAX_FOUND, SearchOrder, SearchQuery
from havre.web.contexts import RepositoryCard
from havre.web.contexts.home import KINDS, ORDERS, Asked, HomePage, SearchPage, SuggestionsPage
from havre.web.visit import Visit, pager

_SHOWN = 6
_PER_PAGE = 20


async def show(visit: Visit) -> Response:
    """``/``: what Havre is, and what people pull and push. The same public lists for everyone."""
    everyone, search = ANONYMOUS.viewer, visit.app.search
    popular = await search.first(everyone, SearchQuery(order=SearchOrder.PULLS), _SHOWN)
    recent = await search.first(everyone, SearchQuery(order=SearchOrder.RECENT), _SHOWN)
    page = HomePage([RepositoryCard(one) for one in popular if one.pulls], [RepositoryCard(one) for one in recent])
    return visit.page("home.html", page)


async def search(visit: Visit) -> Response:
    """``/search?q=&official=&platform=&kind=&sort=&page=``: among what the visitor may see."""
    asked = _asked(visit)
    query = SearchQuery(
        asked.text,
        official=asked.official,
        platform=asked.platform,
        kind=Kind(asked.kind) if asked.kind else None,
        order=SearchOrder(asked.order),
    )
    found = await visit.app.search.find(visit.actor.viewer, query, visit.page_number(), _PER_PAGE)
    cards = [RepositoryCard(one) for one in found.items]
    many = bool(asked.text) and found.total >= MAX_FOUND
    return visit.page("search.html", SearchPage(asked, cards, pager(found, **asked.fields), many))


async def suggest(visit: Visit) -> Response:
    """``/search/suggest?q=``: the best few as options of a list, for the script that shows them while one types."""
    text = visit.query("q")
    found = await visit.app.search.suggest(visit.actor.viewer, text) if text else []
    return visit.page("suggestions.html", SuggestionsPage(text, [RepositoryCard(one) for one in found]))


def _asked(visit: Visit) -> Asked:
    """What is asked for; what is no choice of ours is left out."""
    kind, order = visit.query("kind", 20), visit.query("sort", 20)
    return Asked(
        visit.query("q"),
        visit.query("official", 5) == "yes",
        visit.query("platform", 100),
        kind if kind in KINDS else "",
        order if order in ORDERS else "best",
    )
