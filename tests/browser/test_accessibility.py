"""Every page, as three kinds of visitor see it: axe-core finds nothing, nothing scrolls sideways, nobody else is asked.

axe-core comes with axe-playwright-python. It looks at everything in the light on a desktop and in the dark on a phone, and
at contrasts alone the other way round: nothing else depends on the light.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Page

from tests.browser.conftest import DESKTOP
from tests.browser.places import EVERYONE, HALFWAY, NOBODY, Look, enter, looks, missing, stale
from tests.browser.stocked import Harbour
from tests.support.server import HavreProcess

pytestmark = pytest.mark.browser

TALL_PHONE = {"width": 390, "height": 844}
NARROW = {"width": 360, "height": 740}

RUN = """async (only) => {
  const options = only ? { runOnly: [only] } : { rules: { "target-size": { enabled: true } } };
  const found = await axe.run(document, { ...options, resultTypes: ["violations"] });
  return found.violations.flatMap((rule) => rule.nodes.map((node) =>
    `${rule.id} (${rule.help}): ${node.html.slice(0, 160)} | ${node.any.map((one) => one.message)[0] ?? ""}`));
}"""
"""What axe-core objects to, one line for each element; by all its rules, or by one."""

CONTRAST = "color-contrast"


def test_the_walk_knows_every_page() -> None:
    assert missing() == set(), "say in tests/browser/places.py how these are reached"
    assert stale() == set()


def visitor(havre: HavreProcess, open_browser: Callable[..., Page], who: str, **options: object) -> Page:
    """A browser where ``who`` is signed in, and nothing moves."""
    page = open_browser(havre, reduced_motion="reduce", **options)
    enter(page, who)
    return page


def objections(page: Page, look: Look) -> list[str]:
    """Open a page in the light and in the dark, wide and narrow, and look at it."""
    page.emulate_media(color_scheme="light")
    answer = page.goto(look.address)
    assert answer is not None
    assert answer.status == look.status, look.address
    page.evaluate(AXE_SCRIPT)
    found: list[str] = page.evaluate(RUN)
    page.emulate_media(color_scheme="dark")
    found += [f"dark: {one}" for one in page.evaluate(RUN, CONTRAST)]
    page.set_viewport_size(TALL_PHONE)  # type: ignore[arg-type]
    found += [f"dark phone: {one}" for one in page.evaluate(RUN)]
    page.emulate_media(color_scheme="light")
    found += [f"phone: {one}" for one in page.evaluate(RUN, CONTRAST)]
    page.set_viewport_size(NARROW)  # type: ignore[arg-type]
    if (wide := page.evaluate("document.documentElement.scrollWidth")) > NARROW["width"]:
        found.append(f"scrolls sideways: {wide} px wide on a screen of {NARROW['width']}")
    page.set_viewport_size(DESKTOP)  # type: ignore[arg-type]
    return found


@pytest.mark.parametrize("who", [*EVERYONE, HALFWAY])
def test_no_page_is_in_anyones_way(harbour: Harbour, open_browser: Callable[..., Page], who: str) -> None:
    page = visitor(harbour, open_browser, who)
    asked: set[str] = set()
    page.on("request", lambda request: asked.add(request.url))
    found: dict[str, list[str]] = {}
    for look in looks(who, harbour.links):
        if objected := objections(page, look):
            found[look.address] = objected
    assert found == {}
    assert {url for url in asked if not url.startswith(f"{harbour.url}/")} == set()


def test_the_first_page_of_all(tmp_path: Path, open_browser: Callable[..., Page]) -> None:
    with HavreProcess(tmp_path) as empty:
        page = visitor(empty, open_browser, NOBODY)
        assert objections(page, Look("/")) == []
        assert page.url == f"{empty.url}/welcome"


@pytest.mark.parametrize("who", [*EVERYONE, HALFWAY])
def test_every_page_is_there_with_scripts_off(harbour: Harbour, open_browser: Callable[..., Page], who: str) -> None:
    page = visitor(harbour, open_browser, who, java_script_enabled=False)
    for look in looks(who, harbour.links):
        page.goto(look.address)
        assert page.locator("h1").count() == 1, look.address
        assert page.locator("[data-copy]:visible").count() == 0, f"{look.address} shows buttons that do nothing"
