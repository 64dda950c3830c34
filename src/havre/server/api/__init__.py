"""Our own JSON: what the pages can do with accounts, tokens, repositories and tags, for programs.

Everything lives below ``/api/v1`` and is described at ``/api/v1/openapi.json``. Loaded when the first request comes,
because FastAPI takes megabytes that a registry of containers alone never needs.
"""

from havre.server.api.app import create_api

__all__ = ["create_api"]
