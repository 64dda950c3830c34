"""What a first visit costs: bytes on the wire, counted by Chromium itself, and a first paint that waits for no script."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, Route

from tests.browser.places import ALICE, EVERYONE, HALFWAY, NOBODY, enter, looks
from tests.browser.stocked import Harbour

pytestmark = pytest.mark.browser

BUDGET = 60_000
"""Bytes of a page with everything that it loads, headers included, pictures of READMEs not."""

STYLES = 16_000
"""Bytes of the one stylesheet as it is sent."""


PAINTED = """() => new Promise((done) =>
  new PerformanceObserver((list) => list.getEntriesByName("first-contentful-paint").length && done())
    .observe({ type: "paint", buffered: true }))"""
"""Something has been drawn."""


class Meter:
    """Counts what arrives for one page."""

    def __init__(self, page: Page) -> None:
        self._pictures: set[str] = set()
        self._sizes: dict[str, int] = {}
        session = page.context.new_cdp_session(page)
        session.on("Network.responseReceived", self._received)
        session.on("Network.loadingFinished", self._finished)
        session.send("Network.enable")
        session.send("Network.setCacheDisabled", {"cacheDisabled": True})

    def _received(self, event: dict[str, Any]) -> None:
        if event["type"] == "Image" and "/static/" not in event["response"]["url"]:
            self._pictures.add(event["requestId"])

    def _finished(self, event: dict[str, Any]) -> None:
        self._sizes[event["requestId"]] = int(event["encodedDataLength"])

    def take(self) -> int:
        """Bytes since the last time."""
        total = sum(size for request, size in self._sizes.items() if request not in self._pictures)
        self._sizes.clear()
        return total


@pytest.mark.parametrize("who", [*EVERYONE, HALFWAY])
def test_every_first_page_is_light(harbour: Harbour, open_browser: Callable[..., Page], who: str) -> None:
    page = open_browser(harbour)
    enter(page, who)
    meter = Meter(page)
    heavy: dict[str, int] = {}
    for address, _ in looks(who, harbour.links):
        page.goto(address, wait_until="load")
        if not 1000 < (size := meter.take()) <= BUDGET:
            heavy[address] = size
    assert heavy == {}


def test_the_stylesheet_is_small(harbour: Harbour, open_browser: Callable[..., Page]) -> None:
    page = open_browser(harbour)
    with page.expect_response("**/havre.*.css") as response:
        page.goto("/")
    assert response.value.header_value("content-encoding") == "gzip"
    assert int(response.value.header_value("content-length") or 0) <= STYLES


@pytest.mark.parametrize("who", [NOBODY, ALICE])
def test_the_first_paint_waits_for_no_script(harbour: Harbour, open_browser: Callable[..., Page], who: str) -> None:
    page = open_browser(harbour)
    enter(page, who)
    held: list[Route] = []
    page.route("**/*.js", lambda route: held.append(route))  # noqa: PLW0108 - Playwright marks what it calls, and cannot mark a builtin
    page.goto("/r/alice/lighthouse", wait_until="commit")
    page.evaluate(PAINTED)
    assert held, "the page has scripts"
    page.unroute("**/*.js")
    page.wait_for_load_state("load")
    for address, _ in looks(who, harbour.links):
        page.goto(address)
        assert page.evaluate("[...document.scripts].filter((one) => one.type !== 'module' && !one.defer).length") == 0
