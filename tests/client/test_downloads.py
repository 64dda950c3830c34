"""Blobs on their way here: they go on where a connection broke, and wrong bytes never count as arrived."""

import re
from collections.abc import Callable

import pytest

from havre.client import Client
from havre.client.keychain import Keychain
from havre.client.registry import Repository
from havre.errors import BlobUnknown, Denied, DigestInvalid, SizeInvalid, TooManyRequests, Unavailable
from havre.oci.descriptor import Descriptor
from havre.oci.digest import Digest
from tests.support.images import noise
from tests.support.peer_fixtures import QUICK
from tests.support.scripted import Reply, Request, Scripted

pytestmark = pytest.mark.anyio

CONTENT = noise("blob", 2_000_000)
BLOB = Descriptor("application/octet-stream", Digest.of(CONTENT), len(CONTENT))


class Store:
    """A registry with one blob. ``faults`` answer in its place, one after the other; None stands for no fault."""

    def __init__(self, *faults: Callable[[Request], Reply] | None, content: bytes = CONTENT) -> None:
        self.faults = list(faults)
        self.content = content

    def __call__(self, request: Request) -> Reply:
        if request.path == "/v2/":
            return Reply(200)
        fault = self.faults.pop(0) if self.faults else None
        return fault(request) if fault else self.right(request)

    def right(self, request: Request) -> Reply:
        start = self.start(request)
        if not start:
            return Reply(200, body=self.content)
        size = len(self.content)
        return Reply(206, {"content-range": f"bytes {start}-{size - 1}/{size}"}, self.content[start:])

    def start(self, request: Request) -> int:
        found = re.fullmatch(r"bytes=(\d+)-", request.headers.get("range", ""))
        return int(found[1]) if found else 0

    def cut(self, after: int, *, chunked: bool = False) -> Callable[[Request], Reply]:
        def broken(request: Request) -> Reply:
            whole = self.right(request)
            return Reply(whole.status, whole.headers, whole.body, cut=after, chunked=chunked)

        return broken


def says(reply: Reply) -> Callable[[Request], Reply]:
    return lambda _: reply


async def read(repository: Repository, blob: Descriptor = BLOB) -> bytes:
    return b"".join([piece async for piece in repository.blob(blob)])


def at(client: Client, server: Scripted) -> Repository:
    return client.repository(f"{server.host}/marin/app")


async def test_a_download_goes_on_where_it_broke() -> None:
    store = Store()
    store.faults = [store.cut(700_000), store.cut(900_000, chunked=True), store.cut(0), None]
    async with Scripted(store) as server, Client(QUICK, Keychain([])) as client:
        assert await read(at(client, server)) == CONTENT
        ranges = [one.headers.get("range") for one in server.asked("GET", "/blobs/")]
        assert ranges[:2] == [None, "bytes=700000-"]
        assert ranges[2] == ranges[3]
        assert int(ranges[2].removeprefix("bytes=").removesuffix("-")) >= 1_000_000


async def test_a_registry_without_ranges_sends_it_again() -> None:
    store = Store()
    store.faults = [store.cut(700_000), says(Reply(200, body=CONTENT))]
    async with Scripted(store) as server, Client(QUICK, Keychain([])) as client:
        assert await read(at(client, server)) == CONTENT


async def test_another_range_than_asked_for_is_not_taken() -> None:
    store = Store()
    wrong = Reply(206, {"content-range": f"bytes 0-{len(CONTENT) - 1}/{len(CONTENT)}"}, CONTENT)
    store.faults = [store.cut(700_000), says(wrong)]
    async with Scripted(store) as server, Client(QUICK, Keychain([])) as client:
        with pytest.raises(Unavailable, match="another range"):
            await read(at(client, server))


async def test_it_gives_up_when_nothing_comes_any_more() -> None:
    store = Store()
    store.faults = [store.cut(0)] * 100
    async with Scripted(store) as server, Client(QUICK, Keychain([])) as client:
        with pytest.raises(Unavailable, match=r"the connection to .* broke"):
            await read(at(client, server))
        assert len(server.asked("GET", "/blobs/")) == QUICK.attempts


async def test_it_does_not_give_up_while_something_comes() -> None:
    store = Store()
    store.faults = [store.cut(100_000)] * 15
    async with Scripted(store) as server, Client(QUICK, Keychain([])) as client:
        assert await read(at(client, server)) == CONTENT


WRONG = bytearray(CONTENT)
WRONG[1_234_567] ^= 1


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (bytes(WRONG), DigestInvalid),
        (CONTENT + b"x", SizeInvalid),
        (CONTENT[:-1], SizeInvalid),
        (b"", SizeInvalid),
    ],
    ids=["one bit", "longer", "shorter", "nothing"],
)
async def test_wrong_bytes_never_count_as_arrived(content: bytes, error: type[Exception]) -> None:
    async with Scripted(Store(content=content)) as server, Client(QUICK, Keychain([])) as client:
        arrived = bytearray()

        async def take() -> None:
            async for piece in at(client, server).blob(BLOB):
                arrived.extend(piece)

        with pytest.raises(error, match=server.host):
            await take()
        assert len(arrived) < BLOB.size


async def test_damage_after_a_resume_is_found_too() -> None:
    store = Store()
    store.faults = [
        store.cut(700_000),
        says(Reply(206, {"content-range": "bytes 700000-1999999/2000000"}, bytes(WRONG[700_000:]))),
    ]
    async with Scripted(store) as server, Client(QUICK, Keychain([])) as client:
        with pytest.raises(DigestInvalid):
            await read(at(client, server))


async def test_an_endless_answer_ends_at_the_announced_size() -> None:
    endless = says(Reply(200, body=CONTENT * 20, chunked=True))
    async with Scripted(Store(endless)) as server, Client(QUICK, Keychain([])) as client:
        with pytest.raises(SizeInvalid, match="more than the 2000000 bytes"):
            await read(at(client, server))


async def test_waiting_and_a_redirect_on_the_way() -> None:
    async with Scripted(lambda _: Reply(200, body=CONTENT)) as storage:
        busy, moved = Reply(429, {"retry-after": "0"}), Reply(307, {"location": f"{storage.url}/signed?k=1"})
        async with Scripted(Store(says(busy), says(moved))) as server, Client(QUICK, Keychain([])) as client:
            assert await read(at(client, server)) == CONTENT
        assert "authorization" not in storage.requests[0].headers


async def test_a_cut_at_the_storage_begins_again_at_the_registry() -> None:
    store = Store()
    async with Scripted(store) as storage:
        store.faults = [store.cut(700_000)]
        moved = says(Reply(307, {"location": f"{storage.url}/signed"}))
        async with Scripted(Store(moved, moved)) as server, Client(QUICK, Keychain([])) as client:
            assert await read(at(client, server)) == CONTENT
            assert len(server.asked("GET", "/blobs/")) == 2
        assert storage.requests[1].headers["range"] == "bytes=700000-"


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (Reply(404, body=b'{"errors":[{"code":"BLOB_UNKNOWN","message":"gone"}]}'), BlobUnknown),
        (Reply(403, body=b'{"errors":[{"code":"DENIED","message":"no"}]}'), Denied),
        (Reply(429, {"retry-after": "1000"}), TooManyRequests),
        (Reply(500, body=b"x"), Unavailable),
    ],
)
async def test_refusals_have_their_names(reply: Reply, error: type[Exception]) -> None:
    store = Store()
    store.faults = [says(reply)] * 10
    async with Scripted(store) as server, Client(QUICK, Keychain([])) as client:
        with pytest.raises(error, match=re.escape(f"{server.host}: fetching {BLOB.digest}")):
            await read(at(client, server))


async def test_the_empty_blob() -> None:
    empty = Descriptor("application/octet-stream", Digest.of(b""), 0)
    async with Scripted(Store(content=b"")) as server, Client(QUICK, Keychain([])) as client:
        assert await read(at(client, server), empty) == b""
