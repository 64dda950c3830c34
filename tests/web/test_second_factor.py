"""Two-factor authentication on the pages: set up, asked for at sign-in, and turned off."""

from __future__ import annotations

import re

import pytest

from havre.access import totp
from tests.support.inprocess import PASSWORD, InProcess, basic
from tests.web.conftest import Visitor

pytestmark = pytest.mark.anyio

HERE = "/settings/two-factor"
CODE = re.compile(r"<code>((?:[0-9a-z]{4}-){3}[0-9a-z]{4})</code>")


async def set_up(site: InProcess, visitor: Visitor, name: str = "alice") -> tuple[bytes, list[str]]:
    """Turn it on by an app; returns its secret and the recovery codes. The clock moves on to the next code."""
    reply = await visitor.post(HERE, {"form": "app", "password": PASSWORD})
    assert reply.headers["location"] == f"{HERE}/app"
    assert (await visitor.get(f"{HERE}/app")).status_code == 200
    user_id = (await site.actor(name)).user_id
    assert user_id is not None
    secret = await site.app.second_factors.begun_app(user_id)
    assert secret is not None
    reply = await visitor.post(f"{HERE}/app", {"code": code(site, secret)})
    assert reply.status_code in {200, 303}, "codes, or back to the page when there were some"
    site.clock.forward(seconds=30)
    return secret, CODE.findall(reply.text)


def code(site: InProcess, secret: bytes) -> str:
    return totp.code(secret, totp.step_at(site.clock()))


async def half_in(site: InProcess) -> Visitor:
    """Someone who gave alice's password, and no more."""
    visitor = Visitor(site.app)
    reply = await visitor.post("/login", {"name": "alice", "password": PASSWORD, "next": "/u/alice"})
    assert reply.headers["location"] == "/login/second?next=/u/alice"
    return visitor


async def test_setting_up_an_app_shows_a_picture_and_then_codes(site: InProcess, alice: Visitor) -> None:
    assert "off" in (await alice.read(HERE)).texts
    wrong = await alice.post(HERE, {"form": "app", "password": "wrong horse 9"})
    assert wrong.status_code == 400
    assert "not your present password" in wrong.text
    assert (await alice.get(f"{HERE}/app")).headers["location"] == HERE

    await alice.post(HERE, {"form": "app", "password": PASSWORD})
    page = await alice.get(f"{HERE}/app")
    assert "<svg" in page.text
    assert "style=" not in page.text
    refused = await alice.post(f"{HERE}/app", {"code": "12345"})
    assert refused.status_code == 400
    assert "That code is not right" in refused.text
    _, codes = await set_up(site, alice)
    assert len(codes) == 10
    page = await alice.get(HERE)
    assert "Authenticator app" in page.text
    assert "10 recovery codes are left" in page.text
    for one in codes:
        assert one not in page.text


async def test_signing_in_asks_for_it(site: InProcess, alice: Visitor) -> None:
    secret, _ = await set_up(site, alice)
    visitor = await half_in(site)
    pending = visitor.http.cookies["havre_session"]
    assert (await visitor.get("/repositories")).headers["location"] == "/login?next=/repositories"
    assert "Sign in" in (await visitor.read("/")).texts
    assert (await visitor.get("/login/second?next=/u/alice")).status_code == 200
    reply = await visitor.post("/login/second", {"code": code(site, secret), "next": "/u/alice"})
    assert (reply.status_code, reply.headers["location"]) == (303, "/u/alice")
    assert (await visitor.get("/repositories")).status_code == 200
    assert visitor.http.cookies["havre_session"] != pending, "the session has a secret of its own"
    visitor.http.cookies.set("havre_session", pending)
    assert (await visitor.get("/repositories")).status_code == 303
    assert (await visitor.get("/login/second")).headers["location"] == "/login?next=/"


async def test_a_pending_session_opens_no_door(site: InProcess, alice: Visitor) -> None:
    await set_up(site, alice)
    visitor = await half_in(site)
    assert (await visitor.get("/api/v1/user")).status_code == 401
    assert (await visitor.post("/settings/tokens", {"label": "x"})).headers["location"].startswith("/login")


@pytest.mark.parametrize("target", ["//evil.example", "https://evil.example", "/\\evil.example"])
async def test_it_leads_to_no_other_site(site: InProcess, alice: Visitor, target: str) -> None:
    secret, _ = await set_up(site, alice)
    visitor = await half_in(site)
    reply = await visitor.post("/login/second", {"code": code(site, secret), "next": target})
    assert reply.headers["location"] == "/"


async def test_wrong_codes_get_a_sentence_then_a_pause(site: InProcess, alice: Visitor) -> None:
    secret, codes = await set_up(site, alice)
    visitor = await half_in(site)
    right = {totp.code(secret, totp.step_at(site.clock()) + drift) for drift in (-1, 0, 1)}
    wrong = next(one for one in ("000000", "111111", "222222", "333333") if one not in right)
    for _ in range(5):
        reply = await visitor.post("/login/second", {"code": wrong})
        assert reply.status_code == 400
        assert "That code is not right" in reply.text
        assert wrong not in reply.text
    assert (await visitor.post("/login/second", {"code": code(site, secret)})).status_code == 429
    assert (await visitor.post("/login/second", {"code": codes[0]})).headers["location"] == "/"
    reused = await half_in(site)
    assert (await reused.post("/login/second", {"code": codes[0]})).status_code == 400


async def test_a_code_signs_in_once(site: InProcess, alice: Visitor) -> None:
    secret, _ = await set_up(site, alice)
    first, second = await half_in(site), await half_in(site)
    used = code(site, secret)
    assert (await first.post("/login/second", {"code": used})).status_code == 303
    assert (await second.post("/login/second", {"code": used})).status_code == 400


async def test_docker_is_told_to_use_a_token(site: InProcess, alice: Visitor) -> None:
    await set_up(site, alice)
    reply = await alice.http.get("/auth/token?service=x", headers=basic("alice", PASSWORD))
    assert reply.status_code == 401
    assert "make one on this registry's pages under Settings, Access tokens" in reply.json()["errors"][0]["message"]
    assert (await alice.http.get("/api/v1/user", headers=basic("alice", PASSWORD))).status_code == 401
    assert (await alice.http.get("/v2/", headers=basic("alice", PASSWORD))).status_code == 401
    page = await alice.get("/settings/tokens")
    assert "docker and other clients need an access token" in page.text


async def test_turning_it_off_needs_password_and_factor(site: InProcess, alice: Visitor) -> None:
    secret, codes = await set_up(site, alice)
    for fields, sentence in (
        ({"password": PASSWORD}, "That code is not right"),
        ({"password": PASSWORD, "code": "123"}, "That code is not right"),
        ({"password": "wrong horse 9", "code": codes[0]}, "not your present password"),
    ):
        reply = await alice.post(HERE, {"form": "off", **fields})
        assert reply.status_code == 400
        assert sentence in reply.text
    reply = await alice.post(HERE, {"form": "off", "password": PASSWORD, "code": code(site, secret)})
    assert reply.headers["location"] == f"{HERE}?saved=off"
    assert "Two-factor authentication is off." in (await alice.read(f"{HERE}?saved=off")).texts
    await Visitor(site.app).sign_in("alice")


async def test_one_is_removed_and_the_others_stay(site: InProcess, alice: Visitor) -> None:
    _, codes = await set_up(site, alice)
    await set_up(site, alice)
    page = await alice.get(HERE)
    ids = re.findall(r'name="authenticator" value="(\d+)"', page.text)
    assert len(ids) == 2
    remove = {"form": "remove", "password": PASSWORD}
    assert (await alice.post(HERE, {**remove, "authenticator": "x", "code": codes[1]})).status_code == 400
    reply = await alice.post(HERE, {**remove, "authenticator": ids[0], "code": codes[2]})
    assert reply.headers["location"] == f"{HERE}?saved=removed"
    page = await alice.get(HERE)
    assert re.findall(r'name="authenticator" value="(\d+)"', page.text) == ids[1:]


async def test_new_recovery_codes_are_shown_once(site: InProcess, alice: Visitor) -> None:
    secret, old = await set_up(site, alice)
    assert (await alice.post(HERE, {"form": "codes", "password": PASSWORD})).status_code == 400
    reply = await alice.post(HERE, {"form": "codes", "password": PASSWORD, "code": code(site, secret)})
    fresh = CODE.findall(reply.text)
    assert len(fresh) == 10
    assert not set(fresh) & set(old)
    assert reply.headers["cache-control"] == "no-store"


async def test_a_form_that_is_none_changes_nothing(site: InProcess, alice: Visitor) -> None:
    before = site.snapshot()
    for form in ("", "nothing", "passkey"):
        assert (await alice.post(HERE, {"form": form, "password": PASSWORD})).status_code == 400
    assert {k: v for k, v in site.snapshot().items() if k == "table authenticators"} == {
        k: v for k, v in before.items() if k == "table authenticators"
    }


async def test_passkeys_are_offered_where_browsers_have_them(site: InProcess) -> None:
    plain = await Visitor(site.app).become(site, "alice")
    assert "Browsers allow passkeys only where" in (await plain.get(HERE)).text
    secure = Visitor(site.app, scheme="https")
    user_id = (await site.actor("alice")).user_id
    assert user_id is not None
    secret = await site.app.sessions.open(user_id, "198.51.100.7", "Firefox")
    secure.http.cookies.set("__Host-havre_session", secret)
    page = await secure.get(HERE)
    assert 'data-passkey-kind="create"' in page.text
    assert "&#34;hub.example.org&#34;" in page.text


async def test_the_owner_is_told_by_mail(site: InProcess, alice: Visitor) -> None:
    from tests.support.letters import letters, written

    await set_up(site, alice)
    await written(site.app)
    assert "Two-factor authentication was changed" in [str(one["Subject"]) for one in letters(site.data)]
