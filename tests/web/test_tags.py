"""Tags and the images behind them."""

from __future__ import annotations

import json

import pytest

from tests.support import documents
from tests.support.inprocess import Caller, InProcess
from tests.web.conftest import Visitor

pytestmark = pytest.mark.anyio

CONFIG = {
    "architecture": "amd64",
    "os": "linux",
    "created": "2026-11-20T10:00:00Z",
    "config": {
        "Entrypoint": ["python3"],
        "Cmd": ["app.py"],
        "Env": ["PATH=/usr/bin", "LANG=C.UTF-8"],
        "ExposedPorts": {"8000/tcp": {}},
        "User": "app",
        "Labels": {"org.opencontainers.image.licenses": "Apache-2.0"},
    },
    "history": [
        {"created_by": "ADD rootfs"},
        {"created_by": "ENV A=b", "empty_layer": True},
        {"created_by": "COPY app"},
    ],
}


async def push(caller: Caller, config: object, tag: str, repository: str = "alice/app") -> str:
    """Push an image with this config and two layers; returns its digest."""
    content = json.dumps(config).encode()
    layers = [b"x" * 3000, b"y" * 1000]
    for blob in (content, *layers):
        await caller.push_blob(repository, blob)
    manifest = documents.manifest(
        documents.descriptor(content, documents.OCI_CONFIG),
        [documents.descriptor(layer, documents.OCI_LAYER) for layer in layers],
    )
    reply = await caller.push_manifest(repository, tag, manifest)
    assert reply.status == 201, reply
    return documents.digest_of(manifest)


async def test_the_list_shows_what_each_tag_is(site: InProcess, visitor: Visitor) -> None:
    digest = await push(await site.caller("alice", "alice/app"), CONFIG, "1.0")
    site.clock.forward(hours=3)
    reply = await visitor.get("/r/alice/app/tags")
    assert f'data-copy="{digest}"' in reply.text
    assert 'data-copy="docker pull hub.example.org:5000/alice/app:1.0"' in reply.text
    page = await visitor.read("/r/alice/app/tags")
    assert {"1.0", digest[7:19], "linux/amd64", "3 hours ago", "alice", "1 tag"} <= set(page.texts)


async def test_the_list_filters_sorts_and_pages(site: InProcess, visitor: Visitor) -> None:
    caller = await site.caller("alice", "alice/app")
    for number in range(30):
        await push(caller, CONFIG, f"v{number:02}")
        site.clock.forward(seconds=1)
    await push(caller, CONFIG, "a-first")

    async def names(query: str) -> list[str]:
        links = (await visitor.read(f"/r/alice/app/tags{query}")).links
        return [link.rsplit("/", 1)[1] for link in links if link.startswith("/r/alice/app/tags/")]

    assert (await names(""))[:3] == ["a-first", "v29", "v28"]
    assert len(await names("")) == 25
    assert len(await names("?page=2")) == 6
    assert await names("?q=v1&sort=name") == [f"v1{digit}" for digit in range(10)]
    assert await names("?q=nothing") == []
    assert "?sort=name&page=2" in (await visitor.read("/r/alice/app/tags?sort=name")).links


async def test_an_image_shows_layers_config_and_labels(site: InProcess, visitor: Visitor) -> None:
    digest = await push(await site.caller("alice", "alice/app"), CONFIG, "1.0")
    page = await visitor.read("/r/alice/app/tags/1.0")
    assert {"2 layers", "ADD rootfs", "COPY app", "3 kB", "Entry point", "python3", "8000/tcp", "2026-11-20"} <= set(
        page.texts
    )
    assert {"org.opencontainers.image.licenses", "Apache-2.0", "LANG=C.UTF-8"} <= set(page.texts)
    assert "ENV A=b" not in page.texts, "it made no layer"
    assert f"docker pull hub.example.org:5000/alice/app@{digest}" in page.texts
    by_digest = await visitor.read(f"/r/alice/app/tags/{digest}")
    assert "COPY app" in by_digest.texts


async def test_an_index_shows_each_platform(site: InProcess, visitor: Visitor) -> None:
    caller = await site.caller("alice", "alice/app")
    children = []
    for architecture in ("arm64", "amd64"):
        changed = CONFIG | {"architecture": architecture, "history": [{"created_by": f"ADD {architecture}"}] * 2}
        digest = await push(caller, changed, architecture)
        content = (await caller.get(f"/v2/alice/app/manifests/{digest}")).body
        platform = {"os": "linux", "architecture": architecture}
        children.append(documents.descriptor(content, documents.OCI_MANIFEST, platform=platform))
    absent = documents.descriptor(
        b"absent", documents.OCI_MANIFEST, platform={"os": "unknown", "architecture": "unknown"}
    )
    index = documents.index(children)
    assert (await caller.push_manifest("alice/app", "all", index, documents.OCI_INDEX)).status == 201
    page = await visitor.read("/r/alice/app/tags/all")
    assert {"2 platforms", "linux/arm64", "linux/amd64", "ADD amd64"} <= set(page.texts)
    other = next(link for link in page.links if children[0]["digest"].replace(":", "%3A") in link)
    assert "ADD arm64" in (await visitor.read(other)).texts
    unknown = await visitor.read(f"/r/alice/app/tags/all?digest={absent['digest']}")
    assert "ADD amd64" in unknown.texts


@pytest.mark.parametrize(
    "config",
    [
        {},
        {"config": None, "history": None},
        {"config": [], "history": {}},
        {"config": {"Env": {"a": 1}, "Cmd": 7, "Labels": ["x"], "Entrypoint": "<b>x</b>"}, "created": 5},
        {
            "config": {"Env": ["x" * 5000] * 500, "Labels": {"k" * 900: "v" * 9000}},
            "history": [7, {"created_by": ["a"]}],
        },
    ],
    ids=range(5),
)
async def test_an_odd_config_is_shown_as_far_as_it_goes(site: InProcess, visitor: Visitor, config: object) -> None:
    await push(await site.caller("alice", "alice/app"), config, "odd")
    reply = await visitor.get("/r/alice/app/tags/odd")
    assert reply.status_code == 200
    assert "<b>x</b>" not in reply.text
    assert len(reply.content) < 400_000


async def test_an_artifact_has_a_page(site: InProcess, visitor: Visitor) -> None:
    caller = await site.caller("alice", "alice/app")
    await caller.push_blob("alice/app", documents.EMPTY)
    content = documents.artifact(artifactType="application/vnd.example.signature")
    assert (await caller.push_manifest("alice/app", "sig", content)).status == 201
    assert "application/vnd.example.signature" in (await visitor.read("/r/alice/app/tags/sig")).texts


async def test_an_absent_tag_is_not_found(stocked: InProcess, visitor: Visitor) -> None:
    for tag in ("absent", "sha256:" + "0" * 64):
        assert (await visitor.get(f"/r/alice/app/tags/{tag}")).status_code == 404
