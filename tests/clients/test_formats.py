"""Docker's manifests beside OCI's, and layers that are not gzip."""

import json
from dataclasses import replace

import pytest

from tests.support.desk import Desk
from tests.support.engines import Machine
from tests.support.images import Image, layer, noise
from tests.support.python_hello import GREETING, python_hello_world

pytestmark = pytest.mark.clients

MEDIA_TYPES = {
    "v2s2": "application/vnd.docker.distribution.manifest.v2+json",
    "oci": "application/vnd.oci.image.manifest.v1+json",
}

LARGE = 300_000  # bytes

podman = pytest.mark.parametrize("client", ["podman"], indirect=True)


@pytest.mark.parametrize("form", MEDIA_TYPES)
@pytest.mark.parametrize("client", ["podman", "buildah", "skopeo"], indirect=True)
def test_a_manifest_keeps_the_form_it_was_pushed_in(alice: Desk, elsewhere: Machine, image: Image, form: str) -> None:
    alice.client.take(image, reference := alice.reference(image.name))
    alice.client.push(reference, "--format", form).ok()
    stored = json.loads(elsewhere.skopeo("inspect", "--raw", *elsewhere.skopeo.plain, f"docker://{reference}").ok())
    assert stored["mediaType"] == MEDIA_TYPES[form]
    elsewhere.docker.pull(reference).ok()


@podman
def test_an_image_of_zstd_chunks_is_pulled_by_the_chunk_and_runs(alice: Desk, stranger: Desk) -> None:
    # Content that podman has from no other image, or there would be nothing left to ask for.
    fresh = layer({f"part-{n}": noise(f"zstd-chunked {n}", 10_000) for n in range(4)})
    greeting = python_hello_world()
    publish_in_chunks(alice, replace(greeting, name="zstd-chunked", layers=(*greeting.layers, fresh)))
    with alice.hub.wire.watched() as traffic:
        stranger.pull("zstd-chunked", of=alice.person).ok()
    assert any("," in each.range for each in traffic.parts)
    assert GREETING in stranger.run("zstd-chunked", of=alice.person)


@podman
def test_known_zstd_layers_are_reused_in_the_one_form_that_allows_them(
    alice: Desk, stranger: Desk, image: Image
) -> None:
    publish_in_chunks(alice, image)
    digest = alice.publish(image, again := f"{image.name}-again")  # podman tries Docker's first schema before OCI
    stranger.pull(f"{again}@{digest}", of=alice.person).ok()


@podman
def test_files_that_are_there_already_are_not_pulled_again(alice: Desk, stranger: Desk, image: Image) -> None:
    kept = {"kept": noise(image.name, LARGE)}
    for version in ("1", "2"):
        changed = {"changed": noise(f"{image.name} {version}", 10_000)}
        publish_in_chunks(alice, Image(f"{image.name}-{version}", (layer(kept | changed),)))
    stranger.pull(f"{image.name}-1", of=alice.person).ok()
    with alice.hub.wire.watched() as traffic:
        stranger.pull(f"{image.name}-2", of=alice.person).ok()
    assert traffic.blob_bytes_received < LARGE / 2


def publish_in_chunks(alice: Desk, image: Image) -> None:
    alice.client.take(image, reference := alice.reference(image.name))
    alice.client.push(reference, "--format", "oci", "--compression-format", "zstd:chunked").ok()
