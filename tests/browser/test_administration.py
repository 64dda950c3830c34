"""Plans and administration in the browser: the way an administrator and a person with a full plan go."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import DESKTOP, PHONE, sign_in
from tests.support.server import HavreProcess

pytestmark = pytest.mark.browser

PASSWORD = "correct horse 9"


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HavreProcess]:
    """A server of its own: plans and accounts change here."""
    server = HavreProcess(tmp_path_factory.mktemp("office"), workers="1")
    server.add_user("alice", PASSWORD)
    server.add_user("carol", PASSWORD, admin=True)
    with server:
        yield server


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_a_plan_is_made_given_and_seen(
    office: HavreProcess, open_browser: Callable[..., Page], size: dict[str, int]
) -> None:
    name = f"team{size['width']}"
    carol = open_browser(office, viewport=size)
    sign_in(carol, "carol", PASSWORD)
    carol.get_by_label("Account menu of carol").click()
    carol.get_by_role("link", name="Administration").click()
    expect(carol.get_by_role("heading", name="Administration")).to_be_visible()
    carol.get_by_role("link", name="Plans", exact=True).click()
    carol.get_by_label("Name", exact=True).fill(name)
    carol.get_by_label("Title").fill(f"Team {name}")
    carol.get_by_label("Private repositories").fill("20")
    carol.get_by_label("Storage", exact=True).fill("a lorry")
    carol.get_by_role("button", name="Make the plan").click()
    expect(carol.get_by_text("Write a size such as 10 GB")).to_be_visible()
    carol.get_by_label("Storage", exact=True).fill("50 GB")
    carol.get_by_role("button", name="Make the plan").click()
    expect(carol.get_by_role("link", name=f"Team {name}")).to_be_visible()
    carol.get_by_role("link", name="Accounts", exact=True).click()
    carol.get_by_role("link", name="alice", exact=True).click()
    carol.get_by_label("Plan", exact=True).select_option(name)
    carol.get_by_role("button", name="Give this plan").click()
    expect(carol.get_by_text("0 of 20").first).to_be_visible()
    wide = carol.evaluate("document.documentElement.scrollWidth")
    assert wide <= size["width"]
    alice = open_browser(office, viewport=size)
    sign_in(alice, "alice", PASSWORD)
    alice.goto("/settings/usage")
    expect(alice.get_by_role("heading", name=f"Your plan: Team {name}")).to_be_visible()
    expect(alice.get_by_text("0 B of 50 GB").first).to_be_visible()
    expect(alice.get_by_text(f"docker push {office.host}/alice/app")).to_be_visible()


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_the_audit_trail_is_filtered(
    office: HavreProcess, open_browser: Callable[..., Page], size: dict[str, int]
) -> None:
    carol = open_browser(office, viewport=size)
    sign_in(carol, "carol", PASSWORD)
    carol.goto("/admin/audit")
    carol.get_by_label("Who", exact=True).fill("carol")
    carol.get_by_label("Did what", exact=True).fill("account.sign_in")
    carol.get_by_role("button", name="Show").click()
    expect(carol.get_by_role("link", name="signed in").first).to_be_visible()
    expect(carol.get_by_role("link", name="made an account")).to_have_count(0)
    with carol.expect_download() as download:
        carol.get_by_role("link", name="Export as JSON lines").click()
    assert '"action":"account.sign_in"' in download.value.path().read_text()
    for path in ("/admin", "/admin/users", "/admin/repositories", "/admin/jobs", "/admin/settings", "/admin/audit"):
        carol.goto(path)
        assert carol.evaluate("document.documentElement.scrollWidth") <= size["width"], path
