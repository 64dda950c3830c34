"""Tags: ``GET /v2/<name>/tags/list`` (end-8a, end-8b)."""

from __future__ import annotations

from havre.server import urls
from havre.server.http import Response
from havre.server.v2.call import Call, json, page_size


async def get(call: Call) -> Response:
    """One page of tags in byte order; ``n=0`` is an empty page without a Link."""
    limit = page_size(call.request)
    last = call.request.parameter("last") or ""
    names = list(await call.app.tags.names(call.name, last, limit + 1 if limit else 0))
    headers = (
        [("link", urls.next_page(call.request.path, n=limit, last=names[limit - 1]))] if 0 < limit < len(names) else []
    )
    return json({"name": call.name, "tags": names[:limit]}, headers)
