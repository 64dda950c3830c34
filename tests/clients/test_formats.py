"""Docker's manifests beside OCI's, and layers that are not gzip."""

import json

import pytest

from tests.support.desk import Desk
from tests.support.engines import Machine
from tests.support.images import Image
from tests.support.python_hello import GREETING, python_hello_world

pytestmark = pytest.mark.clients

MEDIA_TYPES = {
    "v2s2": "application/vnd.docker.distribution.manifest.v2+json",
    "oci": "application/vnd.oci.image.manifest.v1+json",
}


@pytest.mark.parametrize("form", MEDIA_TYPES)
@pytest.mark.parametrize("client", ["podman", "buildah", "skopeo"], indirect=True)
def test_a_manifest_keeps_the_form_it_was_pushed_in(alice: Desk, elsewhere: Machine, image: Image, form: str) -> None:
    alice.client.take(image, reference := alice.reference(image.name))
    alice.client.push(reference, "--format", form).ok()
    stored = json.loads(elsewhere.skopeo("inspect", "--raw", *elsewhere.skopeo.plain, f"docker://{reference}").ok())
    assert stored["mediaType"] == MEDIA_TYPES[form]
    elsewhere.docker.pull(reference).ok()


@pytest.mark.parametrize("client", ["podman"], indirect=True)
def test_layers_in_zstd_chunks_are_pushed_pulled_and_run(alice: Desk, stranger: Desk) -> None:
    alice.client.take(python_hello_world(), reference := alice.reference("zstd-chunked"))
    alice.client.push(reference, "--format", "oci", "--compression-format", "zstd:chunked").ok()
    stranger.pull("zstd-chunked", of=alice.person).ok()
    assert GREETING in stranger.run("zstd-chunked", of=alice.person)
