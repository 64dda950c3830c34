"""What container clients demand when they pull, list and search."""

from collections.abc import Iterable
from urllib.parse import quote

import pytest

from havre.oci.names import RepositoryName
from havre.registry.records import Visibility
from tests.support import documents
from tests.support.documents import DOCKER_LIST, DOCKER_MANIFEST, OCI_INDEX, OCI_MANIFEST, descriptor
from tests.support.inprocess import Caller, InProcess

pytestmark = pytest.mark.anyio

MANIFEST = "/v2/alice/app/manifests/latest"


@pytest.fixture
async def image(alice: Caller) -> documents.Image:
    """Of alice/app:latest, a public image."""
    return await alice.push_image("alice/app", "latest")


async def test_everyone_asks_head_first_and_wants_digest_and_length(alice: Caller, image: documents.Image):
    for target in (MANIFEST, f"/v2/alice/app/blobs/{image.layers[0]}"):
        head, whole = await alice.head(target), await alice.get(target)
        assert head.status == 200
        assert head["docker-content-digest"] == whole["docker-content-digest"]
        assert head["content-length"] == str(len(whole.body))
        assert head["content-type"] == whole["content-type"]


@pytest.mark.parametrize(
    "accept",
    [
        [("accept", f"{DOCKER_MANIFEST}, {OCI_MANIFEST}, {OCI_INDEX}")],
        [("accept", one) for one in (DOCKER_LIST, DOCKER_MANIFEST, OCI_INDEX, OCI_MANIFEST)],
        [("accept", f"{DOCKER_MANIFEST};q=0.5, {OCI_INDEX};q=0.1")],
        [("accept", "*/*")],
        [("accept", "text/html")],
        [],
    ],
)
async def test_what_the_tag_holds_is_served_whatever_is_accepted(
    alice: Caller, image: documents.Image, accept: Iterable[tuple[str, str]]
):
    reply = await alice.get(MANIFEST, accept)
    assert (reply.status, reply["content-type"], reply.body) == (200, OCI_MANIFEST, image.content)


async def test_crane_compares_media_types_to_the_letter(alice: Caller, image: documents.Image):
    content = documents.index([descriptor(image.content, OCI_MANIFEST)])
    await alice.push_manifest("alice/app", "all", content, OCI_INDEX)
    assert (await alice.get("/v2/alice/app/manifests/all"))["content-type"] == OCI_INDEX
    assert (await alice.get(f"/v2/alice/app/referrers/{image.digest}"))["content-type"] == OCI_INDEX
    for target in ("/v2/alice/app/tags/list", "/v2/_catalog", "/v1/search?q=app"):
        assert (await alice.get(target))["content-type"] == "application/json"


async def test_no_blob_is_compressed_on_the_way(alice: Caller, image: documents.Image):
    headers = {"accept-encoding": "zstd;q=1.0, gzip;q=0.8, deflate;q=0.5"}
    for target in (MANIFEST, f"/v2/alice/app/blobs/{image.layers[0]}"):
        reply = await alice.get(target, headers)
        assert "content-encoding" not in reply
        assert "transfer-encoding" not in reply
        assert reply["content-length"] == str(len(reply.body))


async def test_docker_goes_on_where_a_download_broke(alice: Caller, image: documents.Image):
    url = f"/v2/alice/app/blobs/{image.layers[0]}"
    whole = (await alice.get(url)).body
    reply = await alice.get(url, {"range": "bytes=7-"})
    assert (reply.status, reply.body) == (206, whole[7:])
    assert reply["content-range"] == f"bytes 7-{len(whole) - 1}/{len(whole)}"


async def test_podman_asks_for_a_thousand_pieces_at_once(alice: Caller):
    content = bytes(range(256)) * 64
    digest = await alice.push_blob("alice/app", content)
    spans = ",".join(f"{start}-{start + 7}" for start in range(0, 16_000, 16))
    reply = await alice.get(f"/v2/alice/app/blobs/{digest}", {"range": f"bytes={spans}"})
    assert (reply.status, reply["content-type"].partition(";")[0]) == (206, "multipart/byteranges")
    assert reply.body.count(b"Content-Range: bytes ") == 1000


async def test_renovate_asks_for_ten_thousand_tags_as_its_first_call(anyone: Caller, image: documents.Image):
    first = await anyone.get("/v2/alice/app/tags/list?n=10000")
    assert first.status in {200, 401}
    nobody = Caller(anyone.havre, await anyone.havre.token("", "repository:alice/app:pull"))
    assert (await nobody.get("/v2/alice/app/tags/list?n=10000")).json()["tags"] == ["latest"]


async def test_a_public_image_needs_no_token_where_a_client_brings_none(anyone: Caller, image: documents.Image):
    assert (await anyone.get(MANIFEST)).status == 200


@pytest.mark.spec("proxy-ns", "proxy-ns-ignored", "proxy-ns-told", "proxy")
async def test_containerd_names_the_upstream_of_a_mirror(alice: Caller, image: documents.Image):
    for target in (MANIFEST, f"/v2/alice/app/blobs/{image.layers[0]}"):
        reply = await alice.get(f"{target}?ns=docker.io")
        assert (reply.status, "oci-namespace" in reply) == (200, False)


@pytest.mark.spec("error-body", "error-json", "error-message")
async def test_every_refusal_is_json_with_a_sentence_that_docker_prints(alice: Caller, anyone: Caller):
    replies = [
        await anyone.get("/v2/"),
        await alice.get("/v2/alice/app/manifests/none"),
        await alice.get("/v2/UPPER/manifests/none"),
        await alice.get("/v2/bobby/app/manifests/none"),
        await alice("POST", "/v2/bobby/app/blobs/uploads/"),
        await alice("PATCH", "/v2/alice/app/blobs/uploads/none", (), b"x"),
        await alice("BREW", "/v2/"),
        await alice("POST", "/v1/_ping"),
        await alice("PUT", "/auth/token"),
    ]
    for reply in replies:
        assert reply["content-type"] == "application/json"
        (error,) = reply.json()["errors"]
        assert error["code"].isupper()
        assert len(error["message"]) > 10


# ---------------------------------------------------------------- search


async def test_docker_search_pings_first(anyone: Caller):
    reply = await anyone.get("/v1/_ping")
    assert (reply.status, reply["x-docker-registry-standalone"]) == (200, "True")
    assert reply.json() is True


@pytest.fixture
async def stocked(inside: InProcess) -> InProcess:
    """Repositories to be found: two public ones, a private one, and an official image."""
    for person, names in {
        "alice": ("alice/web", "alice/web-secret"),
        "carol": ("web",),
        "bobby": ("bobby/db",),
    }.items():
        caller = await inside.caller(person, *names)
        for name in names:
            await caller.push_image(name, "latest")
    await inside.app.repositories.set_visibility(RepositoryName("alice/web-secret"), Visibility.PRIVATE)
    await inside.app.repositories.describe(RepositoryName("bobby/db"), description="A database for the Web")
    return inside


async def test_search_has_the_fields_that_clients_read(stocked: InProcess):
    body = (await Caller(stocked).get("/v1/search?q=web&n=25")).json()
    assert (body["query"], body["num_results"]) == ("web", 3)
    assert body["results"][0] == {
        "name": "web",
        "description": "",
        "star_count": 0,
        "is_official": True,
        "is_automated": False,
    }
    assert [one["name"] for one in body["results"]] == ["web", "alice/web", "bobby/db"]
    assert body["results"][2]["description"] == "A database for the Web"


@pytest.mark.parametrize(("person", "count"), [("", 3), ("bobby", 3), ("alice", 4), ("carol", 4)])
async def test_search_finds_what_the_caller_may_see(stocked: InProcess, person: str, count: int):
    caller = Caller(stocked, await stocked.token(person, "registry:catalog:search") if person else "")
    assert (await caller.get("/v1/search?q=web")).json()["num_results"] == count


@pytest.mark.parametrize("text", ["%", "_", "'", "\\", "web' OR 1=1 --", "é" * 300, "x" * 5000])
async def test_search_for_signs_that_mean_something_elsewhere(stocked: InProcess, text: str):
    reply = await Caller(stocked).get(f"/v1/search?q={quote(text)}")
    assert (reply.status, reply.json()["num_results"]) == (200, 0)


@pytest.mark.parametrize(
    ("query", "names"), [("n=1", 1), ("n=0", 1), ("n=-5", 3), ("n=1000", 3), ("n=abc", 3), ("n=2&page=2", 1)]
)
async def test_search_clamps_numbers(stocked: InProcess, query: str, names: int):
    reply = await Caller(stocked).get(f"/v1/search?q=web&{query}")
    assert (reply.status, len(reply.json()["results"])) == (200, names)


async def test_search_for_nothing_lists_what_is_public(stocked: InProcess):
    assert (await Caller(stocked).get("/v1/search")).json()["num_results"] == 3
