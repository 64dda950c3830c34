"""Plans as pushes meet them: refused before bytes are sent, in a sentence, with nothing left behind."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from havre.errors import OverPlan
from havre.oci.names import Namespace, RepositoryName
from havre.registry.quota_ports import Limits
from havre.registry.quotas import check_collaborators, check_size
from havre.registry.records import Visibility
from tests.support.documents import digest_of
from tests.support.inprocess import OCTETS, Caller, InProcess, prepare

pytestmark = pytest.mark.anyio

MB = 10**6


@pytest.fixture(scope="session", autouse=True)
def people() -> None:
    """Accounts are made once, before any loop runs."""
    prepare()


@pytest.fixture
async def havre(tmp_path: Path) -> AsyncIterator[InProcess]:
    async with InProcess(tmp_path) as running:
        yield running


@pytest.fixture
async def alice(havre: InProcess) -> Caller:
    """Alice, who may push to three repositories of hers."""
    return await havre.caller("alice", "alice/one", "alice/two", "alice/three")


async def limit(havre: InProcess, **limits: int | None) -> None:
    """What the default plan allows."""
    await havre.app.plans.change(await havre.actor("carol"), "free", "Free", Limits(**limits))


async def keep_private(havre: InProcess, name: str = "alice") -> None:
    user = await havre.app.accounts.by_name(name)
    assert user is not None
    await havre.app.accounts.change_default_visibility(user.id, Visibility.PRIVATE)


async def stored(havre: InProcess, name: str = "alice") -> int:
    return (await havre.app.plans.usage(Namespace(name))).quota.stored


async def test_one_private_repository_more_is_refused_before_a_byte(havre: InProcess, alice: Caller) -> None:
    await keep_private(havre)
    await alice.push_image("alice/one", "latest")
    before = havre.snapshot()
    reply = await alice("POST", "/v2/alice/two/blobs/uploads/")
    assert (reply.status, reply.code) == (403, "DENIED")
    assert reply.message == (
        "alice has 1 of the 1 private repositories that the plan 'Free' allows; make one of them public or delete it,"
        " or ask an administrator for a larger plan; see http://hub.example.org:5000/settings/usage"
    )
    assert havre.snapshot() == before
    await alice.push_image("alice/one", "next", seed="another")


async def test_what_is_restored_must_fit_as_well(havre: InProcess, alice: Caller) -> None:
    await alice.push_blob("alice/one", b"a" * MB)
    await limit(havre, storage=3 * MB // 2)
    deleted = await havre.app.deletion.delete(RepositoryName("alice/one"))
    assert await stored(havre) == 0
    await alice.push_blob("alice/two", b"b" * MB)
    with pytest.raises(OverPlan, match=r"stores 1 MB of the 1\.5 MB .* this content has 1 MB"):
        await havre.app.deletion.restore(deleted)
    assert await stored(havre) == MB
    await havre.app.deletion.delete(RepositoryName("alice/two"))
    await havre.app.deletion.restore(deleted)
    assert await stored(havre) == MB


async def test_neither_a_mount_nor_a_manifest_alone_makes_one(havre: InProcess, alice: Caller) -> None:
    await keep_private(havre)
    image = await alice.push_image("alice/one", "latest")
    digest = digest_of(image.blobs[0])
    reply = await alice("POST", f"/v2/alice/two/blobs/uploads/?mount={digest}&from=alice/one")
    assert reply.status == 403
    index = b'{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]}'
    reply = await alice.push_manifest("alice/two", "latest", index, "application/vnd.oci.image.index.v1+json")
    assert reply.status == 403


async def test_making_room_lets_the_push_through(havre: InProcess, alice: Caller) -> None:
    await keep_private(havre)
    await alice.push_image("alice/one", "latest")
    await havre.app.repositories.set_visibility(RepositoryName("alice/one"), Visibility.PUBLIC)
    await alice.push_image("alice/two", "latest")
    with pytest.raises(OverPlan, match="1 of the 1 private"):
        await havre.app.repositories.set_visibility(RepositoryName("alice/one"), Visibility.PRIVATE)
    with pytest.raises(OverPlan):
        await havre.app.repositories.create(RepositoryName("alice/three"), Visibility.PRIVATE)
    await havre.app.repositories.create(RepositoryName("alice/three"), Visibility.PUBLIC)


async def test_public_repositories_have_no_limit(alice: Caller) -> None:
    for name in ("alice/one", "alice/two", "alice/three"):
        await alice.push_image(name, "latest")


async def test_nothing_limits_administrators_and_official_images(havre: InProcess) -> None:
    await limit(havre, private_repositories=0, storage=0)
    await keep_private(havre, "carol")
    carol = await havre.caller("carol", "carol/one", "python", "alice/one")
    await carol.push_image("carol/one", "latest")
    await carol.push_image("python", "latest")
    # What counts is whose repository it is, not who pushes.
    assert (await carol("POST", "/v2/alice/one/blobs/uploads/")).status == 403


async def test_an_announced_size_is_refused_before_a_byte(havre: InProcess, alice: Caller) -> None:
    await limit(havre, storage=MB)
    await alice.push_blob("alice/one", b"a" * 400_000)
    before = havre.snapshot()
    content = b"b" * 700_000
    target = f"/v2/alice/one/blobs/uploads/?digest={digest_of(content)}"
    reply = await alice("POST", target, [OCTETS], content)
    assert (reply.status, reply.code) == (403, "DENIED")
    assert "alice stores 400 kB of the 1 MB that the plan 'Free' allows, and this content has 700 kB;" in reply.message
    assert havre.snapshot() == before


@pytest.mark.parametrize("announced", [True, False], ids=["announced", "streamed"])
async def test_a_chunk_that_does_not_fit_ends_the_upload(havre: InProcess, alice: Caller, announced: bool) -> None:
    await limit(havre, storage=MB)
    before = havre.snapshot()
    location = await alice.start_upload("alice/one")
    content = b"c" * (MB + 1)
    reply = await alice("PATCH", location, [OCTETS], content if announced else [content[:500_000], content[500_000:]])
    assert (reply.status, reply.code) == (403, "DENIED")
    assert "alice/one can take 1 MB more within the plan of alice" in reply.message
    assert (await alice.get(location)).status == 404
    assert havre.snapshot() == before


async def test_a_closing_request_that_does_not_fit_leaves_nothing(havre: InProcess, alice: Caller) -> None:
    await limit(havre, storage=MB)
    first, second = await alice.start_upload("alice/one"), await alice.start_upload("alice/one")
    for location, byte in ((first, b"d"), (second, b"e")):
        assert (await alice("PATCH", location, [OCTETS], byte * 600_000)).status == 202
    assert (await alice("PUT", f"{first}?digest={digest_of(b'd' * 600_000)}")).status == 201
    files = havre.files("blobs")
    reply = await alice("PUT", f"{second}?digest={digest_of(b'e' * 600_000)}")
    assert (reply.status, reply.code) == (403, "DENIED")
    assert havre.files("blobs") == files
    assert havre.files("uploads") == []
    assert await stored(havre) == 600_000


async def test_what_the_namespace_has_already_costs_nothing(havre: InProcess, alice: Caller) -> None:
    await limit(havre, storage=MB)
    content = b"f" * 900_000
    digest = await alice.push_blob("alice/one", content)
    reply = await alice("POST", f"/v2/alice/two/blobs/uploads/?mount={digest}&from=alice/one")
    assert reply.status == 201
    assert await stored(havre) == 900_000
    started = await alice.start_upload("alice/three")
    assert (await alice("PATCH", started, [OCTETS], content[:90_000])).status == 202
    assert (await alice("DELETE", started)).status == 204


async def test_full_is_said_at_once_and_deleting_helps(havre: InProcess, alice: Caller) -> None:
    await limit(havre, storage=MB)
    digest = await alice.push_blob("alice/one", b"g" * MB)
    reply = await alice("POST", "/v2/alice/one/blobs/uploads/")
    assert reply.status == 403
    assert "alice stores 1 MB of the 1 MB that the plan 'Free' allows; delete what is no longer needed" in reply.message
    assert (await alice.get(f"/v2/alice/one/blobs/{digest}")).status == 200
    assert (await alice.delete(f"/v2/alice/one/blobs/{digest}")).status == 202
    assert (await alice("POST", "/v2/alice/one/blobs/uploads/")).status == 202


async def test_a_smaller_plan_takes_nothing_away(havre: InProcess, alice: Caller) -> None:
    image = await alice.push_image("alice/one", "latest")
    await keep_private(havre)
    await alice.push_image("alice/two", "latest")
    await limit(havre, private_repositories=0, storage=0)
    assert (await alice.get("/v2/alice/two/manifests/latest")).status == 200
    assert (await alice("POST", "/v2/alice/two/blobs/uploads/")).status == 403
    # A tag for what is there already brings no bytes.
    assert (await alice.push_manifest("alice/one", "again", image.content)).status == 201


async def test_figures_are_folded_and_stay_the_same(havre: InProcess, alice: Caller) -> None:
    await alice.push_image("alice/one", "latest")
    size = await stored(havre)
    assert size > 0
    assert await havre.app.plans.fold() > 0
    assert await havre.app.plans.fold() == 0
    assert await stored(havre) == size
    (one,) = (await havre.app.plans.usage(Namespace("alice"))).largest
    assert one.storage == size


async def test_what_comes_in_must_fit(havre: InProcess, alice: Caller) -> None:
    await alice.push_blob("alice/one", b"h" * MB)
    await alice.push_blob("alice/two", b"i")
    await limit(havre, private_repositories=0, storage=MB - 1)
    with pytest.raises(OverPlan, match=r"bobby stores 0 bytes of the 1 MB .* and this content has 1 MB"):
        await havre.app.renames.give(RepositoryName("alice/one"), "bobby")
    assert await havre.app.renames.give(RepositoryName("alice/two"), "bobby") == "bobby/two"
    assert (await stored(havre), await stored(havre, "bobby")) == (MB, 1)
    assert await havre.app.renames.give(RepositoryName("alice/one"), "carol") == "carol/one"
    assert await stored(havre) == 0


async def test_who_comes_in_is_counted_in_private_repositories_alone(havre: InProcess) -> None:
    await limit(havre, private_repositories=1, storage=MB, collaborators=2)
    alice = Namespace("alice")

    def work(rows: object) -> None:
        quotas = rows.quotas  # type: ignore[attr-defined]
        check_collaborators(quotas, alice, Visibility.PRIVATE, 1)
        check_collaborators(quotas, alice, Visibility.PUBLIC, 99)
        with pytest.raises(OverPlan, match="has 2 collaborators, the plan 'Free' of alice allows 2"):
            check_collaborators(quotas, alice, Visibility.PRIVATE, 2)

    await havre.app.database.read(work)


@pytest.mark.parametrize(
    ("size", "shown"), [(5, "5 bytes"), (1234, "1.23 kB"), (999_999, "1 MB"), (10**10, "10 GB"), (10**18, "1000 PB")]
)
def test_sizes_are_said_as_people_say_them(size: int, shown: str) -> None:
    with pytest.raises(OverPlan, match=f"this content has {shown} at least"):
        check_size(RepositoryName("alice/one"), 0, size)
