"""Images as people look at them, whatever is in the config that somebody pushed."""

import json
from typing import Any

import pytest

from havre.errors import ManifestUnknown, NameUnknown
from havre.oci.names import RepositoryName, Tag
from havre.registry.images import ImageView
from tests.support import documents
from tests.support.documents import OCI_CONFIG, OCI_INDEX, OCI_LAYER, OCI_MANIFEST, descriptor
from tests.support.inprocess import Caller, InProcess

pytestmark = pytest.mark.anyio

APP, TAG = RepositoryName("alice/app"), Tag("latest")
LAYERS = [b"first layer", b"second layer"]


async def looked_at(alice: Caller, config: bytes, media_type: str = OCI_CONFIG) -> ImageView:
    """The view of an image with this config."""
    for blob in (config, *LAYERS):
        await alice.push_blob(APP, blob)
    layers = [descriptor(layer, OCI_LAYER) for layer in LAYERS]
    content = documents.manifest(descriptor(config, media_type), layers)
    assert (await alice.push_manifest(APP, TAG, content)).status == 201
    return await alice.havre.app.images.inspect(APP, TAG)


async def test_config_layers_labels_and_what_made_them(alice: Caller):
    config = {
        "os": "linux",
        "architecture": "arm",
        "variant": "v7",
        "created": "2026-01-02T03:04:05Z",
        "config": {"Labels": {"maintainer": "alice", "size": 7}, "Cmd": ["sh"]},
        "history": [
            {"created_by": "ADD file"},
            {"created_by": "ENV X=1", "empty_layer": True},
            {"comment": "imported"},
        ],
    }
    view = await looked_at(alice, json.dumps(config).encode())
    assert (view.kind, view.created, view.config) == ("image", "2026-01-02T03:04:05Z", config)
    assert view.labels == {"maintainer": "alice", "size": "7"}
    assert [(one.size, one.instruction) for one in view.layers] == [(11, "ADD file"), (12, "imported")]
    assert view.manifest.platform == "linux/arm/v7"


@pytest.mark.parametrize(
    "config",
    [
        {},
        {"config": None, "history": None, "created": None},
        {"config": [], "history": {}, "created": 7},
        {"config": {"Labels": []}, "history": ["text", 7, None]},
        {"os": 7, "architecture": []},
        {"os": "linux", "architecture": {"x": 1}, "variant": 3},
        {"history": [{"created_by": 7}, {"created_by": ["x"]}]},
        {"os": "o" * 5000, "architecture": "a" * 5000},
    ],
    ids=str,
)
async def test_a_config_may_hold_anything(alice: Caller, config: dict[str, Any]):
    view = await looked_at(alice, json.dumps(config).encode())
    assert view.config == config
    assert view.labels == {}
    assert [one.digest for one in view.layers] == [documents.digest_of(layer) for layer in LAYERS]
    assert all(isinstance(one.instruction, str) for one in view.layers)
    assert len(view.manifest.platform) <= 100


@pytest.mark.parametrize(
    "config", [b"", b"no JSON", b"[1]", b"\xff", b"{" * 5000, b'{"x": "' + b"y" * 1_100_000 + b'"}']
)
async def test_a_config_that_can_not_be_read_is_none(alice: Caller, config: bytes):
    view = await looked_at(alice, config)
    assert (view.config, view.created, view.manifest.platform) == (None, "", "")


async def test_artifacts_have_no_config_to_look_at(alice: Caller):
    view = await looked_at(alice, b'{"os": "linux", "architecture": "amd64"}', "application/vnd.example.config+json")
    assert (view.config, view.manifest.platform) == (None, "")


async def test_the_children_of_an_index_also_those_that_are_not_images(alice: Caller, inside: InProcess):
    image = await alice.push_image(APP)
    await alice.push_blob(APP, b"cache")
    entries = [
        descriptor(image.content, OCI_MANIFEST, platform={"os": "linux", "architecture": "amd64"}),
        descriptor(b"cache", OCI_LAYER),
    ]
    await alice.push_manifest(APP, TAG, documents.index(entries), OCI_INDEX)
    view = await inside.app.images.inspect(APP, TAG)
    size = sum(len(blob) for blob in image.blobs)
    assert [(one.platform, one.size) for one in view.platforms] == [("linux/amd64", size), ("", 0)]
    assert (view.kind, view.config, view.layers) == ("index", None, [])


async def test_a_config_that_was_deleted(alice: Caller, inside: InProcess):
    view = await looked_at(alice, b'{"os": "linux", "architecture": "amd64"}')
    digest = documents.digest_of(b'{"os": "linux", "architecture": "amd64"}')
    assert (await alice.delete(f"/v2/{APP}/blobs/{digest}")).status == 202
    assert view.config
    assert (await inside.app.images.inspect(APP, TAG)).config is None


async def test_what_is_not_there(alice: Caller, inside: InProcess):
    with pytest.raises(NameUnknown):
        await inside.app.images.inspect(APP, TAG)
    await alice.push_blob(APP, b"x")
    with pytest.raises(ManifestUnknown):
        await inside.app.images.inspect(APP, TAG)
