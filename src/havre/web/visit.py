"""A visit: one request to a page, with who makes it, in which language, and the repository it is about."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, quote, urlsplit

from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from havre.access.actors import ANONYMOUS, Action, Actor
from havre.access.records import SessionRecord, User
from havre.errors import ClientGone, InputInvalid, NameUnknown, TooLarge
from havre.registry.records import Repository
from havre.server import urls
from havre.web.contexts import Form, Pager, Person, Site
from havre.web.languages import Catalogue, catalogue, choose
from havre.web.security import LANGUAGE_COOKIE, theme
from havre.web.templating import render

if TYPE_CHECKING:
    from havre.registry.records import Page
    from havre.server.app import App
    from havre.server.http import Request as Arrival

FORM_LIMIT = 512 * 1024
"""Bytes of one form: a README of 100,000 characters, percent-encoded, fits for all but the rarest texts."""

_FIELDS = 64
_DEEPEST_PAGE = 10_000


@dataclass(slots=True)
class Visit:
    """What a page function is given."""

    request: Request
    app: App
    actor: Actor = ANONYMOUS
    session: SessionRecord | None = None
    repository: Repository | None = None
    may_manage: bool = False
    actions: frozenset[Action] = frozenset()
    """What the visitor may do with the repository of the path."""
    starred: bool = False
    speech: Catalogue = field(default_factory=lambda: catalogue("en"))

    def settle_language(self) -> None:
        """Choose the language from what the request says."""
        request = self.request
        code = choose(
            request.query_params.get("lang", ""),
            request.cookies.get(LANGUAGE_COOKIE, ""),
            "",
            request.headers.get("accept-language", ""),
        )
        self.speech = catalogue(code)

    @property
    def shown(self) -> Repository:
        """The repository of the path, on pages that demand VIEW or MANAGE."""
        if self.repository is None:
            raise NameUnknown("this page is about no repository")
        return self.repository

    @property
    def user_id(self) -> int:
        """The account, on pages that demand SIGNED_IN."""
        if self.actor.user_id is None:
            raise NameUnknown("this page is for an account")
        return self.actor.user_id

    async def user(self) -> User:
        """The account of the visitor, on pages that demand SIGNED_IN."""
        user = await self.app.accounts.get(self.user_id)
        if user is None:
            raise NameUnknown("this account is gone")
        return user

    @property
    def address(self) -> str:
        """Of the visitor's machine, as far as trusted proxies tell."""
        return self.request.client.host if self.request.client else ""

    @property
    def client(self) -> str:
        """The visitor's program, as it names itself."""
        return self.request.headers.get("user-agent", "")[:300]

    def query(self, name: str, limit: int = 200) -> str:
        """A parameter of the address, trimmed; empty if there is none."""
        return self.request.query_params.get(name, "").strip()[:limit]

    def page_number(self) -> int:
        """Which page of a list is asked for; anything that is no number asks for the first."""
        text = self.query("page", 6)
        return min(max(1, int(text)), _DEEPEST_PAGE) if text.isascii() and text.isdigit() else 1

    async def form(self) -> Mapping[str, str]:
        """The fields of a posted form. Raises TooLarge, and InputInvalid for what is no form."""
        pieces, total = [], 0
        try:
            async for piece in self.request.stream():
                total += len(piece)
                if total > FORM_LIMIT:
                    raise TooLarge(f"the form has more than {FORM_LIMIT} bytes")
                pieces.append(piece)
        except ClientDisconnect as error:
            raise ClientGone("the browser left before the form was complete") from error
        try:
            fields = parse_qsl(b"".join(pieces).decode("ascii"), keep_blank_values=True, max_num_fields=_FIELDS)
        except ValueError as error:
            raise InputInvalid("this is not a form that a page of ours sends") from error
        return {name: value.replace("\r\n", "\n") for name, value in fields}

    def text(self, message: str, **values: object) -> str:
        """A message in the visitor's language; the English text is the key (see ``languages``)."""
        return self.speech.text(message, **values)

    @property
    def front(self) -> Arrival:
        """The request as the server's front saw it: its id, and the address by which the browser knows us."""
        found: Arrival = self.request.scope["state"]["request"]
        return found

    @property
    def secure(self) -> bool:
        """Does the browser reach us by https?"""
        return urls.origin(self.front, self.app.config.external_url).startswith("https:")

    def site(self) -> Site:
        """What every template knows."""
        url = self.request.url
        external = urlsplit(self.app.config.external_url)
        return Site(
            host=external.netloc or urls.host(self.front, ""),
            secure=external.scheme == "https" if external.netloc else self.secure,
            language=self.speech.code,
            path=quote(url.path) + (f"?{url.query}" if url.query else ""),
            now=self.app.clock(),
            person=None if self.actor.anonymous else Person(self.actor.name, self.actor.is_admin),
            signup_open=self.app.config.signup == "open",
            theme=theme(self.request),
            starred=self.starred,
        )

    def page(self, template: str, page: object, status: int = 200) -> Response:
        """Render a template as the answer."""
        response = HTMLResponse(render(template, self.site(), page), status)
        response.headers["Content-Language"] = self.speech.code
        return response

    def again(self, error: Exception, values: Mapping[str, str]) -> tuple[Form, int]:
        """A form to show once more after ``error``, without the passwords in it; and the status that goes with it."""
        from havre.web.errors import field_of, sentence, status_of

        kept = {name: value for name, value in values.items() if "password" not in name}
        return Form(kept, {field_of(error): sentence(self, error)}), status_of(error)

    def redirect(self, path: str) -> Response:
        """Go on to another page of ours, by GET."""
        return RedirectResponse(path, status_code=303)


def pager(page: Page[Any], **fields: str) -> Pager:
    """The pager of a list; ``fields`` are the other parameters of its address."""
    return Pager(page.number, page.last, page.total, fields)
