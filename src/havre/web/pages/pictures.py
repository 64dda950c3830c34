"""Pictures in overviews, from this server's own address."""

from __future__ import annotations

from starlette.responses import Response

from havre.errors import NameUnknown
from havre.web.visit import Visit

_HEADERS = {
    # Badges change, logos do not: a day is the time for which the server itself keeps it.
    "Cache-Control": "public, max-age=86400",
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "Vary": "Accept-Encoding",
}


async def show(visit: Visit) -> Response:
    """``/pictures/{signature}/{address}``: the bytes of a picture, of whatever kind they prove to be."""
    pictures = visit.app.pictures
    if pictures is None:
        raise NameUnknown("pictures are shown as links here")
    parameters = visit.request.path_params
    content, media_type = await pictures.get(parameters["signature"], parameters["address"])
    return Response(content, media_type=media_type, headers=_HEADERS)
