"""Repositories: made by a first push, seen by those who may, described, hidden, removed."""

import pytest

from havre.errors import InputInvalid, NameUnknown
from havre.oci.names import Namespace, RepositoryName
from havre.registry.records import Viewer, Visibility
from havre.registry.search import SearchOrder, SearchQuery
from tests.support.documents import image
from tests.support.inprocess import Caller, InProcess

pytestmark = pytest.mark.anyio

APP, OTHER = RepositoryName("alice/app"), RepositoryName("alice/other")


@pytest.fixture
async def pushed(alice: Caller) -> Caller:
    """Alice, who has pushed alice/app."""
    await alice.push_image(APP, "latest")
    return alice


async def viewer(inside: InProcess, name: str) -> Viewer:
    return (await inside.actor(name)).viewer


async def test_the_first_push_makes_it(pushed: Caller, inside: InProcess):
    repository = await inside.app.repositories.get(APP)
    assert (repository.name, repository.visibility, repository.pulls) == (APP, Visibility.PUBLIC, 0)
    assert repository.owner_id == (await inside.actor("alice")).user_id
    assert repository.created == inside.clock.now


@pytest.mark.parametrize("how", ["blob", "mount", "manifest"])
async def test_the_owners_choice_decides_who_sees_it_first(alice: Caller, inside: InProcess, how: str):
    digest = await alice.push_blob(APP, b"{}")
    owner = (await inside.actor("alice")).user_id
    assert owner is not None
    await inside.app.accounts.change_default_visibility(owner, Visibility.PRIVATE)
    if how == "blob":
        await alice.push_blob(OTHER, b"{}")
    elif how == "mount":
        await alice("POST", f"/v2/{OTHER}/blobs/uploads/?mount={digest}&from={APP}")
    else:
        await alice.push_manifest(OTHER, "latest", b"{}", "application/vnd.example+json")
    assert (await inside.app.repositories.get(OTHER)).private
    assert not (await inside.app.repositories.get(APP)).private


async def test_an_upload_that_was_only_begun_makes_none(alice: Caller, inside: InProcess):
    await alice.start_upload(APP)
    with pytest.raises(NameUnknown, match="alice/app does not exist"):
        await inside.app.repositories.get(APP)


async def test_each_push_moves_the_time_of_the_last(pushed: Caller, inside: InProcess):
    before = (await inside.app.repositories.get(APP)).updated
    inside.clock.forward(seconds=10)
    await pushed.push_image(APP, "again", seed="another")
    after = await inside.app.repositories.get(APP)
    assert (after.updated, after.created) == (before + 10_000, before)


async def test_hidden_from_the_next_request_on(pushed: Caller, inside: InProcess, anyone: Caller):
    target = f"/v2/{APP}/manifests/latest"
    assert (await anyone.get(target)).status == 200
    await inside.app.repositories.set_visibility(APP, Visibility.PRIVATE)
    assert (await anyone.get(target)).status == 401
    assert (await inside.app.search.find(Viewer())).total == 0
    assert (await inside.app.search.find(await viewer(inside, "bobby"))).total == 0
    assert (await inside.app.search.find(await viewer(inside, "alice"))).total == 1
    assert (await inside.app.search.find(await viewer(inside, "carol"))).total == 1
    await inside.app.repositories.set_visibility(APP, Visibility.PUBLIC)
    assert (await anyone.get(target)).status == 200


async def test_texts(pushed: Caller, inside: InProcess):
    await inside.app.repositories.describe(APP, description="d" * 100, readme="r" * 100_000)
    await inside.app.repositories.describe(APP, description="short")
    repository = await inside.app.repositories.get(APP)
    assert repository.description == "short"
    assert len(await inside.app.repositories.readme(repository)) == 100_000


@pytest.mark.parametrize(
    ("texts", "field"),
    [
        ({"description": "d" * 101}, "description"),
        ({"readme": "r" * 100_001}, "readme"),
        ({"description": "a\0b"}, "description"),
        ({"readme": "a\0b"}, "readme"),
    ],
)
async def test_texts_that_are_refused(pushed: Caller, inside: InProcess, texts: dict[str, str], field: str):
    before = inside.snapshot()
    with pytest.raises(InputInvalid) as refusal:
        await inside.app.repositories.describe(APP, **texts)
    assert refusal.value.field == field
    assert inside.snapshot() == before


async def test_search_by_namespace_and_pages(inside: InProcess):
    alice, bobby = (
        await inside.caller("alice", *(f"alice/r{n}" for n in range(5))),
        await inside.caller("bobby", "bobby/r"),
    )
    for number in range(5):
        await alice.push_blob(f"alice/r{number}", b"x")
        inside.clock.forward(seconds=1)
    await bobby.push_blob("bobby/r", b"x")
    search = inside.app.search.find
    own = await search(Viewer(), SearchQuery(namespace=Namespace("alice")), 2, 2)
    assert ([str(one.name) for one in own.items], own.total, own.number, own.last) == (
        ["alice/r2", "alice/r1"],
        5,
        2,
        3,
    )
    newest = await search(Viewer(), SearchQuery("r", order=SearchOrder.RECENT))
    assert [str(one.name) for one in newest.items][:3] == ["bobby/r", "alice/r4", "alice/r3"]
    assert (await search(Viewer(), SearchQuery("r"), 99)).items == []
    assert (await search(Viewer(), SearchQuery("ALICE/R1\0 "))).total == 1


async def test_removed_with_everything_in_it(pushed: Caller, inside: InProcess):
    location = await pushed.start_upload(APP)
    await inside.app.deletion.delete(APP)
    for target in ("manifests/latest", "tags/list", f"blobs/{image(APP).layers[0]}"):
        assert (await pushed.get(f"/v2/{APP}/{target}")).code == "NAME_UNKNOWN"
    with pytest.raises(NameUnknown):
        await inside.app.deletion.delete(APP)
    # An upload under way then is a first push again.
    assert (await pushed("PATCH", location, (), b"late")).status == 202
