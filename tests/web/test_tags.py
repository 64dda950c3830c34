"""Tags and the images behind them."""

from __future__ import annotations

import json
import re

import pytest

from havre.metadata import Rows
from havre.metadata.schema import tags as table
from havre.oci.names import RepositoryName
from havre.registry.tags import COUNTED
from tests.support import documents
from tests.support.inprocess import Caller, InProcess
from tests.web.conftest import Reader, Visitor

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

    async def way(query: str, rel: str) -> str:
        """Where the button for the next or the previous stretch leads."""
        found = re.search(f'rel="{rel}" href="/r/alice/app/tags([^"]+)"', (await visitor.get(query)).text)
        return found[1].replace("&amp;", "&") if found else ""

    newest = ["a-first", *(f"v{number:02}" for number in reversed(range(30)))]
    by_name = sorted(newest)
    for query, every in (("?", newest), ("?sort=name", by_name), ("?sort=size", newest), ("?sort=pulled", None)):
        second = await way(f"/r/alice/app/tags{query}", "next")
        back = await way(f"/r/alice/app/tags{second}", "prev")
        assert (await way(f"/r/alice/app/tags{second}", "next"), await way("/r/alice/app/tags?sort=name", "prev")) == (
            "",
            "",
        )
        assert await names(back) == await names(query)
        if every:
            assert sorted(await names(query) + await names(second)) == by_name
    assert await names("?") == newest[:25]
    assert await names("?q=v1&sort=name") == [f"v1{digit}" for digit in range(10)]
    assert await names("?q=nothing") == []
    for odd in ("?sort=odd", "?after=x", "?after=1:", "?before=-1:a", "?after=1:a%00", "?removed=x"):
        assert await names(odd) == newest[:25], odd


async def test_an_image_shows_layers_config_and_labels(site: InProcess, visitor: Visitor) -> None:
    digest = await push(await site.caller("alice", "alice/app"), CONFIG, "1.0")
    page = await visitor.read("/r/alice/app/tags/1.0")
    assert {"2 layers", "ADD rootfs", "COPY app", "3 kB", "Entry point", "python3", "8000/tcp", "2026-11-20"} <= set(
        page.texts
    )
    assert {"org.opencontainers.image.licenses", "Apache-2.0", "LANG=C.UTF-8"} <= set(page.texts)
    assert {"ENV A=b", "no layer"} <= set(page.texts)
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


async def test_several_are_deleted_after_a_look_at_what_goes(stocked: InProcess, alice: Visitor) -> None:
    address = "/r/alice/app/tags"
    assert 'name="tag:latest"' in (await alice.get(address)).text
    one = await alice.post(address, {"step": "preview", "tag:1.0": "on"})
    assert "Other tags lead to the same images" in one.text
    look = await alice.post(address, {"step": "preview", "tag:1.0": "on", "tag:latest": "on", "tag:gone": "on"})
    page = Reader(look.text)
    assert look.status_code == 200
    assert {"Delete 2 tags?", "1 image is left without any tag.", "loses its last tag"} <= set(page.texts)
    assert "gone" not in page.texts
    assert any("3 layers and configs" in text for text in page.texts)
    assert len((await alice.read(address)).links) > 5, "nothing has happened yet"
    done = await alice.post(address, {"step": "remove", "tags": "1.0 latest", "images": "yes"})
    assert (done.status_code, done.headers["location"]) == (303, f"{address}?removed=2")
    assert "2 tags were deleted." in (await alice.read(f"{address}?removed=2")).texts
    assert stocked.snapshot()["table tags"] != []
    repository = await stocked.app.repositories.get(RepositoryName.parse("alice/app"))
    assert (await stocked.app.tags.page(repository)).items == []
    assert "tag.delete" in str(stocked.snapshot()["table audit_events"])


async def test_a_choice_of_nothing_or_of_no_tags_is_told_on_the_page(stocked: InProcess, alice: Visitor) -> None:
    for fields in ({"step": "preview"}, {"step": "remove"}, {"tag:a b": "on"}, {"tags": "ok ../x"}):
        reply = await alice.post("/r/alice/app/tags", fields)
        assert reply.status_code == 400, fields
        assert 'role="alert"' in reply.text
    many = " ".join(f"t{number}" for number in range(501))
    assert (await alice.post("/r/alice/app/tags", {"step": "preview", "tags": many})).status_code == 400
    gone = await alice.post("/r/alice/app/tags", {"step": "preview", "tags": "gone"})
    assert "These tags are gone already" in Reader(gone.text).texts


async def test_the_history_of_all_tags_and_of_one(site: InProcess, alice: Visitor, visitor: Visitor) -> None:
    caller = await site.caller("alice", "alice/app")
    first = await push(caller, CONFIG, "1.0")
    second = await push(caller, CONFIG | {"created": "2026-11-21T10:00:00Z"}, "1.0")
    await push(caller, CONFIG, "2.0")
    await caller.delete("/v2/alice/app/manifests/1.0")
    everything = await visitor.read("/r/alice/app/-/history")
    assert {"made", "moved", "deleted", "1.0", "2.0", "alice"} <= set(everything.texts)
    assert "Restore" not in everything.texts, "a visitor may only look"
    one = await alice.read("/r/alice/app/tags/1.0/history")
    assert "2.0" not in one.texts
    assert one.texts.count(first[7:19]) == one.texts.count(second[7:19]) == 2
    assert one.texts.count("Restore") == 1 + 3, "the heading, and each move that led somewhere else"
    again = await alice.post("/r/alice/app/tags/1.0/history", {"digest": first})
    assert again.headers["location"] == "/r/alice/app/tags/1.0/history?restored=1"
    assert "The tag leads there again." in (await alice.read("/r/alice/app/tags/1.0/history?restored=1")).texts
    assert f'data-copy="{first}"' in (await visitor.get("/r/alice/app/tags/1.0")).text
    assert "tag.restore" in str(site.snapshot()["table audit_events"])
    gone = await alice.post("/r/alice/app/tags/1.0/history", {"digest": "sha256:" + "0" * 64})
    assert (gone.status_code, "That image is no longer here." in gone.text) == (404, True)
    assert (await visitor.get("/r/alice/app/tags/never/history")).status_code == 404


async def test_a_long_history_is_walked(site: InProcess, visitor: Visitor) -> None:
    caller = await site.caller("alice", "alice/app")
    for number in range(30):
        await push(caller, CONFIG, f"v{number}")
        site.clock.forward(seconds=1)
    page = await visitor.get("/r/alice/app/-/history")
    found = re.search(r'rel="next" href="([^"]+)"', page.text)
    assert found
    rest = (await visitor.read(found[1])).texts
    assert {"v0", "v4"} <= set(rest)
    assert "v5" not in rest
    assert (await visitor.get("/r/alice/app/-/history?before=x")).status_code == 200


async def test_what_is_said_about_an_image_is_listed(site: InProcess, visitor: Visitor) -> None:
    caller = await site.caller("alice", "alice/app")
    await caller.push_blob("alice/app", documents.EMPTY)
    digest = await push(caller, CONFIG, "amd64")
    image = (await caller.get(f"/v2/alice/app/manifests/{digest}")).body
    statement = b'{"_type": "statement"}'
    await caller.push_blob("alice/app", statement)
    predicate = {"in-toto.io/predicate-type": "https://slsa.dev/provenance/v1"}
    attestation = documents.manifest(
        documents.descriptor(documents.EMPTY, documents.OCI_CONFIG),
        [documents.descriptor(statement, "application/vnd.in-toto+json", annotations=predicate)],
    )
    await caller.push_manifest("alice/app", documents.digest_of(attestation), attestation)
    index = documents.index(
        [
            documents.descriptor(image, documents.OCI_MANIFEST, platform={"os": "linux", "architecture": "amd64"}),
            documents.descriptor(
                attestation,
                documents.OCI_MANIFEST,
                platform={"os": "unknown", "architecture": "unknown"},
                annotations={
                    "vnd.docker.reference.type": "attestation-manifest",
                    "vnd.docker.reference.digest": digest,
                },
            ),
        ]
    )
    await caller.push_manifest("alice/app", "all", index, documents.OCI_INDEX)
    bill = documents.artifact(
        subject=documents.descriptor(image, documents.OCI_MANIFEST), artifactType="application/spdx+json"
    )
    await caller.push_manifest("alice/app", documents.digest_of(bill), bill)
    signature = documents.artifact(artifactType="application/vnd.dev.cosign.artifact.sig.v1+json")
    named = documents.digest_of(index).replace(":", "-") + ".sig"
    await caller.push_manifest("alice/app", named, signature)
    page = await visitor.read("/r/alice/app/tags/all")
    assert {"1 platform", "Attestation", "https://slsa.dev/provenance/v1", "Bill of materials", "Signature"} <= set(
        page.texts
    )
    assert f"/r/alice/app/tags/{named}" in page.links
    alone = await visitor.read("/r/alice/app/tags/amd64")
    assert "Bill of materials" in alone.texts
    assert "Signature" not in alone.texts, "the index was signed, not this part of it"


async def test_a_chart_shows_what_its_config_says(site: InProcess, visitor: Visitor) -> None:
    caller = await site.caller("alice", "alice/app")
    chart = json.dumps({"name": "app", "appVersion": "4.5", "keywords": ["sea", "ship"], "deps": [{}]}).encode()
    for blob in (chart, b"chart"):
        await caller.push_blob("alice/app", blob)
    content = documents.manifest(
        documents.descriptor(chart, "application/vnd.cncf.helm.config.v1+json"),
        [documents.descriptor(b"chart", "application/vnd.cncf.helm.chart.content.v1.tar+gzip")],
    )
    await caller.push_manifest("alice/app", "chart", content)
    page = await visitor.read("/r/alice/app/tags/chart")
    assert {"Helm chart", "appVersion", "4.5", "sea, ship"} <= set(page.texts)
    assert "oras pull hub.example.org:5000/alice/app:chart" in page.texts


async def test_the_manifest_is_shown_and_given_byte_for_byte(site: InProcess, visitor: Visitor) -> None:
    caller = await site.caller("alice", "alice/app")
    digest = await push(caller, CONFIG, "1.0")
    image = (await caller.get(f"/v2/alice/app/manifests/{digest}")).body
    index = documents.index([documents.descriptor(image, documents.OCI_MANIFEST)])
    await caller.push_manifest("alice/app", "all", index, documents.OCI_INDEX)
    page = await visitor.get("/r/alice/app/tags/all/manifest")
    assert "schemaVersion" in page.text
    assert f"manifest?digest={digest.replace(':', '%3A')}" in page.text
    exact = await visitor.get("/r/alice/app/tags/all/manifest.json")
    assert (exact.content, exact.headers["docker-content-digest"]) == (index, documents.digest_of(index))
    assert exact.headers["content-disposition"].startswith("attachment;")
    part = await visitor.get(f"/r/alice/app/tags/all/manifest.json?digest={digest}")
    assert part.content == image
    for path in ("manifest?digest=x", f"manifest.json?digest=sha256:{'0' * 64}"):
        assert (await visitor.get(f"/r/alice/app/tags/all/{path}")).status_code == 404
    await caller.push_manifest("alice/app", "odd", b"\xff no json", "application/vnd.example")
    assert "\\xff no json" in (await visitor.get("/r/alice/app/tags/odd/manifest")).text


async def test_pulls_are_drawn_and_written(stocked: InProcess, alice: Visitor, visitor: Visitor) -> None:
    caller = await stocked.caller("alice", "alice/app")
    empty = await visitor.read("/r/alice/app/-/pulls")
    assert "No pulls yet" in empty.texts
    for _ in range(3):
        await caller.get("/v2/alice/app/manifests/1.0", {"user-agent": "docker/28.2"})
    await stocked.app.pull_counter.flush(stocked.app)
    for path in ("/r/alice/app/-/pulls", "/r/alice/app/-/pulls?days=90"):
        seen, owned = await visitor.read(path), await alice.read(path)
        assert {"By day", "By tag", "1.0", "3"} <= set(seen.texts)
        assert "docker" not in seen.texts, "clients are for who manages the repository"
        assert {"By client", "docker"} <= set(owned.texts)
    assert "3 pulls in 90 days" in (await visitor.read("/r/alice/app/-/pulls?days=90")).texts


async def test_more_tags_than_are_counted_are_not_said_to_be_so_many(site: InProcess, visitor: Visitor) -> None:
    await push(await site.caller("alice", "alice/app"), CONFIG, "latest")

    def work(rows: Rows) -> None:
        one = rows.connection.execute(table.select()).one()
        values = {"repository_id": one.repository_id, "manifest_id": one.manifest_id, "updated": 1}
        rows.connection.execute(table.insert(), [values | {"name": f"v{number}"} for number in range(COUNTED)])

    await site.app.database.write(work)
    assert "See all tags" in (await visitor.read("/r/alice/app")).texts
    assert "10,000+ tags" in (await visitor.read("/r/alice/app/tags")).texts
    alice = await Visitor(site.app).sign_in("alice")
    manage = "/repository/docker/alice/app"
    assert "See all tags" in (await alice.read(manage)).texts
    settings = " ".join((await alice.read(f"{manage}?tab=settings")).texts)
    assert "The repository and all its tags are gone for everyone at once." in settings
