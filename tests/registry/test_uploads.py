"""Uploads as a state machine that any process may take on where another stopped."""

import asyncio
from collections.abc import AsyncIterator, Hashable
from typing import Any

import pytest
from sqlalchemy import delete

from havre.errors import (
    ClientGone,
    DigestInvalid,
    SizeInvalid,
    Unavailable,
    UploadBusy,
    UploadRangeInvalid,
    UploadUnknown,
)
from havre.metadata.schema import blobs
from havre.oci.digest import Digest
from havre.oci.names import RepositoryName
from havre.oci.ranges import ByteRange
from havre.registry.records import BlobRecord, UploadRecord
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
    return Uploads(
        inside.app.database, inside.app.storage.uploads, inside.app.storage.blobs, inside.clock, UploadLimits()
    )


@pytest.fixture
async def begun(inside: InProcess, uploads: Uploads) -> UploadRecord:
    return await uploads.start(APP, (await inside.actor("alice")).user_id)


@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
async def test_another_worker_closes_it(uploads: Uploads, other: Uploads, begun: UploadRecord, algorithm: str):
    await uploads.append(begun, body(CONTENT))
    blob = await other.finish(await other.get(APP, begun.id), Digest.of(CONTENT, algorithm))
    assert (blob.digest, blob.size) == (Digest.of(CONTENT, algorithm), len(CONTENT))


async def test_who_comes_late_writes_over_nothing(
    uploads: Uploads, other: Uploads, begun: UploadRecord, inside: InProcess
):
    await uploads.append(begun, body(CONTENT))
    with pytest.raises(UploadBusy, match="changed by another request"):
        await other.append(begun, body(bytes(len(CONTENT))))  # it read the row before the first one changed it
    with pytest.raises(UploadBusy, match="changed by another request"):
        await other.finish(begun, Digest.of(bytes(10)), body(bytes(10)))
    blob = await uploads.finish(await uploads.get(APP, begun.id), Digest.of(CONTENT))
    assert await inside.app.blobs.read_whole(blob, len(CONTENT)) == CONTENT


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
    storage, limits = inside.app.storage, UploadLimits(1000, 1000)
    other_limits = Uploads(inside.app.database, storage.uploads, storage.blobs, inside.clock, limits)
    for _ in range(250):
        await other_limits.start(APP, owner)
    inside.clock.forward(seconds=2)
    assert await other_limits.expire() == 250
    assert inside.snapshot()["table uploads"] == []


# ---------------------------------------------------------------- content that is here already, or was lost


async def pushed(uploads: Uploads, content: bytes = CONTENT) -> BlobRecord:
    upload = await uploads.append(await uploads.start(APP, 1), body(content))
    return await uploads.finish(upload, Digest.of(content))


async def test_content_that_is_here_is_stored_once(uploads: Uploads, inside: InProcess):
    first = await pushed(uploads)
    assert await pushed(uploads) == first
    assert len(inside.files("blobs")) == 1
    assert inside.files("uploads") == []


async def test_two_who_push_the_same_content_at_once(uploads: Uploads, other: Uploads, inside: InProcess):
    begun = [
        await worker.append(await worker.start(APP, 1), body(CONTENT)) for worker in (uploads, other) for _ in "ab"
    ]
    turns = zip((uploads, other) * 2, begun, strict=True)
    found = await asyncio.gather(*(worker.finish(one, Digest.of(CONTENT)) for worker, one in turns))
    assert len(set(found)) == 1
    assert [path.read_bytes() for path in inside.files("blobs")] == [CONTENT]
    assert await inside.app.blobs.read_whole(found[0], len(CONTENT)) == CONTENT


@pytest.mark.parametrize("damage", [None, b"", b"cut off"])
async def test_a_new_push_heals_what_was_lost(uploads: Uploads, inside: InProcess, damage: bytes | None):
    first = await pushed(uploads)
    (file,) = inside.files("blobs")
    file.unlink()
    if damage is not None:
        file.write_bytes(damage)
    healed = await pushed(uploads)
    assert (healed.key == first.key) is (damage is None)
    found = await inside.app.blobs.stat(APP, healed.digest)
    assert found.key == healed.key
    assert await inside.app.blobs.read_whole(found, len(CONTENT)) == CONTENT


async def test_content_collected_while_it_is_pushed_again(uploads: Uploads, inside: InProcess):
    """Between the look at the row and the unit of work that links it."""
    first = await pushed(uploads)
    upload = await uploads.append(await uploads.start(APP, 1), body(CONTENT))

    class Collecting:
        """The real store, which is asked for the size right after the row was read."""

        async def size(self, key: str) -> int | None:
            size = await inside.app.storage.blobs.size(key)
            if not done:
                done.append(key)
                await inside.app.blobs.unlink(APP, first.digest)
                await inside.app.database.write(lambda rows: rows.connection.execute(delete(blobs)))
            return size

        def __getattr__(self, name: str) -> Any:
            return getattr(inside.app.storage.blobs, name)

    done: list[str] = []
    late = Uploads(inside.app.database, inside.app.storage.uploads, Collecting(), inside.clock, UploadLimits())
    blob = await late.finish(upload, Digest.of(CONTENT))
    assert blob.key != first.key == done[0]
    await inside.app.storage.blobs.delete(first.key)
    assert await inside.app.blobs.read_whole(await inside.app.blobs.stat(APP, blob.digest), len(CONTENT)) == CONTENT


async def test_a_row_that_comes_too_late_is_refused(uploads: Uploads, inside: InProcess):
    """What was stored may have been taken for a stray by then."""

    class Sleepy:
        """The real store, on a machine that sleeps for an hour as soon as the rows are written."""

        async def version(self) -> Hashable:
            return await inside.app.database.version()

        async def read(self, work: Any) -> Any:
            return await inside.app.database.read(work)

        async def write(self, work: Any, *, durable: bool = True) -> Any:
            if durable:
                inside.clock.forward(hours=1)
            return await inside.app.database.write(work, durable=durable)

    storage = inside.app.storage
    late = Uploads(Sleepy(), storage.uploads, storage.blobs, inside.clock, UploadLimits())
    upload = await late.append(await late.start(APP, 1), body(CONTENT))
    with pytest.raises(Unavailable, match="push it again"):
        await late.finish(upload, Digest.of(CONTENT))
    assert inside.snapshot()["table blobs"] == []
