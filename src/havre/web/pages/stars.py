"""The star button of a repository."""

from __future__ import annotations

from urllib.parse import quote

from starlette.responses import Response

from havre.web.contexts import repository_path
from havre.web.visit import Visit


async def change(visit: Visit) -> Response:
    """``POST /r/{namespace}/{repository}/star``: with ``starred=yes`` give a star, else take it back."""
    repository = visit.shown
    path = repository_path(repository)
    if visit.actor.user_id is None:
        return visit.redirect(f"/login?next={quote(path)}")
    values = await visit.form()
    if values.get("starred") == "yes":
        await visit.app.stars.star(repository.name, visit.actor.user_id)
    else:
        await visit.app.stars.unstar(repository.name, visit.actor.user_id)
    return visit.redirect(path)
