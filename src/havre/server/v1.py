"""Search as ``docker search`` and ``podman search`` ask for it: the last living part of the first registry API."""

from __future__ import annotations

from typing import TYPE_CHECKING

from havre.registry.search import SearchQuery
from havre.server.authorization import identify
from havre.server.http import Request, Response
from havre.server.v2.call import json

if TYPE_CHECKING:
    from havre.server.app import App

MAX_RESULTS = 100


async def ping(_app: App, _request: Request) -> Response:
    """Docker asks this before it searches, and wants to know whether we stand alone."""
    return json(True, [("x-docker-registry-standalone", "True")])


async def search(app: App, request: Request) -> Response:
    """Repositories that the caller may see; without a login, the public ones."""
    identity = await identify(app, request)
    text = request.parameter("q") or ""
    per_page, number = _number(request, "n", 25, MAX_RESULTS), _number(request, "page", 1, 10_000)
    query = SearchQuery(text.removeprefix("library/"))
    page = await app.search.find(identity.actor.viewer, query, number, per_page)
    results = [
        {
            "name": one.name,
            "description": one.description,
            "star_count": one.stars,
            "is_official": one.name.official,
            "is_automated": False,
        }
        for one in page.items
    ]
    return json(
        {
            "query": text,
            "num_results": page.total,
            "num_pages": page.last,
            "page": number,
            "page_size": per_page,
            "results": results,
        }
    )


def _number(request: Request, name: str, default: int, most: int) -> int:
    text = request.parameter(name) or ""
    return max(1, min(int(text), most)) if text.isascii() and text.isdigit() and len(text) < 10 else default
