"""Bad luck: clients that leave, a full disk, clocks that differ, and two who want the same at the same time."""

import asyncio
import resource
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from havre.access.actors import Action, Grant
from tests.support import documents
from tests.support.documents import digest_of
from tests.support.inprocess import Caller, InProcess, basic

pytestmark = pytest.mark.anyio

REPO = "alice/app"
CONTENT = bytes(range(256)) * 20_000


@contextmanager
def disk_that_ends_after(size: int) -> Iterator[None]:
    """Let no file of this process grow beyond ``size`` bytes, which the system reports much as it does a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


async def test_a_full_disk_refuses_with_507_keeps_what_it_had_and_still_reads(alice: Caller, inside: InProcess):
    image = await alice.push_image(REPO, "latest")
    location = await alice.start_upload(REPO)
    assert (await alice("PATCH", location, {"content-range": "0-999"}, CONTENT[:1000])).status == 202
    before = inside.snapshot()
    with disk_that_ends_after(3_000_000):
        for reply in (
            await alice("PATCH", location, (), [CONTENT[1000:2000], CONTENT[2000:]]),
            await alice("PUT", f"{location}?digest={digest_of(CONTENT)}", (), CONTENT[1000:]),
            await alice("POST", f"/v2/{REPO}/blobs/uploads/?digest={digest_of(CONTENT)}", (), CONTENT),
        ):
            assert (reply.status, reply.code) == (507, "DENIED")
            assert "full" in reply.message
        assert (await alice.get(f"/v2/{REPO}/manifests/latest")).body == image.content
        assert (await alice.get(f"/v2/{REPO}/blobs/{image.layers[0]}")).status == 200
    assert inside.snapshot() == before
    # With room again, the upload goes on where it was.
    assert (await alice.get(location))["range"] == "0-999"
    assert (await alice("PUT", f"{location}?digest={digest_of(CONTENT)}", (), CONTENT[1000:])).status == 201
    assert (await alice.get(f"/v2/{REPO}/blobs/{digest_of(CONTENT)}")).body == CONTENT


@pytest.mark.spec("cancel-expiry")
async def test_bytes_of_a_client_that_left_are_kept_until_the_upload_expires(alice: Caller, inside: InProcess):
    before = inside.snapshot()
    location = await alice.start_upload(REPO)
    await alice("PATCH", location, (), [CONTENT[:100_000]], leave=True)
    assert (await alice.get(location))["range"] == "0-99999"
    inside.clock.forward(hours=23)
    assert await inside.app.uploads.expire() == 0
    alice = await inside.caller("alice", REPO)
    assert (await alice("PATCH", location, {"content-range": "100000-100000"}, b"x")).status == 202
    inside.clock.forward(hours=23.9)
    assert await inside.app.uploads.expire() == 0
    inside.clock.forward(hours=0.2)
    assert await inside.app.uploads.expire() == 1
    assert inside.snapshot() == before
    alice = await inside.caller("alice", REPO)
    reply = await alice.get(location)
    assert (reply.status, reply.code) == (404, "BLOB_UPLOAD_UNKNOWN")


async def test_a_manifest_of_a_client_that_left_is_not_taken(alice: Caller, inside: InProcess):
    await alice.push_blob(REPO, b"{}")
    before = inside.snapshot()
    headers = {"content-type": documents.OCI_MANIFEST}
    reply = await alice("PUT", f"/v2/{REPO}/manifests/latest", headers, [documents.artifact()], leave=True)
    assert reply.status == 400
    assert inside.snapshot() == before


@pytest.mark.parametrize(("seconds", "status"), [(-61, 401), (-59, 200), (0, 200), (299, 200), (301, 401)])
async def test_clocks_of_two_servers_may_differ_by_a_minute(inside: InProcess, seconds: int, status: int):
    token = await inside.token("alice")
    inside.clock.forward(seconds=seconds)
    reply = await Caller(inside, token).get("/v2/")
    assert reply.status == status
    if seconds < 0 and status == 401:
        assert "from the future" in reply.message


async def test_an_access_token_expires_while_its_bearer_token_lives_five_minutes(inside: InProcess, anyone: Caller):
    owner = await inside.actor("alice")
    assert owner.user_id is not None
    grant, soon = Grant("alice/*", frozenset({Action.PULL})), inside.clock() + 60_000
    _, secret = await inside.app.access_tokens.create(owner.user_id, "short", [grant], soon)
    assert (await anyone.get("/auth/token", basic("alice", secret))).status == 200
    inside.clock.forward(seconds=60)
    reply = await anyone.get("/auth/token", basic("alice", secret))
    assert (reply.status, reply.code) == (401, "UNAUTHORIZED")


async def test_the_same_blob_from_many_at_once(alice: Caller, inside: InProcess):
    await asyncio.gather(*(alice.push_blob(name, CONTENT) for name in (REPO, "alice/other") * 4))
    assert len(inside.files("blobs")) == 1
    assert inside.files("uploads") == []
    for name in (REPO, "alice/other"):
        assert (await alice.get(f"/v2/{name}/blobs/{digest_of(CONTENT)}")).body == CONTENT


async def test_the_same_tag_from_many_at_once(alice: Caller):
    await alice.push_blob(REPO, b"{}")
    contents = [documents.artifact(annotations={"number": str(number)}) for number in range(8)]
    replies = await asyncio.gather(*(alice.push_manifest(REPO, "latest", content) for content in contents))
    assert {reply.status for reply in replies} == {201}
    assert (await alice.get(f"/v2/{REPO}/manifests/latest")).body in contents
    for content in contents:
        assert (await alice.get(f"/v2/{REPO}/manifests/{digest_of(content)}")).body == content


async def test_two_writers_of_one_upload_never_mix_their_bytes(alice: Caller):
    location = await alice.start_upload(REPO)
    first, second = b"a" * 3_000_000, b"b" * 3_000_000
    replies = await asyncio.gather(*(alice("PATCH", location, (), [content]) for content in (first, second)))
    statuses = sorted(reply.status for reply in replies)
    accepted = [content for content, reply in zip((first, second), replies, strict=True) if reply.status == 202]
    assert statuses in ([202, 202], [202, 409])
    orders = [b"".join(accepted), b"".join(reversed(accepted))]
    done = [
        (await alice("PUT", f"{location}?digest={digest_of(content)}")).status for content in orders[: len(accepted)]
    ]
    assert 201 in done


async def test_two_who_close_one_upload(alice: Caller, inside: InProcess):
    location = await alice.start_upload(REPO)
    assert (await alice("PATCH", location, (), CONTENT)).status == 202
    target = f"{location}?digest={digest_of(CONTENT)}"
    replies = await asyncio.gather(*(alice("PUT", target) for _ in range(4)))
    assert {reply.status for reply in replies} <= {201, 404, 409}
    assert 201 in {reply.status for reply in replies}
    assert (await alice.get(f"/v2/{REPO}/blobs/{digest_of(CONTENT)}")).body == CONTENT
    assert inside.snapshot()["table uploads"] == []
    assert inside.files("uploads") == []


async def test_cancel_while_bytes_arrive(alice: Caller, inside: InProcess):
    location = await alice.start_upload(REPO)
    before = inside.files("blobs")
    replies = await asyncio.gather(
        alice("PATCH", location, (), [CONTENT[start : start + 500_000] for start in range(0, len(CONTENT), 500_000)]),
        alice.delete(location),
    )
    assert replies[1].status == 204
    assert replies[0].status in {202, 404, 409}
    assert (await alice.get(location)).status == 404
    assert inside.files("blobs") == before


async def test_delete_and_push_of_one_manifest_at_once(alice: Caller):
    await alice.push_blob(REPO, b"{}")
    content = documents.artifact()
    target = f"/v2/{REPO}/manifests/{digest_of(content)}"
    for _ in range(5):
        pushed, deleted = await asyncio.gather(alice.push_manifest(REPO, "latest", content), alice.delete(target))
        assert pushed.status == 201
        assert deleted.status in {202, 404}
        tagged = (await alice.get(f"/v2/{REPO}/manifests/latest")).status
        assert tagged == (await alice.get(target)).status
