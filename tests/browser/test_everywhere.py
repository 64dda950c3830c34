"""On a phone, in the dark, in French, by keyboard, and with scripts off."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import PHONE, sign_in
from tests.browser.pushing import push
from tests.support.server import HavreProcess

pytestmark = pytest.mark.browser

REPOSITORY = "alice/a-rather-long-name-for-a-repository/with-more-of-it-below"
TAG = "2.0.0-rc.1_an-experimental-build-with-a-very-long-name"

PUBLIC = ("/", "/search?q=rather", "/search?q=nothing", "/login", "/signup", "/u/alice", "/nowhere")
PUBLIC += (f"/r/{REPOSITORY}", f"/r/{REPOSITORY}/tags", f"/r/{REPOSITORY}/tags/{TAG}")
PERSONAL = ("/repositories", "/settings/profile", "/settings/password", "/settings/tokens", "/settings/sessions")
PERSONAL += (f"/repository/docker/{REPOSITORY}", f"/repository/docker/{REPOSITORY}?tab=settings")


@pytest.fixture(scope="module", autouse=True)
def pushed(havre: HavreProcess) -> None:
    push(havre, "alice", REPOSITORY, "latest", TAG)


def test_long_names_fit_on_a_phone(havre: HavreProcess, open_browser: Callable[..., Page]) -> None:
    page = open_browser(havre, viewport=PHONE)

    def look(path: str) -> None:
        page.goto(path)
        wide = page.evaluate("document.documentElement.scrollWidth")
        assert wide <= PHONE["width"], f"{path} scrolls sideways"
        expect(page.get_by_role("heading", level=1)).to_have_count(1)
        assert page.title().endswith(" · Havre")

    for path in PUBLIC:
        look(path)
    sign_in(page, "alice")
    for path in PERSONAL:
        look(path)


def test_dark_is_dark(havre: HavreProcess, open_browser: Callable[..., Page]) -> None:
    def ground(**options: Any) -> list[int]:
        page = open_browser(havre, **options)
        page.goto("/login")
        colour = page.evaluate("getComputedStyle(document.body).backgroundColor")
        return [int(part) for part in re.findall(r"\d+", colour)]

    assert max(ground(color_scheme="dark")) < 60
    assert min(ground(color_scheme="light")) > 200


def test_french_by_browser_and_by_choice(havre: HavreProcess, open_browser: Callable[..., Page]) -> None:
    page = open_browser(havre, locale="fr-FR")
    page.goto("/login")
    expect(page.get_by_role("heading", level=1)).to_have_text("Se connecter")
    page.get_by_role("link", name="English").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Sign in")
    page.goto("/")
    expect(page.locator("html")).to_have_attribute("lang", "en")


def test_the_keyboard_reaches_what_matters(havre: HavreProcess, open_browser: Callable[..., Page]) -> None:
    page = open_browser(havre)
    page.goto("/login")
    page.goto("/search")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "content"
    page.keyboard.press("/")
    page.keyboard.type("rather")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(r"/search\?q=rather"))
    sign_in(page, "alice")
    menu = page.get_by_label("Account menu of alice")
    menu.press("Enter")
    expect(page.get_by_role("button", name="Sign out")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="Sign out")).to_be_hidden()
    expect(menu).to_be_focused()


def test_everything_works_with_scripts_off(havre: HavreProcess, open_browser: Callable[..., Page]) -> None:
    push(havre, "alice", "alice/plain", "latest")
    page = open_browser(havre, java_script_enabled=False)
    sign_in(page, "alice")
    page.goto("/r/alice/plain/tags")
    expect(page.locator("[data-copy]").first).to_be_hidden()
    page.get_by_role("searchbox", name="Filter by name").fill("late")
    page.get_by_label("Sort by").select_option("name")
    page.get_by_role("button", name="Show").click()
    expect(page.locator("main")).to_contain_text("1 tag")
    page.goto("/repository/docker/alice/plain?tab=settings")
    page.get_by_label("Type alice/plain to confirm").fill("wrong")
    page.get_by_role("button", name="Delete the repository").click()
    expect(page.locator("main")).to_contain_text("Type alice/plain exactly")
    page.get_by_label("Type alice/plain to confirm").fill("alice/plain")
    page.get_by_role("button", name="Delete the repository").click()
    expect(page).to_have_url(re.compile("/repositories"))
    page.get_by_label("Account menu of alice").click()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("link", name="Sign in")).to_be_visible()


def test_nothing_is_asked_of_anyone_else(havre: HavreProcess, open_browser: Callable[..., Page]) -> None:
    page = open_browser(havre)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    sign_in(page, "alice")
    for path in (*PUBLIC, *PERSONAL):
        page.goto(path)
    assert asked
    assert [url for url in asked if not url.startswith(f"{havre.url}/")] == []
