"""Debian's Chromium on a served Havre: people who click and type."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from tests.browser.stocked import Harbour
from tests.conftest import PASSWORD
from tests.support.requirements import require
from tests.support.server import HavreProcess

DESKTOP = {"width": 1280, "height": 860}
PHONE = {"width": 360, "height": 740}

FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-dev-shm-usage"]
"""It runs as root in continuous integration, without a screen, and asks nobody but us for anything."""


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """One browser for the tests of a module, each with a profile of its own.

    Not for the session: Playwright keeps a loop running in this thread, and other tests run their own.
    """
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(require("chromium-headless-shell")), args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def harbour(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Harbour]:
    """One server full of repositories, for tests that look at everything and change nothing."""
    server = Harbour(tmp_path_factory.mktemp("harbour"))
    for name in ("alice", "bobby"):
        server.add_user(name, PASSWORD)
    server.add_user("carol", PASSWORD, admin=True)
    with server:
        server.arrange()
        yield server


@pytest.fixture
def open_browser(chromium: Browser) -> Iterator[Callable[..., Page]]:
    """Open a fresh profile on a server; options are those of a Playwright context. Fails on errors in the console."""
    opened: list[tuple[BrowserContext, list[str]]] = []

    def start(havre: HavreProcess, **options: Any) -> Page:
        context = chromium.new_context(base_url=havre.url, **{"viewport": DESKTOP, "locale": "en-GB", **options})
        context.set_default_timeout(15_000)
        problems: list[str] = []
        page = context.new_page()
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("console", lambda said: problems.append(said.text) if said.type == "error" else None)
        page.on("requestfailed", lambda request: problems.append(f"{request.url} failed: {request.failure}"))
        opened.append((context, problems))
        return page

    yield start
    for context, problems in opened:
        context.close()
        # A refusal is a page like any other, and going on before all has arrived is no failure.
        harmless = ("the server responded with a status of", "net::ERR_ABORTED")
        assert [one for one in problems if not any(said in one for said in harmless)] == []


def sign_in(page: Page, name: str, password: str = PASSWORD) -> None:
    """Sign in by the form, and wait for the page that follows."""
    page.goto("/login")
    page.get_by_label("Name or e-mail address").fill(name)
    page.get_by_label("Password", exact=True).fill(password)
    page.locator("main").get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/")
