"""Blobs on their way to a registry: Havre, and the distribution project's."""

import itertools
import re
from collections.abc import AsyncGenerator

import pytest

from havre.client import Client
from havre.client.auth import Credential
from havre.client.keychain import Keychain
from havre.client.registry import Repository
from havre.client.uploads import SMALL, Moved
from havre.errors import Denied, DigestInvalid, HavreError, Unavailable
from havre.oci.descriptor import Descriptor
from havre.oci.digest import Digest
from tests.support.images import noise
from tests.support.peer_fixtures import QUICK
from tests.support.peers import Peer
from tests.support.scripted import Reply, Request, Scripted
from tests.support.wire import Wire

pytestmark = pytest.mark.anyio

_numbers = itertools.count()


def fresh(size: int, algorithm: str = "sha256") -> tuple[bytes, Descriptor]:
    """Content that no registry has yet."""
    content = noise(f"upload {next(_numbers)}", size)
    return content, Descriptor("application/octet-stream", Digest.of(content, algorithm), size)


class Content:
    """Bytes to send, opened as often as needed, in pieces. ``opened`` remembers where."""

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.opened: list[int] = []

    def __call__(self, offset: int) -> AsyncGenerator[bytes, None]:
        self.opened.append(offset)
        return self._pieces(offset)

    async def _pieces(self, offset: int) -> AsyncGenerator[bytes, None]:
        for start in range(offset, len(self.content), 50_000):
            yield self.content[start : start + 50_000]


def repository(client: Client, peer: Peer, name: str = "app") -> Repository:
    return client.repository(f"{peer.host}/alice/{name}")


async def read(repository: Repository, blob: Descriptor) -> bytes:
    return b"".join([piece async for piece in repository.blob(blob)])


@pytest.mark.parametrize("size", [0, 1, SMALL, SMALL + 1, 3_000_000])
async def test_a_blob_of_any_size_arrives(client: Client, peer: Peer, size: int) -> None:
    content, blob = fresh(size)
    there = repository(client, peer)
    assert await there.write_blob(blob, Content(content)) == Moved.DONE
    assert await read(there, blob) == content
    again = Content(content)
    assert await there.write_blob(blob, again) == Moved.EXISTS
    assert again.opened == []


async def test_a_blob_is_mounted_from_another_repository(client: Client, peer: Peer) -> None:
    content, blob = fresh(400_000)
    await repository(client, peer).write_blob(blob, Content(content))
    unused = Content(content)
    assert await repository(client, peer, "second").write_blob(blob, unused, "alice/app") == Moved.MOUNTED
    assert unused.opened == []
    assert await read(repository(client, peer, "second"), blob) == content


async def test_a_mount_that_fails_is_an_upload(client: Client, peer: Peer) -> None:
    content, blob = fresh(400_000)
    assert await repository(client, peer).write_blob(blob, Content(content), "alice/nothing-here") == Moved.DONE
    assert await read(repository(client, peer), blob) == content


@pytest.mark.parametrize("after", [1, 1_000_000, 2_500_000])
async def test_an_upload_goes_on_where_the_connection_broke(peer: Peer, after: int) -> None:
    content, blob = fresh(3_000_000)
    sent = Content(content)
    keychain = Keychain([])
    with Wire(peer.host) as wire, wire.watched() as traffic:
        async with Client(QUICK, keychain) as client:
            there = client.registry_as(wire.host, Credential("alice", peer.password)).repository("alice/app")
            wire.cut_once("PATCH", "/blobs/uploads/", after=after)
            assert await there.write_blob(blob, sent) == Moved.DONE
            assert await read(there, blob) == content
    assert len(sent.opened) > 1
    if peer.is_havre:
        # What had arrived was not sent again, but for what was on its way at that moment.
        assert traffic.blob_bytes_sent < len(content) + 1_000_000


async def test_wrong_content_is_refused_and_leaves_nothing(client: Client, peer: Peer) -> None:
    _, blob = fresh(600_000)
    other, _ = fresh(600_000)
    there = repository(client, peer)
    with pytest.raises(DigestInvalid):
        await there.write_blob(blob, Content(other))
    assert not await there.has_blob(blob)


async def test_a_source_that_fails_is_the_error_that_is_told(client: Client, peer: Peer) -> None:
    content, blob = fresh(600_000)

    async def failing(_: int) -> AsyncGenerator[bytes, None]:
        yield content[:300_000]
        raise DigestInvalid("the source is damaged")

    there = repository(client, peer)
    with pytest.raises(DigestInvalid, match="the source is damaged"):
        await there.write_blob(blob, failing)
    assert not await there.has_blob(blob)


async def test_sha512_names_blobs_too(client: Client, peer: Peer) -> None:
    content, blob = fresh(600_000, "sha512")
    there = repository(client, peer)
    assert await there.write_blob(blob, Content(content)) == Moved.DONE
    assert await read(there, blob) == content


class Uploads:
    """A registry that only takes uploads, in memory, and can be told to misbehave."""

    def __init__(self) -> None:
        self.received = bytearray()
        self.stored: dict[str, bytes] = {}
        self.largest = 0
        """Bytes of one request at most, as a proxy may limit them; 0 for any."""
        self.lose_answers: list[str] = []
        """Methods whose next answer is lost on the way, after the request was carried out."""
        self.patch_status = 0

    def __call__(self, request: Request) -> Reply:
        reply = self.right(request)
        if request.method in self.lose_answers:
            self.lose_answers.remove(request.method)
            return Reply(reply.status, {**reply.headers, "content-length": "10"}, b"", cut=0)
        return reply

    def right(self, request: Request) -> Reply:
        if "/uploads/" not in request.path:
            digest = request.path.rpartition("/")[2]
            return Reply(200 if request.path == "/v2/" or digest in self.stored else 404)
        where = {"location": "/v2/marin/app/blobs/uploads/u1?state=1", "range": f"0-{max(0, len(self.received) - 1)}"}
        if request.method == "POST":
            self.received.clear()
            return Reply(202, where)
        if request.method == "PATCH":
            return self.patch(request, where)
        if request.method == "PUT":
            self.received += request.body
            digest = dict(request.query)["digest"]
            if digest != Digest.of(bytes(self.received)):
                return Reply(400, {}, b'{"errors":[{"code":"DIGEST_INVALID","message":"no"}]}')
            self.stored[digest] = bytes(self.received)
            return Reply(201)
        return Reply(204, where)

    def patch(self, request: Request, where: dict[str, str]) -> Reply:
        if self.patch_status:
            return Reply(self.patch_status, {}, b'{"errors":[{"code":"DENIED","message":"the quota is used up"}]}')
        if self.largest and len(request.body) > self.largest:
            return Reply(413, {"content-type": "text/html"}, b"<html>413</html>")
        found = re.match(r"(\d+)-", request.headers.get("content-range", ""))
        if found and int(found[1]) != len(self.received):
            return Reply(416, where)
        self.received += request.body
        return Reply(202, {**where, "range": f"0-{len(self.received) - 1}"})


@pytest.mark.parametrize("lost", [["PATCH"], ["PUT"], ["PATCH", "PUT"], ["POST"]])
async def test_a_lost_answer_is_no_lost_upload(lost: list[str]) -> None:
    content, blob = fresh(1_000_000)
    uploads = Uploads()
    uploads.lose_answers = lost
    async with Scripted(uploads) as server, Client(QUICK, Keychain([])) as client:
        assert await client.repository(f"{server.host}/marin/app").write_blob(blob, Content(content)) == Moved.DONE
        assert uploads.stored[blob.digest] == content
        assert sum(len(one.body) for one in server.asked("PATCH")) == len(content)


async def test_a_proxy_that_takes_only_so_much_gets_it_in_chunks() -> None:
    content, blob = fresh(1_200_000)
    uploads = Uploads()
    uploads.largest = 1_000_000
    async with Scripted(uploads) as server, Client(QUICK, Keychain([])) as client:
        assert await client.repository(f"{server.host}/marin/app").write_blob(blob, Content(content)) == Moved.DONE
        assert uploads.stored[blob.digest] == content
        assert [one.headers.get("content-range") for one in server.asked("PATCH")] == [
            None,
            "0-1199999",
            "0-1199999",
            "0-524287",
            "524288-1048575",
            "1048576-1199999",
        ]


async def test_a_refusal_ends_the_upload_and_says_why() -> None:
    content, blob = fresh(1_000_000)
    uploads = Uploads()
    uploads.patch_status = 403
    async with Scripted(uploads) as server, Client(QUICK, Keychain([])) as client:
        with pytest.raises(Denied, match="marin/app: denied: the quota is used up"):
            await client.repository(f"{server.host}/marin/app").write_blob(blob, Content(content))
        assert len(server.asked("PATCH")) == 1
        assert len(server.asked("DELETE")) == 1


async def test_a_token_that_expires_in_the_middle_is_replaced() -> None:
    content, blob = fresh(1_000_000)
    uploads = Uploads()
    given = itertools.count(1)
    valid = ""

    def gate(request: Request) -> Reply:
        nonlocal valid
        if request.path == "/token":
            valid = f"t{next(given)}"
            return Reply(200, body=b'{"token":"%s"}' % valid.encode())
        if request.method == "PATCH" and valid == "t1":
            valid = "none: the first token has had its time"
        if request.headers.get("authorization") != f"Bearer {valid}":
            return Reply(401, {"www-authenticate": f'Bearer realm="http://{request.headers["host"]}/token"'})
        return uploads(request)

    async with Scripted(gate) as server, Client(QUICK, Keychain([])) as client:
        there = client.repository(f"{server.host}/marin/app")
        assert await there.write_blob(blob, Content(content)) == Moved.DONE
        assert uploads.stored[blob.digest] == content
        assert len(server.asked("GET", "/token")) == 2


@pytest.mark.parametrize("where", ["", "ftp://x/", "https://nowhere.invalid/upload"])
async def test_an_upload_without_a_place_is_explained(where: str) -> None:
    def lost(request: Request) -> Reply:
        if request.method == "POST":
            return Reply(202, {"location": where} if where else {})
        return Reply(200 if request.path == "/v2/" else 404)

    content, blob = fresh(1_000_000)
    async with Scripted(lost) as server, Client(QUICK, Keychain([])) as client:
        with pytest.raises(HavreError) as caught:
            await client.repository(f"{server.host}/marin/app").write_blob(blob, Content(content))
        assert isinstance(caught.value, Unavailable)


async def test_credentials_do_not_follow_an_upload_to_another_host() -> None:
    uploads = Uploads()
    content, blob = fresh(1_000_000)
    async with Scripted(uploads) as storage:

        def front(request: Request) -> Reply:
            if "authorization" not in request.headers:
                return Reply(401, {"www-authenticate": 'Basic realm="x"'})
            if request.method == "POST":
                return Reply(202, {"location": f"{storage.url}/v2/marin/app/blobs/uploads/u1"})
            return Reply(404)

        async with Scripted(front) as server, Client(QUICK, Keychain([])) as client:
            there = client.registry_as(server.host, Credential("alice", "secret")).repository("marin/app")
            uploads_before = dict(uploads.stored)
            assert await there.write_blob(blob, Content(content)) == Moved.DONE
        assert uploads.stored != uploads_before
        assert not [one for one in storage.requests if "authorization" in one.headers]
