"""Health and figures: is the process alive, can it do its work, and what has it done."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from havre.errors import Unavailable
from havre.oci.names import RepositoryName
from havre.server.http import Request, Response
from havre.server.v2.call import json

if TYPE_CHECKING:
    from havre.server.app import App

_NO_CONTENT = f"sha256/00/{'0' * 64}"
"""A key of content that nobody has; what looks for it finds out whether the storage answers."""

PATIENCE = 3.0
"""Seconds that readiness waits. Whoever asks for it decides where the next request goes, and asks again soon."""


async def alive(_app: App, _request: Request) -> Response:
    """200 as long as the process answers at all."""
    return json({"status": "alive"})


async def ready(app: App, _request: Request) -> Response:
    """200 when the database and the storage answer; a failure is told as 503 by the one translation of errors.

    Raises Unavailable after PATIENCE: what fails is tried again for longer than that, in case it recovers.
    """
    waiting_for = "database"
    try:
        async with asyncio.timeout(PATIENCE):
            await app.database.read(lambda rows: rows.repositories.get(RepositoryName("readyz")))
            waiting_for = "storage"
            await app.storage.blobs.size(_NO_CONTENT)
    except TimeoutError as error:
        sentence = f"the registry's {waiting_for} has not answered for {PATIENCE:.0f} seconds"
        raise Unavailable(sentence, retry_after=5) from error
    return json({"status": "ready"})


async def metrics(app: App, _request: Request) -> Response:
    """Prometheus text of all workers together."""
    content_type, text = app.figures.exposition(await app.gauges.now())
    return Response(200, [("content-type", content_type)], text)
