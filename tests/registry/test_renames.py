"""Renaming and giving away: former names go on being pulled, pushes are told where to go, nothing private shows."""

from collections.abc import Callable

import pytest

from havre.access.actors import ANONYMOUS
from havre.access.permissions import stand
from havre.errors import Conflict, InputInvalid, NameUnknown
from havre.metadata import Rows
from havre.oci.names import Namespace, RepositoryName
from havre.registry.naming import follow
from havre.registry.records import Role, Visibility
from havre.registry.renames import MAX_FORMER
from tests.support import documents
from tests.support.inprocess import Caller, InProcess

pytestmark = pytest.mark.anyio

APP, WEB, GIVEN = RepositoryName("alice/app"), RepositoryName("alice/web"), RepositoryName("bobby/app")


@pytest.fixture
async def renamed(alice: Caller, inside: InProcess) -> documents.Image:
    """What alice pushed to alice/app, which is called alice/web now."""
    image = await alice.push_image(APP, "latest")
    await inside.app.renames.rename(APP, "web", by=await inside.actor("alice"))
    return image


async def reaches(caller: Caller, name: str, image: documents.Image) -> list[int]:
    """What pulling each part by this name gets."""
    targets = ("manifests/latest", f"manifests/{image.digest}", "tags/list", f"blobs/{image.layers[0]}")
    return [(await caller.get(f"/v2/{name}/{target}")).status for target in targets]


async def test_everything_is_pulled_by_both_names(renamed: documents.Image, anyone: Caller, inside: InProcess):
    for name in (APP, WEB):
        assert await reaches(anyone, name, renamed) == [200] * 4
        alice = await inside.caller("alice", name)
        assert await reaches(alice, name, renamed) == [200] * 4
    assert (await anyone.get(f"/v2/{APP}/tags/list")).json()["tags"] == ["latest"]
    assert await inside.app.repositories.names((await inside.actor("bobby")).viewer, "", 10) == [WEB]


async def test_a_private_one_only_by_those_who_may_see_it(renamed: documents.Image, inside: InProcess, anyone: Caller):
    await inside.app.repositories.set_visibility(WEB, Visibility.PRIVATE)
    assert await reaches(anyone, APP, renamed) == [401] * 4
    assert await reaches(await inside.caller("bobby", APP), APP, renamed) == [404] * 4
    assert await reaches(await inside.caller("alice", APP), APP, renamed) == [200] * 4
    await inside.app.collaborators.put(WEB, "bobby", Role.READ)
    assert await reaches(await inside.caller("bobby", APP), APP, renamed) == [200] * 4


async def test_a_push_by_the_former_name_is_told_the_new_one(renamed: documents.Image, inside: InProcess):
    alice = await inside.caller("alice", APP)
    for reply in (
        await alice("POST", f"/v2/{APP}/blobs/uploads/"),
        await alice.push_manifest(APP, "latest", renamed.content),
        await alice("POST", f"/v2/{APP}/blobs/uploads/?mount={renamed.layers[0]}&from={WEB}"),
        await alice.delete(f"/v2/{APP}/manifests/latest"),
        await alice.delete(f"/v2/{APP}/blobs/{renamed.layers[0]}"),
    ):
        assert (reply.status, reply.code) == (403, "DENIED")
        assert "alice/app is now called alice/web" in reply.message
    bobby = await inside.caller("bobby", APP)
    refused = await bobby("POST", f"/v2/{APP}/blobs/uploads/")
    assert (refused.status, "alice/web" in refused.message) == (403, False)


async def test_who_may_push_to_it_is_told_as_well(renamed: documents.Image, inside: InProcess):
    await inside.app.collaborators.put(WEB, "bobby", Role.WRITE)
    bobby = await inside.caller("bobby", APP)
    assert "is now called alice/web" in (await bobby("POST", f"/v2/{APP}/blobs/uploads/")).message


async def test_a_mount_may_come_from_a_former_name(renamed: documents.Image, inside: InProcess):
    bobby = await inside.caller("bobby", GIVEN, APP)
    reply = await bobby("POST", f"/v2/{GIVEN}/blobs/uploads/?mount={renamed.layers[0]}&from={APP}")
    assert reply.status == 201


async def test_an_upload_under_way_still_arrives(alice: Caller, inside: InProcess):
    image = await alice.push_image(APP, "latest")
    content = b"bytes on their way"
    location = await alice.start_upload(APP)
    assert (await alice("PATCH", location, (), content)).status == 202
    inside.clock.forward(seconds=1)
    await inside.app.renames.rename(APP, "web")
    digest = documents.digest_of(content)
    reply = await alice("PUT", f"{location}?digest={digest}")
    assert reply.status == 201
    assert (await alice.get(f"/v2/{APP}/blobs/{digest}")).body == content
    with pytest.raises(NameUnknown):
        await inside.app.repositories.get(APP)
    # The manifest that follows is refused, so nothing begins under the old name.
    assert (await alice.push_manifest(APP, "latest", image.content)).status == 403
    inside.clock.forward(seconds=1)
    assert (await alice("POST", f"/v2/{APP}/blobs/uploads/")).status == 403


async def test_a_freed_name_begins_anew(renamed: documents.Image, inside: InProcess, anyone: Caller):
    await inside.app.renames.free(APP)
    assert await reaches(anyone, APP, renamed) == [401] * 4
    alice = await inside.caller("alice", APP)
    await alice.push_image(APP, "new", seed="another")
    assert (await anyone.get(f"/v2/{APP}/tags/list")).json()["tags"] == ["new"]
    assert (await anyone.get(f"/v2/{WEB}/tags/list")).json()["tags"] == ["latest"]
    with pytest.raises(NameUnknown):
        await inside.app.renames.free(APP)


async def test_a_repository_made_at_a_former_name_takes_it_over(renamed: documents.Image, inside: InProcess):
    await inside.app.repositories.create(APP, Visibility.PUBLIC)
    assert await inside.app.renames.leads(APP) is None
    assert (await inside.app.repositories.get(APP)).name == APP


async def test_there_and_back(renamed: documents.Image, inside: InProcess, anyone: Caller):
    await inside.app.renames.rename(WEB, "app")
    assert await inside.app.renames.leads(APP) is None
    for name in (APP, WEB):
        assert await reaches(anyone, name, renamed) == [200] * 4
    assert await inside.app.renames.rename(APP, "app") == APP


@pytest.mark.parametrize("leaf", ["", "Upper", "a//b", "../x", "x" * 250, "web/tags", "a/collaborators/b", "alice/web"])
async def test_names_that_can_not_be(alice: Caller, inside: InProcess, leaf: str):
    await alice.push_image(APP, "latest")
    with pytest.raises(InputInvalid) as refusal:
        await inside.app.renames.rename(APP, leaf)
    assert refusal.value.field == "name"


async def test_a_name_that_is_taken(renamed: documents.Image, alice: Caller, inside: InProcess):
    await inside.app.renames.free(APP)
    await alice.push_image(APP, "latest")
    with pytest.raises(Conflict, match="there is a repository alice/app already"):
        await inside.app.renames.rename(WEB, "app")


async def test_former_names_are_bounded(renamed: documents.Image, inside: InProcess):
    name = WEB
    for number in range(MAX_FORMER - 1):
        name = await inside.app.renames.rename(name, f"app{number}")
    with pytest.raises(Conflict, match="free some of them"):
        await inside.app.renames.rename(name, "more")


# ---------------------------------------------------------------- other owners


async def test_an_offer_changes_nothing_until_it_is_accepted(alice: Caller, inside: InProcess, anyone: Caller):
    image = await alice.push_image(APP, "latest")
    giver, taker, carol = [await inside.actor(name) for name in ("alice", "bobby", "carol")]
    offer = await inside.app.renames.offer(APP, "bobby", by=giver)
    assert (offer.from_name, offer.to_name) == ("alice", "bobby")
    assert [one.repository.name for one in await inside.app.renames.offers(taker.user_id or 0)] == [APP]
    for nobody in (giver, carol):
        with pytest.raises(NameUnknown):
            await inside.app.renames.accept(offer.repository.id, by=nobody)
    assert (await inside.app.repositories.get(APP)).owner_id == giver.user_id
    assert await inside.app.renames.accept(offer.repository.id, by=taker) == GIVEN
    assert (await inside.app.repositories.get(GIVEN)).owner_id == taker.user_id
    for name in (APP, GIVEN):
        assert await reaches(anyone, name, image) == [200] * 4
    with pytest.raises(NameUnknown):
        await inside.app.renames.accept(offer.repository.id, by=taker)


async def test_an_offer_is_declined_or_withdrawn(alice: Caller, inside: InProcess):
    await alice.push_image(APP, "latest")
    giver, taker = await inside.actor("alice"), await inside.actor("bobby")
    repository = await inside.app.repositories.get(APP)
    await inside.app.renames.offer(APP, "bobby", by=giver)
    await inside.app.renames.decline(repository.id, by=taker)
    assert await inside.app.renames.offered(repository) is None
    await inside.app.renames.offer(APP, "bobby", by=giver)
    await inside.app.renames.withdraw(APP)
    with pytest.raises(NameUnknown):
        await inside.app.renames.decline(repository.id, by=taker)


async def test_who_gave_it_away_sees_it_no_more(alice: Caller, inside: InProcess):
    image = await alice.push_image(APP, "latest")
    await inside.app.repositories.set_visibility(APP, Visibility.PRIVATE)
    await inside.app.renames.give(APP, "bobby")
    alice = await inside.caller("alice", APP)
    assert await reaches(alice, APP, image) == [404] * 4
    refused = await alice("POST", f"/v2/{APP}/blobs/uploads/")
    assert (refused.status, "bobby" in refused.message) == (403, False)
    assert "free alice/app on your Repositories page" in refused.message
    assert await reaches(await inside.caller("bobby", APP), APP, image) == [200] * 4
    assert [one.path for one in await inside.app.renames.former_within(Namespace("alice"))] == [APP]


@pytest.mark.parametrize("to", ["nobody", "alice", "library", "", "Not A Name"])
async def test_nobody_to_give_it_to(alice: Caller, inside: InProcess, to: str):
    await alice.push_image(APP, "latest")
    with pytest.raises(InputInvalid) as refusal:
        await inside.app.renames.give(APP, to)
    assert refusal.value.field == "to"


async def test_the_other_one_has_that_name_already(alice: Caller, inside: InProcess):
    await alice.push_image(APP, "latest")
    await (await inside.caller("bobby", GIVEN)).push_image(GIVEN, "latest")
    with pytest.raises(Conflict, match="there is a repository bobby/app already"):
        await inside.app.renames.give(APP, "bobby")


async def test_what_has_its_name_costs_one_statement(alice: Caller, inside: InProcess):
    """Former names are looked for only when nothing has the name."""
    await alice.push_image(APP, "latest")

    def traced(rows: Rows, work: Callable[[Rows], object]) -> list[str]:
        seen: list[str] = []
        raw = rows.connection.connection.driver_connection
        assert raw is not None
        raw.set_trace_callback(seen.append)
        try:
            work(rows)
        finally:
            raw.set_trace_callback(None)
        return [one for one in seen if one.startswith("SELECT")]

    for work in (lambda rows: follow(rows, APP), lambda rows: stand(rows, ANONYMOUS, APP)):
        statements = await inside.app.database.read(lambda rows, work=work: traced(rows, work))
        assert len(statements) == 1
        assert "redirects" not in statements[0]
