"""What registry/ports.py promises of BlobStore and UploadStore, asked of every backend.

Each test empties what it filled; the harness then checks that nothing else is left behind.
"""

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterator
from pathlib import Path

import httpx
import pytest

from havre.errors import BlobUnknown, ClientGone, TooLarge, Unavailable, UploadBusy, UploadInvalid, UploadUnknown
from havre.oci.digest import Digest, Hasher
from havre.oci.ranges import ByteRange
from havre.registry.byte_ports import SEGMENTS, Elsewhere, LocalFile
from havre.storage.objects.writing import settled
from tests.storage.parts import (
    EDGES,
    HOUR,
    Stores,
    TurnedClock,
    body,
    content,
    cut,
    in_memory,
    in_objects,
    joined,
    on_files,
    torn,
)
from tests.support.objectstore import ObjectStore

pytestmark = pytest.mark.anyio


@pytest.fixture(params=["files", "memory", "objects"])
def backend(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Stores]:
    clock = TurnedClock(time.time_ns() // 1_000_000)
    if request.param == "files":
        yield from on_files(tmp_path, clock)
    elif request.param == "memory":
        yield from in_memory(clock)
    else:
        server: ObjectStore = request.getfixturevalue("object_store")
        yield from in_objects(server, f"contract-{secrets.token_hex(4)}/deep", clock)


@pytest.fixture
async def stores(backend: Stores, anyio_backend: str) -> AsyncIterator[Stores]:
    yield backend
    await backend.empty()
    await settled()


class Gate:
    """A body that gives ``data``, then waits for ``release``."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.entered = asyncio.Event()
        self.release = asyncio.Event()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield self.data
        self.entered.set()
        await self.release.wait()
        yield b"end"


@pytest.mark.parametrize("size", EDGES)
async def test_what_is_pushed_comes_back(stores: Stores, size: int) -> None:
    data = content(size)
    assert await stores.append("u1", 0, *cut(data, 65_000)) == size
    key = await stores.finish("u1", data)
    assert await stores.blobs.size(key) == size
    assert await stores.whole(key) == data


async def test_content_named_by_sha512(stores: Stores) -> None:
    await stores.append("u1", 0, b"hello")
    key = await stores.finish("u1", b"hello", "sha512")
    other = await stores.push("u2", b"hello")
    assert key != other
    assert await stores.whole(key) == await stores.whole(other) == b"hello"


async def test_chunks_continue_where_the_last_one_ended(stores: Stores) -> None:
    data = content(100_000)
    assert await stores.append("u1", 0, data[:40_000]) == 40_000
    assert await stores.append("u1", 40_000, data[40_000:]) == 100_000
    assert await stores.whole(await stores.finish("u1", data)) == data


async def test_what_lies_beyond_the_offset_is_cut_off(stores: Stores) -> None:
    await stores.append("u1", 0, b"acknowledged")
    assert await stores.take("u1", 12, body(b", and this was not"), Hasher(), acknowledged=False) == 30
    assert await stores.append("u1", 12, b".") == 13
    assert await stores.stored("u1", 13) == b"acknowledged."
    with pytest.raises(UploadInvalid):
        await stores.finish("u1", b"acknowledged..")


async def test_an_append_of_nothing_cuts_too(stores: Stores) -> None:
    await stores.append("u1", 0, b"0123")
    await stores.take("u1", 4, body(b"456789"), Hasher(), acknowledged=False)
    assert await stores.append("u1", 4) == 4
    assert await stores.append("u1", 4, b"x") == 5


@pytest.mark.parametrize("stored", [b"", b"abc"])
async def test_a_gap_is_refused(stores: Stores, stored: bytes) -> None:
    if stored:
        await stores.append("u1", 0, stored)
    with pytest.raises(UploadInvalid, match=f"^{len(stored)} bytes of the upload u1 are stored, not 10"):
        await stores.take("u1", 10, body(b"tail"), Hasher())
    assert await stores.append("u1", len(stored), b"d") == len(stored) + 1
    assert await stores.stored("u1", len(stored) + 1) == stored + b"d"


@pytest.mark.parametrize("size", EDGES)
async def test_what_arrived_before_the_client_left_is_kept(stores: Stores, size: int) -> None:
    data = content(size)
    await stores.append("u1", 0, b"before")
    hasher = Hasher()
    with pytest.raises(ClientGone):
        await stores.take("u1", 6, torn(*cut(data, 50_000)), hasher)
    assert hasher.size == size
    assert hasher.digest() == Digest.of(data)
    assert await stores.append("u1", 6 + size, b"after") == 6 + size + 5
    assert await stores.whole(await stores.finish("u1", b"before" + data + b"after")) == b"before" + data + b"after"


@pytest.mark.parametrize("size", [0, 3_000_000, 30_000_000])
async def test_what_came_before_a_failure_does_not_count(stores: Stores, size: int) -> None:
    async def limited() -> AsyncIterator[bytes]:
        for chunk in cut(content(size), 500_000):
            yield chunk
        raise TooLarge("more than is allowed")

    await stores.append("u1", 0, b"before ")
    with pytest.raises(TooLarge):
        await stores.take("u1", 7, limited(), Hasher())
    assert await stores.append("u1", 7, b"after") == 12
    assert await stores.stored("u1", 12) == b"before after"


async def test_two_writers_do_not_spoil_each_others_bytes(stores: Stores) -> None:
    gate = Gate(b"first ")
    writing = asyncio.create_task(stores.take("u1", 0, aiter(gate), Hasher()))
    await gate.entered.wait()
    if stores.locks:
        with pytest.raises(UploadBusy, match="another request is writing to the upload u1"):
            await stores.take("u1", 0, body(b"second"), Hasher())
        with pytest.raises(UploadBusy):
            await stores.uploads.finish("u1", Digest.of(b"first "), 6)
    else:
        assert await stores.take("u1", 0, body(b"second"), Hasher(), acknowledged=False) == 6
    assert await stores.append("u2", 0, b"another upload is free") == 22
    gate.release.set()
    assert await writing == 9
    assert await stores.whole(await stores.finish("u1", b"first end")) == b"first end"


@pytest.mark.parametrize("size", [3_000_000, 30_000_000])
async def test_a_cancelled_append_frees_the_upload_and_leaves_no_hole(stores: Stores, size: int) -> None:
    await stores.append("u1", 0, b"begin ")
    gate = Gate(content(size))
    writing = asyncio.create_task(stores.take("u1", 6, aiter(gate), Hasher()))
    await gate.entered.wait()
    writing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await writing
    assert await stores.append("u1", 6, b"end") == 9
    assert await stores.stored("u1", 9) == b"begin end"


async def test_what_was_finished_can_not_be_finished_again(stores: Stores) -> None:
    key = await stores.push("u1", b"content")
    with pytest.raises(UploadInvalid):
        await stores.finish("u1", b"content")
    assert await stores.whole(key) == b"content"


async def test_a_key_in_use_is_given_to_nobody_else(stores: Stores) -> None:
    key = await stores.push("u1", b"content")
    other = await stores.push("u2", b"content")
    assert key != other
    with pytest.raises(UploadUnknown):
        await stores.stored("u2", 7)
    await stores.blobs.delete(key)
    assert await stores.whole(other) == b"content"
    assert await stores.whole(await stores.push("u3", b"content")) == b"content"


async def test_many_uploads_of_the_same_content_finish_at_once(stores: Stores) -> None:
    data = content(2_000_000)
    uploads = [f"u{number}" for number in range(8)]
    for upload in uploads:
        await stores.append(upload, 0, data)
    keys = await asyncio.gather(*[stores.finish(upload, data) for upload in uploads])
    assert len(set(keys)) == 8
    for key in keys[:7]:
        await stores.blobs.delete(key)
    assert await stores.whole(keys[7]) == data


async def test_only_the_acknowledged_bytes_become_content(stores: Stores) -> None:
    await stores.append("u1", 0, b"acknowledged")
    await stores.take("u1", 12, body(b", and this was not"), Hasher(), acknowledged=False)
    assert await stores.whole(await stores.finish("u1", b"acknowledged")) == b"acknowledged"


async def test_too_few_bytes_do_not_become_content(stores: Stores) -> None:
    await stores.append("u1", 0, b"abc")
    with pytest.raises(UploadInvalid):
        await stores.finish("u1", b"abcd")
    assert await stores.append("u1", 3, b"d") == 4
    assert await stores.whole(await stores.finish("u1", b"abcd")) == b"abcd"


async def test_an_upload_that_got_no_bytes(stores: Stores) -> None:
    key = await stores.finish("never-appended", b"")
    assert await stores.blobs.size(key) == 0
    assert await stores.whole(key) == b""
    with pytest.raises(UploadInvalid):
        await stores.uploads.finish("u2", Digest.of(b"x"), 1)


async def test_a_discarded_upload_is_forgotten(stores: Stores) -> None:
    await stores.append("u1", 0, b"abc")
    await stores.discard("u1")
    await stores.discard("u1")
    with pytest.raises(UploadUnknown):
        await stores.stored("u1", 3)
    with pytest.raises(UploadInvalid):
        await stores.take("u1", 3, body(b"d"), Hasher())


async def test_discarding_under_a_writer(stores: Stores) -> None:
    gate = Gate(b"first ")
    writing = asyncio.create_task(stores.take("u1", 0, aiter(gate), Hasher(), acknowledged=False))
    await gate.entered.wait()
    await stores.discard("u1")
    gate.release.set()
    assert await writing == 9
    with pytest.raises(UploadUnknown):
        await stores.stored("u1", 9)


async def test_stale_uploads_are_those_without_a_row_for_an_hour(stores: Stores) -> None:
    await stores.append("known", 0, b"1")
    await stores.append("orphan", 0, b"2")
    asked: list[str] = []

    async def known(uploads: Collection[str]) -> Collection[str]:
        asked.extend(uploads)
        return {"known"} & set(uploads)

    assert await stale(stores, known) == 0
    assert asked == []
    stores.clock.now += 2 * HOUR
    assert await stale(stores, known) == 1
    assert sorted(asked) == ["known", "orphan"]
    assert await stores.stored("known", 1) == b"1"
    with pytest.raises(UploadUnknown):
        await stores.stored("orphan", 1)


async def test_an_upload_in_use_is_not_stale(stores: Stores) -> None:
    async def none(_: Collection[str]) -> Collection[str]:
        return ()

    gate = Gate(b"first ")
    writing = asyncio.create_task(stores.take("u1", 0, aiter(gate), Hasher()))
    await gate.entered.wait()
    stores.clock.now += 2 * HOUR
    assert await stale(stores, none) == 0
    gate.release.set()
    assert await writing == 9
    assert await stores.stored("u1", 9) == b"first end"


async def test_many_stale_uploads_go_in_batches(stores: Stores) -> None:
    # Some begin with nothing yet, which a store that keeps each append as a thing of its own knows nothing of.
    await asyncio.gather(*[stores.append(f"u{number}", 0, b"x") for number in range(1203)])
    largest = 0

    async def none(uploads: Collection[str]) -> Collection[str]:
        nonlocal largest
        largest = max(largest, len(uploads))
        return ()

    stores.clock.now += 2 * HOUR
    assert await stale(stores, none) == 1203
    assert largest <= 500


async def stale(stores: Stores, known: Callable[[Collection[str]], Awaitable[Collection[str]]]) -> int:
    """Remove uploads that nobody knows: by themselves, or, where each append is a thing of its own, among the strays."""

    async def of_content(keys: Collection[str]) -> Collection[str]:
        owners = {key: key.removeprefix(SEGMENTS).partition("/")[0] for key in keys}
        there = await known(set(owners.values())) if owners else ()
        return {key for key, owner in owners.items() if owner in there}

    removed, after = await stores.uploads.stale(known), ""
    while True:
        step = await stores.blobs.strays(of_content, after)
        removed, after = removed + step.removed, step.after
        if not after:
            return removed


async def test_content_goes_with_its_rows(stores: Stores) -> None:
    keys = [await stores.push(f"u{number}", content(100, number)) for number in range(4)]
    asked: list[str] = []

    async def gone(held: Collection[str]) -> Collection[str]:
        asked.extend(held)
        return [keys[0], keys[2]]

    await stores.blobs.remove(keys, gone)
    assert sorted(asked) == sorted(keys)
    assert [await stores.blobs.size(key) for key in keys] == [None, 100, None, 100]


async def test_rows_that_fail_to_go_keep_their_content(stores: Stores) -> None:
    key = await stores.push("u1", b"content")

    async def gone(_: Collection[str]) -> Collection[str]:
        raise Unavailable("the database is away")

    with pytest.raises(Unavailable):
        await stores.blobs.remove([key], gone)
    assert await stores.whole(key) == b"content"
    await stores.blobs.remove([key], given)
    assert await stores.blobs.size(key) is None


async def given(held: Collection[str]) -> Collection[str]:
    return held


async def test_one_remover_at_a_time(stores: Stores) -> None:
    """What one holds, another leaves alone; so a name can not go to new content under a remover's hands."""
    key, free = await stores.push("u1", b"content"), await stores.push("u2", b"other")
    seen: list[list[str]] = []

    async def first(held: Collection[str]) -> Collection[str]:
        async def second(others: Collection[str]) -> Collection[str]:
            seen.append(sorted(others))
            return others

        await stores.blobs.remove([key, free], second)
        stores.clock.now += 2 * HOUR
        assert await swept(stores, set()) == (0, 0)
        return ()

    await stores.blobs.remove([key], first)
    if stores.locks:
        assert seen == [[free]]
        assert await stores.whole(key) == b"content"
    else:
        # No name is ever used twice: who removes what another removes too hits nothing else.
        assert seen == [sorted([key, free])]
        assert await stores.blobs.size(key) is None


async def test_what_is_stored_where_nothing_was_held_stays(stores: Stores) -> None:
    """A row whose content was lost is removed, while the same content is pushed anew."""
    key = await stores.push("u1", b"content")
    await stores.blobs.delete(key)
    pushed: list[str] = []

    async def gone(held: Collection[str]) -> Collection[str]:
        pushed.append(await stores.push("u2", b"content"))
        return held

    await stores.blobs.remove([key], gone)
    assert await stores.whole(pushed[0]) == b"content"


async def swept(stores: Stores, known: Collection[str], *, remove: bool = True) -> tuple[int, int]:
    async def with_rows(keys: Collection[str]) -> Collection[str]:
        assert len(keys) <= 500
        return set(keys).intersection(known)

    after, removed, size = "", 0, 0
    while True:
        step = await stores.blobs.strays(with_rows, after, remove=remove)
        assert step.removed <= step.looked <= 500
        after, removed, size = step.after, removed + step.removed, size + step.bytes
        if not after:
            return removed, size


async def test_strays_are_content_without_a_row_for_an_hour(stores: Stores) -> None:
    known, stray = await stores.push("u1", b"known"), await stores.push("u2", b"a stray")
    double = await stores.push("u3", b"known")
    assert await swept(stores, {known}) == (0, 0)
    stores.clock.now += 2 * HOUR
    assert await swept(stores, {known}, remove=False) == (2, 12)
    assert await stores.whole(stray) == b"a stray"
    assert await swept(stores, {known}) == (2, 12)
    assert await stores.blobs.size(stray) is await stores.blobs.size(double) is None
    assert await stores.whole(known) == b"known"


async def test_many_strays_go_in_batches(stores: Stores) -> None:
    await asyncio.gather(*[stores.push(f"u{number}", str(number).encode()) for number in range(1203)])
    stores.clock.now += 2 * HOUR
    assert (await swept(stores, ()))[0] == 1203


@pytest.mark.parametrize(
    ("start", "stop"),
    [(0, 1), (0, 2_500_000), (1, 2), (524_287, 524_289), (999, 1_700_001), (2_499_999, 2_500_000), (5, 5)],
)
async def test_a_span_of_a_blob(stores: Stores, start: int, stop: int) -> None:
    data = content(2_500_000)
    key = await stores.push("u1", data)
    assert await joined(stores.blobs.read(key, ByteRange(start, stop))) == data[start:stop]


async def test_a_reader_that_leaves_early(stores: Stores) -> None:
    key = await stores.push("u1", content(4_000_000))
    async for piece in (reading := stores.blobs.read(key, ByteRange(0, 4_000_000))):
        assert piece
        break
    await reading.aclose()  # type: ignore[attr-defined]


async def test_readers_of_deleted_content(stores: Stores) -> None:
    key = await stores.push("u1", b"content")
    await stores.blobs.delete(key)
    await stores.blobs.delete(key)
    assert await stores.blobs.size(key) is None
    assert not isinstance(await stores.blobs.locate(key), LocalFile)
    with pytest.raises(BlobUnknown):
        await joined(stores.blobs.read(key, ByteRange(0, 7)))
    assert await stores.whole(await stores.push("u2", b"content")) == b"content"


async def test_where_a_server_finds_the_content(stores: Stores) -> None:
    key = await stores.push("u1", b"content")
    place = await stores.blobs.locate(key)
    if isinstance(place, LocalFile):
        assert files_content(place.path) == b"content"
    elif isinstance(place, Elsewhere):
        async with httpx.AsyncClient() as anybody:
            assert (await anybody.get(place.url)).content == b"content"
            part = await anybody.get(place.url, headers={"Range": "bytes=2-4"})
            assert (part.status_code, part.content, part.headers["content-range"]) == (206, b"nte", "bytes 2-4/7")
    else:
        assert place is None


def files_content(path: str) -> bytes:
    return Path(path).read_bytes()
