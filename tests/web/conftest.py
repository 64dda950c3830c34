"""Havre in the test's own process, and people who visit its pages as a browser does, only without a window."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from html.parser import HTMLParser
from pathlib import Path

import httpx
import pytest

from havre.oci.names import RepositoryName
from havre.registry.records import Visibility
from havre.server.app import App
from tests.support.inprocess import HOST, PASSWORD, InProcess, prepare

TEXTS = {"aria-label", "title", "placeholder", "alt"}
"""Attributes that people read or hear."""


class Reader(HTMLParser):
    """What a person reads of a page: its texts, and those attributes that are read out."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.links: list[str] = []
        self.feed(html)

    def handle_data(self, data: str) -> None:
        if text := " ".join(data.split()):
            self.texts.append(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.texts += [value for name, value in attrs if name in TEXTS and value]
        self.links += [value for name, value in attrs if name in {"href", "src", "action"} and value]


class Visitor:
    """Someone with a browser: keeps cookies, sends Origin with forms, follows no redirect by itself."""

    def __init__(self, app: App, *, scheme: str = "http", address: str = "198.51.100.7", language: str = "en") -> None:
        transport = httpx.ASGITransport(app=app, client=(address, 50000))  # type: ignore[arg-type]
        self.origin = f"{scheme}://{HOST}"
        self.http = httpx.AsyncClient(
            transport=transport,
            base_url=self.origin,
            headers={"Accept-Language": language, "User-Agent": "Firefox/140"},
        )

    async def get(self, path: str, **headers: str) -> httpx.Response:
        return await self.http.get(path, headers=headers)

    async def post(self, path: str, fields: dict[str, str] | None = None, **headers: str) -> httpx.Response:
        return await self.http.post(path, data=fields or {}, headers={"Origin": self.origin, **headers})

    async def sign_in(self, name: str, password: str = PASSWORD) -> Visitor:
        reply = await self.post("/login", {"name": name, "password": password})
        assert reply.status_code == 303, reply.text
        return self

    async def become(self, site: InProcess, name: str) -> Visitor:
        """Be signed in, without the work of checking a password."""
        user_id = (await site.actor(name)).user_id
        assert user_id is not None
        secret = await site.app.sessions.open(user_id, "198.51.100.7", self.http.headers["User-Agent"])
        self.http.cookies.set("havre_session", secret)
        return self

    async def read(self, path: str) -> Reader:
        """The page as a person reads it; it must be there."""
        reply = await self.get(path)
        assert reply.status_code == 200, (path, reply.status_code)
        return Reader(reply.text)


@pytest.fixture(scope="session", autouse=True)
def people() -> None:
    """Accounts are made once, before any loop runs."""
    prepare()


@pytest.fixture
def open_site(tmp_path: Path) -> Callable[..., InProcess]:
    """Make a Havre with settings; enter it as an asynchronous context."""
    return lambda **settings: InProcess(tmp_path, **settings)


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[InProcess]:
    """A Havre where alice, bobby and carol (an administrator) have accounts, and nothing was pushed."""
    async with InProcess(tmp_path) as running:
        yield running


@pytest.fixture
def visitor(site: InProcess) -> Visitor:
    """Nobody we know."""
    return Visitor(site.app)


@pytest.fixture
async def alice(site: InProcess) -> Visitor:
    """Alice, signed in."""
    return await Visitor(site.app).become(site, "alice")


@pytest.fixture
async def stocked(site: InProcess) -> InProcess:
    """Alice has pushed alice/app (public) and alice/secret (private), and carol the official image python."""
    for name, repository in (("alice", "alice/app"), ("alice", "alice/secret"), ("carol", "python")):
        await (await site.caller(name, repository)).push_image(repository, "latest", "1.0")
    await site.app.repositories.set_visibility(RepositoryName.parse("alice/secret"), Visibility.PRIVATE)
    return site
