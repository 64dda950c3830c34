"""Signing in with a second factor in a real browser: an app's code, a passkey of a virtual device, a mailed link."""

from __future__ import annotations

import base64
import re
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from havre.access import totp
from tests.browser.conftest import DESKTOP, PHONE, sign_in
from tests.conftest import PASSWORD
from tests.support.letters import letters, link_in
from tests.support.server import HavreProcess

pytestmark = pytest.mark.browser

NEW = "battery staple 7"


@pytest.fixture
def own(tmp_path: Path) -> HavreProcess:
    """A server that the test starts itself, with alice."""
    server = HavreProcess(tmp_path)
    server.add_user("alice", PASSWORD)
    return server


def code(secret: bytes, *, later: int = 0) -> str:
    """The code of an app whose clock is ``later`` steps early: the server allows one."""
    return totp.code(secret, totp.step_at(time.time_ns() // 1_000_000) + later)


def main_button(page: Page, name: str) -> None:
    page.locator("main").get_by_role("button", name=name, exact=True).click()


def give_password(page: Page, url: str = "") -> None:
    page.goto(f"{url}/login?next=/settings/profile")
    page.get_by_label("Name or e-mail address").fill("alice")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    main_button(page, "Sign in")


@pytest.mark.parametrize("viewport", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_an_app_with_scripts_off(
    own: HavreProcess, open_browser: Callable[..., Page], viewport: dict[str, int]
) -> None:
    with own:
        page = open_browser(own, viewport=viewport, java_script_enabled=False)
        sign_in(page, "alice")
        page.goto("/settings/two-factor")
        page.get_by_role("region", name="Authenticator app").get_by_label("Present password").fill(PASSWORD)
        main_button(page, "Set up an app")
        expect(page.get_by_role("img", name="QR code of the secret")).to_be_visible()
        shown = page.locator(".secret code").inner_text().replace(" ", "")
        secret = base64.b32decode(shown)
        page.get_by_label("The code it shows").fill(code(secret))
        main_button(page, "Check the code")
        codes = page.locator(".codes li").all_inner_texts()
        assert len(codes) == 10
        page.get_by_role("link", name="I have kept them").click()
        expect(page.locator("main")).to_contain_text("10 recovery codes are left")

        other = open_browser(own, viewport=viewport, java_script_enabled=False)
        give_password(other)
        expect(other.get_by_role("heading", level=1)).to_have_text("One more step")
        other.get_by_label("Code from your app, or a recovery code").fill(code(secret, later=1))
        main_button(other, "Go on")
        expect(other).to_have_url(f"{own.url}/settings/profile")

        last = open_browser(own, viewport=viewport, java_script_enabled=False)
        give_password(last)
        last.get_by_label("Code from your app, or a recovery code").fill(codes[0])
        main_button(last, "Go on")
        expect(last).to_have_url(f"{own.url}/settings/profile")
        last.goto("/settings/sessions")
        main_button(last, "Sign all others out")
        expect(last.locator("main .notice")).to_contain_text("Every other browser is signed out")
        other.goto("/settings/profile")
        expect(other).to_have_url(re.compile("/login"))


def test_a_passkey_of_a_virtual_device(own: HavreProcess, open_browser: Callable[..., Page]) -> None:
    with own:
        url = f"http://localhost:{own.port}"
        page = open_browser(own)
        session = page.context.new_cdp_session(page)
        session.send("WebAuthn.enable")
        device = {"protocol": "ctap2", "transport": "internal", "hasResidentKey": True, "hasUserVerification": True}
        session.send(
            "WebAuthn.addVirtualAuthenticator",
            {"options": {**device, "isUserVerified": True, "automaticPresenceSimulation": True}},
        )
        give_password(page, url)
        page.goto(f"{url}/settings/two-factor")
        region = page.get_by_role("region", name="Passkey")
        region.get_by_label("Name of the device").fill("laptop")
        region.get_by_label("Present password").fill(PASSWORD)
        region.get_by_role("button", name="Add a passkey").click()
        expect(page.locator(".codes li")).to_have_count(10)
        page.get_by_role("link", name="I have kept them").click()
        expect(page.get_by_role("listitem").filter(has_text="laptop")).to_contain_text("passkey")

        page.context.clear_cookies()
        give_password(page, url)
        expect(page.get_by_role("heading", level=1)).to_have_text("One more step")
        page.get_by_role("button", name="Use a passkey").click()
        expect(page).to_have_url(f"{url}/settings/profile")

        page.goto(f"{url}/settings/two-factor")
        page.get_by_text("Turn two-factor authentication off").click()
        region = page.get_by_role("region", name="Turn it off")
        region.get_by_label("Present password").fill(PASSWORD)
        region.get_by_role("button", name="Use a passkey instead").click()
        expect(page.locator("main .notice")).to_contain_text("Two-factor authentication is off.")


def test_a_forgotten_password_by_the_outbox(own: HavreProcess, open_browser: Callable[..., Page]) -> None:
    with own:
        page = open_browser(own, viewport=PHONE)
        page.goto("/login")
        page.get_by_role("link", name="Forgot the password?").click()
        page.get_by_label("Name or e-mail address").fill("alice@example.org")
        main_button(page, "Send the link")
        expect(page.locator("main .notice")).to_contain_text("If there is such an account")
        deadline = time.monotonic() + 20
        while not letters(own.data, "alice@example.org"):
            assert time.monotonic() < deadline, own.log_tail()
            page.wait_for_load_state()
        link = link_in(letters(own.data)[0])
        assert link.partition("code=")[2] not in own.log.read_text()
        page.goto(link)
        page.get_by_label("New password").fill(NEW)
        page.get_by_label("The same password again").fill(NEW)
        main_button(page, "Change the password")
        expect(page.locator("main .notice")).to_contain_text("Sign in with the new one")
        sign_in(page, "alice", NEW)
        assert link.partition("code=")[2] not in own.log.read_text()


def test_a_theme_is_there_from_the_first_byte(own: HavreProcess, open_browser: Callable[..., Page]) -> None:
    with own:
        page = open_browser(own, color_scheme="light")
        sign_in(page, "alice")
        page.goto("/settings/profile")
        page.get_by_label("Light or dark").select_option("dark")
        page.get_by_label("About you").fill("Builds lighthouses.")
        main_button(page, "Save")
        expect(page.locator("main .notice")).to_have_text("Saved.")
        expect(page.locator("html")).to_have_attribute("data-theme", "dark")
        elsewhere = open_browser(own, color_scheme="light", java_script_enabled=False)
        sign_in(elsewhere, "alice")
        expect(elsewhere.locator("html")).to_have_attribute("data-theme", "dark")


def test_taking_everything_along_and_leaving(own: HavreProcess, open_browser: Callable[..., Page]) -> None:
    with own:
        page = open_browser(own)
        sign_in(page, "alice")
        page.goto("/settings/account")
        with page.expect_download() as download:
            main_button(page, "Download your data")
        assert download.value.suggested_filename == "havre-alice.json"
        button = page.get_by_role("button", name="Delete my account for good")
        expect(button).to_be_disabled()
        page.get_by_label("Type alice to confirm").fill("alice")
        page.get_by_label("Present password").fill(PASSWORD)
        button.click()
        expect(page.get_by_role("link", name="Sign in")).to_be_visible()
        reply = page.goto("/u/alice")
        assert reply is not None
        assert reply.status == 404
