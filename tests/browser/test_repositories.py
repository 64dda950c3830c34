"""A repository in a browser: its overview written and read, the program one pulls with, people, names, and the way back
from a deletion; with a keyboard, on a phone, and without scripts.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import DESKTOP, PHONE, sign_in
from tests.browser.pushing import push
from tests.conftest import PASSWORD
from tests.support.server import HavreProcess

DOCK = "/repository/docker/alice/boat"


@pytest.fixture
def havre(tmp_path: object) -> Iterator[HavreProcess]:
    """alice has pushed alice/boat."""
    server = HavreProcess(tmp_path)  # type: ignore[arg-type]
    for name in ("alice", "bobby"):
        server.add_user(name, PASSWORD)
    with server:
        push(server, "alice", "alice/boat", "latest")
        yield server


Open = Callable[..., Page]


@pytest.mark.parametrize("viewport", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_writing_an_overview(havre: HavreProcess, open_browser: Open, viewport: dict[str, int]) -> None:
    page = open_browser(havre, viewport=viewport)
    sign_in(page, "alice")
    page.goto("/r/alice/boat")
    page.get_by_role("link", name="Write one").click()
    page.get_by_label("Text").fill(
        "# Boat\n\n- [x] floats\n\n[down](#boat)\n\n<script>document.title = 'taken'</script>"
    )
    page.get_by_role("tab", name="Write").focus()
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("tabpanel").get_by_role("heading", name="Boat")).to_be_visible()
    expect(page.get_by_label("Text")).to_be_hidden()
    page.keyboard.press("ArrowLeft")
    expect(page.get_by_label("Text")).to_be_visible()
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Saved.")).to_be_visible()
    expect(page.get_by_text("\N{BALLOT BOX WITH CHECK}\N{NO-BREAK SPACE}floats")).to_be_visible()
    expect(page).not_to_have_title("taken")
    page.goto("/r/alice/boat")
    page.get_by_role("link", name="down").click()
    expect(page).to_have_url(re.compile("#readme-boat$"))
    assert page.evaluate("document.documentElement.scrollWidth") <= viewport["width"]


def test_a_preview_without_scripts(havre: HavreProcess, open_browser: Open) -> None:
    page = open_browser(havre, java_script_enabled=False)
    sign_in(page, "alice")
    page.goto(f"{DOCK}?tab=overview")
    page.get_by_label("Text").fill("# Boat")
    page.get_by_role("button", name="Preview").click()
    expect(page.get_by_role("heading", name="Boat", exact=True)).to_be_visible()
    expect(page.get_by_label("Text")).to_have_value("# Boat")
    page.goto("/r/alice/boat")
    expect(page.get_by_text("docker pull")).to_have_count(2)
    expect(page.get_by_text("podman pull")).to_be_visible()


def test_the_program_is_remembered(havre: HavreProcess, open_browser: Open) -> None:
    page = open_browser(havre)
    page.goto("/r/alice/boat")
    command = page.get_by_role("group", name="Command to pull with")
    expect(command).to_have_count(1)
    expect(command).to_contain_text("docker pull")
    page.get_by_role("button", name="podman").click()
    expect(command).to_contain_text("podman pull")
    page.reload()
    expect(command).to_contain_text("podman pull")
    expect(page.get_by_role("button", name="podman")).to_have_attribute("aria-pressed", "true")


@pytest.mark.parametrize("viewport", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_names_people_archive_and_the_way_back(
    havre: HavreProcess, open_browser: Open, viewport: dict[str, int]
) -> None:
    page = open_browser(havre, viewport=viewport)
    sign_in(page, "alice")
    page.goto(f"{DOCK}?tab=collaborators")
    page.get_by_role("textbox", name="Account").fill("bobby")
    page.get_by_label("Role", exact=True).select_option("write")
    page.get_by_role("button", name="Add").click()
    expect(page.get_by_role("heading", name="1 collaborator")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= viewport["width"]

    page.get_by_role("link", name="Settings", exact=True).last.click()
    page.get_by_label("Name after alice/").fill("ship")
    page.get_by_role("button", name="Rename").click()
    expect(page).to_have_url(re.compile("/repository/docker/alice/ship"))
    page.goto("/r/alice/boat/tags")
    expect(page).to_have_url(re.compile("/r/alice/ship/tags$"))

    page.goto("/repository/docker/alice/ship?tab=settings")
    page.get_by_role("button", name="Archive it").click()
    expect(page.get_by_text("it can be pulled, but not changed")).to_be_visible()
    button = page.get_by_role("button", name="Delete the repository")
    expect(button).to_be_disabled()
    page.get_by_label("Type alice/ship to confirm").fill("alice/ship")
    button.click()
    expect(page.get_by_text("It can be restored below")).to_be_visible()
    page.get_by_role("button", name="Restore alice/ship").click()
    expect(page).to_have_url(re.compile("/repository/docker/alice/ship$"))
    assert page.evaluate("document.documentElement.scrollWidth") <= viewport["width"]


def test_an_offer_from_one_to_the_other(havre: HavreProcess, open_browser: Open) -> None:
    alice, bobby = open_browser(havre), open_browser(havre, viewport=PHONE)
    sign_in(alice, "alice")
    sign_in(bobby, "bobby")
    alice.goto(f"{DOCK}?tab=settings")
    alice.get_by_label("Give it to the account").fill("bobby")
    alice.get_by_role("button", name="Offer").click()
    expect(alice.get_by_text("Offered. It moves once the other account accepts.")).to_be_visible()
    bobby.goto("/repositories")
    bobby.get_by_role("button", name="Accept alice/boat").click()
    expect(bobby).to_have_url(re.compile("/repository/docker/bobby/boat$"))
    alice.goto("/r/alice/boat")
    expect(alice).to_have_url(re.compile("/r/bobby/boat$"))
