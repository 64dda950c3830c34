"""The voyage in a browser: from the first run to a pushed tag, settings, tokens, and the end of a repository."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import sign_in
from tests.browser.pushing import push
from tests.conftest import PASSWORD
from tests.support.server import HavreProcess

pytestmark = pytest.mark.browser


def fill(page: Page, fields: dict[str, str]) -> None:
    for label, value in fields.items():
        page.get_by_label(label, exact=True).fill(value)


def test_first_run_then_sign_up_then_the_pushed_tag(tmp_path: Path, open_browser: Callable[..., Page]) -> None:
    person = {
        "E-mail address": "x@example.org",
        "Password": "long enough 1",
        "The same password again": "long enough 1",
    }
    with HavreProcess(tmp_path) as havre:
        page = open_browser(havre)
        page.goto("/")
        expect(page).to_have_url(f"{havre.url}/welcome")
        (code,) = set(re.findall(r"setup code ([A-Z0-9-]+)", havre.log.read_text()))
        fill(page, {"Setup code": code, "Name": "captain", **person})
        page.get_by_role("button", name="Make the administrator").click()
        expect(page.get_by_role("heading", level=1)).to_contain_text("harbour")
        page.get_by_label("Account menu of captain").click()
        page.get_by_role("button", name="Sign out").click()

        page.get_by_role("link", name="Sign up").click()
        fill(page, {"Name": "marin", **person, "E-mail address": "marin@example.org"})
        page.get_by_role("button", name="Make the account").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Your repositories")
        expect(page.locator("main")).to_contain_text(f"docker push {havre.host}/marin/hello")

        digest = push(havre, "marin", "marin/hello", "latest", "1.0", password="long enough 1")
        page.reload()
        page.get_by_role("link", name="marin/hello").click()
        expect(page.locator("main")).to_contain_text(f"docker pull {havre.host}/marin/hello")
        page.get_by_role("navigation", name="Repository").get_by_role("link", name="Tags").click()
        row = page.get_by_role("row").filter(has=page.get_by_role("link", name="1.0"))
        expect(row).to_contain_text(digest[7:19])
        expect(row).to_contain_text("just now")
        expect(row).to_contain_text("linux/amd64")
        row.get_by_role("link", name="1.0").click()
        expect(page.get_by_role("heading", name="2 layers")).to_be_visible()
        expect(page.locator("main")).to_contain_text(f"docker pull {havre.host}/marin/hello@{digest}")


def test_a_wrong_password_is_said_beside_the_form(havre: HavreProcess, open_browser: Callable[..., Page]) -> None:
    page = open_browser(havre)
    page.goto("/settings/tokens")
    expect(page).to_have_url(f"{havre.url}/login?next=/settings/tokens")
    fill(page, {"Name or e-mail address": "alice", "Password": "wrong horse 9"})
    page.locator("main").get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_have_text("The name or the password is wrong.")
    expect(page.get_by_label("Name or e-mail address")).to_have_value("alice")
    fill(page, {"Password": PASSWORD})
    page.locator("main").get_by_role("button", name="Sign in").click()
    expect(page).to_have_url(f"{havre.url}/settings/tokens")


def test_a_token_is_made_copied_used_and_revoked(havre: HavreProcess, open_browser: Callable[..., Page]) -> None:
    page = open_browser(havre, permissions=["clipboard-read", "clipboard-write"])
    sign_in(page, "alice")
    page.goto("/settings/tokens")
    fill(page, {"What it is for": "build server", "Repositories": "alice/*"})
    page.get_by_label("Valid for").select_option("30")
    page.get_by_label("It may", exact=True).select_option("pull")
    page.get_by_role("button", name="Make the token").click()
    page.get_by_role("status").filter(has_text="Your new token").get_by_label("Copy the command").first.click()
    secret = page.evaluate("navigator.clipboard.readText()")
    assert secret.startswith("hvr_pat_")
    expect(page.locator("main")).to_contain_text("build server")

    token = f"{havre.url}/auth/token?service=x"
    assert httpx.get(token, auth=("alice", secret), trust_env=False).status_code == 200
    page.goto("/settings/tokens")
    expect(page.get_by_text(secret)).to_have_count(0)
    expect(page.locator("main")).to_contain_text("last used")
    page.get_by_role("button", name="Revoke build server").click()
    expect(page.locator("main")).to_contain_text("None yet.")
    assert httpx.get(token, auth=("alice", secret), trust_env=False).status_code == 401


def test_settings_of_a_repository_to_its_end(havre: HavreProcess, open_browser: Callable[..., Page]) -> None:
    push(havre, "alice", "alice/shipshape", "latest")
    page = open_browser(havre)
    sign_in(page, "alice")
    page.goto("/r/alice/shipshape")
    page.get_by_role("link", name="Settings", exact=True).last.click()
    fill(page, {"Description": "All in order"})
    page.locator("#about").get_by_role("button", name="Save").click()
    expect(page.get_by_role("status").filter(has_text="Saved.")).to_be_visible()
    page.get_by_role("link", name="Edit the overview").click()
    fill(page, {"Text": "# Shipshape\n\n**Bold** words."})
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("status").filter(has_text="Saved.")).to_be_visible()
    page.goto("/repository/docker/alice/shipshape?tab=settings")
    page.get_by_label("Private").check()
    page.locator("#visibility").get_by_role("button", name="Save").click()
    page.get_by_role("link", name="Public view").click()
    expect(page.get_by_role("heading", name="Shipshape", exact=True)).to_be_visible()
    expect(page.locator("main")).to_contain_text("Private")
    stranger = open_browser(havre)
    reply = stranger.goto("/r/alice/shipshape")
    assert reply is not None
    assert reply.status == 404

    page.goto("/repository/docker/alice/shipshape?tab=settings")
    button = page.get_by_role("button", name="Delete the repository")
    expect(button).to_be_disabled()
    page.get_by_label("Type alice/shipshape to confirm").fill("alice/shipshap")
    expect(button).to_be_disabled()
    page.get_by_label("Type alice/shipshape to confirm").fill("alice/shipshape")
    button.click()
    expect(page).to_have_url(f"{havre.url}/repositories?done=deleted")
    expect(page.get_by_role("link", name="alice/shipshape")).to_have_count(0)


def test_password_and_sessions(havre: HavreProcess, open_browser: Callable[..., Page]) -> None:
    here, elsewhere = open_browser(havre), open_browser(havre)
    sign_in(here, "bobby")
    sign_in(elsewhere, "bobby")
    here.goto("/settings/sessions")
    others = here.get_by_role("listitem").filter(has_text="Chrome").filter(has_not_text="this one")
    others.first.get_by_role("button", name="Sign out").click()
    expect(others).to_have_count(0)
    elsewhere.goto("/repositories")
    expect(elsewhere).to_have_url(f"{havre.url}/login?next=/repositories")

    here.goto("/settings/password")
    fill(
        here, {"Present password": PASSWORD, "New password": "a new one 10", "The same password again": "a new one 10"}
    )
    here.get_by_role("button", name="Change the password").click()
    expect(here.locator("main .notice")).to_contain_text("Your password is changed")
    sign_in(elsewhere, "bobby", "a new one 10")
