"""Search as one types, filters, profiles and stars in a browser: with keyboard and pointer, on desktop and phone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import DESKTOP, PHONE, sign_in
from tests.browser.pushing import push
from tests.support.server import HavreProcess

pytestmark = pytest.mark.browser

SIZES = pytest.mark.parametrize(
    "options",
    [{"viewport": DESKTOP}, {"viewport": PHONE, "has_touch": True, "is_mobile": True}],
    ids=["desktop", "phone"],
)
NAMES = ("alice/lantern", "alice/lantern-oil", "alice/anchor")


@pytest.fixture(scope="module", autouse=True)
def pushed(havre: HavreProcess) -> None:
    for name in NAMES:
        push(havre, "alice", name, "latest")


def options_of(page: Page) -> Any:
    return page.get_by_role("listbox", name="Repositories that match").get_by_role("option")


@SIZES
@pytest.mark.parametrize("path", ["/", "/search", "/u/alice"])
def test_results_appear_while_one_types(
    havre: HavreProcess, open_browser: Callable[..., Page], options: dict[str, Any], path: str
) -> None:
    page = open_browser(havre, **options)
    page.goto(path)
    field = page.get_by_role("combobox", name="Search repositories")
    expect(field).to_have_attribute("aria-expanded", "false")
    field.press_sequentially("lant")
    expect(options_of(page)).to_have_count(2)
    expect(field).to_have_attribute("aria-expanded", "true")
    expect(page.get_by_role("status").filter(has_text="2 suggestions")).to_have_count(1)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    options_of(page).filter(has_text="lantern-oil").click()
    expect(page).to_have_url(f"{havre.url}/r/alice/lantern-oil")


def test_by_keyboard(havre: HavreProcess, open_browser: Callable[..., Page]) -> None:
    page = open_browser(havre)
    page.goto("/")
    page.keyboard.press("/")
    field = page.get_by_role("combobox", name="Search repositories")
    expect(field).to_be_focused()
    page.keyboard.type("lant")
    expect(options_of(page)).to_have_count(2)
    first, last = options_of(page).nth(0), options_of(page).nth(1)
    page.keyboard.press("ArrowDown")
    expect(first).to_have_attribute("aria-selected", "true")
    expect(field).to_have_attribute("aria-activedescendant", first.get_attribute("id") or "")
    page.keyboard.press("ArrowUp")
    expect(last).to_have_attribute("aria-selected", "true")
    expect(first).to_have_attribute("aria-selected", "false")
    page.keyboard.press("Escape")
    expect(page.get_by_role("listbox")).to_have_count(0)
    assert field.get_attribute("aria-activedescendant") is None
    expect(field).to_have_value("lant")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    target = options_of(page).nth(1).get_attribute("data-href")
    page.keyboard.press("Enter")
    expect(page).to_have_url(f"{havre.url}{target}")


def test_enter_without_a_choice_searches(havre: HavreProcess, open_browser: Callable[..., Page]) -> None:
    page = open_browser(havre)
    page.goto("/")
    field = page.get_by_role("combobox", name="Search repositories")
    field.press_sequentially("lant")
    expect(options_of(page)).to_have_count(2)
    field.press("Enter")
    expect(page).to_have_url(f"{havre.url}/search?q=lant")
    expect(page.locator("main").get_by_role("heading", level=1)).to_have_text("Results for “lant”")


def test_what_is_not_found_is_said(havre: HavreProcess, open_browser: Callable[..., Page]) -> None:
    page = open_browser(havre)
    page.goto("/")
    field = page.get_by_role("combobox", name="Search repositories")
    field.press_sequentially("zzzz")
    expect(page.get_by_role("status").filter(has_text="Nothing found")).to_have_count(1)
    expect(field).to_have_attribute("aria-expanded", "false")


def test_filters_take_effect_at_once_and_are_taken_off(havre: HavreProcess, open_browser: Callable[..., Page]) -> None:
    page = open_browser(havre)
    page.goto("/search?q=lantern")
    expect(page.get_by_role("button", name="Apply")).to_be_hidden()
    page.get_by_label("Kind").select_option("Helm charts")
    expect(page.get_by_role("heading", name="Nothing found")).to_be_visible()
    page.get_by_role("link", name="Without the filter Helm charts").click()
    expect(page.get_by_text("2 repositories")).to_be_visible()
    page.get_by_label("Sort").select_option("Recently pushed")
    expect(page).to_have_url(f"{havre.url}/search?q=lantern&kind=&platform=&sort=recent")


def test_without_scripts_the_forms_do_it(havre: HavreProcess, open_browser: Callable[..., Page]) -> None:
    page = open_browser(havre, java_script_enabled=False)
    page.goto("/")
    page.get_by_role("searchbox", name="Search repositories").fill("lantern")
    page.get_by_role("button", name="Search").click()
    expect(page.get_by_text("2 repositories")).to_be_visible()
    page.get_by_label("Kind").select_option("Helm charts")
    page.get_by_role("button", name="Apply").click()
    expect(page.get_by_role("heading", name="Nothing found")).to_be_visible()


@SIZES
def test_a_star_is_given_found_and_taken_back(
    havre: HavreProcess, open_browser: Callable[..., Page], options: dict[str, Any]
) -> None:
    page = open_browser(havre, **options)
    sign_in(page, "bobby")
    page.goto("/r/alice/anchor")
    page.get_by_role("button", name="Star 0 stars").click()
    expect(page.get_by_role("button", name="Starred 1 star")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.goto("/u/bobby")
    page.get_by_role("link", name="Starred").click()
    page.get_by_role("link", name="alice/anchor").click()
    page.get_by_role("button", name="Starred 1 star").click()
    expect(page.get_by_role("button", name="Star 0 stars")).to_be_visible()
