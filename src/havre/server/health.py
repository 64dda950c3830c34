"""Health and figures: is the process alive, can it do its work, and what has it done."""

from __future__ import annotations

from typing import TYPE_CHECKING

from havre.oci.names import RepositoryName
from havre.server.http import Request, Response
from havre.server.v2.call import json

if TYPE_CHECKING:
    from havre.server.app import App

_NO_CONTENT = f"sha256/00/{'0' * 64}"
"""A key of content that nobody has; what looks for it finds out whether the storage answers."""


async def alive(_app: App, _request: Request) -> Response:
    """200 as long as the process answers at all."""
    return json({"status": "alive"})


async def ready(app: App, _request: Request) -> Response:
    """200 when the database and the storage answer; a failure is told as 503 by the one translation of errors."""
    await app.database.read(lambda rows: rows.repositories.get(RepositoryName("readyz")))
    await app.storage.blobs.size(_NO_CONTENT)
    return json({"status": "ready"})


async def metrics(app: App, _request: Request) -> Response:
    """Prometheus text of all workers together."""
    content_type, text = app.figures.exposition()
    return Response(200, [("content-type", content_type)], text)
