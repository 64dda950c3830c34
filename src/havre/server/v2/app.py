"""The registry API as one function: find the row of the table, let the caller through, call the noun's module."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from importlib import import_module
from typing import TYPE_CHECKING

from havre.access.actors import Action
from havre.errors import NameUnknown, Unauthorized, Unsupported
from havre.oci.names import RepositoryName
from havre.server import errors
from havre.server.authorization import authorize, identify
from havre.server.http import Request, Response
from havre.server.routes import REGISTRY, Route, by_path, match_registry
from havre.server.v2.call import Call

if TYPE_CHECKING:
    from havre.server.app import App

Endpoint = Callable[[Call], Awaitable[Response]]

API_VERSION = ("docker-distribution-api-version", "registry/2.0")

_TABLE = by_path(REGISTRY)


class RegistryAPI:
    """Answers everything below ``/v2/``."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._endpoints: dict[str, Endpoint] = {}
        for route in REGISTRY:
            module, _, function = route.endpoint.partition(":")
            self._endpoints[route.endpoint] = getattr(import_module(f"havre.server.{module}"), function)

    async def __call__(self, request: Request) -> Response:
        """Answer one request; failures become answers here and nowhere else."""
        try:
            response = await self._answer(request)
        except Exception as error:  # noqa: BLE001 - the one place that turns any failure into an answer
            response = errors.response(error, request, self._app.config.external_url)
        response.headers.append(API_VERSION)
        return response

    async def _answer(self, request: Request) -> Response:
        match = match_registry(request.path)
        if match is None:
            raise NameUnknown(f"nothing lives at {request.path[:200]}: this is no address of the registry API")
        route = _TABLE[match.template].get(request.method)
        if route is None:
            offered = tuple(_TABLE[match.template])
            raise Unsupported(f"{request.method[:20]} is not offered here, only {', '.join(offered)}", offered=offered)
        call = await self._admit(request, route, match.name, match.tail)
        request.actor_name = call.actor.name
        self._app.rates.check_account(call.actor.user_id)
        return await self._endpoints[route.endpoint](call)

    async def _admit(self, request: Request, route: Route, name_text: str, tail: str) -> Call:
        if isinstance(route.demand, Action):
            name = RepositoryName.parse(name_text)
            return Call(self._app, request, await authorize(self._app, request, name, route.demand), name, tail)
        scope = "registry:catalog:*" if route.endpoint.startswith("v2.catalog") else ""
        try:
            identity = await identify(self._app, request)
        except Unauthorized as error:
            error.scope = scope
            raise
        if not identity.proved:
            # Clients learn how to authenticate from this very answer, also those that need not sign in.
            raise Unauthorized("authenticate first; a token for public images needs no account", scope=scope)
        return Call(self._app, request, identity, RepositoryName(""), tail)
