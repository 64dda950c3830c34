"""Pulls and pushes as a library: a client for any registry that speaks the OCI distribution specification.

For example, inside a coroutine:

    from havre.client import Client
    from havre.client.copy import copy

    async with Client() as client:
        source, target = client.parse("python:3"), client.parse("hub.example.org/marin/python:3")
        await copy(client.repository(source), client.repository(target), source.reference, target.tag)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from havre.client.client import Client

__all__ = ["Client"]


def __getattr__(name: str) -> object:
    """Load `Client` at its first use: commands that only read names start without an HTTP library."""
    if name == "Client":
        from havre.client.client import Client

        return Client
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
