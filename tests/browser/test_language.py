"""Every page in French, as a browser shows it: no English is left, in texts or in what is read out."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Page

from havre.web.languages import catalogue
from tests.browser.places import EVERYONE, HALFWAY, enter, looks
from tests.browser.stocked import Harbour

pytestmark = pytest.mark.browser

TEXTS = """() => {
  const found = new Set(), spoken = ["aria-label", "title", "placeholder", "alt", "data-label", "data-copied"];
  const others = "code, pre, textarea, script, style, .readme, [translate=no], [lang]:not(html)";
  const walk = document.createTreeWalker(document.documentElement, NodeFilter.SHOW_ELEMENT | NodeFilter.SHOW_TEXT);
  for (let node = walk.nextNode(); node; node = walk.nextNode()) {
    const element = node.nodeType === 3 ? node.parentElement : node;
    if (element.closest(others)) continue;
    if (node.nodeType === 3) found.add(node.textContent);
    else for (const name of spoken) if (node.hasAttribute(name)) found.add(node.getAttribute(name));
  }
  return [...found].map((text) => text.replace(/\\s+/g, " ").trim()).filter((text) => /[a-z]{2}/i.test(text));
}"""
"""Every text of the page but what people and machines wrote themselves."""

TAG, PLACE = re.compile(r"<[^>]+>"), re.compile(r"%\(\w+\)s")
ANYTHING = "\0"
COUNT = re.compile(r"%\((?:shown|num|number|count|pages)\)s")
A_NUMBER = "\1"


def pieces(message: str) -> Iterator[str]:
    """The texts that a message becomes on a page: its tags part them, its places may hold tags too."""
    for between in TAG.split(message):
        whole = " ".join(PLACE.sub(ANYTHING, COUNT.sub(A_NUMBER, between)).split())
        yield whole
        yield from (one for part in whole.split(ANYTHING) if len((one := part.strip()).split()) > 1)


def tells(piece: str) -> bool:
    """Is there enough of it to know it by? "X of Y" would be found in any name."""
    words = re.findall(r"[A-Za-z]{2,}", piece)
    return len("".join(words)) > 2 and (ANYTHING not in piece or len(words) > 1)


NAMES = {"Free"}
"""What people call things, in whichever language, though a message is spelt the same: the title of the first plan."""


def english_alone() -> list[re.Pattern[str]]:
    """What only an English page says."""
    messages = catalogue("fr").messages
    french = {piece for forms in messages.values() for form in forms for piece in pieces(form)}
    english = {piece for message in messages for piece in pieces(message)} - french
    telling = [piece for piece in english if tells(piece)]
    shapes = (re.escape(piece).replace(ANYTHING, ".+?").replace(A_NUMBER, r"\d[\d., kM]*") for piece in telling)
    return [re.compile(shape) for shape in shapes]


@pytest.mark.parametrize("who", [*EVERYONE, HALFWAY])
def test_no_english_is_left(harbour: Harbour, open_browser: Callable[..., Page], who: str) -> None:
    page = open_browser(harbour)
    enter(page, who)
    page.goto("/?lang=fr")
    forbidden = english_alone()
    assert len(forbidden) > 100
    found: dict[str, list[str]] = {}
    for address, _ in looks(who, harbour.links):
        page.goto(address)
        assert page.locator("html").get_attribute("lang") == "fr", address
        said = [
            text for text in page.evaluate(TEXTS) if text not in NAMES and any(one.fullmatch(text) for one in forbidden)
        ]
        if said:
            found[address] = said
    assert found == {}
