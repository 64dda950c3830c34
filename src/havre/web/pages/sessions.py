"""Sessions: where the visitor is signed in, and signing those places out."""

from __future__ import annotations

from starlette.responses import Response

from havre.web.contexts.settings import SessionRow, SessionsPage
from havre.web.errors import not_found
from havre.web.visit import Visit

_BROWSERS = (("Edg/", "Edge"), ("OPR/", "Opera"), ("Firefox/", "Firefox"), ("Chrome/", "Chrome"), ("Safari/", "Safari"))
_SYSTEMS = (
    *(("Android", "Android"), ("iPhone", "iPhone"), ("iPad", "iPad")),
    *(("Windows", "Windows"), ("Mac OS X", "macOS"), ("Linux", "Linux")),
)


async def show(visit: Visit) -> Response:
    """``GET /settings/sessions``."""
    current = visit.session.id if visit.session else None
    sessions = [
        SessionRow(one.id, _client(one.user_agent), one.address, one.created, one.last_seen, one.id == current)
        for one in await visit.app.sessions.list(visit.user_id)
    ]
    return visit.page("settings_sessions.html", SessionsPage(sessions, visit.query("saved") == "others"))


async def revoke_others(visit: Visit) -> Response:
    """``POST /settings/sessions``: sign every browser out but this one."""
    keep = visit.session.id if visit.session else None
    await visit.app.sessions.revoke_others(visit.user_id, keep, visit.address)
    return visit.redirect("/settings/sessions?saved=others")


async def revoke(visit: Visit) -> Response:
    """``POST /settings/sessions/{session}/revoke``."""
    text = visit.request.path_params["session"]
    if not (text.isascii() and text.isdigit() and len(text) < 18):
        return not_found(visit)
    await visit.app.sessions.revoke(visit.user_id, int(text), visit.address)
    return visit.redirect("/settings/sessions")


def _client(user_agent: str) -> str:
    """``Firefox, Linux``: enough to tell one's devices apart; the program's own words if we know none of them."""
    known = [next((name for sign, name in table if sign in user_agent), "") for table in (_BROWSERS, _SYSTEMS)]
    return ", ".join(filter(None, known)) or user_agent[:60]
