"""Copies between registries and layouts: digests stay, damage is found, what is there is not sent again."""

import itertools
import json
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from havre.client import Client
from havre.client.copy import MAX_NESTING, Options, Progress, State, copy, matching
from havre.client.details import details
from havre.client.registry import Repository
from havre.errors import DigestInvalid, ManifestInvalid, ManifestUnknown
from havre.images.layout import Layout
from havre.oci import mediatypes
from havre.oci.descriptor import Descriptor, Platform
from havre.oci.digest import Digest
from havre.oci.names import Tag
from tests.support.images import EPOCH, Image, Index, everywhere, layer, noise, small, this_architecture
from tests.support.peers import Peer
from tests.support.wire import Wire

pytestmark = pytest.mark.anyio

LATEST = Tag("latest")
HERE = Platform("linux", this_architecture())
_numbers = itertools.count()


def name() -> str:
    return f"copied-{next(_numbers)}"


@pytest.fixture
def repository(client: Client, peer: Peer) -> Repository:
    return client.repository(f"{peer.host}/alice/{name()}")


async def test_there_and_back_again(repository: Repository, tmp_path: Path) -> None:
    image = Image(
        name(), (layer({"a": noise(name(), 900_000)}), layer({"b": b"b" * 500}), layer({"a": noise(name(), 10)}))
    )
    source, target = Layout(image.layout(tmp_path)), Layout(tmp_path / "target")
    sent = await copy(source, repository, LATEST, LATEST)
    assert sent.digest == image.digest
    fetched = await copy(repository, target, LATEST, LATEST)
    assert fetched.digest == image.digest
    named = target.find("latest")
    assert named
    assert (named.media_type, named.digest, named.size) == (mediatypes.OCI_MANIFEST, sent.digest, sent.size)
    for one in image.layers:
        assert target.blob_path(Digest(one.digest)).read_bytes() == one.gz


async def test_an_image_for_several_platforms_whole_or_one(repository: Repository, tmp_path: Path) -> None:
    index = everywhere(name())
    source = Layout(index.layout(tmp_path))
    assert (await copy(source, repository, LATEST, LATEST)).digest == index.digest
    whole = Layout(tmp_path / "whole")
    assert (await copy(repository, whole, LATEST, LATEST)).digest == index.digest
    assert (await details(whole, LATEST, Platform("linux", "arm64"))).size > 0
    one = Layout(tmp_path / "one")
    picked = await copy(repository, one, LATEST, LATEST, Options(HERE))
    assert picked.digest in {each.digest for each in index.images}
    assert len(list((one.root / "blobs/sha256").iterdir())) == 3
    with pytest.raises(ManifestUnknown, match=r"no matching manifest for linux/s390x .*linux/amd64"):
        await copy(repository, one, LATEST, LATEST, Options(Platform("linux", "s390x")))


async def test_what_is_there_is_not_sent_again_and_mounted_from_a_neighbour(
    client: Client, peer: Peer, repository: Repository, tmp_path: Path
) -> None:
    source = Layout(small(name(), size=300_000).layout(tmp_path))
    steps: list[Progress] = []

    def ended() -> set[State]:
        return {step.state for step in steps} - {State.WAITING}

    await copy(source, repository, LATEST, LATEST)
    await copy(source, repository, LATEST, Tag("again"), Options(watch=steps.append))
    assert ended() == {State.EXISTS}
    steps.clear()
    other = client.repository(f"{peer.host}/alice/{name()}")
    options = Options(origins=lambda _: repository.path, watch=steps.append)
    await copy(repository, other, LATEST, LATEST, options)
    assert ended() == {State.MOUNTED}
    assert {step.origin for step in steps if step.state is State.MOUNTED} == {repository.path}


async def test_progress_tells_every_byte(repository: Repository, tmp_path: Path) -> None:
    image = small(name(), size=700_000)
    steps: list[Progress] = []
    await copy(Layout(image.layout(tmp_path)), repository, LATEST, LATEST, Options(watch=steps.append))
    blob = Digest(image.layers[0].digest)
    mine = [step for step in steps if step.blob.digest == blob]
    assert [mine[0].state, mine[-1].state] == [State.WAITING, State.DONE]
    assert mine[-1].done == len(image.layers[0].gz)
    moving = [step.done for step in mine if step.state is State.MOVING]
    assert moving == sorted(moving)


async def test_damage_in_the_source_never_arrives(repository: Repository, tmp_path: Path) -> None:
    image = small(name(), size=700_000)
    source = Layout(image.layout(tmp_path))
    path = source.blob_path(Digest(image.layers[0].digest))
    damaged = bytearray(path.read_bytes())
    damaged[-1] ^= 1
    path.write_bytes(damaged)
    with pytest.raises(DigestInvalid, match="in place of"):
        await copy(source, repository, LATEST, LATEST)
    with pytest.raises(ManifestUnknown):
        await repository.head(LATEST)
    with pytest.raises(DigestInvalid):
        await copy(source, Layout(tmp_path / "target"), LATEST, LATEST)
    assert not Layout(tmp_path / "target").entries()
    assert not list((tmp_path / "target/blobs/.incoming").iterdir())


async def test_a_pull_goes_on_where_the_connection_broke(
    client: Client, peer: Peer, repository: Repository, tmp_path: Path
) -> None:
    image = small(name(), size=3_000_000)
    await copy(Layout(image.layout(tmp_path)), repository, LATEST, LATEST)
    with Wire(peer.host) as wire:
        mine = await client.keychain.get(peer.host)
        there = client.registry_as(wire.host, mine).repository(repository.path)
        with wire.watched() as traffic:
            wire.cut_once("GET", "/blobs/sha256:", after=1_500_000)
            target = Layout(tmp_path / "target")
            assert (await copy(there, target, LATEST, LATEST)).digest == image.digest
        assert traffic.parts
        assert traffic.blob_bytes_received < 4_500_000


class Flaky:
    """A source whose first reading of each blob is damaged."""

    def __init__(self, inner: Layout) -> None:
        self._inner = inner
        self._damaged: set[Digest] = set()
        self.name = "a flaky disk"

    async def manifest(self, reference: Tag | Digest) -> tuple[Descriptor, bytes]:
        return await self._inner.manifest(reference)

    async def open_blob(self, descriptor: Descriptor, offset: int = 0) -> AsyncGenerator[bytes, None]:
        first = descriptor.digest not in self._damaged
        self._damaged.add(descriptor.digest)
        async for piece in self._inner.open_blob(descriptor, offset):
            yield bytes(len(piece)) if first else piece


async def test_damage_on_the_way_is_tried_once_more(repository: Repository, tmp_path: Path) -> None:
    image = small(name(), size=700_000)
    source = Flaky(Layout(image.layout(tmp_path)))
    assert (await copy(source, repository, LATEST, LATEST)).digest == image.digest
    assert (await copy(repository, Layout(tmp_path / "t"), LATEST, LATEST)).digest == image.digest


def stored(layout: Layout, media_type: str, content: bytes) -> Descriptor:
    with layout.incoming() as incoming:
        incoming.write(content)
        return Descriptor(media_type, incoming.keep(), len(content))


def index_of(layout: Layout, *children: Descriptor) -> Descriptor:
    document = {
        "schemaVersion": 2,
        "mediaType": mediatypes.OCI_INDEX,
        "manifests": [child.to_json() for child in children],
    }
    return stored(layout, mediatypes.OCI_INDEX, json.dumps(document).encode())


async def test_an_index_may_list_plain_blobs_as_build_caches_do(tmp_path: Path) -> None:
    source, target = Layout(tmp_path / "source"), Layout(tmp_path / "target")
    blob = stored(source, mediatypes.OCI_LAYER_GZIP, noise(name(), 5000))
    config = stored(source, "application/vnd.buildkit.cacheconfig.v0", b'{"layers":[]}')
    source.put_name("cache", index_of(source, blob, config))
    await copy(source, target, Tag("cache"), Tag("cache"))
    assert target.has_blob(blob)
    assert target.has_blob(config)


async def test_layers_that_lie_elsewhere_are_left_there(tmp_path: Path) -> None:
    source, target = Layout(tmp_path / "source"), Layout(tmp_path / "target")
    config = stored(source, mediatypes.OCI_CONFIG, b"{}")
    foreign = Descriptor("application/vnd.docker.image.rootfs.foreign.diff.tar.gzip", Digest.of(b"elsewhere"), 9)
    document = {"schemaVersion": 2, "config": config.to_json(), "layers": [foreign.to_json()]}
    source.put_name("windows", stored(source, mediatypes.OCI_MANIFEST, json.dumps(document).encode()))
    copied = await copy(source, target, Tag("windows"), Tag("windows"))
    assert target.has_blob(copied)
    assert not target.has_blob(foreign)


async def test_indexes_within_indexes_end(tmp_path: Path) -> None:
    source, target = Layout(tmp_path / "source"), Layout(tmp_path / "target")
    child = index_of(source)
    for _ in range(MAX_NESTING + 2):
        child = index_of(source, child)
    source.put_name("deep", child)
    with pytest.raises(ManifestInvalid, match="deep"):
        await copy(source, target, Tag("deep"), Tag("deep"))


def entry(platform: str) -> Descriptor:
    return Descriptor(mediatypes.OCI_MANIFEST, Digest.of(platform.encode()), 1, Platform(*platform.split("/")))


@pytest.mark.parametrize(
    ("wanted", "offered", "found"),
    [
        ("linux/amd64", ["linux/arm64", "linux/amd64"], "linux/amd64"),
        ("linux/arm/v7", ["linux/arm/v6", "linux/arm/v7"], "linux/arm/v7"),
        ("linux/arm64/v8", ["linux/arm64"], "linux/arm64"),
        ("linux/arm64", ["linux/arm64/v8"], "linux/arm64/v8"),
        ("linux/arm/v6", ["linux/arm/v7"], None),
        ("linux/amd64", ["unknown/unknown"], None),
        ("linux/amd64", [], None),
    ],
)
def test_the_entry_for_a_platform(wanted: str, offered: list[str], found: str | None) -> None:
    child = matching([entry(one) for one in offered], Platform(*wanted.split("/")))
    assert (str(child.platform) if child else None) == found


async def test_details_of_an_image_and_of_an_index(tmp_path: Path) -> None:
    index: Index = everywhere(name())
    layout = Layout(index.layout(tmp_path))
    several = await details(layout, LATEST)
    assert [str(one.platform) for one in several.platforms] == [f"linux/{one.architecture}" for one in index.images]
    assert several.image is None
    one = await details(layout, LATEST, HERE)
    assert one.config
    assert one.config["created"] == EPOCH
    assert [each.instruction for each in one.layers] == ["layer 0"]
    assert one.descriptor.digest == index.digest
