"""Manifests: exact bytes in, exact bytes out, by tag or digest; everything they need is here first."""

import pytest

from tests.support import documents
from tests.support.documents import (
    DOCKER_CONFIG,
    DOCKER_LAYER,
    DOCKER_LIST,
    DOCKER_MANIFEST,
    OCI_CONFIG,
    OCI_INDEX,
    OCI_LAYER,
    OCI_MANIFEST,
    descriptor,
    digest_of,
)
from tests.support.inprocess import Caller, InProcess

pytestmark = pytest.mark.anyio

REPO = "alice/app"
URL = f"/v2/{REPO}/manifests/"


@pytest.fixture
async def owner(alice: Caller) -> Caller:
    """Alice, whose repository has the empty blob that artifacts need."""
    await alice.push_blob(REPO, documents.EMPTY)
    return alice


@pytest.mark.spec(
    "put-201",
    "put-location",
    "put-reference",
    "put-digest",
    "manifest-200",
    "manifest-digest",
    "manifest-reference",
    "manifest-type",
)
@pytest.mark.parametrize("by_digest", [True, False])
async def test_push_and_pull(owner: Caller, by_digest: bool):
    content = documents.artifact(artifactType="application/example")
    digest = digest_of(content)
    pushed = await owner.push_manifest(REPO, digest if by_digest else "latest", content)
    assert (pushed.status, pushed["docker-content-digest"], pushed["location"]) == (201, digest, URL + digest)
    for reference in (digest,) if by_digest else (digest, "latest"):
        reply = await owner.get(URL + reference)
        assert (reply.status, reply.body) == (200, content)
        assert (reply["content-type"], reply["docker-content-digest"]) == (OCI_MANIFEST, digest)
        assert reply["content-length"] == str(len(content))


@pytest.mark.spec("head-200", "head-digest", "head-length")
async def test_head(owner: Caller):
    content = documents.artifact()
    await owner.push_manifest(REPO, "latest", content)
    for reference in ("latest", digest_of(content)):
        reply = await owner.head(URL + reference)
        assert (reply.status, reply.body, reply["content-length"]) == (200, b"", str(len(content)))
        assert (reply["content-type"], reply["docker-content-digest"]) == (OCI_MANIFEST, digest_of(content))


@pytest.mark.spec("put-bytes")
@pytest.mark.parametrize("frame", ["{}", "\n\n  {}\n", "{}   "])
async def test_bytes_are_kept_as_they_came(owner: Caller, frame: str):
    text = documents.artifact(annotations={"b": "\u00e9", "a": "1.0"}).decode()
    content = frame.replace("{}", text.replace('"a"', '"a"  ')).encode()
    assert (await owner.push_manifest(REPO, "odd", content)).status == 201
    assert (await owner.get(URL + "odd")).body == content


@pytest.mark.spec("manifest-404", "manifest-reference-only", "head-404")
@pytest.mark.parametrize("reference", ["missing", digest_of(b"missing"), "not%20a%20tag", "-dash", "x" * 129])
async def test_not_found(owner: Caller, reference: str):
    reply = await owner.get(URL + reference)
    assert (reply.status, reply.code) == (404, "MANIFEST_UNKNOWN")
    assert (await owner.head(URL + reference)).status == 404


@pytest.mark.spec("repository-404")
async def test_no_such_repository(alice: Caller):
    reply = await alice.get("/v2/alice/other/manifests/latest")
    assert (reply.status, reply.code) == (404, "NAME_UNKNOWN")


@pytest.mark.spec("children-refused", "children-error", "error-detail")
@pytest.mark.parametrize("media_type", [OCI_MANIFEST, OCI_INDEX, DOCKER_MANIFEST, DOCKER_LIST])
async def test_children_come_first(owner: Caller, inside: InProcess, media_type: str):
    absent = descriptor(b"never pushed", OCI_LAYER)
    if media_type in {OCI_INDEX, DOCKER_LIST}:
        content = documents.index([absent], mediaType=media_type)
    else:
        content = documents.manifest(descriptor(documents.EMPTY, OCI_CONFIG), [absent], mediaType=media_type)
    before = inside.snapshot()
    reply = await owner.push_manifest(REPO, "latest", content, media_type)
    assert (reply.status, reply.code) == (404, "MANIFEST_BLOB_UNKNOWN")
    assert absent["digest"] in reply.message
    assert reply.json()["errors"][0]["detail"] == [{"digest": absent["digest"]}]
    assert inside.snapshot() == before


async def test_a_blob_of_another_repository_does_not_count(owner: Caller):
    await owner.push_blob("alice/other", b"elsewhere")
    content = documents.manifest(descriptor(documents.EMPTY, OCI_CONFIG), [descriptor(b"elsewhere", OCI_LAYER)])
    assert (await owner.push_manifest(REPO, "latest", content)).code == "MANIFEST_BLOB_UNKNOWN"


async def test_docker_schema_2_and_its_lists(owner: Caller):
    config, layer = b'{"architecture":"arm64","os":"linux"}', b"docker layer"
    await owner.push_blob(REPO, config)
    await owner.push_blob(REPO, layer)
    image = documents.manifest(
        descriptor(config, DOCKER_CONFIG), [descriptor(layer, DOCKER_LAYER)], mediaType=DOCKER_MANIFEST
    )
    platform = {"architecture": "arm64", "os": "linux", "variant": "v8"}
    several = documents.index([descriptor(image, DOCKER_MANIFEST, platform=platform)], mediaType=DOCKER_LIST)
    for content, media_type in ((image, DOCKER_MANIFEST), (several, DOCKER_LIST)):
        assert (await owner.push_manifest(REPO, "latest", content, media_type)).status == 201
        reply = await owner.get(URL + "latest")
        assert (reply["content-type"], reply.body) == (media_type, content)


@pytest.mark.spec("subject-told")
async def test_subject_is_acknowledged(owner: Caller):
    subject = descriptor(b"{}  ", OCI_MANIFEST)
    reply = await owner.push_manifest(REPO, "signature", documents.artifact(subject=subject))
    assert (reply.status, reply["oci-subject"]) == (201, subject["digest"])
    assert "oci-subject" not in await owner.push_manifest(REPO, "plain", documents.artifact())


@pytest.mark.spec("put-tags", "put-tags-ten", "put-tags-told")
@pytest.mark.parametrize("by_digest", [True, False])
async def test_many_tags_at_once(owner: Caller, by_digest: bool):
    content = documents.artifact()
    names = [f"1.{number}" for number in range(12)]
    reference = digest_of(content) if by_digest else "latest"
    reply = await owner.push_manifest(REPO, f"{reference}?" + "&".join(f"tag={name}" for name in names), content)
    assert reply.status == 201
    told = [name.strip() for line in reply.all("oci-tag") for name in line.split(",")]
    assert set(told) == {*names} if by_digest else {*names, "latest"}
    for name in names:
        assert (await owner.head(URL + name))["docker-content-digest"] == digest_of(content)


@pytest.mark.spec("put-tags-414")
@pytest.mark.parametrize(
    "query", ["tag=good&tag=-bad", "tag=", "tag=" + "x" * 129, "&".join(f"tag=t{n}" for n in range(101))]
)
async def test_one_bad_tag_and_nothing_happens(owner: Caller, inside: InProcess, query: str):
    content = documents.artifact()
    before = inside.snapshot()
    reply = await owner.push_manifest(REPO, f"{digest_of(content)}?{query}", content)
    assert (reply.status, reply.code) in {(400, "NAME_INVALID"), (400, "UNSUPPORTED")}
    assert inside.snapshot() == before


@pytest.mark.spec("put-four-megabytes", "put-limit", "put-413")
async def test_four_megabytes_and_one_byte_more(owner: Caller, inside: InProcess):
    frame = documents.artifact(annotations={"padding": ""})
    content = documents.artifact(annotations={"padding": "x" * (4 * 1024 * 1024 - len(frame))})
    assert len(content) == 4 * 1024 * 1024
    assert (await owner.push_manifest(REPO, "large", content)).status == 201
    assert (await owner.get(URL + "large")).body == content
    before = inside.snapshot()
    for body in (content + b" ", [content, b" "]):
        reply = await owner("PUT", URL + "larger", {"content-type": OCI_MANIFEST}, body)
        assert (reply.status, reply.code) == (413, "SIZE_INVALID")
    assert inside.snapshot() == before


@pytest.mark.parametrize(
    ("content", "media_type"),
    [
        (b'{"schemaVersion": 7, "any": "thing"}', "application/vnd.example.unheard-of+json"),
        (b"not JSON at all \x00\xff", "application/octet-stream"),
        (b"", "text/plain"),
    ],
)
async def test_unknown_media_types_are_stored(owner: Caller, content: bytes, media_type: str):
    assert (await owner.push_manifest(REPO, "strange", content, media_type)).status == 201
    reply = await owner.get(URL + "strange")
    assert (reply["content-type"], reply.body) == (media_type, content)


@pytest.mark.spec("put-parameters", "manifest-type-bare")
@pytest.mark.parametrize("given", [f"{OCI_MANIFEST}; charset=utf-8", f"  {OCI_MANIFEST} ;q=1", ""])
async def test_content_type_with_parameters_or_none(owner: Caller, given: str):
    assert (await owner.push_manifest(REPO, "latest", documents.artifact(), given)).status == 201
    assert (await owner.get(URL + "latest"))["content-type"] == OCI_MANIFEST


@pytest.mark.spec("put-no-blobs")
async def test_lists_without_entries(owner: Caller):
    bare = documents.manifest(descriptor(documents.EMPTY, OCI_CONFIG), [])
    for content, media_type in ((bare, OCI_MANIFEST), (documents.index([]), OCI_INDEX)):
        assert (await owner.push_manifest(REPO, "bare", content, media_type)).status == 201
        assert (await owner.get(URL + "bare")).body == content


async def test_build_caches_list_layers_in_an_index(owner: Caller):
    layer, config = b"cached layer", b'{"layers":[],"records":[]}'
    await owner.push_blob(REPO, layer)
    await owner.push_blob(REPO, config)
    kind = "application/vnd.buildkit.cacheconfig.v0"
    older = documents.index([descriptor(layer, OCI_LAYER), descriptor(config, kind)])
    assert (await owner.push_manifest(REPO, "cache", older, OCI_INDEX)).status == 201
    newer = documents.manifest(descriptor(config, kind), [descriptor(layer, OCI_LAYER)])
    assert (await owner.push_manifest(REPO, "cache", newer)).status == 201


@pytest.mark.parametrize(
    "media_type",
    [
        "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
        "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
    ],
)
async def test_layers_that_lie_elsewhere_need_not_be_here(owner: Caller, media_type: str):
    foreign = descriptor(b"windows", media_type, urls=["https://example.org/layer"])
    content = documents.manifest(descriptor(documents.EMPTY, OCI_CONFIG), [foreign])
    assert (await owner.push_manifest(REPO, "windows", content)).status == 201


@pytest.mark.spec("children-refused")
async def test_sparse_manifests_where_they_are_accepted(tmp_path_factory: pytest.TempPathFactory, people: None):
    async with InProcess(tmp_path_factory.mktemp("sparse"), sparse_manifests="accept") as inside:
        alice = await inside.caller("alice", REPO)
        content = documents.index([descriptor(b"arm64 only elsewhere", OCI_MANIFEST)])
        assert (await alice.push_manifest(REPO, "latest", content, OCI_INDEX)).status == 201
        assert (await alice.get(URL + "latest")).body == content


@pytest.mark.spec("manifest-digest-other")
async def test_a_manifest_named_by_sha512(owner: Caller):
    content = documents.artifact()
    digest = digest_of(content, "sha512")
    reply = await owner.push_manifest(REPO, f"{digest}?tag=strong", content)
    assert (reply.status, reply["docker-content-digest"]) == (201, digest)
    for reference in (digest, "strong"):
        pulled = await owner.get(URL + reference)
        assert (pulled.body, pulled["docker-content-digest"]) == (content, digest)


async def test_a_tag_moves(owner: Caller):
    first, second = documents.artifact(annotations={"n": "1"}), documents.artifact(annotations={"n": "2"})
    for content in (first, second):
        await owner.push_manifest(REPO, "latest", content)
    assert (await owner.get(URL + "latest")).body == second
    assert (await owner.get(URL + digest_of(first))).body == first


async def test_the_same_manifest_again(owner: Caller):
    for _ in range(2):
        assert (await owner.push_manifest(REPO, "latest", documents.artifact())).status == 201


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_if_none_match(owner: Caller, method: str):
    await owner.push_manifest(REPO, "latest", documents.artifact())
    etag = (await owner.head(URL + "latest"))["etag"]
    reply = await owner(method, URL + "latest", {"if-none-match": etag})
    assert (reply.status, reply.body) == (304, b"")
    await owner.push_manifest(REPO, "latest", documents.artifact(annotations={"n": "2"}))
    assert (await owner(method, URL + "latest", {"if-none-match": etag})).status == 200


@pytest.mark.spec("delete-tag-202")
async def test_delete_a_tag(owner: Caller):
    content = documents.artifact()
    await owner.push_manifest(REPO, "one?tag=two", content)
    assert (await owner.delete(URL + "one")).status == 202
    assert (await owner.get(URL + "one")).code == "MANIFEST_UNKNOWN"
    for reference in ("two", digest_of(content)):
        assert (await owner.get(URL + reference)).body == content


@pytest.mark.spec("delete-manifest-202")
async def test_delete_a_manifest(owner: Caller):
    content = documents.artifact()
    await owner.push_manifest(REPO, "one?tag=two", content)
    assert (await owner.delete(URL + digest_of(content))).status == 202
    for reference in ("one", "two", digest_of(content)):
        assert (await owner.get(URL + reference)).status == 404
    assert (await owner.get(f"/v2/{REPO}/tags/list")).json()["tags"] == []


@pytest.mark.spec("delete-manifest-404")
async def test_delete_what_is_not_there(owner: Caller, inside: InProcess):
    before = inside.snapshot()
    for target in (URL + "missing", URL + digest_of(b"missing"), "/v2/alice/other/manifests/latest"):
        assert (await owner.delete(target)).status == 404
    assert inside.snapshot() == before
