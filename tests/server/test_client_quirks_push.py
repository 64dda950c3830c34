"""What container clients do when they push, in the order and form in which they do it."""

import pytest

from tests.support import documents
from tests.support.documents import OCI_INDEX, OCI_MANIFEST, descriptor, digest_of
from tests.support.inprocess import OCTETS, Caller, InProcess

pytestmark = pytest.mark.anyio

LAYER = b"a layer of some bytes" * 1000
DIGEST = digest_of(LAYER)
UPLOADS = "/v2/alice/app/blobs/uploads/"
FATAL = {"UNAUTHORIZED", "UNSUPPORTED", "DENIED", "TOOMANYREQUESTS", "NAME_UNKNOWN"}
"""The codes on which docker stops; it retries a push on any other."""


async def test_docker_streams_one_patch_without_length_then_checks_with_head(alice: Caller):
    assert (await alice.head(f"/v2/alice/app/blobs/{DIGEST}")).status == 404
    for source in ("library/python", "bobby/app", "alice/other", "alice/none"):
        reply = await alice("POST", f"{UPLOADS}?from={source}&mount={DIGEST}")
        assert reply.status == 202
    patched = await alice("PATCH", reply["location"], (), [LAYER[:7], LAYER[7:]])
    assert patched.status == 202
    first, last = (int(part) for part in patched["range"].split("-"))
    assert (first, last) == (0, len(LAYER) - 1)
    assert patched["docker-upload-uuid"]
    done = await alice("PUT", f"{patched['location']}?digest={DIGEST}")
    assert done.status == 201
    head = await alice.head(f"/v2/alice/app/blobs/{DIGEST}")
    assert (head.status, head["content-length"]) == (200, str(len(LAYER)))


async def test_docker_reads_the_range_of_nothing_as_two_numbers(alice: Caller):
    location = await alice.start_upload("alice/app")
    for reply in (await alice("PATCH", location, (), [b""]), await alice.get(location)):
        assert reply["range"] == "0-0"


async def test_containerd_sends_head_with_accept_and_one_put_with_the_whole(alice: Caller):
    accept = {"accept": f"{OCI_MANIFEST}, */*"}
    assert (await alice.head("/v2/alice/app/manifests/latest", accept)).status == 404
    location = await alice.start_upload("alice/app")
    reply = await alice("PUT", f"{location}?digest={DIGEST}", [OCTETS], LAYER)
    assert reply.status in {200, 201, 204}


async def test_containerd_reads_the_reason_of_a_refused_head_with_get(inside: InProcess, bobby: Caller):
    assert (await bobby("POST", UPLOADS)).status == 403
    for method in ("HEAD", "GET"):
        reply = await bobby(method, "/v2/alice/app/manifests/latest")
        assert reply.status == 404
    assert "alice/app" in reply.message


async def test_podman_wants_202_then_201_and_204_when_it_discards_an_upload(alice: Caller):
    reply = await alice("POST", f"{UPLOADS}?mount={DIGEST}&from=bobby/app")
    assert reply.status == 202
    assert (await alice.delete(reply["location"])).status == 204
    location = await alice.start_upload("alice/app")
    assert (await alice("PATCH", location, [OCTETS], LAYER)).status == 202
    assert (await alice("PUT", f"{location}?digest={DIGEST}", [OCTETS])).status == 201


async def test_crane_names_the_origin_when_it_mounts(alice: Caller):
    await alice.push_blob("alice/other", LAYER)
    reply = await alice("POST", f"{UPLOADS}?mount={DIGEST}&from=alice/other&origin=hub.example.org:5000")
    assert reply.status == 201


async def test_oras_sends_no_head_and_wants_its_subject_acknowledged(alice: Caller):
    location = await alice.start_upload("alice/app")
    assert (await alice("PUT", f"{location}?digest={digest_of(b'{}')}", [OCTETS], b"{}")).status == 201
    subject = descriptor(b"whatever", OCI_MANIFEST)
    content = documents.artifact(subject=subject, artifactType="application/vnd.cncf.notary.signature")
    reply = await alice.push_manifest("alice/app", digest_of(content), content)
    assert (reply.status, reply["oci-subject"]) == (201, subject["digest"])


@pytest.mark.parametrize("name", ["alice/app", "python", "library/python", "nobody/app"])
async def test_a_rule_is_refused_with_a_code_on_which_nobody_retries_or_converts(inside: InProcess, name: str):
    # podman and skopeo convert the manifest and push again on MANIFEST_INVALID and TAG_INVALID.
    bobby = await inside.caller("bobby", name)
    for method, target in (("POST", "blobs/uploads/"), ("PUT", "manifests/latest"), ("DELETE", "manifests/latest")):
        reply = await bobby(method, f"/v2/{name}/{target}", {"content-type": OCI_MANIFEST}, documents.index([]))
        assert reply.status == 403
        assert reply.code in FATAL
        assert "bobby/" in reply.message


async def test_an_official_image_is_pushed_by_administrators(inside: InProcess):
    carol = await inside.caller("carol", "python")
    await carol.push_image("python", "latest")
    assert (await carol.get("/v2/library/python/manifests/latest")).status == 200


async def test_an_administrator_cannot_push_where_there_is_no_account(inside: InProcess):
    carol = await inside.caller("carol", "nobody/app")
    reply = await carol("POST", f"/v2/nobody/app/blobs/uploads/?digest={digest_of(b'x')}", (), b"x")
    assert (reply.status, reply.code) == (404, "NAME_UNKNOWN")
    assert "there is no account nobody" in reply.message


@pytest.mark.spec("chunk-least")
async def test_chunks_have_no_least_size_and_no_least_size_is_announced(alice: Caller):
    reply = await alice("POST", UPLOADS)
    assert "oci-chunk-min-length" not in reply
    assert (await alice("PATCH", reply["location"], {"content-range": "0-0"}, b"x")).status == 202


@pytest.mark.parametrize("media_type", ["application/octet-stream", "application/x-gzip", ""])
async def test_the_content_type_of_a_blob_does_not_matter(alice: Caller, media_type: str):
    location = await alice.start_upload("alice/app")
    reply = await alice("PUT", f"{location}?digest={DIGEST}", {"content-type": media_type}, LAYER)
    assert reply.status == 201


async def test_buildkit_attestations_sit_beside_the_image_under_an_unknown_platform(alice: Caller):
    image = await alice.push_image("alice/app", seed="attested")
    await alice.push_blob("alice/app", b"{}")
    entry = descriptor(image.content, OCI_MANIFEST, platform={"architecture": "amd64", "os": "linux"})
    attestation = documents.artifact(
        artifactType="application/vnd.docker.attestation.manifest.v1+json", subject=descriptor(b"later", OCI_MANIFEST)
    )
    assert (await alice.push_manifest("alice/app", digest_of(attestation), attestation)).status == 201
    beside = descriptor(attestation, OCI_MANIFEST, platform={"architecture": "unknown", "os": "unknown"})
    content = documents.index([entry, beside])
    assert (await alice.push_manifest("alice/app", "latest", content, OCI_INDEX)).status == 201


@pytest.mark.spec("tag-grammar", "tag-length")
@pytest.mark.parametrize(
    "tag", ["sha256-" + "a" * 64 + ".sig", "1.2.3_build.5", "sha512-" + "b" * 64, "A_-.9", "_", "t" * 128]
)
async def test_tags_of_cosign_and_helm(alice: Caller, tag: str):
    await alice.push_blob("alice/app", b"{}")
    assert (await alice.push_manifest("alice/app", tag, documents.artifact())).status == 201
    assert (await alice.get("/v2/alice/app/tags/list")).json()["tags"] == [tag]


@pytest.mark.spec("error-retry")
async def test_an_account_is_told_to_slow_down_with_a_time(tmp_path_factory: pytest.TempPathFactory, people: None):
    async with InProcess(tmp_path_factory.mktemp("few"), uploads_per_account="3") as inside:
        alice, bobby = await inside.caller("alice", "alice/app"), await inside.caller("bobby", "bobby/app")
        running = [await alice.start_upload("alice/app") for _ in range(3)]
        reply = await alice("POST", UPLOADS)
        assert (reply.status, reply.code) == (429, "TOOMANYREQUESTS")
        assert int(reply["retry-after"]) > 0
        assert (await bobby("POST", "/v2/bobby/app/blobs/uploads/")).status == 202
        assert (await alice.delete(running[0])).status == 204
        assert (await alice("POST", UPLOADS)).status == 202
