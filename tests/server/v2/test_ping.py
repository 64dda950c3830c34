"""The ping: how a client finds out that this is a registry, and how to authenticate."""

import pytest

from tests.support.inprocess import HOST, Caller, InProcess

pytestmark = pytest.mark.anyio


@pytest.mark.spec("ping-200")
async def test_a_token_gets_200(alice: Caller):
    reply = await alice.get("/v2/")
    assert (reply.status, reply["docker-distribution-api-version"]) == (200, "registry/2.0")


@pytest.mark.spec("ping-authentication")
async def test_without_a_token_the_answer_is_a_bearer_challenge_alone(anyone: Caller):
    reply = await anyone.get("/v2/")
    assert (reply.status, reply.code) == (401, "UNAUTHORIZED")
    assert reply["www-authenticate"] == f'Bearer realm="http://{HOST}/auth/token",service="{HOST}"'
    assert reply["docker-distribution-api-version"] == "registry/2.0"


async def test_a_token_of_nobody_is_a_token(inside: InProcess):
    assert (await Caller(inside, await inside.token("")).get("/v2/")).status == 200


async def test_head_has_no_body(alice: Caller):
    reply = await alice.head("/v2/")
    assert (reply.status, reply.body, reply["content-length"]) == (200, b"", "2")


async def test_without_the_last_slash_it_is_the_same(alice: Caller):
    assert (await alice.get("/v2")).status == 200


@pytest.mark.parametrize(
    "path", ["/v2/alice", "/v2/alice/app", "/v2/alice/app/tags", "/v2/alice/app/tags/all", "/v2//"]
)
async def test_no_endpoint_is_404_in_json(alice: Caller, path: str):
    reply = await alice.get(path)
    assert (reply.status, reply.code) == (404, "NAME_UNKNOWN")
    assert path in reply.message


@pytest.mark.parametrize(
    ("path", "offered"),
    [
        ("/v2/", "GET, HEAD"),
        ("/v2/_catalog", "GET, HEAD"),
        ("/v2/alice/app/tags/list", "GET, HEAD"),
        ("/v2/alice/app/manifests/latest", "GET, HEAD, PUT, DELETE"),
        ("/v2/alice/app/blobs/uploads/", "POST"),
    ],
)
@pytest.mark.spec("http")
async def test_a_method_that_is_not_offered_is_405_with_those_that_are(alice: Caller, path: str, offered: str):
    reply = await alice("PROPFIND", path)
    assert (reply.status, reply.code, reply["allow"]) == (405, "UNSUPPORTED", offered)
