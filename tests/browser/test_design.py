"""The design as a whole: themes, focus, paper, forced colours, less motion, menus, and what a page tells the web."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.browser.conftest import PHONE, sign_in
from tests.browser.stocked import Harbour

pytestmark = pytest.mark.browser

SHIP = "/r/alice/lighthouse"

FOCUS = """() => {
  const at = document.activeElement;
  if (!at || at === document.body) return "";
  const ring = (style) => style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2;
  const seen = ring(getComputedStyle(at)) || ring(getComputedStyle(at, "::after"));
  return seen ? "" : at.outerHTML.slice(0, 120);
}"""
"""The element that has the focus, if nothing shows that it has."""

GROUND = r"() => getComputedStyle(document.body).backgroundColor.match(/\d+/g).map(Number)"


def ground(page: Page) -> list[int]:
    """Red, green and blue of what the page is painted on."""
    found: list[int] = page.evaluate(GROUND)
    return found


def keep_theme(context: BrowserContext, harbour: Harbour, theme: str) -> None:
    context.add_cookies([{"name": "havre_theme", "value": theme, "url": harbour.url}])


@pytest.mark.parametrize(("system", "chosen"), [("light", "dark"), ("dark", "light")])
def test_a_chosen_theme_is_stronger_than_the_systems(
    harbour: Harbour, open_browser: Callable[..., Page], system: str, chosen: str
) -> None:
    page = open_browser(harbour, color_scheme=system)
    page.goto("/login")
    as_the_system = ground(page)
    keep_theme(page.context, harbour, chosen)
    page.goto("/login")
    expect(page.locator("html")).to_have_attribute("data-theme", chosen)
    assert (max(ground(page)) < 60) == (chosen == "dark")
    assert (max(as_the_system) < 60) == (system == "dark")


def test_nonsense_in_the_theme_cookie_is_no_theme(harbour: Harbour, open_browser: Callable[..., Page]) -> None:
    page = open_browser(harbour)
    keep_theme(page.context, harbour, "neon")
    page.goto("/login")
    assert page.locator("html").get_attribute("data-theme") is None


@pytest.mark.parametrize("path", ["/styleguide", "/search", f"{SHIP}/tags"])
def test_the_focus_is_always_seen(harbour: Harbour, open_browser: Callable[..., Page], path: str) -> None:
    page = open_browser(harbour)
    page.goto(path)
    for _ in range(45):
        page.keyboard.press("Tab")
        assert page.evaluate(FOCUS) == ""


def test_menus_open_and_close_by_keyboard_and_elsewhere(harbour: Harbour, open_browser: Callable[..., Page]) -> None:
    page = open_browser(harbour)
    page.goto("/styleguide")
    menu, inside = page.locator("details.drop > summary").first, page.locator(".drop-body").first
    menu.press("Enter")
    expect(inside).to_be_visible()
    page.keyboard.press("Escape")
    expect(inside).to_be_hidden()
    expect(menu).to_be_focused()
    menu.click()
    expect(inside).to_be_visible()
    page.get_by_role("heading", level=1).click()
    expect(inside).to_be_hidden()


def test_copying_says_so(harbour: Harbour, open_browser: Callable[..., Page]) -> None:
    page = open_browser(harbour, permissions=["clipboard-read", "clipboard-write"])
    page.goto(SHIP)
    button = page.locator(".commands [data-copy]").first
    wanted = button.get_attribute("data-copy")
    button.click()
    expect(page.locator("p[role=status]", has_text="Copied")).to_be_attached()
    expect(button.locator("use")).to_have_attribute("href", "#i-check")
    assert page.evaluate("navigator.clipboard.readText()") == wanted
    expect(button.locator("use")).to_have_attribute("href", "#i-copy")
    page.evaluate("""() => {
      const late = document.querySelector(".commands [data-copy]").cloneNode(true);
      late.hidden = true;
      late.id = "late";
      document.querySelector("main").append(late);
    }""")
    expect(page.locator("#late")).to_be_visible()


def test_on_paper_only_the_content_is_left(harbour: Harbour, open_browser: Callable[..., Page]) -> None:
    page = open_browser(harbour, color_scheme="dark")
    page.goto(SHIP)
    page.emulate_media(media="print")
    for part in (".top", ".bottom", ".tabs", ".copy"):
        assert page.locator(f"{part}:visible").count() == 0, part
    expect(page.get_by_role("heading", name="Lighthouse", exact=True)).to_be_visible()


def test_forced_colours_keep_borders(harbour: Harbour, open_browser: Callable[..., Page]) -> None:
    page = open_browser(harbour, forced_colors="active")
    page.goto("/styleguide")
    for part in (".button", ".badge", ".notice", ".tabs a[aria-current]"):
        width = page.locator(part).first.evaluate("(one) => parseFloat(getComputedStyle(one).borderTopWidth)")
        assert width >= 1, part


def test_who_wants_less_motion_gets_none(harbour: Harbour, open_browser: Callable[..., Page]) -> None:
    page = open_browser(harbour, reduced_motion="reduce")
    page.goto("/styleguide")
    longest = page.evaluate("""() => Math.max(...[...document.querySelectorAll("*")].flatMap((one) => {
      const style = getComputedStyle(one);
      return [parseFloat(style.transitionDuration), parseFloat(style.animationDuration)];
    }))""")
    assert longest < 0.001


def test_public_pages_tell_what_they_are_and_others_are_not_indexed(
    harbour: Harbour, open_browser: Callable[..., Page]
) -> None:
    page = open_browser(harbour)

    def meta(name: str) -> str | None:
        found = page.locator(f'head meta[name="{name}"], head meta[property="{name}"]')
        return found.get_attribute("content") if found.count() else None

    page.goto(f"{SHIP}?lang=en")
    assert page.locator("head link[rel=canonical]").get_attribute("href") == f"{harbour.url}{SHIP}"
    assert meta("description") == meta("og:description") == "Lights up when a service goes dark"
    assert meta("og:title") == "alice/lighthouse"
    assert meta("og:url") == f"{harbour.url}{SHIP}"
    assert meta("robots") is None
    for path in ("/login", "/search?q=light", "/nowhere"):
        page.goto(path)
        assert meta("robots") == "noindex", path
    sign_in(page, "alice")
    for path in ("/r/alice/logbook", "/settings/profile", "/repository/docker/alice/lighthouse"):
        page.goto(path)
        assert (meta("robots"), meta("og:title")) == ("noindex", None), path


def test_a_lost_visitor_finds_a_search(harbour: Harbour, open_browser: Callable[..., Page]) -> None:
    page = open_browser(harbour, viewport=PHONE)
    page.goto("/r/alice/nowhere")
    page.get_by_role("searchbox").fill("lighthouse")
    page.get_by_role("searchbox").press("Enter")
    expect(page.locator("main")).to_contain_text("alice/lighthouse")
