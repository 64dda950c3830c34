"""Mailed links on the pages: a forgotten password, an address to confirm; by the outbox of a registry without mail."""

from __future__ import annotations

import logging
import stat
from collections.abc import Callable

import pytest

from tests.support.inprocess import PASSWORD, InProcess
from tests.support.letters import letters, link_in, written
from tests.web.conftest import Visitor

pytestmark = pytest.mark.anyio

NEW = {"password": "battery staple 7", "password_again": "battery staple 7"}


async def test_a_forgotten_password(site: InProcess, alice: Visitor, caplog: pytest.LogCaptureFixture) -> None:
    visitor = Visitor(site.app)
    assert 'href="/forgot"' in (await visitor.get("/login")).text
    with caplog.at_level(logging.INFO, "havre.mail"):
        reply = await visitor.post("/forgot", {"name": "alice"})
        await written(site.app)
    assert "If there is such an account" in reply.text
    (letter,) = letters(site.data, "alice@example.org")
    assert letter["Subject"] == "Choose a new password"
    link = link_in(letter)
    assert link.startswith("/reset?code=")
    assert "outbox" in caplog.text
    assert link.partition("code=")[2] not in caplog.text

    assert (await visitor.get(link)).status_code == 200
    code = link.partition("code=")[2]
    short = await visitor.post("/reset", {"code": code, "password": "short", "password_again": "short"})
    assert short.status_code == 400
    assert "8 to 256" in short.text
    other = await visitor.post("/reset", {"code": code, **NEW, "password_again": "different 10"})
    assert "not the same" in other.text
    reply = await visitor.post("/reset", {"code": code, **NEW})
    assert reply.headers["location"] == "/login?reset=1"
    assert "Sign in with the new one." in (await visitor.get("/login?reset=1")).text
    assert (await alice.get("/repositories")).status_code == 303, "other browsers are signed out"
    await visitor.sign_in("alice", NEW["password"])

    spent = await visitor.get(link)
    assert spent.status_code == 400
    assert "This link was used before, or is too old" in spent.text
    assert (await visitor.post("/reset", {"code": code, **NEW})).status_code == 400


async def test_the_answer_is_the_same_for_those_who_have_no_account(site: InProcess) -> None:
    visitor = Visitor(site.app)
    answers = [await visitor.post("/forgot", {"name": name}) for name in ("alice", "nobody", "nobody@example.org")]
    assert {reply.status_code for reply in answers} == {200}
    assert len({reply.text for reply in answers}) == 1
    await written(site.app)
    assert [str(one["To"]) for one in letters(site.data)] == ["alice@example.org"]


async def test_letters_are_throttled(site: InProcess) -> None:
    visitor = Visitor(site.app)
    for _ in range(3):
        assert (await visitor.post("/forgot", {"name": "alice"})).status_code == 200
    refused = await visitor.post("/forgot", {"name": "alice"})
    assert refused.status_code == 429
    await written(site.app)
    assert len(letters(site.data)) == 3


async def test_letters_lie_where_the_administrator_alone_reads(site: InProcess) -> None:
    await Visitor(site.app).post("/forgot", {"name": "alice"})
    await written(site.app)
    folder = site.data / "outbox"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert [stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()] == [0o600]


async def test_letters_speak_the_language_of_their_reader(site: InProcess, alice: Visitor) -> None:
    await alice.post("/settings/profile", {"language": "fr", "visibility": "public"})
    await Visitor(site.app, language="en").post("/forgot", {"name": "alice"})
    await written(site.app)
    (letter,) = letters(site.data)
    assert letter["Subject"] == "Choisir un nouveau mot de passe"
    assert letter["Content-Language"] == "fr"
    assert "Suivez ce lien dans" in letter.get_content()


async def test_a_link_leads_to_the_configured_address_whatever_the_visitor_says(
    open_site: Callable[..., InProcess],
) -> None:
    async with open_site(external_url="https://hub.example.org") as site:
        visitor = Visitor(site.app)
        await visitor.http.post(
            "/forgot",
            data={"name": "alice"},
            headers={"Host": "evil.example", "Origin": "http://evil.example"},
        )
        await written(site.app)
        (letter,) = letters(site.data)
        assert "https://hub.example.org/reset?code=" in letter.get_content()
        assert "evil" not in letter.as_string()


async def test_a_new_address_is_confirmed_by_link(site: InProcess, alice: Visitor) -> None:
    change = {"form": "email", "email": "marin@example.org", "password": PASSWORD}
    for wrong, sentence in (
        ({"password": "wrong horse 9"}, "not your present password"),
        ({"email": "nobody"}, "is not an e-mail address"),
        ({"email": "bobby@example.org"}, "already"),
    ):
        reply = await alice.post("/settings/profile", {**change, **wrong})
        assert reply.status_code in {400, 409}
        assert sentence in reply.text
    assert (await alice.post("/settings/profile", change)).headers["location"] == "/settings/profile?saved=mailed"
    page = await alice.get("/settings/profile")
    assert "alice@example.org" in page.text
    assert "not confirmed" in page.text
    assert "marin@example.org" in page.text
    await written(site.app)
    (letter,) = letters(site.data, "marin@example.org")
    link = link_in(letter)
    anyone = Visitor(site.app)
    assert "marin@example.org" in (await anyone.get(link)).text
    user = await site.app.accounts.by_name("alice")
    assert user is not None
    assert user.email == "alice@example.org", "looking is not confirming: programs follow links too"
    done = await anyone.post("/verify", {"code": link.partition("code=")[2]})
    assert "marin@example.org is now the address of the account alice." in done.text
    await written(site.app)
    assert [str(one["Subject"]) for one in letters(site.data, "alice@example.org")] == [
        "Your e-mail address was changed"
    ]
    assert "confirmed" in (await alice.read("/settings/profile")).texts
    assert (await anyone.get(link)).status_code == 400
    await Visitor(site.app).sign_in("marin@example.org")


async def test_signing_up_mails_a_link(site: InProcess) -> None:
    visitor = Visitor(site.app)
    await visitor.post("/signup", {"name": "marin", "email": "marin@example.org", **NEW})
    await written(site.app)
    (letter,) = letters(site.data, "marin@example.org")
    assert letter["Subject"] == "Confirm your e-mail address"
    assert link_in(letter).startswith("/verify?code=")


async def test_the_link_is_mailed_again_on_request(site: InProcess, alice: Visitor) -> None:
    reply = await alice.post("/settings/profile", {"form": "mail-again"})
    assert reply.headers["location"] == "/settings/profile?saved=mailed"
    await written(site.app)
    assert len(letters(site.data, "alice@example.org")) == 1
    for _ in range(2):
        await alice.post("/settings/profile", {"form": "mail-again"})
    assert (await alice.post("/settings/profile", {"form": "mail-again"})).status_code == 429


async def test_a_changed_password_is_told_by_mail(site: InProcess, alice: Visitor) -> None:
    await alice.post("/settings/password", {"old_password": PASSWORD, **NEW})
    await written(site.app)
    assert [str(one["Subject"]) for one in letters(site.data)] == ["Your password was changed"]
