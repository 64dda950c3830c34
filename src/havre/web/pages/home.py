"""The home page and search."""

from __future__ import annotations

from starlette.responses import Response

from havre.access.actors import ANONYMOUS
from havre.web.contexts import HomePage, RepositoryCard, SearchPage
from havre.web.visit import Visit, pager

_SHOWN = 6
_PER_PAGE = 20


async def show(visit: Visit) -> Response:
    """``/``: what Havre is, and what people pull and push. The same public lists for everyone."""
    everyone = ANONYMOUS.viewer
    popular = await visit.app.repositories.search(everyone, per_page=_SHOWN)
    recent = await visit.app.repositories.search(everyone, per_page=_SHOWN, newest_first=True)
    page = HomePage(
        [RepositoryCard(one) for one in popular.items if one.pulls], [RepositoryCard(one) for one in recent.items]
    )
    return visit.page("home.html", page)


async def search(visit: Visit) -> Response:
    """``/search?q=&page=``: what the visitor may see whose name or description holds the text."""
    text = visit.query("q")
    found = await visit.app.repositories.search(visit.actor.viewer, text, visit.page_number(), _PER_PAGE)
    return visit.page(
        "search.html", SearchPage(text, [RepositoryCard(one) for one in found.items], pager(found, q=text))
    )
