"""Settings of an account: profile, password, access tokens, sessions."""

from __future__ import annotations

import re

import pytest

from tests.support.inprocess import PASSWORD, InProcess, basic
from tests.web.conftest import Visitor

pytestmark = pytest.mark.anyio

TOKEN = {"label": "build server", "grants": "alice/*", "actions": "push", "expires": "90"}


async def test_the_profile_chooses_language_and_visibility(site: InProcess, alice: Visitor) -> None:
    reply = await alice.post("/settings/profile", {"language": "fr", "visibility": "private"})
    page = await alice.get(reply.headers["location"])
    assert "Enregistré." in page.text
    user = await site.app.accounts.by_name("alice")
    assert user is not None
    assert (user.language, user.default_visibility) == ("fr", "private")
    assert (await alice.post("/settings/profile", {"language": "xx", "visibility": "private"})).status_code == 400
    assert (await alice.post("/settings/profile", {"language": "en", "visibility": "secret"})).status_code == 400


async def test_the_account_speaks_its_language_on_every_device(site: InProcess, alice: Visitor) -> None:
    await alice.post("/settings/profile", {"language": "fr", "visibility": "public"})
    other = await Visitor(site.app).sign_in("alice")
    assert '<html lang="fr">' in (await other.get("/")).text


async def test_changing_the_password_signs_others_out(site: InProcess, alice: Visitor) -> None:
    other = await Visitor(site.app).become(site, "alice")
    fields = {"old_password": PASSWORD, "password": "new horse 10", "password_again": "new horse 10"}
    reply = await alice.post("/settings/password", fields)
    assert reply.headers["location"] == "/settings/password?saved=1"
    assert (await alice.get("/settings/password")).status_code == 200
    assert (await other.get("/settings/password")).status_code == 303
    await Visitor(site.app).sign_in("alice", "new horse 10")


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"old_password": "wrong horse 9"}, "not your present password"),
        ({"password": "short", "password_again": "short"}, "use 8 to 256"),
        ({"password_again": "different 10"}, "not the same"),
    ],
    ids=str,
)
async def test_a_wrong_password_form_changes_nothing(alice: Visitor, change: dict[str, str], sentence: str) -> None:
    fields = {"old_password": PASSWORD, "password": "new horse 10", "password_again": "new horse 10", **change}
    reply = await alice.post("/settings/password", fields)
    assert reply.status_code == 400
    assert sentence in reply.text
    assert "new horse 10" not in reply.text


async def test_a_token_is_shown_once_and_works(site: InProcess, alice: Visitor) -> None:
    reply = await alice.post("/settings/tokens", TOKEN)
    assert reply.status_code == 200
    (secret,) = set(re.findall(r"hvr_pat_[\w-]+", reply.text))
    listed = await alice.get("/settings/tokens")
    assert secret not in listed.text
    assert "never used" in listed.text
    scope = "/auth/token?service=x&scope=repository:alice/app:pull,push"
    assert (await alice.http.get(scope, headers=basic("alice", secret))).status_code == 200
    page = await alice.read("/settings/tokens")
    assert "build server" in page.texts
    assert "alice/*" in page.texts
    assert "expires in 90 days" in page.texts
    assert any("last used" in text for text in page.texts)

    (path,) = {link for link in page.links if link.endswith("/revoke")}
    assert (await alice.post(path)).headers["location"] == "/settings/tokens"
    assert "None yet." in (await alice.read("/settings/tokens")).texts
    assert (await alice.http.get(scope, headers=basic("alice", secret))).status_code == 401


@pytest.mark.parametrize(
    "change",
    [{"label": " "}, {"grants": ""}, {"grants": "Not A Pattern!"}, {"actions": "admin"}, {"expires": "5000"}],
    ids=str,
)
async def test_a_token_form_that_breaks_a_rule_makes_none(alice: Visitor, change: dict[str, str]) -> None:
    reply = await alice.post("/settings/tokens", {**TOKEN, **change})
    assert reply.status_code == 400
    assert 'class="problem"' in reply.text
    assert "hvr_pat_" not in reply.text
    assert "None yet." in (await alice.read("/settings/tokens")).texts


async def test_a_token_may_have_several_patterns_and_no_end(alice: Visitor) -> None:
    await alice.post("/settings/tokens", {**TOKEN, "grants": "alice/app, alice/tool-*", "expires": "never"})
    page = await alice.read("/settings/tokens")
    assert {"alice/app", "alice/tool-*"} <= set(page.texts)
    assert any("does not expire" in text for text in page.texts)


async def test_nobody_revokes_what_belongs_to_others(site: InProcess, alice: Visitor) -> None:
    await alice.post("/settings/tokens", TOKEN)
    (path,) = {link for link in (await alice.read("/settings/tokens")).links if link.endswith("/revoke")}
    bobby = await Visitor(site.app).become(site, "bobby")
    assert (await bobby.post(path)).status_code == 400
    assert "build server" in (await alice.read("/settings/tokens")).texts


async def test_sessions_are_listed_and_signed_out(site: InProcess, alice: Visitor) -> None:
    other = await Visitor(site.app, address="203.0.113.9").become(site, "alice")
    page = await alice.read("/settings/sessions")
    assert page.texts.count("this one") == 1
    assert page.texts.count("Firefox") == 2
    assert any(text.startswith("198.51.100.7") for text in page.texts)
    mine, others = await session_of(site, alice), await session_of(site, other)
    await alice.post(f"/settings/sessions/{others}/revoke")
    assert (await other.get("/repositories")).status_code == 303
    await alice.post(f"/settings/sessions/{mine}/revoke")
    assert (await alice.get("/repositories")).status_code == 303


async def test_an_odd_session_is_not_found(alice: Visitor) -> None:
    assert (await alice.post("/settings/sessions/x/revoke")).status_code == 404


async def session_of(site: InProcess, visitor: Visitor) -> int:
    found = await site.app.sessions.resolve(visitor.http.cookies["havre_session"])
    assert found is not None
    return found[1].id
