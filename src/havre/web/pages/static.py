"""Our own files, which browsers may keep for ever."""

from __future__ import annotations

from starlette.responses import Response

from havre.web.assets import assets
from havre.web.errors import not_found
from havre.web.visit import Visit

_PUBLIC = ("/$", "/r/", "/_/", "/u/", "/static/")
_ROBOTS = "\n".join(("User-agent: *", *(f"Allow: {path}" for path in _PUBLIC), "Disallow: /", ""))
_FOREVER = "public, max-age=31536000, immutable"


async def serve(visit: Visit) -> Response:
    """``/static/{name}``: by hashed name only."""
    asset = assets().by_name.get(visit.request.path_params["name"])
    if asset is None:
        return not_found(visit)
    headers = {"Cache-Control": _FOREVER, "Vary": "Accept-Encoding"}
    if "gzip" not in visit.request.headers.get("accept-encoding", ""):
        return Response(asset.content, media_type=asset.media_type, headers=headers)
    return Response(asset.compressed, media_type=asset.media_type, headers={**headers, "Content-Encoding": "gzip"})


async def robots(_visit: Visit) -> Response:
    """``/robots.txt`` (RFC 9309): search engines may read what is public, and nothing of what is made on request."""
    return Response(_ROBOTS, media_type="text/plain; charset=utf-8", headers={"Cache-Control": "public, max-age=86400"})


async def favicon(_visit: Visit) -> Response:
    """``/favicon.ico``: for those who ask without reading the page."""
    return Response(
        assets().by_name[assets().names["favicon.svg"]].content,
        media_type="image/svg+xml",
        headers={"Cache-Control": "public, max-age=86400"},
    )
