"""Mounts: a blob that another repository has is linked, not sent again, for those who may pull it there."""

import pytest

from havre.access.actors import Action, Grant
from havre.access.scopes import Access
from havre.oci.names import RepositoryName
from havre.registry.records import Visibility
from tests.support.documents import digest_of
from tests.support.inprocess import Caller, InProcess

pytestmark = pytest.mark.anyio

CONTENT = b"a layer that many images share"
DIGEST = digest_of(CONTENT)
OTHER = "/v2/alice/other/blobs/uploads/"
BOBBY = "/v2/bobby/app/blobs/uploads/"


async def hide(inside: InProcess, name: str) -> None:
    await inside.app.repositories.set_visibility(RepositoryName(name), Visibility.PRIVATE)


@pytest.mark.spec("mount-201", "mount-blob", "mount-digest")
@pytest.mark.parametrize("origin", ["", "&origin=hub.example.org"])
async def test_from_a_repository_of_ones_own(alice: Caller, inside: InProcess, origin: str):
    await alice.push_blob("alice/app", CONTENT)
    reply = await alice("POST", f"{OTHER}?mount={DIGEST}&from=alice/app{origin}")
    assert (reply.status, reply["docker-content-digest"]) == (201, DIGEST)
    assert (await alice.get(reply["location"])).body == CONTENT
    assert inside.snapshot()["table uploads"] == []


@pytest.mark.spec("mount-from", "mount-cross")
async def test_without_from_the_blob_is_looked_for(alice: Caller):
    await alice.push_blob("alice/app", CONTENT)
    reply = await alice("POST", f"{OTHER}?mount={DIGEST}")
    assert reply.status == 201
    assert (await alice.get(reply["location"])).body == CONTENT


@pytest.mark.spec("mount-cross", "mount-from")
@pytest.mark.parametrize("query", [f"?mount={DIGEST}&from=alice/app", f"?mount={DIGEST}"])
async def test_from_a_public_repository_of_someone_else(alice: Caller, bobby: Caller, query: str):
    await alice.push_blob("alice/app", CONTENT)
    reply = await bobby("POST", BOBBY + query)
    assert reply.status == 201
    assert (await bobby.get(reply["location"])).body == CONTENT


@pytest.mark.spec("mount-202")
@pytest.mark.parametrize(
    "query",
    [
        f"?mount={DIGEST}&from=alice/app",
        f"?mount={DIGEST}",
        f"?mount={digest_of(b'nobody has it')}&from=bobby/app",
        f"?mount={DIGEST}&from=nobody/here",
        f"?mount={DIGEST}&from=NOT%20A%20NAME",
    ],
)
async def test_what_may_not_or_can_not_be_mounted_is_202(alice: Caller, bobby: Caller, inside: InProcess, query: str):
    await alice.push_blob("alice/app", CONTENT)
    await hide(inside, "alice/app")
    reply = await bobby("POST", BOBBY + query)
    assert reply.status == 202
    assert (await bobby.head(f"/v2/bobby/app/blobs/{DIGEST}")).status == 404
    done = await bobby("PUT", f"{reply['location']}?digest={DIGEST}", (), CONTENT)
    assert done.status == 201


async def test_a_private_repository_of_ones_own_is_a_source(alice: Caller, inside: InProcess):
    await alice.push_blob("alice/app", CONTENT)
    await hide(inside, "alice/app")
    for query in (f"?mount={DIGEST}&from=alice/app", f"?mount={DIGEST}"):
        assert (await alice("POST", OTHER + query)).status == 201


async def test_a_private_repository_outside_the_token_is_no_source(alice: Caller, inside: InProcess):
    await alice.push_blob("alice/app", CONTENT)
    await hide(inside, "alice/app")
    narrow = await inside.caller("alice", "alice/other")
    assert (await narrow("POST", f"{OTHER}?mount={DIGEST}&from=alice/app")).status == 202


async def test_a_narrowed_access_token_finds_only_what_all_may_pull(alice: Caller, inside: InProcess):
    await alice.push_blob("alice/app", CONTENT)
    await hide(inside, "alice/app")
    owner = await inside.actor("alice")
    assert owner.user_id is not None
    grant = Grant("alice/other", frozenset({Action.PULL, Action.PUSH}))
    _, secret = await inside.app.access_tokens.create(owner.user_id, "for a robot", [grant])
    actor = await inside.app.credentials.check("alice", secret, "192.0.2.1")
    access = {RepositoryName("alice/other"): frozenset({Action.PULL, Action.PUSH})}
    robot = Caller(inside, inside.app.bearer.mint(actor, Access(access), inside.clock()))
    for query in (f"?mount={DIGEST}", f"?mount={DIGEST}&from=alice/app"):
        assert (await robot("POST", OTHER + query)).status == 202


@pytest.mark.spec("digest-400")
async def test_a_malformed_digest_is_400(alice: Caller, inside: InProcess):
    before = inside.snapshot()
    reply = await alice("POST", f"{OTHER}?mount=sha256:abc&from=alice/app")
    assert (reply.status, reply.code) == (400, "DIGEST_INVALID")
    assert inside.snapshot() == before


async def test_a_mounted_blob_outlives_its_source(alice: Caller, inside: InProcess):
    await alice.push_blob("alice/app", CONTENT)
    assert (await alice("POST", f"{OTHER}?mount={DIGEST}&from=alice/app")).status == 201
    assert (await alice.delete(f"/v2/alice/app/blobs/{DIGEST}")).status == 202
    assert (await alice.head(f"/v2/alice/app/blobs/{DIGEST}")).status == 404
    assert (await alice.get(f"/v2/alice/other/blobs/{DIGEST}")).body == CONTENT
