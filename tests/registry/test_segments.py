"""Uploads and collection over an object store: who comes second spoils nothing, and who removes a row owns its segments."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.documents import digest_of
from tests.support.inprocess import OCTETS, Caller, InProcess
from tests.support.objectstore import ObjectStore

pytestmark = pytest.mark.anyio

APP = "alice/app"
DAY = 24
MIB = 1024 * 1024


@pytest.fixture
def prefix() -> str:
    return f"segments-{secrets.token_hex(4)}"


@pytest.fixture
async def inside(people: None, tmp_path: Path, object_store: ObjectStore, prefix: str) -> AsyncIterator[InProcess]:
    settings = {**object_store.settings(prefix), "storage_redirect": "stream"}
    async with InProcess(tmp_path, **settings) as havre:
        yield havre


def stored(store: ObjectStore, prefix: str) -> list[str]:
    return [key for key in store.keys_below(prefix) if key.startswith("uploads/")]


async def collect(inside: InProcess) -> Caller:
    """Collect, and sign alice in again, for her token is too old by now."""
    assert await inside.app.collector.run(anew=True)
    return await inside.caller("alice", APP)


async def test_of_two_chunks_at_one_offset_one_counts(
    alice: Caller, inside: InProcess, object_store: ObjectStore, prefix: str
) -> None:
    where = await alice.start_upload(APP)
    contents = [bytes([65 + number]) * 100_000 for number in range(4)]
    replies = await asyncio.gather(*[alice("PATCH", where, [OCTETS], content) for content in contents])
    (winner,) = [number for number, reply in enumerate(replies) if reply.status == 202]
    assert {reply.code for number, reply in enumerate(replies) if number != winner} == {"BLOB_UPLOAD_INVALID"}
    digest = digest_of(contents[winner])
    assert (await alice("PUT", f"{where}?digest={digest}")).status == 201
    assert (await alice.get(f"/v2/{APP}/blobs/{digest}")).body == contents[winner]
    inside.clock.forward(hours=2)
    alice = await collect(inside)
    assert len(stored(object_store, prefix)) == 1
    assert (await alice.get(f"/v2/{APP}/blobs/{digest}")).body == contents[winner]


@pytest.mark.parametrize("chunks", [1, 2])
async def test_of_many_that_close_an_upload_at_once_none_takes_its_content_away(
    alice: Caller, inside: InProcess, object_store: ObjectStore, prefix: str, chunks: int
) -> None:
    where, content = await alice.start_upload(APP), b"content" * 10_000 * chunks
    step = len(content) // chunks
    for number in range(chunks):
        assert (await alice("PATCH", where, [OCTETS], content[number * step :][:step])).status == 202
    closing = f"{where}?digest={digest_of(content)}"
    replies = await asyncio.gather(*[alice("PUT", closing) for _ in range(5)])
    assert 201 in {reply.status for reply in replies}
    assert {reply.status for reply in replies} <= {201, 404}
    assert (await alice.get(f"/v2/{APP}/blobs/{digest_of(content)}")).body == content
    inside.clock.forward(hours=2)
    alice = await collect(inside)
    assert (await alice.get(f"/v2/{APP}/blobs/{digest_of(content)}")).body == content
    assert len(stored(object_store, prefix)) == 1


async def test_closing_and_cancelling_at_once(
    alice: Caller, inside: InProcess, object_store: ObjectStore, prefix: str
) -> None:
    """Whoever hears 201 has content; whoever does not has left nothing."""
    kept = 0
    for number in range(12):
        where, content = await alice.start_upload(APP), f"content {number}".encode()
        assert (await alice("PATCH", where, [OCTETS], content)).status == 202
        requests = [alice("PUT", f"{where}?digest={digest_of(content)}"), alice("DELETE", where)]
        replies = await asyncio.gather(*(requests if number % 2 else reversed(requests)))
        there = (await alice.get(f"/v2/{APP}/blobs/{digest_of(content)}")).status == 200
        assert there is any(one.status == 201 for one in replies)
        kept += there
    assert len(stored(object_store, prefix)) == kept
    inside.clock.forward(hours=2)
    await collect(inside)
    assert len(stored(object_store, prefix)) == kept


async def test_the_same_content_pushed_by_many_at_once_is_stored_once(
    alice: Caller, object_store: ObjectStore, prefix: str
) -> None:
    content = b"the same" * 100_000
    assert len(set(await asyncio.gather(*[alice.push_blob(APP, content) for _ in range(6)]))) == 1
    assert (await alice.get(f"/v2/{APP}/blobs/{digest_of(content)}")).body == content
    assert len(stored(object_store, prefix)) == 1


async def test_an_upload_that_rests_too_long_goes_with_its_segments(
    alice: Caller, inside: InProcess, object_store: ObjectStore, prefix: str
) -> None:
    where = await alice.start_upload(APP)
    for chunk in (b"one", b"two"):
        assert (await alice("PATCH", where, [OCTETS], chunk)).status == 202
    inside.clock.forward(hours=DAY - 1)
    alice = await collect(inside)
    assert len(stored(object_store, prefix)) == 2
    inside.clock.forward(hours=2)
    alice = await collect(inside)
    assert stored(object_store, prefix) == []


async def test_a_client_that_leaves_goes_on_from_where_it_was(alice: Caller) -> None:
    where, content = await alice.start_upload(APP), secrets.token_bytes(10 * MIB)
    sent = [content[start : start + MIB] for start in range(0, 9 * MIB, MIB)]
    await alice("PATCH", where, [OCTETS], sent, leave=True)
    status = await alice.get(where)
    assert status["range"] == f"0-{9 * MIB - 1}"
    assert (await alice("PATCH", where, [OCTETS], content[9 * MIB :])).status == 202
    assert (await alice("PUT", f"{where}?digest={digest_of(content)}")).status == 201
    assert (await alice.get(f"/v2/{APP}/blobs/{digest_of(content)}")).body == content


async def test_what_nobody_needs_is_collected(
    alice: Caller, inside: InProcess, object_store: ObjectStore, prefix: str
) -> None:
    image = await alice.push_image(APP, "latest")
    unneeded = await alice.push_blob(APP, b"unneeded")
    assert (await alice.delete(f"/v2/{APP}/blobs/{unneeded}")).status == 202
    before = stored(object_store, prefix)
    for _ in range(3):
        alice = await collect(inside)
        inside.clock.forward(hours=DAY + 1)
    alice = await collect(inside)
    assert len(stored(object_store, prefix)) == len(before) - 1
    for blob in image.blobs:
        assert (await alice.get(f"/v2/{APP}/blobs/{digest_of(blob)}")).body == blob


async def test_content_whose_object_was_lost_is_healed_by_a_push(
    alice: Caller, object_store: ObjectStore, prefix: str
) -> None:
    digest = await alice.push_blob(APP, b"content")
    (key,) = stored(object_store, prefix)
    object_store.ask("DELETE", f"{prefix}/{key}")
    assert (await alice.head(f"/v2/{APP}/blobs/{digest}")).status == 404
    assert await alice.push_blob(APP, b"content") == digest
    assert (await alice.get(f"/v2/{APP}/blobs/{digest}")).body == b"content"
