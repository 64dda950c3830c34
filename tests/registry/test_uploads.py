"""Uploads as a state machine that any process may take on where another stopped."""

from collections.abc import AsyncIterator

import pytest

from havre.errors import ClientGone, DigestInvalid, SizeInvalid, UploadBusy, UploadRangeInvalid, UploadUnknown
from havre.oci.digest import Digest
from havre.oci.names import RepositoryName
from havre.oci.ranges import ByteRange
from havre.registry.records import UploadRecord
from havre.registry.uploads import UploadLimits, Uploads
from tests.support.inprocess import InProcess

pytestmark = pytest.mark.anyio

APP = RepositoryName("alice/app")
CONTENT = bytes(range(256)) * 1000
HALF = len(CONTENT) // 2


async def body(*pieces: bytes, leave: bool = False) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece
    if leave:
        raise ClientGone("gone")


@pytest.fixture
def uploads(inside: InProcess) -> Uploads:
    return inside.app.uploads


@pytest.fixture
def other(inside: InProcess) -> Uploads:
    """Another worker: the same rows and files, a memory of its own."""
    return Uploads(inside.app.database, inside.app.storage.uploads, inside.clock, UploadLimits())


@pytest.fixture
async def begun(inside: InProcess, uploads: Uploads) -> UploadRecord:
    return await uploads.start(APP, (await inside.actor("alice")).user_id)


@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
async def test_another_worker_closes_it(uploads: Uploads, other: Uploads, begun: UploadRecord, algorithm: str):
    await uploads.append(begun, body(CONTENT))
    blob = await other.finish(await other.get(APP, begun.id), Digest.of(CONTENT, algorithm))
    assert (blob.digest, blob.size) == (Digest.of(CONTENT, algorithm), len(CONTENT))


async def test_workers_take_turns(uploads: Uploads, other: Uploads, begun: UploadRecord, inside: InProcess):
    step = len(CONTENT) // 8
    for number in range(8):
        worker = (uploads, other)[number % 2]
        upload = await worker.get(APP, begun.id)
        after = await worker.append(upload, body(CONTENT[number * step : (number + 1) * step]))
        assert after.size == (number + 1) * step
        assert after.prefixes["sha256"] == Digest.of(CONTENT[: after.size])
    blob = await uploads.finish(await uploads.get(APP, begun.id), Digest.of(CONTENT))
    assert await inside.app.blobs.read_whole(blob, len(CONTENT)) == CONTENT


async def test_a_worker_with_an_old_view_appends_nothing(uploads: Uploads, other: Uploads, begun: UploadRecord):
    await uploads.append(begun, body(CONTENT[:HALF]))
    with pytest.raises((UploadBusy, UploadRangeInvalid)):
        await other.append(begun, body(b"something else"))
    upload = await uploads.get(APP, begun.id)
    assert upload.size == HALF


async def test_bytes_that_came_before_the_client_left_count(uploads: Uploads, other: Uploads, begun: UploadRecord):
    with pytest.raises(ClientGone):
        await uploads.append(begun, body(CONTENT[:HALF], leave=True))
    upload = await other.get(APP, begun.id)
    assert upload.size == HALF
    await other.finish(upload, Digest.of(CONTENT), body(CONTENT[HALF:]), ByteRange(HALF, len(CONTENT)))


async def test_a_chunk_that_is_not_what_it_says_does_not_count(uploads: Uploads, begun: UploadRecord):
    with pytest.raises(SizeInvalid):
        await uploads.append(begun, body(b"12345"), ByteRange(0, 4))
    with pytest.raises(UploadRangeInvalid) as refusal:
        await uploads.append(begun, body(b"12345"), ByteRange(1, 6))
    assert refusal.value.size == 0
    after = await uploads.append(await uploads.get(APP, begun.id), body(b"1234"), ByteRange(0, 4))
    assert after.prefixes["sha256"] == Digest.of(b"1234")


async def test_a_wrong_digest_is_no_end(uploads: Uploads, begun: UploadRecord, inside: InProcess):
    await uploads.append(begun, body(CONTENT[:HALF]))
    for rest in (None, body(CONTENT[HALF:])):
        with pytest.raises(DigestInvalid, match=str(Digest.of(b"else"))):
            await uploads.finish(await uploads.get(APP, begun.id), Digest.of(b"else"), rest)
    assert inside.files("blobs") == []
    await uploads.finish(await uploads.get(APP, begun.id), Digest.of(CONTENT), body(CONTENT[HALF:]))


async def test_more_running_digests_than_are_kept_in_memory(uploads: Uploads, inside: InProcess):
    owner = (await inside.actor("carol")).user_id
    started = [await uploads.start(APP, owner) for _ in range(50)]
    for upload in started:
        await uploads.append(upload, body(upload.id.encode()))
    uploads._hashers.clear()
    for upload in started:
        await uploads.append(await uploads.get(APP, upload.id), body(b"!"))
        assert (await uploads.get(APP, upload.id)).prefixes["sha256"] == Digest.of(upload.id.encode() + b"!")


async def test_cancelled_is_gone(uploads: Uploads, begun: UploadRecord, inside: InProcess):
    await uploads.append(begun, body(CONTENT))
    await uploads.cancel(begun)
    assert inside.files("uploads") == []
    with pytest.raises(UploadUnknown):
        await uploads.get(APP, begun.id)
    with pytest.raises(UploadUnknown):
        await uploads.cancel(begun)


@pytest.mark.parametrize("upload_id", ["", "..", "../havre.db", "a" * 36, "\0", "x" * 10_000])
async def test_an_id_that_none_has(uploads: Uploads, upload_id: str):
    with pytest.raises(UploadUnknown) as refusal:
        await uploads.get(APP, upload_id)
    assert len(refusal.value.message) < 300


async def test_many_expire_in_one_go(uploads: Uploads, inside: InProcess):
    owner = (await inside.actor("alice")).user_id
    other_limits = Uploads(inside.app.database, inside.app.storage.uploads, inside.clock, UploadLimits(1000, 1000))
    for _ in range(250):
        await other_limits.start(APP, owner)
    inside.clock.forward(seconds=2)
    assert await other_limits.expire() == 250
    assert inside.snapshot()["table uploads"] == []
