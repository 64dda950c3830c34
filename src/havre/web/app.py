"""The pages' entry: called on the first page request, because what it imports weighs more than the registry itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from havre.web.dispatch import Dispatcher

if TYPE_CHECKING:
    from starlette.types import ASGIApp

    from havre.server.app import App


def create_pages(app: App) -> ASGIApp:
    """All pages as one ASGI application over the services of ``app``. Starts nothing."""
    return Dispatcher(app)
