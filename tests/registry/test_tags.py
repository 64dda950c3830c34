"""Tags: names that move, and the memory of their moves."""

import pytest

from havre.access.records import AuditQuery
from havre.errors import ManifestUnknown
from havre.oci.names import RepositoryName, Tag
from havre.registry.events import Deleted, Event, Looked, Pulled, Pushed
from havre.registry.records import TagOrder
from tests.support import documents
from tests.support.documents import OCI_INDEX, OCI_MANIFEST, descriptor, digest_of
from tests.support.inprocess import Caller, InProcess

pytestmark = pytest.mark.anyio

APP = RepositoryName("alice/app")


async def test_every_move_is_remembered_with_who_and_when(alice: Caller, inside: InProcess):
    first, begun = await alice.push_image(APP, "latest", seed="first"), inside.clock.now
    inside.clock.forward(seconds=5)
    carol = await inside.caller("carol", APP)
    second = await carol.push_image(APP, "latest", seed="second")
    inside.clock.forward(seconds=5)
    assert (await alice.delete(f"/v2/{APP}/manifests/latest")).status == 202
    repository = await inside.app.repositories.get(APP)
    moves = await inside.app.tags.history(repository, Tag("latest"))
    assert [(one.before, one.after, one.actor, one.at) for one in moves] == [
        (second.digest, None, "alice", begun + 10_000),
        (first.digest, second.digest, "carol", begun + 5_000),
        (None, first.digest, "alice", begun),
    ]


async def test_a_deleted_manifest_takes_its_tags_along_and_that_is_remembered(alice: Caller, inside: InProcess):
    image = await alice.push_image(APP, "one", "two")
    assert (await alice.delete(f"/v2/{APP}/manifests/{image.digest}")).status == 202
    repository = await inside.app.repositories.get(APP)
    last = (await inside.app.tags.history(repository))[:2]
    assert {(one.tag, one.before, one.after) for one in last} == {
        ("one", image.digest, None),
        ("two", image.digest, None),
    }


async def test_a_push_that_fails_moves_nothing(alice: Caller, inside: InProcess):
    image = await alice.push_image(APP, "latest")
    broken = documents.index([descriptor(b"absent", OCI_MANIFEST)])
    assert (await alice.push_manifest(APP, "latest?tag=other", broken, OCI_INDEX)).status == 404
    repository = await inside.app.repositories.get(APP)
    assert [one.after for one in await inside.app.tags.history(repository)] == [image.digest]
    with pytest.raises(ManifestUnknown):
        await inside.app.manifests.get(APP, Tag("other"))


async def test_a_page_tells_platforms_and_sizes(alice: Caller, inside: InProcess):
    children = [documents.image("p", architecture) for architecture in ("amd64", "arm64")]
    for child in children:
        for blob in child.blobs:
            await alice.push_blob(APP, blob)
        await alice.push_manifest(APP, child.digest, child.content)
    several = documents.index(
        [
            descriptor(child.content, OCI_MANIFEST, platform={"os": "linux", "architecture": name})
            for child, name in zip(children, ("amd64", "arm64"), strict=True)
        ]
    )
    await alice.push_manifest(APP, "all", several, OCI_INDEX)
    inside.clock.forward(seconds=1)
    await alice.push_manifest(APP, "one", children[1].content)
    repository = await inside.app.repositories.get(APP)
    page = await inside.app.tags.page(repository)
    one, every = page.items
    size = [sum(len(blob) for blob in child.blobs) for child in children]
    assert (one.tag.name, one.platforms, one.size) == ("one", ("linux/arm64",), size[1])
    assert (every.tag.name, every.platforms, every.size) == ("all", ("linux/amd64", "linux/arm64"), sum(size))
    assert (one.tag.pusher, one.tag.digest, one.tag.updated) == ("alice", children[1].digest, inside.clock.now)


async def test_pages_by_name_and_part_of_a_name(alice: Caller, inside: InProcess):
    image = await alice.push_image(APP)
    names = [f"v1.{number}" for number in range(5)] + ["latest"]
    query = "&".join(f"tag={name}" for name in names)
    await alice.push_manifest(APP, f"{image.digest}?{query}", image.content)
    repository = await inside.app.repositories.get(APP)
    first = await inside.app.tags.page(repository, "v1", TagOrder.NAME, per_page=2)
    assert ([view.tag.name for view in first.items], first.total, first.exact) == (["v1.0", "v1.1"], 5, True)
    second = await inside.app.tags.page(repository, "v1", TagOrder.NAME, after=first.next, per_page=2)
    assert [view.tag.name for view in second.items] == ["v1.2", "v1.3"]
    last = await inside.app.tags.page(repository, "v1", TagOrder.NAME, after=second.next, per_page=2)
    assert ([view.tag.name for view in last.items], last.next) == (["v1.4"], None)
    back = await inside.app.tags.page(repository, "v1", TagOrder.NAME, before=last.previous, per_page=2)
    assert (back.items, back.previous, back.next) == (second.items, second.previous, second.next)
    assert (first.previous, (await inside.app.tags.page(repository, per_page=2)).total) == (None, 6)
    for text in ("%", "v1_", "\0%"):
        assert (await inside.app.tags.page(repository, text)).total == 0


async def test_what_is_deleted_alone_is_written_down(alice: Caller, inside: InProcess):
    image = await alice.push_image(APP, "one", "two", "three")
    assert (await alice.delete(f"/v2/{APP}/manifests/three")).status == 202
    assert (await alice.delete(f"/v2/{APP}/manifests/three")).status == 404
    assert (await alice.delete(f"/v2/{APP}/manifests/{image.digest}")).status == 202
    lines = await inside.app.audit.page(AuditQuery(), None, 2)
    assert [(one.actor, one.action, one.subject, one.address, dict(one.detail)) for one in lines] == [
        ("alice", "manifest.delete", f"{APP}@{image.digest}", "198.51.100.7", {"tags": 2, "names": "one, two"}),
        ("alice", "tag.delete", f"{APP}:three", "198.51.100.7", {}),
    ]


async def test_events_are_told_after_the_fact(alice: Caller, inside: InProcess):
    heard: list[Event] = []
    inside.app.events.subscribe(heard.append)
    content = b'{"any": "thing"}'
    await alice.push_manifest(APP, "one?tag=two", content, "application/vnd.example+json")
    await alice.get(f"/v2/{APP}/manifests/one")
    await alice.head(f"/v2/{APP}/manifests/one")
    await alice.delete(f"/v2/{APP}/manifests/one")
    await alice.delete(f"/v2/{APP}/manifests/{digest_of(content)}")
    await alice.delete(f"/v2/{APP}/manifests/one")
    pushed, pulled, looked, untagged, deleted = heard
    assert isinstance(pushed, Pushed)
    assert (pushed.tags, pushed.digest) == (("one", "two"), digest_of(content))
    assert isinstance(pulled, Pulled)
    assert pulled.tag == "one"
    assert isinstance(looked, Looked)
    assert (looked.tag, looked.digest) == ("one", digest_of(content))
    assert isinstance(untagged, Deleted)
    assert (untagged.digest, untagged.tags) == (None, ("one",))
    assert isinstance(deleted, Deleted)
    assert (deleted.digest, deleted.tags) == (digest_of(content), ("two",))
