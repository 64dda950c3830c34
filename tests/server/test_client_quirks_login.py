"""What container clients demand of authentication, one test for each habit that was seen in their code or traffic."""

import re
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

import pytest

from havre.access.actors import Action, Grant
from havre.oci.names import RepositoryName
from havre.registry.records import Visibility
from tests.support.inprocess import HOST, PASSWORD, Caller, InProcess, Reply, basic

pytestmark = pytest.mark.anyio

FORM = {"content-type": "application/x-www-form-urlencoded"}
EVERYTHING = Grant("*", frozenset({Action.PULL, Action.PUSH, Action.DELETE}))


@pytest.fixture
async def secret(inside: InProcess) -> str:
    """A personal access token of alice that may do all she may."""
    owner = await inside.actor("alice")
    assert owner.user_id is not None
    return (await inside.app.access_tokens.create(owner.user_id, "laptop", [EVERYTHING]))[1]


def asked(reply: Reply) -> dict[str, str]:
    """The parameters of the Bearer challenge."""
    scheme, _, parameters = reply["www-authenticate"].partition(" ")
    assert scheme == "Bearer"
    return dict(re.findall(r'(\w+)="([^"]*)"', parameters))


def granted(inside: InProcess, reply: Reply) -> dict[str, set[str]]:
    """What the token in this answer lets through."""
    assert reply.status == 200, reply
    access = inside.app.bearer.verify(reply.json()["token"]).access
    return {name: {str(action) for action in actions} for name, actions in access.items()}


async def test_podman_takes_the_challenge_only_from_the_ping_even_if_pulls_are_public(alice: Caller, anyone: Caller):
    await alice.push_image("alice/app", "latest")
    challenge = await anyone.get("/v2/")
    assert challenge.status == 401
    realm = asked(challenge)["realm"]
    query = urlencode({"service": asked(challenge)["service"], "scope": "repository:alice/app:pull"})
    reply = await anyone.get(f"{realm.removeprefix(f'http://{HOST}')}?{query}")
    nobody = Caller(anyone.havre, reply.json()["token"])
    assert (await nobody.get("/v2/alice/app/manifests/latest")).status == 200


async def test_clients_take_the_first_challenge_so_there_is_only_one(anyone: Caller):
    for target in ("/v2/", "/v2/_catalog", "/v2/alice/app/tags/list"):
        reply = await anyone.get(target)
        assert [line.partition(" ")[0] for line in reply.all("www-authenticate")] == ["Bearer"]
        assert "Basic" not in reply["www-authenticate"]


async def test_docker_login_asks_offline_and_must_not_get_a_refresh_token(anyone: Caller):
    query = urlencode({"service": HOST, "offline_token": "true", "client_id": "docker", "account": "alice"})
    reply = await anyone.get(f"/auth/token?{query}", basic("alice", PASSWORD))
    assert reply.status == 200
    assert "refresh_token" not in reply.json()
    ping = await Caller(anyone.havre, reply.json()["token"]).get("/v2/")
    assert (ping.status, ping["docker-distribution-api-version"]) == (200, "registry/2.0")


async def test_docker_login_with_a_wrong_password_is_401_with_a_sentence(anyone: Caller):
    reply = await anyone.get("/auth/token?account=alice", basic("alice", "wrong horse 9"))
    assert (reply.status, reply.code) == (401, "UNAUTHORIZED")
    assert reply.message == "incorrect username or password"


async def test_containerd_posts_a_form_first_with_scopes_joined_by_spaces(inside: InProcess, anyone: Caller):
    form = {
        "grant_type": "password",
        "service": HOST,
        "client_id": "containerd-client",
        "username": "alice",
        "password": PASSWORD,
        "scope": "repository:alice/app:pull,push repository:alice/other:pull",
    }
    reply = await anyone("POST", "/auth/token", FORM, urlencode(form).encode())
    assert granted(inside, reply) == {"alice/app": {"pull", "push"}, "alice/other": {"pull"}}
    assert reply.json()["scope"] == "repository:alice/app:pull,push repository:alice/other:pull"


@pytest.mark.parametrize(
    "form",
    [
        {"grant_type": "password", "username": "alice", "password": "wrong horse 9"},
        {"grant_type": "authorization_code", "username": "alice", "password": PASSWORD},
        {"grant_type": "refresh_token", "refresh_token": "made-up"},
        {},
    ],
)
async def test_containerd_falls_back_to_get_only_on_some_statuses(anyone: Caller, form: dict[str, str]):
    reply = await anyone("POST", "/auth/token", FORM, urlencode(form).encode())
    assert reply.status in {400, 401, 404, 405}
    assert reply.message


async def test_identity_tokens_are_posted_and_ours_are_access_tokens(inside: InProcess, anyone: Caller, secret: str):
    form = {"grant_type": "refresh_token", "refresh_token": secret, "scope": "repository:alice/app:pull,push"}
    reply = await anyone("POST", "/auth/token", FORM, urlencode({**form, "service": HOST}).encode())
    assert granted(inside, reply) == {"alice/app": {"pull", "push"}}


@pytest.mark.parametrize("host", ["localhost:5000", "127.0.0.1:41234", "[::1]:5000", "registry.example.org"])
@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_crane_demands_the_realm_on_the_host_and_port_it_came_to(anyone: Caller, host: str, scheme: str):
    reply = await anyone.get("/v2/", {"host": host}, scheme=scheme)
    assert asked(reply) == {"realm": f"{scheme}://{host}/auth/token", "service": host}


@pytest.mark.parametrize("target", ["", "?digest-algorithm=sha512", "?mount=sha256:" + "0" * 64])
async def test_containerd_drops_credentials_when_a_location_names_another_host(alice: Caller, target: str):
    location = await alice.start_upload("alice/app", target)
    assert location.startswith("/v2/alice/app/blobs/uploads/")
    assert (await alice("PATCH", location, (), b"x"))["location"] == location


async def test_repeated_scopes_add_up_and_foreign_ones_are_left_out(inside: InProcess, anyone: Caller, secret: str):
    scopes = [
        "repository:alice/app:pull",
        "repository:alice/app:pull,push",
        "repository:bobby/app:pull,push",
        "repository:hub.example.org:5000/alice/app:pull",
        "repository:NOT-A-NAME:pull",
        "repository(plugin):alice/other:pull",
        "registry:catalog:*",
        "repository:alice/fly:pull,jump",
        "nonsense",
        "",
    ]
    reply = await anyone.get("/auth/token?" + urlencode({"scope": scopes}, doseq=True), basic("alice", secret))
    assert granted(inside, reply) == {
        "alice/app": {"pull", "push"},
        "alice/other": {"pull"},
        "alice/fly": {"pull"},
    }


async def test_a_denied_scope_fails_no_token_request(inside: InProcess, anyone: Caller, secret: str):
    reply = await anyone.get("/auth/token?scope=repository:bobby/app:pull,push", basic("alice", secret))
    assert granted(inside, reply) == {}


async def test_the_answer_has_every_field_that_some_client_reads(inside: InProcess, anyone: Caller, secret: str):
    reply = await anyone.get("/auth/token?scope=repository:alice/app:pull", basic("alice", secret))
    body: dict[str, Any] = reply.json()
    assert body["token"] == body["access_token"]
    assert body["expires_in"] >= 60
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", body["issued_at"])
    issued = datetime.fromisoformat(body["issued_at"]).astimezone(UTC).timestamp()
    assert issued == inside.clock.now // 1000
    assert body["scope"] == "repository:alice/app:pull"
    assert (reply["content-type"], reply["cache-control"]) == ("application/json", "no-store")


async def test_without_a_token_the_challenge_names_the_scope_to_ask_for(anyone: Caller):
    wanted = {
        ("GET", "/v2/alice/app/manifests/latest"): "repository:alice/app:pull",
        ("HEAD", "/v2/alice/app/manifests/latest"): "repository:alice/app:pull",
        ("GET", "/v2/alice/app/blobs/sha256:" + "0" * 64): "repository:alice/app:pull",
        ("POST", "/v2/alice/app/blobs/uploads/"): "repository:alice/app:pull,push",
        ("PUT", "/v2/alice/app/manifests/latest"): "repository:alice/app:pull,push",
        ("DELETE", "/v2/alice/app/manifests/latest"): "repository:alice/app:pull,delete",
    }
    for (method, target), scope in wanted.items():
        reply = await anyone(method, target)
        assert (reply.status, asked(reply)["scope"]) == (401, scope)
        assert "error" not in asked(reply)


async def test_oras_for_python_keeps_the_token_that_it_got_for_its_first_look(inside: InProcess, anyone: Caller):
    reply = await anyone.head("/v2/alice/app/blobs/sha256:" + "0" * 64)
    assert (reply.status, asked(reply)["scope"]) == (401, "repository:alice/app:pull,push")
    alice = Caller(inside, await inside.token("alice", asked(reply)["scope"]))
    assert (await alice("POST", "/v2/alice/app/blobs/uploads/")).status == 202


async def test_podman_asks_again_once_when_a_valid_token_lacks_the_scope(inside: InProcess):
    narrow = Caller(inside, await inside.token("alice", "repository:alice/app:pull"))
    reply = await narrow("POST", "/v2/alice/app/blobs/uploads/")
    assert reply.status == 401
    assert asked(reply)["error"] == "insufficient_scope"
    assert asked(reply)["scope"] == "repository:alice/app:pull,push"
    wider = Caller(inside, await inside.token("alice", asked(reply)["scope"]))
    assert (await wider("POST", "/v2/alice/app/blobs/uploads/")).status == 202


async def test_buildkit_gives_up_on_insufficient_scope_for_a_scope_it_holds(inside: InProcess):
    # What no token can allow is refused with 403, never with a call for a token that the client has already.
    bobby = await inside.caller("bobby", "alice/app", "python")
    for name in ("alice/app", "python"):
        reply = await bobby("POST", f"/v2/{name}/blobs/uploads/")
        assert (reply.status, reply.code) == (403, "DENIED")
        assert "www-authenticate" not in reply


async def test_kaniko_probes_with_an_upload_that_it_cancels_with_push_alone(inside: InProcess):
    pusher = Caller(inside, await inside.token("alice", "repository:alice/app:pull,push"))
    before = inside.snapshot()
    for _ in range(20):
        assert (await pusher.delete(await pusher.start_upload("alice/app"))).status == 204
    assert inside.snapshot() == before


async def test_podman_sends_an_empty_name_and_password_for_nobody(inside: InProcess, anyone: Caller):
    reply = await anyone.get("/auth/token?scope=repository:alice/app:pull", {"authorization": "Basic Og=="})
    assert reply.status == 200
    assert inside.app.bearer.verify(reply.json()["token"]).actor.anonymous


async def test_basic_credentials_work_on_the_registry_itself(alice: Caller, anyone: Caller, secret: str):
    await alice.push_image("alice/app", "latest")
    await alice.havre.app.repositories.set_visibility(RepositoryName("alice/app"), Visibility.PRIVATE)
    assert (await anyone.get("/v2/alice/app/manifests/latest", basic("alice", secret))).status == 200
    assert (await anyone.get("/v2/alice/app/manifests/latest")).status == 401


@pytest.mark.parametrize(
    "text", ["Bearer", "Bearer ", "Bearer a.b.c", "Basic", "Basic !!", "Digest x", "", "Bearer " + "a" * 70_000]
)
async def test_an_unreadable_authorization_is_a_challenge(anyone: Caller, text: str):
    reply = await anyone.get("/v2/", {"authorization": text})
    assert (reply.status, reply.code) == (401, "UNAUTHORIZED")
    assert asked(reply)["realm"]


async def test_an_expired_token_is_a_challenge_for_the_same_scope(inside: InProcess, alice: Caller):
    inside.clock.forward(seconds=301)
    reply = await alice.get("/v2/alice/app/tags/list")
    assert (reply.status, asked(reply)["scope"]) == (401, "repository:alice/app:pull")
    assert "expired" in reply.message
