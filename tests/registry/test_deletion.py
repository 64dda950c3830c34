"""Deletion with a way back, and archives: gone at once, back as it was, gone for good in the end."""

import pytest

from havre.errors import Conflict, Denied, NameInvalid, NameUnknown
from havre.oci.names import Namespace, RepositoryName, Tag
from havre.registry.audit import ITSELF
from havre.registry.records import Viewer, Visibility
from tests.support import documents
from tests.support.inprocess import Caller, InProcess

pytestmark = pytest.mark.anyio

APP, WEB = RepositoryName("alice/app"), RepositoryName("alice/web")
ALICE = Namespace("alice")


@pytest.fixture
async def image(alice: Caller) -> documents.Image:
    """What alice pushed to alice/app."""
    return await alice.push_image(APP, "latest")


async def test_gone_at_once_and_back_as_it_was(image: documents.Image, inside: InProcess, anyone: Caller):
    await inside.app.repositories.describe(APP, description="mine", readme="# App")
    before = await inside.app.repositories.get(APP)
    identity = await inside.app.deletion.delete(APP, by=await inside.actor("alice"))
    assert (await anyone.get(f"/v2/{APP}/manifests/latest")).status == 401
    assert (await inside.app.search.find(Viewer(is_admin=True))).total == 0
    assert await inside.app.repositories.names(Viewer(is_admin=True), "", 10) == []
    (one,) = await inside.app.deletion.deleted(ALICE)
    assert (one.id, one.name, inside.app.deletion.until(one)) == (identity, APP, inside.clock.now + 7 * 86_400_000)
    assert await inside.app.deletion.restore(identity) == APP
    assert await inside.app.repositories.get(APP) == before
    assert await inside.app.repositories.readme(before) == "# App"
    assert (await anyone.get(f"/v2/{APP}/manifests/latest")).body == image.content
    with pytest.raises(NameUnknown):
        await inside.app.deletion.restore(identity)


async def test_removed_for_good_in_the_end(image: documents.Image, inside: InProcess):
    identity = await inside.app.deletion.delete(APP)
    inside.clock.forward(hours=7 * 24 - 1)
    assert await inside.app.deletion.sweep() == 0
    inside.clock.forward(hours=2)
    assert await inside.app.deletion.sweep() == 1
    assert await inside.app.deletion.sweep() == 0
    with pytest.raises(NameUnknown):
        await inside.app.deletion.restore(identity)


async def test_its_name_is_free_and_it_can_not_come_back_meanwhile(
    image: documents.Image, inside: InProcess, alice: Caller
):
    identity = await inside.app.deletion.delete(APP)
    await alice.push_image(APP, "new", seed="another")
    with pytest.raises(Conflict, match="there is a repository of that name again"):
        await inside.app.deletion.restore(identity)
    await inside.app.renames.rename(APP, "web")
    # The former name gives way to what was called so all the time.
    assert await inside.app.deletion.restore(identity) == APP
    assert await inside.app.renames.leads(APP) is None


async def test_nothing_private_comes_back_public_by_a_push(image: documents.Image, inside: InProcess, alice: Caller):
    await inside.app.repositories.set_visibility(APP, Visibility.PRIVATE)
    await inside.app.deletion.delete(APP)
    await alice.push_image(APP, "new", seed="another")
    assert (await inside.app.repositories.get(APP)).private


async def test_former_names_rest_while_it_is_deleted(image: documents.Image, inside: InProcess, anyone: Caller):
    await inside.app.renames.rename(APP, "web")
    identity = await inside.app.deletion.delete(WEB)
    assert (await anyone.get(f"/v2/{APP}/manifests/latest")).status == 401
    await inside.app.deletion.restore(identity)
    assert (await anyone.get(f"/v2/{APP}/manifests/latest")).status == 200


async def test_an_offer_ends_with_it(image: documents.Image, inside: InProcess):
    offer = await inside.app.renames.offer(APP, "bobby", by=await inside.actor("alice"))
    await inside.app.deletion.restore(await inside.app.deletion.delete(APP))
    with pytest.raises(NameUnknown):
        await inside.app.renames.accept(offer.repository.id, by=await inside.actor("bobby"))


# ---------------------------------------------------------------- archives


async def test_an_archived_one_is_read_and_not_changed(
    image: documents.Image, inside: InProcess, alice: Caller, anyone: Caller
):
    location = await alice.start_upload(APP)
    await inside.app.repositories.archive(APP, archived=True)
    digest = documents.digest_of(b"x")
    for reply in (
        await alice("POST", f"/v2/{APP}/blobs/uploads/"),
        await alice("PUT", f"{location}?digest={digest}", (), b"x"),
        await alice.push_manifest(APP, "latest", image.content),
        await alice.delete(f"/v2/{APP}/manifests/latest"),
        await alice.delete(f"/v2/{APP}/manifests/{image.digest}"),
        await alice.delete(f"/v2/{APP}/blobs/{image.layers[0]}"),
    ):
        assert (reply.status, reply.code) == (403, "DENIED")
        assert "alice/app is archived" in reply.message
    with pytest.raises(Denied):
        await inside.app.tags.delete(APP, Tag("latest"), ITSELF)
    assert (await anyone.get(f"/v2/{APP}/manifests/latest")).status == 200
    await inside.app.repositories.archive(APP, archived=False)
    await alice.push_image(APP, "again", seed="another")


async def test_who_pushed_last_is_known(image: documents.Image, inside: InProcess):
    assert (await inside.app.repositories.get(APP)).pushed_by == (await inside.actor("alice")).user_id


# ---------------------------------------------------------------- names that addresses need


@pytest.mark.parametrize("name", ["alice/x/tags", "alice/x/tags/y", "alice/x/y/collaborators"])
async def test_names_that_would_hide_behind_a_page(inside: InProcess, name: str):
    caller = await inside.caller("alice", name)
    reply = await caller("POST", f"/v2/{name}/blobs/uploads/")
    assert (reply.status, reply.code) == (400, "NAME_INVALID")
    assert "is an address of its own there" in reply.message
    with pytest.raises(NameInvalid):
        await inside.app.repositories.create(RepositoryName(name), Visibility.PUBLIC)


async def test_as_the_first_part_such_a_word_is_fine(inside: InProcess):
    await (await inside.caller("alice", "alice/tags")).push_image("alice/tags", "latest")
