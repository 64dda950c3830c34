"""From a request to a page: who visits, what the page demands, and what happens when the demand is not met."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from importlib import import_module
from typing import TYPE_CHECKING
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from havre.access.actors import Action
from havre.access.permissions import Standing, stand
from havre.errors import HavreError, NameUnknown
from havre.oci.names import RepositoryName
from havre.registry.records import Repository
from havre.web import first_run, security
from havre.web.contexts import manage_path, repository_path
from havre.web.errors import error_page, foreign_form, not_found, wrong_method
from havre.web.languages import LANGUAGES
from havre.web.routes import PAGES, Demand
from havre.web.routes import Page as Row
from havre.web.visit import Visit

if TYPE_CHECKING:
    from havre.metadata.rows import Rows
    from havre.server.app import App

PageFunction = Callable[[Visit], Awaitable[Response]]

_UNATTENDED = ("/static/", "/pictures/", "/favicon.ico", "/robots.txt")


class Dispatcher:
    """The pages as one ASGI application."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._rows = [(Route(row.path, _nothing, methods=[row.method]), row, _load(row.endpoint)) for row in PAGES]
        self._set_up = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        visit = Visit(Request(scope, receive, send), self._app)
        visit.settle_language()
        try:
            response = await self._answer(visit, scope)
        except Exception as error:  # noqa: BLE001 - every failure ends in a page, and unexpected ones in the log
            response = error_page(visit, error)
        if (asked := visit.query("lang", 8)) in LANGUAGES:
            security.remember_language(response, asked, secure=visit.secure)
        personal = not visit.actor.anonymous
        security.protect(response, personal=personal)
        response = security.compress(visit.request, response, personal=personal)
        await response(scope, receive, send)

    async def _answer(self, visit: Visit, scope: Scope) -> Response:
        row, function, parameters = self._find(scope)
        if row is None or function is None:
            await self._recognise(visit)
            return wrong_method(visit) if parameters else not_found(visit)
        scope["path_params"] = parameters
        if row.path.startswith(_UNATTENDED):
            return await function(visit)
        if row.method == "POST" and not security.same_origin(visit.request, self._app.config.external_url):
            return foreign_form(visit)
        await self._recognise(visit)
        refused = await self._check(visit, row)
        return refused if refused is not None else await function(visit)

    def _find(self, scope: Scope) -> tuple[Row | None, PageFunction | None, dict[str, str]]:
        """The row for a request. Without one, the parameters tell whether another method would have matched."""
        other_method: dict[str, str] = {}
        for route, row, function in self._rows:
            found = route.path_regex.match(scope["path"])
            if found is None:
                continue
            if scope["method"] == row.method or (scope["method"], row.method) == ("HEAD", "GET"):
                return row, function, found.groupdict()
            other_method = {"method": row.method}
        return None, None, other_method

    async def _recognise(self, visit: Visit) -> None:
        if secret := security.session_secret(visit.request, secure=visit.secure):
            found = await self._app.sessions.resolve(secret)
            if found is not None:
                visit.actor, visit.session = found
                visit.front.actor_name = visit.actor.name
                self._app.rates.check_account(visit.actor.user_id)

    async def _check(self, visit: Visit, row: Row) -> Response | None:
        """What the visitor gets instead of the page, or None if they get the page."""
        if not self._set_up and await first_run.pending(self._app):
            return None if row.action is Demand.FIRST_RUN else visit.redirect("/welcome")
        self._set_up = True
        if row.action is Demand.FIRST_RUN:
            return visit.redirect("/")
        if row.action is Demand.SIGNED_IN and visit.actor.anonymous:
            target = visit.site().path if row.method == "GET" else row.path.partition("{")[0].rstrip("/")
            return visit.redirect(f"/login?next={quote(target)}")
        if row.action is Demand.ADMIN and not visit.actor.is_admin:
            return not_found(visit)
        if row.action in {Demand.VIEW, Demand.PUSH, Demand.MANAGE}:
            visit.repository, visit.actions = await self._repository(visit)
            visit.may_manage = Action.ADMIN in visit.actions
            if (moved := _moved(visit)) is not None:
                return moved
            needed = {Demand.MANAGE: Action.ADMIN, Demand.PUSH: Action.PUSH}.get(row.action, Action.PULL)
            if needed not in visit.actions:
                return visit.redirect(repository_path(visit.repository))
        return None

    async def _repository(self, visit: Visit) -> tuple[Repository, frozenset[Action]]:
        """The repository in the path and what the visitor may do with it; NameUnknown unless they may see it."""
        parameters = visit.request.path_params
        name = RepositoryName.parse("/".join(p for p in (parameters.get("namespace"), parameters["repository"]) if p))

        def work(rows: Rows) -> tuple[Standing, bool]:
            standing, user_id = stand(rows, visit.actor, name), visit.actor.user_id
            if standing.repository is None or user_id is None:
                return standing, False
            return standing, rows.stars.has(user_id, standing.repository.id)

        standing, visit.starred = await self._app.database.read(work)
        if standing.repository is None:
            raise NameUnknown(f"repository {name} does not exist, or you may not see it")
        return standing.repository, standing.actions


def _moved(visit: Visit) -> Response | None:
    """Where the page is now, if the path names its repository by a former name; the rest of the address is kept."""
    parameters, repository = visit.request.path_params, visit.shown
    before = RepositoryName.parse("/".join(p for p in (parameters.get("namespace"), parameters["repository"]) if p))
    if repository.name == before:
        return None
    former = replace(repository, name=before)
    path = visit.request.url.path
    for place in (manage_path, repository_path):
        if path == place(former) or path.startswith(f"{place(former)}/"):
            target = place(repository) + path[len(place(former)) :]
            query = f"?{visit.request.url.query}" if visit.request.url.query else ""
            # 308 lets a form be sent again as it was.
            status = 301 if visit.request.method in {"GET", "HEAD"} else 308
            return RedirectResponse(target + query, status)
    return None


def _load(endpoint: str) -> PageFunction:
    module, _, name = endpoint.partition(":")
    function: PageFunction = getattr(import_module(f"havre.web.pages.{module}"), name)
    return function


async def _nothing(request: Request) -> Response:
    """Routes are only used for matching paths."""
    raise HavreError(f"no page function for {request.url.path}")
