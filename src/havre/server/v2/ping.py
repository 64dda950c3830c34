"""Ping: ``GET /v2/`` (end-1). Clients learn here how to authenticate, and check a login."""

from __future__ import annotations

from havre.server.http import Response
from havre.server.v2.call import Call, json


async def get(_call: Call) -> Response:
    """200 for whoever brings a valid token; the others got a challenge before."""
    return json({})
