"""Every page in the table, walked as an attacker would: what they learn of private repositories, what other sites can
have changed, and where they can have people led.
"""

from __future__ import annotations

import itertools
import re
from pathlib import Path

import httpx
import pytest

from havre.oci.names import RepositoryName
from havre.web.routes import PAGES
from havre.web.routes import Page as Row
from tests.support.inprocess import HOST, PASSWORD, InProcess
from tests.web.conftest import Visitor

pytestmark = pytest.mark.anyio

ABOUT_ONE = [row for row in PAGES if "{repository" in row.path and "{namespace}" in row.path]
"""Pages of a repository with a namespace; official images have the same functions."""

OTHERS = [row for row in PAGES if row.method == "GET" and "{" not in row.path]

POSTS = [row for row in PAGES if row.method == "POST"]

UUID = "00000000-0000-4000-8000-000000000000"


@pytest.fixture
async def hidden(stocked: InProcess) -> InProcess:
    """alice/secret was called alice/before once, and alice has starred it."""
    await stocked.app.renames.rename(RepositoryName("alice/secret"), "vault", by=await stocked.actor("alice"))
    user_id = (await stocked.actor("alice")).user_id
    assert user_id is not None
    alice = await Visitor(stocked.app).become(stocked, "alice")
    assert (await alice.post("/r/alice/vault/star", {"star": "1"})).status_code in {204, 303}
    return stocked


@pytest.fixture
async def bobby(hidden: InProcess) -> Visitor:
    return await Visitor(hidden.app).become(hidden, "bobby")


def filled(row: Row, repository: str) -> str:
    """An address of this page."""
    path = row.path.replace("{namespace}", "alice").replace("{repository:path}", repository).replace("{tag}", "latest")
    return path.replace("{repository}", repository).replace("{name}", "alice").replace("{session}", "1").replace(
        "{id}", "1"
    ).replace("{uid}", UUID).replace("{signature}", "x").replace("{address}", "x")  # fmt: skip


def told(reply: httpx.Response, repository: str) -> tuple[object, ...]:
    """All that an answer tells, but for the name that was asked for and what differs each time."""
    headers = sorted(
        f"{name}: {value}".replace(repository, "<name>")
        for name, value in reply.headers.items()
        if name not in {"x-request-id", "content-length"}
    )
    return reply.status_code, headers, reply.text.replace(repository, "<name>")


async def test_a_private_repository_tells_strangers_nothing(hidden: InProcess, bobby: Visitor) -> None:
    for row, visitor in itertools.product(ABOUT_ONE, (bobby, Visitor(hidden.app))):
        answers = []
        for name in ("vault", "secret", "absent"):  # as it is called, as it was called, as nothing was ever called
            path = filled(row, name)
            reply = await (visitor.get(path) if row.method == "GET" else visitor.post(path, {"star": "1"}))
            answers.append(told(reply, name))
        assert answers[0] == answers[1] == answers[2], row
        assert answers[0][0] in {303, 404}, row


async def test_no_other_page_names_it(hidden: InProcess, bobby: Visitor) -> None:
    paths = [row.path for row in OTHERS] + ["/u/alice", "/u/alice?tab=starred", "/search?q=vault", "/search?q=secret"]
    paths += ["/search/suggest?q=vau", "/search/suggest?q=alice/", "/search?q=alice&order=stars", "/u/bobby"]
    for visitor in (bobby, Visitor(hidden.app)):
        for path in paths:
            reply = await visitor.get(path)
            # (The words themselves are in the addresses of searches, and as attributes of HTML.)
            assert "alice/vault" not in reply.text, path
            assert "alice/secret" not in reply.text, path
    # Nor do figures count it: alice's profile is the same to a stranger as if it were not there.
    profile = (await bobby.get("/u/alice")).text
    await hidden.app.deletion.delete(RepositoryName("alice/vault"), by=await hidden.actor("alice"))
    after = (await bobby.get("/u/alice")).text
    assert without_times(profile) == without_times(after)


def without_times(html: str) -> str:
    return re.sub(r"<time[^>]*>[^<]*</time>", "", html)


FOREIGN: list[dict[str, str]] = [
    {},
    {"Origin": "https://evil.example"},
    {"Origin": "null"},
    {"Origin": f"http://{HOST}.evil.example"},
    {"Origin": f"http://evil.example/{HOST}"},
    {"Referer": f"https://evil.example/?http://{HOST}/"},
    {"Origin": f"http://{HOST}", "Sec-Fetch-Site": "cross-site"},
    {"Origin": f"http://{HOST}", "Sec-Fetch-Site": "same-site"},
]
"""Without Origin and Referer, from another site, from a sandbox, and as browsers tell who asked."""


async def test_no_other_site_changes_anything(hidden: InProcess, alice: Visitor) -> None:
    for row, headers in itertools.product(POSTS, FOREIGN):
        path, fields = filled(row, "vault"), {"name": "alice", "password": PASSWORD, "action": "delete", "star": "1"}
        reply = await alice.http.post(path, data=fields, headers=headers)
        assert reply.status_code == 403, (path, headers)
        assert "set-cookie" not in reply.headers


async def test_nothing_was_changed_by_them(hidden: InProcess, alice: Visitor) -> None:
    before = hidden.snapshot()
    for row in POSTS:
        await alice.http.post(filled(row, "vault"), data={"name": "alice"}, headers={"Origin": "https://evil.example"})
    after = hidden.snapshot()
    assert {name for name in before if before[name] != after[name]} <= {"table sessions"}  # when it was last seen


async def test_every_page_is_protected(hidden: InProcess) -> None:
    carol = await Visitor(hidden.app).become(hidden, "carol")
    for row in OTHERS:
        headers = (await carol.get(row.path)).headers
        assert "frame-ancestors 'none'" in headers["content-security-policy"], row
        assert headers["x-frame-options"] == "DENY", row
        assert headers["x-content-type-options"] == "nosniff", row
        assert headers["cross-origin-opener-policy"] == "same-origin", row


ASTRAY = [
    "//evil.example",
    "///evil.example",
    "/\\evil.example",
    "\\\\evil.example",
    "https://evil.example",
    "https:evil.example",
    "javascript:alert(1)",
    "/\t/evil.example",
    "/\n//evil.example",
    " //evil.example",
    "/%0d%0aLocation:%20//evil.example\r\nX: y",
    "http://hub.example.org:5000@evil.example",
    "@evil.example",
    ".evil.example",
]


async def test_nobody_is_led_astray(hidden: InProcess) -> None:
    for number, target in enumerate(ASTRAY):
        visitor = Visitor(hidden.app, address=f"203.0.113.{number}")
        signed_in = await visitor.post("/login", {"name": "bobby", "password": PASSWORD, "next": target})
        assert (signed_in.status_code, signed_in.headers["location"]) in {(303, "/"), (303, "/repositories")}, target
        shown = await Visitor(hidden.app).get(f"/login?{httpx.QueryParams({'next': target})}")
        assert re.findall(r'name="next" value="([^"]*)"', shown.text) in ([], ["/"]), target
        for field in re.findall(r'(?:href|src|action)="([^"]*)"', shown.text):
            assert field.startswith(("/", "#", "?", f"http://{HOST}/")), field
            assert not field.startswith(("//", "/\\")), field


@pytest.mark.parametrize(
    "path", ["//evil.example/r/alice/app", "//evil.example", "/r//evil.example/x", "/\\evil.example/settings"]
)
async def test_no_path_becomes_another_host(hidden: InProcess, path: str) -> None:
    transport = httpx.ASGITransport(app=hidden.app)  # type: ignore[arg-type]
    async with httpx.AsyncClient(transport=transport) as client:
        reply = await client.get(f"http://{HOST}{path}")
    location = reply.headers.get("location", "/")
    assert location.startswith("/")
    assert not location.startswith(("//", "/\\"))


async def test_a_session_is_never_one_that_was_brought(hidden: InProcess) -> None:
    """Session fixation: whatever cookie a browser has before, signing in gives it another one."""
    visitor = Visitor(hidden.app)
    planted = "A" * 43
    reply = await visitor.post("/login", {"name": "bobby", "password": PASSWORD}, Cookie=f"havre_session={planted}")
    given = reply.cookies["havre_session"]
    assert given != planted
    thief = Visitor(hidden.app)
    thief.http.cookies.set("havre_session", planted)
    assert (await thief.get("/settings/profile")).status_code == 303
    # The same holds for the session of someone else: it ends where another begins.
    alice = await Visitor(hidden.app).become(hidden, "alice")
    kept = alice.http.cookies["havre_session"]
    again = await alice.post("/login", {"name": "bobby", "password": PASSWORD})
    assert again.status_code == 303
    assert again.cookies.get("havre_session", "") != kept


async def test_signing_in_and_asking_for_a_link_tell_not_who_is_here(hidden: InProcess) -> None:
    def neutral(reply: httpx.Response, name: str) -> tuple[int, str]:
        return reply.status_code, reply.text.replace(name, "<name>")

    for path, field in (("/login", "name"), ("/forgot", "login")):
        answers = []
        for name in ("bobby", "nobod", "b@b.b"):
            visitor = Visitor(hidden.app, address=f"203.0.113.{len(name)}")
            answers.append(neutral(await visitor.post(path, {field: name, "password": "not the one"}), name))
        assert len(set(answers)) == 1, path


async def test_every_cookie_is_out_of_reach(tmp_path: Path) -> None:
    async with InProcess(tmp_path, external_url=f"https://{HOST}") as site:
        visitor = Visitor(site.app, scheme="https")
        replies = [
            await visitor.post("/login", {"name": "bobby", "password": PASSWORD}),
            await visitor.get("/?lang=fr"),
            await visitor.post(
                "/settings/profile", {"bio": "", "theme": "dark", "language": "fr", "visibility": "public"}
            ),
            await visitor.post("/logout"),
        ]
        seen = [value.lower() for reply in replies for value in reply.headers.get_list("set-cookie")]
        assert len(seen) >= 3
        for value in seen:
            assert "httponly" in value
            assert "secure" in value
            assert "samesite=lax" in value
            assert "path=/" in value
            assert "domain=" not in value
        assert any(value.startswith("__host-havre_session=") for value in seen)
