"""Our JSON API: who may call what, what it answers, and that a bad request changes nothing."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from openapi_spec_validator import validate

from havre.access.actors import Action, Grant
from havre.oci.names import RepositoryName
from havre.registry.records import Visibility
from tests.support.inprocess import HOST, PASSWORD, Caller, InProcess, Reply, basic, prepare

pytestmark = pytest.mark.anyio

ALICE, BOBBY, CAROL = (basic(name, PASSWORD) for name in ("alice", "bobby", "carol"))
API = "/api/v1"
OPEN, SECRET = f"{API}/repositories/alice/open", f"{API}/repositories/alice/secret"
SITE = f"http://{HOST}"


@pytest.fixture(scope="module", autouse=True)
def _people() -> None:
    prepare()


@pytest.fixture
async def havre(tmp_path: Path) -> AsyncIterator[InProcess]:
    """With alice/open, which has an image under two tags, and alice/secret, which is private."""
    async with InProcess(tmp_path) as running:
        owner = await running.caller("alice", "alice/open")
        await owner.push_image("alice/open", "latest", "v1")
        await running.app.repositories.create(RepositoryName("alice/secret"), Visibility.PRIVATE)
        yield running


@pytest.fixture
def caller(havre: InProcess) -> Caller:
    return Caller(havre)


async def send(caller: Caller, method: str, path: str, headers: dict[str, str], value: Any) -> Reply:
    body = value if isinstance(value, bytes) else orjson.dumps(value)
    return await caller(method, path, {**headers, "content-type": "application/json"}, body)


async def secret_of(havre: InProcess, *grants: Grant) -> dict[str, str]:
    """The header of a new access token of alice."""
    alice = await havre.actor("alice")
    assert alice.user_id is not None
    _, secret = await havre.app.access_tokens.create(alice.user_id, "ci", grants)
    return {"authorization": f"Bearer {secret}"}


async def cookie(havre: InProcess, name: str) -> dict[str, str]:
    user = await havre.actor(name)
    assert user.user_id is not None
    return {"cookie": f"havre_session={await havre.app.sessions.open(user.user_id, '', '')}"}


def problem(reply: Reply) -> tuple[int, str]:
    """Status and sentence of an answer that is a problem (RFC 9457)."""
    assert reply["content-type"] == "application/problem+json"
    body = reply.json()
    assert body["status"] == reply.status
    assert body["title"]
    return reply.status, body["detail"]


# ---------------------------------------------------------------- who calls


async def test_by_password_by_token_and_by_session(havre: InProcess, caller: Caller) -> None:
    for headers in (ALICE, await secret_of(havre, Grant("*", frozenset(Action))), await cookie(havre, "alice")):
        body = (await caller.get(f"{API}/user", headers)).json()
        assert (body["name"], body["email"], body["is_admin"]) == ("alice", "alice@example.org", False)
        assert body["created"].endswith("Z")


async def test_nobody_is_asked_to_sign_in_without_a_password_window(caller: Caller) -> None:
    reply = await caller.get(f"{API}/user")
    assert problem(reply)[0] == 401
    assert reply["www-authenticate"] == 'Bearer realm="Havre"'
    assert problem(await caller.get(f"{API}/user", {"cookie": "havre_session=made-up"}))[0] == 401


async def test_wrong_credentials(caller: Caller) -> None:
    wrong = await caller.get(f"{API}/repositories", basic("alice", "wrong password"))
    assert problem(wrong) == (401, "incorrect username or password")
    assert problem(await caller.get(f"{API}/repositories", {"authorization": "Bearer hvr_pat_x"}))[0] == 401


async def test_a_session_changes_nothing_for_another_site(havre: InProcess, caller: Caller) -> None:
    session = await cookie(havre, "alice")
    before = havre.snapshot()
    for origin in ({}, {"origin": "https://evil.example"}, {"sec-fetch-site": "cross-site"}, {"origin": "null"}):
        reply = await send(caller, "PATCH", OPEN, session | origin, {"description": "taken over"})
        assert problem(reply)[0] == 403
    assert havre.snapshot() == before
    own = await send(caller, "PATCH", OPEN, session | {"origin": SITE}, {"description": "by its owner"})
    assert own.json()["description"] == "by its owner"


# ---------------------------------------------------------------- access tokens


async def test_a_token_is_made_used_listed_and_revoked(caller: Caller) -> None:
    wanted = {"label": "ci", "grants": [{"pattern": "alice/*", "actions": ["pull"]}], "expires": "2099-01-01T00:00:00Z"}
    reply = await send(caller, "POST", f"{API}/user/access-tokens", ALICE, wanted)
    assert reply.status == 201
    made = reply.json()
    token = {"authorization": f"Bearer {made['secret']}"}
    assert (await caller.get(SECRET, token)).status == 200
    (listed,) = (await caller.get(f"{API}/user/access-tokens", ALICE)).json()
    assert (listed["label"], listed["expires"], listed["hint"]) == ("ci", "2099-01-01T00:00:00Z", made["secret"][-4:])
    assert listed["last_used"] is not None
    assert made["secret"] not in str(listed)
    uid = made["token"]["uid"]
    assert problem(await caller("DELETE", f"{API}/user/access-tokens/{uid}", BOBBY))[0] == 400
    assert (await caller("DELETE", f"{API}/user/access-tokens/{uid}", ALICE)).status == 204
    assert problem(await caller.get(SECRET, token))[0] == 401


async def test_a_token_makes_no_tokens(havre: InProcess, caller: Caller) -> None:
    token = await secret_of(havre, Grant("*", frozenset(Action)))
    wanted = {"label": "wider", "grants": [{"pattern": "*", "actions": ["admin"]}]}
    assert problem(await send(caller, "POST", f"{API}/user/access-tokens", token, wanted))[0] == 403
    assert problem(await caller.get(f"{API}/user/access-tokens", token))[0] == 403


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"label": ""}, "label"),
        ({"label": "x" * 101}, "label"),
        ({"label": "a\x00b"}, "label"),
        ({"grants": []}, "grants"),
        ({"grants": [{"pattern": "Not One", "actions": ["pull"]}]}, "grants"),
        ({"grants": [{"pattern": "alice/*", "actions": []}]}, "grants.0.actions"),
        ({"grants": [{"pattern": "alice/*", "actions": ["fly"]}]}, "grants.0.actions.0"),
        ({"expires": "2001-01-01T00:00:00Z"}, "expires"),
        ({"expires": "2099-01-01T00:00:00"}, "expires"),
        ({"expire": "2099-01-01T00:00:00Z"}, "expire"),
    ],
)
async def test_a_wrong_field_is_named(havre: InProcess, caller: Caller, change: dict[str, Any], field: str) -> None:
    wanted = {"label": "ci", "grants": [{"pattern": "alice/*", "actions": ["pull"]}], **change}
    before = havre.snapshot()
    reply = await send(caller, "POST", f"{API}/user/access-tokens", ALICE, wanted)
    assert problem(reply)[0] == 400
    assert reply.json()["field"] == field
    assert havre.snapshot() == before


# ---------------------------------------------------------------- repositories and tags


@pytest.mark.parametrize(
    ("headers", "open_", "secret", "absent"),
    [({}, 200, 404, 404), (ALICE, 200, 200, 404), (BOBBY, 200, 404, 404), (CAROL, 200, 200, 404)],
)
async def test_who_sees_what(caller: Caller, headers: dict[str, str], open_: int, secret: int, absent: int) -> None:
    absent_path = f"{API}/repositories/alice/absent"
    for suffix in ("", "/tags"):
        found = [(await caller.get(path + suffix, headers)).status for path in (OPEN, SECRET, absent_path)]
        assert found == [open_, secret, absent]
    names = {one["name"] for one in (await caller.get(f"{API}/repositories", headers)).json()["repositories"]}
    assert names == {"alice/open"} | ({"alice/secret"} if secret == 200 else set())


async def test_a_hidden_repository_answers_as_one_that_does_not_exist(caller: Caller) -> None:
    hidden, absent = await caller.get(SECRET, BOBBY), await caller.get(SECRET.replace("secret", "absent"), BOBBY)
    assert hidden.body.replace(b"secret", b"absent") == absent.body


@pytest.mark.parametrize(("headers", "status"), [({}, 401), (BOBBY, 403)])
@pytest.mark.parametrize(
    ("method", "path", "value"),
    [("PATCH", OPEN, {"description": "x"}), ("DELETE", OPEN, None), ("DELETE", OPEN + "/tags/v1", None)],
)
async def test_strangers_change_nothing(
    havre: InProcess, caller: Caller, headers: dict[str, str], status: int, method: str, path: str, value: Any
) -> None:
    before = havre.snapshot()
    reply = await send(caller, method, path, headers, value)
    assert problem(reply)[0] == status
    assert havre.snapshot() == before


async def test_a_narrow_token_can_not_administer(havre: InProcess, caller: Caller) -> None:
    token = await secret_of(havre, Grant("alice/*", frozenset({Action.PULL, Action.PUSH})))
    status, sentence = problem(await send(caller, "PATCH", OPEN, token, {"description": "x"}))
    assert (status, "wider grant" in sentence) == (403, True)


async def test_describing_and_hiding(caller: Caller) -> None:
    # The plan allows one private repository.
    await send(caller, "PATCH", SECRET, ALICE, {"visibility": "public"})
    change = {"description": "An application", "readme": "# Hello", "visibility": "private"}
    body = (await send(caller, "PATCH", OPEN, ALICE, change)).json()
    assert {key: body[key] for key in change} == change
    assert problem(await caller.get(OPEN))[0] == 404
    again = (await send(caller, "PATCH", OPEN, CAROL, {"visibility": "public"})).json()
    assert (again["visibility"], again["description"]) == ("public", "An application")


@pytest.mark.parametrize(
    "change",
    [{"description": "x" * 101}, {"visibility": "perhaps"}, {"readme": "a\x00b"}, {"name": "alice/other"}, [], "text"],
)
async def test_a_change_against_the_rules(havre: InProcess, caller: Caller, change: Any) -> None:
    before = havre.snapshot()
    assert problem(await send(caller, "PATCH", OPEN, ALICE, change))[0] == 400
    assert havre.snapshot() == before


@pytest.mark.parametrize("body", [b"", b"{", b"[" * 100_000, b'{"readme": "\\ud800"}', b"\xff\xfe", b"null"])
async def test_a_body_that_is_no_document(havre: InProcess, caller: Caller, body: bytes) -> None:
    before = havre.snapshot()
    assert problem(await send(caller, "PATCH", OPEN, ALICE, body))[0] == 400
    assert havre.snapshot() == before


async def test_a_body_is_bounded_announced_or_not(caller: Caller) -> None:
    body = b'{"readme": "' + b"x" * (1 << 20) + b'"}'
    assert problem(await send(caller, "PATCH", OPEN, ALICE, body))[0] == 413
    assert problem(await caller("PATCH", OPEN, ALICE, [body[:1000], body[1000:]]))[0] == 413


async def test_tags_and_their_pages(caller: Caller) -> None:
    page = (await caller.get(f"{OPEN}/tags?order=name&per_page=1")).json()
    assert (page["total"], page["exact"], [one["name"] for one in page["tags"]]) == (2, True, ["latest"])
    last = (await caller.get(f"{OPEN}/tags?order=name&per_page=1&after={page['next']}")).json()
    (tag,) = last["tags"]
    assert last["next"] is None
    assert problem(await caller.get(f"{OPEN}/tags?after=nowhere"))[0] == 400
    assert (tag["name"], tag["pusher"]) == ("v1", "alice")
    assert tag["digest"].startswith("sha256:")
    assert tag["size"] > 0
    assert [one["name"] for one in (await caller.get(f"{OPEN}/tags?q=late")).json()["tags"]] == ["latest"]


async def test_removing_a_tag_and_a_repository(caller: Caller) -> None:
    assert (await caller("DELETE", f"{OPEN}/tags/v1", ALICE)).status == 204
    assert problem(await caller("DELETE", f"{OPEN}/tags/v1", ALICE))[0] == 404
    assert (await caller("DELETE", OPEN, ALICE)).status == 204
    assert problem(await caller.get(OPEN, ALICE))[0] == 404


async def test_a_repository_whose_name_has_parts(havre: InProcess, caller: Caller) -> None:
    for name in ("alice/team/app", "alice/tags", "python"):
        await havre.app.repositories.create(RepositoryName(name), Visibility.PUBLIC)
    for path in ("alice/team/app", "alice/tags", "library/python"):
        assert (await caller.get(f"{API}/repositories/{path}")).json()["name"] == path.removeprefix("library/")
        assert (await caller.get(f"{API}/repositories/{path}/tags")).json()["tags"] == []


@pytest.mark.parametrize(
    "query",
    [
        "page=0",
        "page=x",
        "page=99999999999999999999",
        "per_page=101",
        "per_page=-1",
        "q=%00",
        "namespace=A",
        "q=" + "x" * 201,
    ],
)
async def test_questions_against_the_rules(caller: Caller, query: str) -> None:
    assert problem(await caller.get(f"{API}/repositories?{query}"))[0] == 400


async def test_search(caller: Caller) -> None:
    for query, total in (("q=open", 1), ("q=nothing", 0), ("namespace=alice", 1), ("namespace=bobby", 0), ("q=%25", 0)):
        assert (await caller.get(f"{API}/repositories?{query}")).json()["total"] == total, query


# ---------------------------------------------------------------- the document


async def test_the_document_is_valid_and_complete(caller: Caller) -> None:
    document = (await caller.get(f"{API}/openapi.json")).json()
    validate(document)
    offered = {f"{method.upper()} {path}" for path, methods in document["paths"].items() for method in methods}
    assert offered == {
        "GET /api/v1/user",
        "GET /api/v1/user/access-tokens",
        "POST /api/v1/user/access-tokens",
        "DELETE /api/v1/user/access-tokens/{uid}",
        "GET /api/v1/user/deleted-repositories",
        "POST /api/v1/user/deleted-repositories/{repository}/restore",
        "DELETE /api/v1/user/deleted-repositories/{repository}",
        "GET /api/v1/user/transfers",
        "POST /api/v1/user/transfers",
        "POST /api/v1/user/transfers/{repository}/accept",
        "DELETE /api/v1/user/transfers/{repository}",
        "GET /api/v1/user/starred",
        "PUT /api/v1/user/starred/{namespace}/{name}",
        "DELETE /api/v1/user/starred/{namespace}/{name}",
        "GET /api/v1/repositories",
        "GET /api/v1/repositories/{namespace}/{name}",
        "PATCH /api/v1/repositories/{namespace}/{name}",
        "DELETE /api/v1/repositories/{namespace}/{name}",
        "GET /api/v1/repositories/{namespace}/{name}/collaborators",
        "PUT /api/v1/repositories/{namespace}/{name}/collaborators/{person}",
        "DELETE /api/v1/repositories/{namespace}/{name}/collaborators/{person}",
        "GET /api/v1/repositories/{namespace}/{name}/tags",
        "DELETE /api/v1/repositories/{namespace}/{name}/tags/{tag}",
        "GET /api/v1/repositories/{namespace}/{name}/tags/{tag}/history",
        "POST /api/v1/repositories/{namespace}/{name}/tags/{tag}/restore",
        "POST /api/v1/repositories/{namespace}/{name}/tags/remove",
    }


async def test_other_paths_and_methods_are_problems_too(caller: Caller) -> None:
    assert problem(await caller.get(f"{API}/nothing"))[0] == 404
    assert problem(await caller.get("/api/v2"))[0] == 404
    assert problem(await caller("PUT", OPEN, ALICE))[0] == 405
    assert problem(await caller.get(f"{API}/repositories/Alice/App"))[0] == 400
