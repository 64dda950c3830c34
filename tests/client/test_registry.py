"""Manifests, tags, lists and referrers: at Havre and at the distribution project's registry."""

import itertools
import json
from collections.abc import AsyncIterator

import pytest

from havre.client import Client
from havre.client.auth import Credential
from havre.client.keychain import Keychain
from havre.client.registry import Repository, fallback_tag
from havre.errors import (
    DigestInvalid,
    HavreError,
    ManifestUnknown,
    NameUnknown,
    TooLarge,
    Unauthorized,
    Unavailable,
    Unsupported,
    WrongCredentials,
)
from havre.oci import mediatypes
from havre.oci.descriptor import Descriptor
from havre.oci.digest import Digest
from havre.oci.names import Tag
from tests.support.images import EPOCH, Image, small
from tests.support.peer_fixtures import QUICK
from tests.support.peers import Peer
from tests.support.scripted import Reply, Request, Scripted

pytestmark = pytest.mark.anyio

_numbers = itertools.count()


def described(media_type: str, content: bytes) -> Descriptor:
    return Descriptor(media_type, Digest.of(content), len(content))


async def pushed(repository: Repository, *tags: str) -> tuple[Image, Descriptor]:
    """A small image that is new to the registry, pushed blob by blob."""
    image = small(f"image-{next(_numbers)}", size=2000)
    for media_type, content in (
        (mediatypes.OCI_CONFIG, image.config),
        *((mediatypes.OCI_LAYER_GZIP, one.gz) for one in image.layers),
    ):
        await repository.write_blob(
            described(media_type, content), lambda offset, content=content: _from(content, offset)
        )
    descriptor = described(mediatypes.OCI_MANIFEST, image.manifest)
    for tag in tags or (None,):
        await repository.put_manifest(descriptor, image.manifest, Tag.parse(tag) if tag else None)
    return image, descriptor


async def _from(content: bytes, offset: int) -> AsyncIterator[bytes]:
    yield content[offset:]


async def listed(names: AsyncIterator[str]) -> list[str]:
    return [name async for name in names]


@pytest.fixture
def repository(client: Client, peer: Peer) -> Repository:
    return client.repository(f"{peer.host}/alice/shop-{next(_numbers)}")


async def test_a_manifest_comes_back_as_it_went(repository: Repository) -> None:
    image, descriptor = await pushed(repository, "one")
    assert await repository.head(Tag("one")) == descriptor
    assert await repository.manifest(Tag("one")) == (descriptor, image.manifest)
    assert await repository.manifest(descriptor.digest) == (descriptor, image.manifest)


async def test_what_is_not_there_is_said_not_to_be(repository: Repository) -> None:
    await pushed(repository, "one")
    for missing in (Tag("two"), Digest.of(b"nothing")):
        with pytest.raises(ManifestUnknown, match=f"{repository.path}.{missing}"):
            await repository.manifest(missing)
        with pytest.raises(ManifestUnknown):
            await repository.head(missing)


async def test_a_repository_that_is_not_there(client: Client, peer: Peer) -> None:
    missing = client.repository(f"{peer.host}/alice/never-made")
    with pytest.raises((NameUnknown, ManifestUnknown), match=peer.host):
        await missing.head(Tag("x"))
    with pytest.raises(NameUnknown):
        await listed(missing.tags())


async def test_tags_come_page_by_page(repository: Repository) -> None:
    await pushed(repository, *"abcdefg")
    assert sorted(await listed(repository.tags(limit=2))) == list("abcdefg")


async def test_the_catalogue_and_the_search_know_the_repository(
    client: Client, peer: Peer, repository: Repository
) -> None:
    await pushed(repository, "one")
    names = await listed(client.registry(peer.host).catalogue(limit=2))
    assert repository.path in names
    assert len(names) == len(set(names))
    found = await client.registry(peer.host).search(repository.path.partition("/")[2])
    assert [row["name"] for row in found] == [repository.path]


async def test_an_image_is_deleted_by_its_digest(repository: Repository) -> None:
    _, descriptor = await pushed(repository, "one", "two")
    await repository.delete(descriptor.digest)
    with pytest.raises(ManifestUnknown):
        await repository.head(Tag("one"))
    with pytest.raises(ManifestUnknown):
        await repository.delete(descriptor.digest)


async def test_a_tag_is_deleted_alone_or_the_remedy_is_named(repository: Repository, peer: Peer) -> None:
    _, descriptor = await pushed(repository, "one", "two")
    if peer.is_havre:
        await repository.delete(Tag("one"))
        assert await listed(repository.tags()) == ["two"]
    else:
        with pytest.raises(Unsupported, match=f"havre delete {repository.name}@{descriptor.digest}"):
            await repository.delete(Tag("one"))
    assert (await repository.head(Tag("two"))).digest == descriptor.digest


async def test_referrers_are_found_with_and_without_the_api(repository: Repository) -> None:
    _, subject = await pushed(repository, "one")
    assert await repository.referrers(subject.digest) == []
    empty = described(mediatypes.OCI_EMPTY, b"{}")
    await repository.write_blob(empty, lambda offset: _from(b"{}", offset))
    for kind in ("application/vnd.test.signature", "application/vnd.test.sbom"):
        content = json.dumps({
            "schemaVersion": 2,
            "mediaType": mediatypes.OCI_MANIFEST,
            "artifactType": kind,
            "config": empty.to_json(),
            "layers": [empty.to_json()],
            "subject": subject.to_json(),
            "annotations": {"made": EPOCH},
        }).encode()  # fmt: skip
        for _ in range(2):
            await repository.put_manifest(described(mediatypes.OCI_MANIFEST, content), content)
    found = await repository.referrers(subject.digest)
    assert sorted(one.artifact_type for one in found) == ["application/vnd.test.sbom", "application/vnd.test.signature"]
    assert {one.annotations["made"] for one in found} == {EPOCH}
    [signature] = await repository.referrers(subject.digest, "application/vnd.test.signature")
    assert signature.artifact_type == "application/vnd.test.signature"


def test_the_fallback_tag_fits_a_tag() -> None:
    assert fallback_tag(Digest.of(b"x")) == f"sha256-{Digest.of(b'x').encoded}"
    assert fallback_tag(Digest.of(b"x", "sha512")) == f"sha512-{Digest.of(b'x', 'sha512').encoded[:64]}"


async def test_a_login_is_checked(client: Client, peer: Peer) -> None:
    await client.registry_as(peer.host, Credential("alice", peer.password)).check_login()
    with pytest.raises(WrongCredentials, match=f"{peer.host}: wrong user name"):
        await client.registry_as(peer.host, Credential("alice", "wrong horse 8")).check_login()


async def test_nobody_may_not_push_and_learns_how(client: Client, peer: Peer) -> None:
    stranger = client.registry_as(peer.host, None).repository("alice/closed")
    content = b"x"
    with pytest.raises(Unauthorized, match=f"log in first: havre login {peer.host}"):
        await stranger.write_blob(described("text/plain", content), lambda offset: _from(content, offset))


MANIFEST = b'{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]}'


def gives(body: bytes, **headers: str) -> Scripted:
    def answer(request: Request) -> Reply:
        if request.path == "/v2/":
            return Reply(200)
        if request.method == "HEAD":
            return Reply(405)
        return Reply(200, {name.replace("_", "-"): text for name, text in headers.items()}, body)

    return Scripted(answer)


@pytest.mark.parametrize(
    ("body", "headers", "error"),
    [
        (MANIFEST + b" ", {"docker_content_digest": Digest.of(MANIFEST)}, DigestInvalid),
        (b"x" * (4 * 1024 * 1024 + 1), {}, TooLarge),
        (b"{}", {"content_type": "application/vnd.docker.distribution.manifest.v1+prettyjws"}, Unsupported),
        (b"[", {"content_type": "application/json"}, HavreError),
        (MANIFEST, {"docker_content_digest": "md5:12"}, HavreError),
    ],
)
async def test_manifests_that_are_wrong_are_not_taken(
    body: bytes, headers: dict[str, str], error: type[Exception]
) -> None:
    async with gives(body, **headers) as server, Client(QUICK, Keychain([])) as client:
        with pytest.raises(error):
            await client.repository(f"{server.host}/a/b").manifest(Tag("x"))


async def test_a_manifest_asked_for_by_digest_must_have_it() -> None:
    async with gives(MANIFEST) as server, Client(QUICK, Keychain([])) as client:
        with pytest.raises(DigestInvalid, match="which should be"):
            await client.repository(f"{server.host}/a/b").manifest(Digest.of(b"other"))


async def test_a_registry_without_head_or_media_type_is_understood() -> None:
    async with (
        gives(MANIFEST, content_type="text/plain; charset=utf-8") as server,
        Client(QUICK, Keychain([])) as client,
    ):
        found = await client.repository(f"{server.host}/a/b").head(Tag("x"))
        assert found == described(mediatypes.OCI_INDEX, MANIFEST)


async def test_lists_do_not_lead_elsewhere_or_on_for_ever() -> None:
    def circles(request: Request) -> Reply:
        return Reply(200, {"link": f'<{request.target}>; rel="next"'}, b'{"tags":[]}')

    def astray(_: Request) -> Reply:
        return Reply(200, {"link": '<https://elsewhere.example.org/v2/x>; rel="next"'}, b'{"tags":["a"]}')

    async with Client(QUICK, Keychain([])) as client:
        async with Scripted(astray) as server:
            with pytest.raises(Unavailable, match=r"another host, elsewhere\.example\.org"):
                await listed(client.repository(f"{server.host}/a/b").tags())
        async with Scripted(circles) as server:
            with pytest.raises(Unavailable, match="circles"):
                await listed(client.repository(f"{server.host}/a/b").tags())
            assert len(server.requests) < 5


@pytest.mark.parametrize("body", [b"<html>", b"[]", b"", b"[" * 100_000])
async def test_lists_that_are_none(body: bytes) -> None:
    async with Scripted(lambda _: Reply(200, body=body)) as server, Client(QUICK, Keychain([])) as client:
        with pytest.raises(Unavailable, match="no JSON object"):
            await listed(client.repository(f"{server.host}/a/b").tags())
