"""Removing many tags: what the preview tells is what happens."""

import pytest

from havre.errors import InputInvalid, ManifestUnknown
from havre.oci.digest import Digest
from havre.oci.names import RepositoryName, Tag
from havre.registry.events import Deleted, Event
from havre.registry.removal import MAX_TAGS
from tests.support import documents
from tests.support.documents import OCI_INDEX, OCI_MANIFEST, descriptor
from tests.support.inprocess import Caller, InProcess

pytestmark = pytest.mark.anyio

APP = RepositoryName("alice/app")


async def test_an_image_keeps_what_another_tag_leads_to(alice: Caller, inside: InProcess) -> None:
    one = await alice.push_image(APP, "1.0", "latest", seed="one")
    two = await alice.push_image(APP, "2.0", seed="two")
    found = await inside.app.removals.preview(APP, [Tag("1.0"), Tag("2.0"), Tag("gone")])
    assert found.tags == {"1.0": one.digest, "2.0": two.digest}
    assert found.untagged == [two.digest]
    assert (found.blobs, found.bytes) == (3, sum(map(len, two.blobs)))
    done = await inside.app.removals.remove(
        APP, [Tag("1.0"), Tag("2.0"), Tag("gone")], await inside.actor("alice"), images=True
    )
    assert done == found
    assert await inside.app.tags.names(APP, "", 10) == ["latest"]
    with pytest.raises(ManifestUnknown):
        await inside.app.manifests.get(APP, Digest(two.digest))
    assert (await inside.app.manifests.get(APP, Digest(one.digest))).digest == one.digest


async def test_an_index_goes_with_its_parts_and_what_was_said_about_it(alice: Caller, inside: InProcess) -> None:
    children = [await alice.push_image(APP, seed=name) for name in ("amd64", "arm64")]
    await alice.push_manifest(APP, "also", children[0].content)
    index = documents.index([descriptor(child.content, OCI_MANIFEST) for child in children])
    await alice.push_manifest(APP, "all", index, OCI_INDEX)
    await alice.push_blob(APP, documents.EMPTY)
    signature = documents.artifact(subject=descriptor(index, OCI_INDEX), artifactType="application/vnd.example")
    await alice.push_manifest(APP, documents.digest_of(signature), signature)
    found = await inside.app.removals.preview(APP, [Tag("all")])
    gone = {documents.digest_of(index), children[1].digest, documents.digest_of(signature)}
    assert found.manifests == gone
    assert found.untagged == [documents.digest_of(index)]
    assert found.bytes == sum(map(len, children[1].blobs)) + len(documents.EMPTY)


async def test_what_another_repository_has_is_not_freed(alice: Caller, inside: InProcess) -> None:
    image = await alice.push_image(APP, "1.0", seed="shared")
    other = await inside.caller("alice", "alice/other")
    await other.push_image("alice/other", "1.0", seed="shared")
    found = await inside.app.removals.preview(APP, [Tag("1.0")])
    assert (found.untagged, found.blobs, found.bytes) == ([image.digest], 0, 0)


async def test_tags_alone_may_go(alice: Caller, inside: InProcess) -> None:
    image = await alice.push_image(APP, "1.0", "2.0")
    heard: list[Event] = []
    inside.app.events.subscribe(heard.append)
    await inside.app.removals.remove(APP, [Tag("1.0"), Tag("2.0")], await inside.actor("alice"), images=False)
    assert (await inside.app.manifests.get(APP, Digest(image.digest), pull=False)).digest == image.digest
    (told,) = heard
    assert isinstance(told, Deleted)
    assert (told.digest, told.tags) == (None, ("1.0", "2.0"))
    line = inside.snapshot()["table audit_events"]
    assert "tag.delete" in str(line)
    assert "1.0, 2.0" in str(line)


async def test_a_removal_is_bounded(alice: Caller, inside: InProcess) -> None:
    await alice.push_image(APP, "1.0")
    for tags in ([], [Tag(f"t{number}") for number in range(MAX_TAGS + 1)]):
        with pytest.raises(InputInvalid):
            await inside.app.removals.preview(APP, tags)
        with pytest.raises(InputInvalid):
            await inside.app.removals.remove(APP, tags, await inside.actor("alice"), images=True)


async def test_a_tag_goes_back_to_what_is_still_here(alice: Caller, inside: InProcess) -> None:
    one = await alice.push_image(APP, "latest", seed="one")
    await alice.push_image(APP, "latest", seed="two")
    author = await inside.actor("alice")
    await inside.app.tags.restore(APP, Tag("latest"), Digest(one.digest), author)
    moves = await inside.app.tags.history(await inside.app.repositories.get(APP), Tag("latest"))
    assert [move.after for move in moves][:1] == [one.digest]
    with pytest.raises(ManifestUnknown):
        await inside.app.tags.restore(APP, Tag("latest"), Digest.of(b"absent"), author)
