"""Catalogue: ``GET /v2/_catalog``, the names of the repositories that the caller may see."""

from __future__ import annotations

from havre.server import urls
from havre.server.http import Response
from havre.server.v2.call import Call, json, page_size


async def get(call: Call) -> Response:
    """One page of names in byte order."""
    limit = page_size(call.request)
    last = call.request.parameter("last") or ""
    names = list(await call.app.repositories.names(call.actor.viewer, last, limit + 1)) if limit else []
    headers = (
        [("link", urls.next_page(call.request.path, n=limit, last=names[limit - 1]))] if len(names) > limit else []
    )
    return json({"repositories": names[:limit]}, headers)
