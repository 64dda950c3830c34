"""The token endpoint, asked as each client asks (GET and POST /auth/token)."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import pytest

from havre.access.actors import Action, Grant
from havre.access.throttle import PER_ACCOUNT
from havre.registry.records import Visibility
from tests.support.inprocess import PASSWORD, Caller, InProcess, Reply, basic, prepare

pytestmark = pytest.mark.anyio

FORM = {"content-type": "application/x-www-form-urlencoded"}
EMPTY = {"authorization": "Basic Og=="}
ALICE = basic("alice", PASSWORD)


@pytest.fixture(scope="module", autouse=True)
def _people() -> None:
    prepare()


@pytest.fixture
async def havre(tmp_path: Path) -> AsyncIterator[InProcess]:
    async with InProcess(tmp_path) as running:
        await private(running, "alice/secret")
        await public(running, "alice/open")
        yield running


@pytest.fixture
def caller(havre: InProcess) -> Caller:
    return Caller(havre)


async def public(havre: InProcess, name: str, visibility: Visibility = Visibility.PUBLIC) -> None:
    from havre.oci.names import RepositoryName

    await havre.app.repositories.create(RepositoryName.parse(name), visibility)


async def private(havre: InProcess, name: str) -> None:
    await public(havre, name, Visibility.PRIVATE)


async def ask(caller: Caller, headers: Any, *scopes: str, **query: str) -> Reply:
    return await caller.get("/auth/token?" + urlencode([*query.items(), *(("scope", one) for one in scopes)]), headers)


async def post(caller: Caller, **form: str) -> Reply:
    return await caller("POST", "/auth/token", FORM, urlencode(form).encode())


def carried(havre: InProcess, reply: Reply) -> dict[str, str]:
    """Who the token of this reply is for, and what it allows."""
    assert reply.status == 200, reply
    bearer = havre.app.bearer.verify(reply.json()["token"])
    access = {str(name): ",".join(sorted(actions)) for name, actions in bearer.access.items()}
    return {"who": bearer.actor.name, **access, **({"catalog": "*"} if bearer.catalog else {})}


# ---------------------------------------------------------------- as clients ask


async def test_docker_login(havre: InProcess, caller: Caller) -> None:
    reply = await ask(caller, ALICE, account="alice", client_id="docker", offline_token="true", service="hub.test")
    assert carried(havre, reply) == {"who": "alice"}
    body = reply.json()
    assert "refresh_token" not in body, "docker would store it in place of the password"
    assert reply["content-type"] == "application/json"
    assert reply["cache-control"] == "no-store"
    ping = await caller.get("/v2/", {"authorization": f"Bearer {body['token']}"})
    assert ping.status == 200


async def test_docker_login_with_a_wrong_password(caller: Caller) -> None:
    reply = await ask(caller, basic("alice", "wrong password"), account="alice", service="hub.test")
    assert (reply.status, reply.code, reply.message) == (401, "UNAUTHORIZED", "incorrect username or password")
    assert reply["www-authenticate"].startswith('Basic realm="')


async def test_docker_pull_without_login(havre: InProcess, caller: Caller) -> None:
    reply = await ask(caller, {}, "repository:alice/open:pull", service="hub.test")
    assert carried(havre, reply) == {"who": "", "alice/open": "pull"}


async def test_podman_without_login_sends_an_empty_pair(havre: InProcess, caller: Caller) -> None:
    assert carried(havre, await ask(caller, EMPTY, "repository:alice/open:pull")) == {"who": "", "alice/open": "pull"}


async def test_podman_push(havre: InProcess, caller: Caller) -> None:
    asked = [ask(caller, ALICE, "repository:alice/new:pull,push", account="alice", service="s") for _ in range(2)]
    for reply in await asyncio.gather(*asked):
        assert carried(havre, reply) == {"who": "alice", "alice/new": "pull,push"}


async def test_containerd_posts_a_form(havre: InProcess, caller: Caller) -> None:
    reply = await post(
        caller,
        grant_type="password",
        service="hub.test",
        client_id="containerd-client",
        access_type="offline",
        scope="repository:alice/new:pull,push repository:alice/open:pull",
        username="alice",
        password=PASSWORD,
    )
    assert carried(havre, reply) == {"who": "alice", "alice/new": "pull,push", "alice/open": "pull"}
    assert reply.json()["scope"] == "repository:alice/new:pull,push repository:alice/open:pull"
    assert "refresh_token" not in reply.json()


async def test_a_wrong_password_in_a_form(caller: Caller) -> None:
    reply = await post(caller, grant_type="password", username="alice", password="wrong password")
    assert (reply.status, reply.message) == (401, "incorrect username or password")


async def test_an_empty_pair_in_a_form_is_nobody(havre: InProcess, caller: Caller) -> None:
    assert carried(havre, await post(caller, grant_type="password", scope="repository:alice/open:pull")) == {
        "who": "",
        "alice/open": "pull",
    }


async def test_a_refresh_token_of_elsewhere_makes_clients_fall_back(caller: Caller) -> None:
    reply = await post(caller, grant_type="refresh_token", refresh_token="rt", service="hub.test")
    assert (reply.status, reply.code) == (401, "UNAUTHORIZED")
    assert "log in again" in reply.message


async def test_an_access_token_may_be_kept_as_identity_token(havre: InProcess, caller: Caller) -> None:
    alice = await havre.actor("alice")
    assert alice.user_id is not None
    _, secret = await havre.app.access_tokens.create(alice.user_id, "ci", [Grant("alice/*", frozenset({Action.PULL}))])
    reply = await post(caller, grant_type="refresh_token", refresh_token=secret, scope="repository:alice/new:pull,push")
    assert carried(havre, reply) == {"who": "alice", "alice/new": "pull"}


@pytest.mark.parametrize("grant_type", ["", "client_credentials", "x" * 500])
async def test_another_grant_type_is_refused_by_name(caller: Caller, grant_type: str) -> None:
    reply = await post(caller, grant_type=grant_type)
    assert reply.status == 400
    assert "is not offered here" in reply.message


async def test_skopeo_delete_asks_for_a_star(havre: InProcess, caller: Caller) -> None:
    assert carried(havre, await ask(caller, ALICE, "repository:alice/open:*"))["alice/open"] == "delete,pull,push"


async def test_a_mount_asks_for_two_repositories(havre: InProcess, caller: Caller) -> None:
    reply = await ask(caller, ALICE, "repository:alice/new:push,pull", "repository:bobby/other:pull")
    assert carried(havre, reply) == {"who": "alice", "alice/new": "pull,push"}


async def test_podman_search_reads_the_catalogue(havre: InProcess, caller: Caller) -> None:
    assert carried(havre, await ask(caller, {}, "registry:catalog:*")) == {"who": "", "catalog": "*"}
    reply = await ask(caller, ALICE, "registry:catalog:search", "repository:alice/open:pull")
    assert carried(havre, reply) == {"who": "alice", "catalog": "*", "alice/open": "pull"}


# ---------------------------------------------------------------- what the reply says


async def test_the_reply_tells_its_time_and_life(havre: InProcess, caller: Caller) -> None:
    body = (await ask(caller, ALICE, "repository:alice/new:push")).json()
    assert body["token"] == body["access_token"]
    assert body["expires_in"] == 300
    issued = datetime.fromisoformat(body["issued_at"])
    assert abs(issued - datetime.fromtimestamp(havre.clock() / 1000, UTC)) < timedelta(seconds=1)
    assert body["issued_at"].endswith("Z")


# ---------------------------------------------------------------- who gets what


@pytest.mark.parametrize(
    ("name", "open_", "secret", "absent", "official"),
    [
        ("", "pull", "", "", ""),
        ("alice", "delete,pull,push", "delete,pull,push", "delete,pull,push", ""),
        ("bobby", "pull", "", "", ""),
        ("carol", "delete,pull,push", "delete,pull,push", "delete,pull,push", "delete,pull,push"),
    ],
)
async def test_the_intersection_is_granted_and_nothing_fails(
    havre: InProcess, caller: Caller, name: str, open_: str, secret: str, absent: str, official: str
) -> None:
    scopes = [f"repository:{one}:pull,push,delete" for one in ("alice/open", "alice/secret", "alice/absent", "python")]
    found = carried(havre, await ask(caller, basic(name, PASSWORD) if name else {}, *scopes))
    asked = ("alice/open", "alice/secret", "alice/absent", "python")
    assert [found.get(one, "") for one in asked] == [open_, secret, absent, official]


async def test_a_private_repository_looks_like_one_that_does_not_exist(havre: InProcess, caller: Caller) -> None:
    for headers in ({}, basic("bobby", PASSWORD)):
        hidden, absent = [
            (await ask(caller, headers, f"repository:alice/{leaf}:pull,push")).json()["scope"]
            for leaf in ("secret", "absent")
        ]
        assert hidden == absent == ""


async def test_an_access_token_narrows_what_is_granted(havre: InProcess, caller: Caller) -> None:
    alice = await havre.actor("alice")
    assert alice.user_id is not None
    grants = [Grant("alice/secret", frozenset({Action.PULL})), Grant("bobby/*", frozenset(Action))]
    _, secret = await havre.app.access_tokens.create(alice.user_id, "ci", grants)
    scopes = [f"repository:{one}:pull,push" for one in ("alice/secret", "alice/open", "alice/new", "bobby/new")]
    assert carried(havre, await ask(caller, basic("alice", secret), *scopes)) == {
        "who": "alice",
        "alice/secret": "pull",
        "alice/open": "pull",
    }


async def test_account_and_service_of_the_query_decide_nothing(havre: InProcess, caller: Caller) -> None:
    reply = await ask(caller, ALICE, "repository:alice/new:push", account="carol", service="another.example")
    assert carried(havre, reply) == {"who": "alice", "alice/new": "push"}


# ---------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    "scope",
    ["", "repository", "repository:alice/new", "repository:host:5000/alice/new:push", "x" * 5000, "a:b:c", "é:ü:push"],
)
async def test_a_malformed_scope_is_left_out(havre: InProcess, caller: Caller, scope: str) -> None:
    reply = await ask(caller, ALICE, scope, "repository:alice/new:push")
    assert carried(havre, reply) == {"who": "alice", "alice/new": "push"}


@pytest.mark.parametrize(
    "header",
    ["Basic", "Basic ", "Basic !!!", "Basic YWxpY2U=", "Digest x", "Bearer", "Bearer x", "x" * 4000, "Basic /w=="],
)
async def test_a_header_that_can_not_be_read_is_refused(caller: Caller, header: str) -> None:
    reply = await ask(caller, {"authorization": header})
    assert (reply.status, reply.code) == (401, "UNAUTHORIZED")
    assert reply["www-authenticate"].startswith("Basic ")


async def test_too_many_parameters_or_too_long_a_form(caller: Caller) -> None:
    many = await caller.get("/auth/token?" + "&".join(f"scope={quote(f'repository:a/{n}:pull')}" for n in range(200)))
    assert many.status == 400
    long = await caller("POST", "/auth/token", FORM, b"x=" + b"y" * 70_000)
    assert long.status == 413
    chunked = await caller("POST", "/auth/token", FORM, [b"x=", b"y" * 70_000])
    assert chunked.status == 413


async def test_a_form_of_bytes_that_are_no_text(caller: Caller) -> None:
    reply = await caller("POST", "/auth/token", FORM, b"grant_type=password&username=\xff\xfe&password=\xff")
    assert (reply.status, reply.code) == (401, "UNAUTHORIZED")
    reply = await caller("POST", "/auth/token", FORM, b"grant_type=password&username=alice&password=%00")
    assert reply.status == 400


async def test_other_methods_are_not_offered(caller: Caller) -> None:
    assert (await caller("PUT", "/auth/token")).status == 405


async def test_who_guesses_is_told_when_to_come_back(caller: Caller) -> None:
    for _ in range(PER_ACCOUNT):
        assert (await ask(caller, basic("alice", "wrong password"))).status == 401
    reply = await ask(caller, ALICE)
    assert (reply.status, reply.code) == (429, "TOOMANYREQUESTS")
    assert 0 < int(reply["retry-after"]) <= 900
    assert (await ask(Caller(caller.havre, client="203.0.113.9"), ALICE)).status == 200


async def test_no_secret_reaches_the_log(caller: Caller, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    await ask(caller, ALICE, "repository:alice/new:push")
    await ask(caller, basic("alice", "wrong password"))
    await post(caller, grant_type="password", username="alice", password="another wrong one")
    said = json.dumps([{key: str(value) for key, value in vars(record).items()} for record in caplog.records])
    for secret in (PASSWORD, "wrong password", "another wrong one", ALICE["authorization"][6:]):
        assert secret not in said
