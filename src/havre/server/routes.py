"""The one table of routes: every method and path, what it demands of the caller, and the function that answers.

``tests/access`` asks every row as every kind of actor and fails on a row that it does not know. Nothing else maps a
path to a function; the registry's paths are matched from the right, because a repository's name may hold slashes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from havre.access.actors import Action


class Demand(StrEnum):
    """What a route demands of its caller, besides an ``Action`` on the repository in its path."""

    NOTHING = "nothing"
    """Anyone may call; the answer may still depend on who asks."""
    IDENTITY = "identity"
    """Some proof, be it of being nobody: a bearer token, anonymous ones included."""


@dataclass(frozen=True, slots=True)
class Route:
    """One row. ``endpoint`` is ``module:function`` below ``havre.server``."""

    method: str
    path: str
    demand: Demand | Action
    endpoint: str


V2 = "/v2/"

REGISTRY: tuple[Route, ...] = (
    Route("GET", "/v2/", Demand.IDENTITY, "v2.ping:get"),
    Route("HEAD", "/v2/", Demand.IDENTITY, "v2.ping:get"),
    Route("GET", "/v2/_catalog", Demand.IDENTITY, "v2.catalog:get"),
    Route("HEAD", "/v2/_catalog", Demand.IDENTITY, "v2.catalog:get"),
    Route("GET", "/v2/{name}/tags/list", Action.PULL, "v2.tags:get"),
    Route("HEAD", "/v2/{name}/tags/list", Action.PULL, "v2.tags:get"),
    Route("GET", "/v2/{name}/manifests/{reference}", Action.PULL, "v2.manifests:get"),
    Route("HEAD", "/v2/{name}/manifests/{reference}", Action.PULL, "v2.manifests:get"),
    Route("PUT", "/v2/{name}/manifests/{reference}", Action.PUSH, "v2.manifests:put"),
    Route("DELETE", "/v2/{name}/manifests/{reference}", Action.DELETE, "v2.manifests:delete"),
    Route("GET", "/v2/{name}/blobs/{digest}", Action.PULL, "v2.blobs:get"),
    Route("HEAD", "/v2/{name}/blobs/{digest}", Action.PULL, "v2.blobs:get"),
    Route("DELETE", "/v2/{name}/blobs/{digest}", Action.DELETE, "v2.blobs:delete"),
    Route("POST", "/v2/{name}/blobs/uploads/", Action.PUSH, "v2.uploads:post"),
    Route("GET", "/v2/{name}/blobs/uploads/{upload}", Action.PUSH, "v2.uploads:get"),
    Route("HEAD", "/v2/{name}/blobs/uploads/{upload}", Action.PUSH, "v2.uploads:get"),
    Route("PATCH", "/v2/{name}/blobs/uploads/{upload}", Action.PUSH, "v2.uploads:patch"),
    Route("PUT", "/v2/{name}/blobs/uploads/{upload}", Action.PUSH, "v2.uploads:put"),
    Route("DELETE", "/v2/{name}/blobs/uploads/{upload}", Action.PUSH, "v2.uploads:delete"),
    Route("GET", "/v2/{name}/referrers/{digest}", Action.PULL, "v2.referrers:get"),
    Route("HEAD", "/v2/{name}/referrers/{digest}", Action.PULL, "v2.referrers:get"),
)
"""The registry API: the OCI distribution specification's endpoints."""

FIXED: tuple[Route, ...] = (
    Route("GET", "/auth/token", Demand.NOTHING, "auth.token:token"),
    Route("POST", "/auth/token", Demand.NOTHING, "auth.token:token"),
    Route("GET", "/v1/_ping", Demand.NOTHING, "v1:ping"),
    Route("GET", "/v1/search", Demand.NOTHING, "v1:search"),
    Route("GET", "/healthz", Demand.NOTHING, "health:alive"),
    Route("HEAD", "/healthz", Demand.NOTHING, "health:alive"),
    Route("GET", "/readyz", Demand.NOTHING, "health:ready"),
    Route("HEAD", "/readyz", Demand.NOTHING, "health:ready"),
    Route("GET", "/metrics", Demand.NOTHING, "health:metrics"),
)
"""Everything else that is answered without a framework. Pages are listed in ``havre.web.routes``, our JSON API in
its own OpenAPI document."""


@dataclass(frozen=True, slots=True)
class Match:
    """Where a path of the registry leads: its template, the repository's name and what follows the noun."""

    template: str
    name: str = ""
    tail: str = ""


def match_registry(path: str) -> Match | None:
    """Find the template of a path below ``/v2/``; None if it is none of ours."""
    rest = path[len(V2) :]
    if not rest:
        return Match(V2)
    if rest == "_catalog":
        return Match("/v2/_catalog")
    parts = rest.split("/")
    if len(parts) > 3 and parts[-3:-1] == ["blobs", "uploads"]:
        name = "/".join(parts[:-3])
        if not parts[-1]:
            return Match("/v2/{name}/blobs/uploads/", name)
        return Match("/v2/{name}/blobs/uploads/{upload}", name, parts[-1])
    if len(parts) < 3:
        return None
    name, noun, tail = "/".join(parts[:-2]), parts[-2], parts[-1]
    if noun == "manifests":
        return Match("/v2/{name}/manifests/{reference}", name, tail)
    if noun == "blobs":
        # Some clients leave out the last slash when they begin an upload.
        return Match("/v2/{name}/blobs/uploads/", name) if tail == "uploads" else Match(_BLOB, name, tail)
    if noun == "referrers":
        return Match("/v2/{name}/referrers/{digest}", name, tail)
    return Match("/v2/{name}/tags/list", name) if (noun, tail) == ("tags", "list") else None


_BLOB = "/v2/{name}/blobs/{digest}"


def by_path(routes: tuple[Route, ...]) -> Mapping[str, Mapping[str, Route]]:
    """The table as path → method → row."""
    table: dict[str, dict[str, Route]] = {}
    for route in routes:
        table.setdefault(route.path, {})[route.method] = route
    return table
