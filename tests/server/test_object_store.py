"""``havre serve`` over a real object store: redirects and streams, replicas, and what happens when either of them dies."""

import os
import re
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from tests.support.documents import digest_of
from tests.support.inprocess import PASSWORD, data_with_people
from tests.support.objectstore import BUCKET, ObjectStore
from tests.support.server import HavreProcess

MIB = 1024 * 1024
LARGE = os.urandom(20 * MIB)
REPO = "/v2/alice/app"

Start = Callable[..., HavreProcess]
Caller = Callable[[HavreProcess], httpx.Client]


@pytest.fixture
def start(object_store: ObjectStore, tmp_path: Path) -> Iterator[Start]:
    """Start replicas over one database and one bucket; all are stopped when the test ends."""
    running: list[HavreProcess] = []
    data = tmp_path / "first" / "data"

    def begin(**settings: str) -> HavreProcess:
        folder = tmp_path / (f"replica-{len(running)}" if running else "first")
        where = {**object_store.settings(tmp_path.name.replace("_", "-")), "database_url": f"sqlite:///{data}/havre.db"}
        server = HavreProcess(folder, **{**where, **settings})
        server.environ = {**server.environ, **object_store.environ()}
        running.append(server)
        return server.start()

    data_with_people(data)
    yield begin
    for server in running:
        server.kill()


@pytest.fixture
def caller() -> Iterator[Caller]:
    """Signs alice in, who may do everything in alice/app, and follows no redirects by herself."""
    with ExitStack() as clients:

        def signed_in(server: HavreProcess) -> httpx.Client:
            client = clients.enter_context(httpx.Client(base_url=server.url, timeout=120))
            asked = {"scope": "repository:alice/app:pull,push,delete"}
            answer = client.get("/auth/token", params=asked, auth=("alice", PASSWORD))
            client.headers["authorization"] = f"Bearer {answer.json()['token']}"
            return client

        yield signed_in


def push(alice: httpx.Client, content: bytes) -> str:
    digest = digest_of(content)
    where = alice.post(f"{REPO}/blobs/uploads/").headers["location"]
    answer = alice.put(where, params={"digest": digest}, content=content)
    assert answer.status_code == 201, answer.text
    return f"{REPO}/blobs/{digest}"


def test_downloads_are_redirected_and_ask_there_without_our_token(
    start: Start, caller: Caller, object_store: ObjectStore
) -> None:
    server = start()
    alice = caller(server)
    blob = push(alice, LARGE)
    answer = alice.get(blob)
    assert (answer.status_code, answer.headers["cache-control"], answer.content) == (307, "no-store", b"")
    there = answer.headers["location"]
    assert there.startswith(f"{object_store.endpoint}/{BUCKET}/")
    assert httpx.get(there).content == LARGE
    part = alice.get(blob, headers={"range": "bytes=5-14"}, follow_redirects=True)
    assert (part.status_code, part.content) == (206, LARGE[5:15])
    assert part.request.url.host == "localhost"
    assert "authorization" not in part.request.headers
    head = alice.head(blob)
    assert (head.status_code, head.headers["content-length"]) == (200, str(len(LARGE)))
    assert "X-Amz-Signature" not in server.log.read_text()


@pytest.mark.parametrize(
    "traces", [{}, {"traces_url": "http://127.0.0.1:9", "traces_percent": "100"}], ids=["", "traced"]
)
def test_streams_and_ranges(start: Start, caller: Caller, traces: dict[str, str]) -> None:
    alice = caller(start(storage_redirect="stream", **traces))
    blob = push(alice, LARGE)
    whole = alice.get(blob)
    assert (whole.status_code, whole.content) == (200, LARGE)
    part = alice.get(blob, headers={"range": "bytes=9000000-9999999"})
    assert (part.status_code, part.content) == (206, LARGE[9_000_000:10_000_000])
    parts = alice.get(blob, headers={"range": "bytes=0-1,20971500-20971519"})
    assert parts.status_code == 206
    assert parts.content.count(LARGE[-20:]) == 1
    assert alice.get(blob, headers={"range": "bytes=99999999-"}).status_code == 416
    assert alice.get(blob, headers={"if-none-match": whole.headers["etag"]}).status_code == 304
    assert alice.head(blob).headers["content-length"] == str(len(LARGE))


@pytest.mark.parametrize(
    ("setting", "status"),
    [
        ("redirect 10.0.0.0/8", 200),
        ("redirect 10.0.0.0/8 127.0.0.0/8", 307),
        ("stream 127.0.0.1/32", 200),
        ("stream 10.0.0.0/8", 307),
    ],
)
def test_networks_say_who_is_redirected(start: Start, caller: Caller, setting: str, status: int) -> None:
    alice = caller(start(storage_redirect=setting))
    assert alice.get(push(alice, b"content")).status_code == status


def test_chunks_of_one_upload_land_on_different_replicas(
    start: Start, caller: Caller, object_store: ObjectStore, tmp_path: Path
) -> None:
    callers = [caller(start(storage_redirect="stream")) for _ in range(2)]
    where = callers[0].post(f"{REPO}/blobs/uploads/").headers["location"]
    step = 6 * MIB
    for number, begin in enumerate(range(0, len(LARGE), step)):
        chunk = LARGE[begin : begin + step]
        span = {"content-range": f"{begin}-{begin + len(chunk) - 1}", "content-type": "application/octet-stream"}
        answer = callers[number % 2].patch(urlsplit(where).path, content=chunk, headers=span)
        assert (answer.status_code, answer.headers["range"]) == (202, f"0-{begin + len(chunk) - 1}")
    closed = callers[0].put(urlsplit(where).path, params={"digest": digest_of(LARGE)})
    assert closed.status_code == 201, closed.text
    assert callers[1].get(f"{REPO}/blobs/{digest_of(LARGE)}").content == LARGE
    assert len(segments(object_store, tmp_path)) == 1


def test_a_body_whose_digest_is_wrong_leaves_nothing(
    start: Start, caller: Caller, object_store: ObjectStore, tmp_path: Path
) -> None:
    alice = caller(start())
    where = alice.post(f"{REPO}/blobs/uploads/").headers["location"]
    for content in (b"small", LARGE):
        answer = alice.put(where, params={"digest": digest_of(b"other")}, content=content)
        assert answer.json()["errors"][0]["code"] == "DIGEST_INVALID"
    assert alice.put(where, params={"digest": digest_of(b"x")}, content=b"x").status_code == 201
    assert len(segments(object_store, tmp_path)) == 1


def test_the_same_content_twice_is_stored_once(
    start: Start, caller: Caller, object_store: ObjectStore, tmp_path: Path
) -> None:
    alice = caller(start())
    assert push(alice, LARGE) == push(alice, LARGE)
    where = alice.post(f"{REPO}/blobs/uploads/").headers["location"]
    assert alice.patch(where, content=LARGE).status_code == 202
    assert alice.put(where, params={"digest": digest_of(LARGE)}).status_code == 201
    where = alice.post(f"{REPO}/blobs/uploads/").headers["location"]
    assert alice.patch(where, content=b"half").status_code == 202
    assert alice.delete(where).status_code == 204
    assert len(segments(object_store, tmp_path)) == 1


def segments(store: ObjectStore, tmp_path: Path) -> list[str]:
    """The keys of content and of segments."""
    return [key for key in store.keys_below(tmp_path.name.replace("_", "-")) if key.startswith("uploads/")]


def test_a_server_that_is_killed_in_the_middle(
    start: Start, caller: Caller, object_store: ObjectStore, tmp_path: Path
) -> None:
    server = start()
    alice = caller(server)
    whole = push(alice, b"acknowledged")
    where = alice.post(f"{REPO}/blobs/uploads/").headers["location"]
    first = LARGE[: 9 * MIB]
    assert alice.patch(where, content=first).status_code == 202
    with socket.create_connection(("127.0.0.1", server.port)) as line:
        head = (
            f"PATCH {where} HTTP/1.1\r\nhost: {server.host}\r\nauthorization: {alice.headers['authorization']}\r\n"
            f"content-length: {len(LARGE)}\r\ncontent-type: application/octet-stream\r\n\r\n"
        )
        line.sendall(head.encode() + LARGE[: 19 * MIB])
        server.kill()
        with suppress(OSError):
            line.recv(1)
    server.start()
    alice = caller(server)
    assert alice.get(whole, follow_redirects=True).content == b"acknowledged"
    status = alice.get(where)
    assert (status.status_code, status.headers["range"]) == (204, f"0-{len(first) - 1}")
    assert alice.patch(where, content=LARGE[len(first) :]).status_code == 202
    assert alice.put(where, params={"digest": digest_of(LARGE)}).status_code == 201
    assert alice.get(f"{REPO}/blobs/{digest_of(LARGE)}", follow_redirects=True).content == LARGE


def test_while_the_store_is_away(start: Start, caller: Caller, object_store: ObjectStore) -> None:
    server = start(storage_redirect="stream")
    alice = caller(server)
    blob = push(alice, LARGE)
    assert server.ready()
    where = alice.post(f"{REPO}/blobs/uploads/").headers["location"]
    with object_store.away():
        begun = time.monotonic()
        refused = alice.get("/readyz")
        assert time.monotonic() - begun < 8, "whoever watches the server must learn of it soon"
        assert (refused.status_code, "retry-after" in refused.headers) == (503, True)
        refused = alice.patch(where, content=b"content")
        assert (refused.status_code, "retry-after" in refused.headers) == (503, True)
        assert re.search("object store failed", refused.text)
        assert alice.get(f"{REPO}/tags/list").status_code in {200, 404}
    assert server.ready()
    assert alice.patch(where, content=b"content").status_code == 202
    assert alice.put(where, params={"digest": digest_of(b"content")}).status_code == 201
    assert alice.get(blob).content == LARGE


def test_wrong_credentials_are_told_when_it_starts(object_store: ObjectStore, tmp_path: Path) -> None:
    server = HavreProcess(tmp_path / "havre", **object_store.settings("wrong"))
    server.environ = {**server.environ, "AWS_ACCESS_KEY_ID": "NOBODY", "AWS_SECRET_ACCESS_KEY": "nothing-at-all"}
    server.folder.mkdir()
    ended = server.ended("serve")
    assert ended.returncode
    assert f"the storage s3://{BUCKET}/wrong can not be used: the store does not accept the credentials" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert "nothing-at-all" not in ended.stderr
    checked = server.ended("config", "check")
    assert checked.returncode == 1
    assert "does not accept the credentials" in checked.stderr


def test_upkeep_works_or_refuses_in_plain_words(
    start: Start, caller: Caller, object_store: ObjectStore, tmp_path: Path
) -> None:
    server = start()
    alice = caller(server)
    blob = push(alice, b"content that is fine")
    lost = push(alice, b"content that will be lost")
    (key,) = [one for one in segments(object_store, tmp_path) if len(content_of(object_store, tmp_path, one)) == 25]
    object_store.ask("DELETE", f"{tmp_path.name.replace('_', '-')}/{key}")
    assert alice.head(lost).status_code == 404
    checked = server.ended("fsck", "--repair")
    assert (checked.returncode, "2 blobs" in checked.stdout) == (3, True), checked.stdout + checked.stderr
    assert alice.get(blob, follow_redirects=True).content == b"content that is fine"
    assert "freed 0" in server.command("gc")
    assert push(alice, b"content that will be lost") == lost
    assert alice.head(lost).status_code == 200


def content_of(store: ObjectStore, tmp_path: Path, key: str) -> bytes:
    return store.ask("GET", f"{tmp_path.name.replace('_', '-')}/{key}")[1]


def test_a_body_is_held_in_little_memory(start: Start, caller: Caller) -> None:
    """While 300 MB come in, the process that takes them grows by a few parts, not by the body."""
    server = start(workers="1")
    alice = caller(server)
    push(alice, LARGE)
    before = peak(server)
    where = alice.post(f"{REPO}/blobs/uploads/").headers["location"]

    def pieces() -> Iterator[bytes]:
        for _ in range(15):
            yield LARGE

    assert alice.patch(where, content=pieces()).status_code == 202
    assert peak(server) - before < 64 * MIB


def peak(server: HavreProcess) -> int:
    """The most memory that any process of the server ever had, in bytes."""
    found = []
    for status in Path("/proc").glob("[0-9]*/status"):
        with suppress(OSError):
            if os.getpgid(int(status.parent.name)) == server.pid:
                found += [int(size) * 1024 for size in re.findall(r"VmHWM:\s+(\d+) kB", status.read_text())]
    return max(found)
