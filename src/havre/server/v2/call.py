"""A call to the registry API: who calls, for which repository, with what after the noun; and the headers all answers share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import orjson

from havre.access.actors import Actor
from havre.errors import InputInvalid
from havre.oci.names import RepositoryName
from havre.server.authorization import Identity
from havre.server.http import Request, Response

if TYPE_CHECKING:
    from havre.server.app import App

MAX_PAGE = 10_000
"""Entries on one page of tags or repositories; a client that asks for more gets this many and a Link to the rest."""

# Manifests come back with the media type their pusher chose: no browser may run one as a page of this site.
INERT = (
    ("x-content-type-options", "nosniff"),
    ("content-security-policy", "default-src 'none'; sandbox"),
)


@dataclass(frozen=True, slots=True)
class Call:
    """One authorised call. ``name`` is empty where the path names no repository."""

    app: App
    request: Request
    identity: Identity
    name: RepositoryName
    tail: str

    @property
    def actor(self) -> Actor:
        """Who calls."""
        return self.identity.actor


def json(value: object, headers: list[tuple[str, str]] | None = None) -> Response:
    """A JSON answer, without a charset: clients compare media types to the letter."""
    return Response(200, [("content-type", "application/json"), *(headers or [])], orjson.dumps(value))


def page_size(request: Request) -> int:
    """How many entries the client wants, at most MAX_PAGE; raises InputInvalid if ``n`` is no number."""
    text = request.parameter("n")
    if text is None or text == "":
        return MAX_PAGE
    if not (text.isascii() and text.isdigit()):
        raise InputInvalid(f"n={text[:40]!r} is not a number of entries", field="n")
    return min(int(text[:9]), MAX_PAGE)


def matches(request: Request, etag: str) -> bool:
    """Does the client already hold this very content (RFC 9110, If-None-Match)?"""
    known = request.header("if-none-match")
    return known is not None and (
        known.strip() == "*" or etag in (one.strip().removeprefix("W/") for one in known.split(","))
    )
