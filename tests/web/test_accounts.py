"""Making an account, signing in and out, the first run."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from havre.access.actors import Action, Grant
from havre.config import load
from havre.metadata.migrations import upgrade
from havre.server.app import create_app
from tests.support.inprocess import InProcess
from tests.web.conftest import Visitor

pytestmark = pytest.mark.anyio

NEW = {"name": "marin", "email": "marin@example.org", "password": "long enough 1", "password_again": "long enough 1"}


async def test_signing_up_signs_in(visitor: Visitor) -> None:
    reply = await visitor.post("/signup", NEW)
    assert (reply.status_code, reply.headers["location"]) == (303, "/repositories")
    page = await visitor.read("/repositories")
    assert "docker login hub.example.org:5000 -u marin" in page.texts
    assert "docker push hub.example.org:5000/marin/hello" in page.texts


@pytest.mark.parametrize(
    ("change", "status", "sentence"),
    [
        ({"name": "ab"}, 400, "use 4 to 30 lower-case letters and digits"),
        ({"name": "admin"}, 400, "is reserved"),
        ({"name": "alice"}, 409, "is taken"),
        ({"email": "nobody"}, 400, "is not an e-mail address"),
        ({"email": "alice@example.org"}, 409, "already"),
        ({"password": "short", "password_again": "short"}, 400, "use 8 to 256"),
        ({"password_again": "something else"}, 400, "not the same"),
    ],
    ids=str,
)
async def test_a_form_that_breaks_a_rule_comes_back(
    visitor: Visitor, site: InProcess, change: dict[str, str], status: int, sentence: str
) -> None:
    before = site.snapshot()
    reply = await visitor.post("/signup", {**NEW, **change})
    assert reply.status_code == status
    assert sentence in reply.text
    assert 'aria-invalid="true"' in reply.text
    assert NEW["password"] not in reply.text
    after = site.snapshot()
    # (Asking for a name or an address that is taken is counted, so that nobody asks for ever.)
    assert {table for table in before if before[table] != after[table]} <= {"table login_failures"}


async def test_a_closed_registry_says_whom_to_ask(open_site: Callable[..., InProcess]) -> None:
    async with open_site(signup="closed") as site:
        visitor = Visitor(site.app)
        for reply in (await visitor.get("/signup"), await visitor.post("/signup", NEW)):
            assert reply.status_code == 403
            assert "ask an administrator" in reply.text
        assert 'href="/signup"' not in (await visitor.get("/")).text


async def test_signing_in_by_name_or_address_and_out_again(visitor: Visitor) -> None:
    for login in ("alice", "Alice", "alice@example.org"):
        await visitor.sign_in(login)
        assert (await visitor.get("/repositories")).status_code == 200
        assert (await visitor.post("/logout")).headers["location"] == "/"
        assert (await visitor.get("/repositories")).status_code == 303


async def test_a_session_that_was_closed_is_worth_nothing(alice: Visitor) -> None:
    cookies = dict(alice.http.cookies)
    await alice.post("/logout")
    alice.http.cookies.update(cookies)
    assert (await alice.get("/repositories")).status_code == 303


async def test_signing_in_goes_where_one_wanted(visitor: Visitor) -> None:
    assert 'value="/settings/tokens"' in (await visitor.get("/login?next=/settings/tokens")).text
    fields = {"name": "alice", "password": "correct horse 9"}
    assert (await visitor.post("/login", {**fields, "next": "/u/alice"})).headers["location"] == "/u/alice"
    assert (await visitor.post("/login", {**fields, "next": "//evil.example"})).headers["location"] == "/"


async def test_wrong_passwords_get_one_sentence_then_a_pause(site: InProcess) -> None:
    visitor = Visitor(site.app)
    unknown = await visitor.post("/login", {"name": "nobody", "password": "wrong horse 9"})
    wrong = await visitor.post("/login", {"name": "alice", "password": "wrong horse 9"})
    assert unknown.status_code == wrong.status_code == 401
    assert "The name or the password is wrong." in wrong.text
    assert unknown.text.replace("nobody", "alice") == wrong.text
    for _ in range(30):
        reply = await visitor.post("/login", {"name": "alice", "password": "wrong horse 9"})
        if reply.status_code == 429:
            break
    assert reply.status_code == 429
    assert "Too many attempts" in reply.text
    elsewhere = Visitor(site.app, address="203.0.113.9")
    await elsewhere.sign_in("alice")


async def test_an_access_token_opens_no_session(visitor: Visitor, site: InProcess) -> None:
    alice = await site.actor("alice")
    assert alice.user_id is not None
    grants = [Grant("*", frozenset(Action))]
    _, secret = await site.app.access_tokens.create(alice.user_id, "ci", grants)
    reply = await visitor.post("/login", {"name": "alice", "password": secret})
    assert reply.status_code == 401
    assert "set-cookie" not in reply.headers


async def test_the_first_run_makes_the_administrator(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    config = load({"data": str(tmp_path)})
    upgrade(config.database_url)
    app = create_app(config)
    await app.start()
    visitor = Visitor(app)
    for path in ("/", "/login", "/signup", "/r/a/b", "/repositories"):
        assert (await visitor.get(path)).headers["location"] == "/welcome"
    with caplog.at_level(logging.WARNING, "havre.web"):
        await visitor.get("/welcome")
        await visitor.get("/welcome")
    (code,) = re.findall(r"setup code (\S+)", caplog.text)
    assert code not in (await visitor.get("/welcome")).text

    wrong = await visitor.post("/welcome", {**NEW, "code": "AAAA-AAAA-AAAA"})
    assert wrong.status_code == 400
    assert "setup code" in wrong.text
    assert (await app.accounts.list()) == []

    right = await visitor.post("/welcome", {**NEW, "code": code.lower().replace("-", " ")})
    assert (right.status_code, right.headers["location"]) == (303, "/")
    (user,) = await app.accounts.list()
    assert (user.name, user.is_admin) == ("marin", True)
    assert (await visitor.get("/repositories")).status_code == 200
    assert (await visitor.post("/welcome", {**NEW, "name": "second", "code": code})).headers["location"] == "/"
    assert len(await app.accounts.list()) == 1
    await app.stop()
