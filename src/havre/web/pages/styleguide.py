"""Each component once, in the light and in the dark: for those who build pages, and for the tests that look at them."""

from __future__ import annotations

from starlette.responses import Response

from havre.oci.digest import Digest
from havre.web.contexts import Form, Pager
from havre.web.contexts.styleguide import StyleguidePage
from havre.web.visit import Visit

_DAYS = 30
_DAY_MS = 24 * 3600 * 1000


async def show(visit: Visit) -> Response:
    """``/styleguide``: the same for everyone; it shows nothing of this registry."""
    values = {"name": "lighthouse", "email": "marin", "visibility": "public", "days": "90", "news": "yes"}
    form = Form(values, {"email": visit.text("That is no e-mail address.")})
    pulls = [(f"{day + 1}", 40 + (day * 37) % 55 + day * 2) for day in range(_DAYS)]
    moment = visit.app.clock() - 3 * _DAY_MS
    page = StyleguidePage(form, Digest.of(b"a lighthouse"), moment, pulls, Pager(2, 7, 130))
    return visit.page("styleguide.html", page)
