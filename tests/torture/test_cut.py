"""Connections cut at every stage of a push and of a pull: nothing half is ever seen, and going on succeeds."""

import base64
import contextlib
import json
import os
import re
import socket
import struct
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.request import Request, urlopen

import pytest

from tests.support.documents import EMPTY, OCI_MANIFEST, artifact, digest_of
from tests.support.server import HavreProcess
from torture.victim import ACCOUNT, PASSWORD

REPO = "/v2/alice/cut"
PATIENCE = 20
CONTENT = os.urandom(300_000)
RESET = struct.pack("ii", 1, 0)


@dataclass
class Cutter:
    """Sends requests by hand, and leaves in the middle."""

    server: HavreProcess
    bearer: str

    def head(self, method: str, path: str, *lines: str) -> bytes:
        fields = [f"{method} {path} HTTP/1.1", f"Host: {self.server.host}", f"Authorization: Bearer {self.bearer}"]
        return "\r\n".join([*fields, *lines, "", ""]).encode()

    def cut(self, data: bytes, *, reset: bool) -> None:
        """Send so much, and leave without waiting for anything."""
        with socket.create_connection(("127.0.0.1", self.server.port), PATIENCE) as wire:
            with contextlib.suppress(OSError):
                wire.sendall(data)
            if reset:
                wire.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)

    def ask(self, method: str, path: str, body: bytes = b"", *lines: str) -> tuple[int, dict[str, str], bytes]:
        """A request that nothing happens to."""
        with socket.create_connection(("127.0.0.1", self.server.port), PATIENCE) as wire:
            wire.sendall(self.head(method, path, f"Content-Length: {len(body)}", "Connection: close", *lines) + body)
            data = b"".join(iter(lambda: wire.recv(1 << 16), b""))
        head, _, rest = data.partition(b"\r\n\r\n")
        status, *fields = head.decode("latin-1").split("\r\n")
        return int(status.split()[1]), {k.lower(): v for k, _, v in (one.partition(": ") for one in fields)}, rest

    def begin(self) -> str:
        return self.ask("POST", f"{REPO}/blobs/uploads/")[1]["location"]

    def descriptors(self) -> int:
        """Open descriptors of the one worker."""
        pid = self.server.pid
        worker = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()[0]
        return sum(1 for _ in Path(f"/proc/{worker}/fd").iterdir())


@pytest.fixture(scope="module")
def cutter(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cutter]:
    server = HavreProcess(tmp_path_factory.mktemp("cut"), workers="1", uploads_per_account="10000")
    server.add_user(ACCOUNT, PASSWORD)
    with server:
        answer = Request(f"{server.url}/auth/token?scope=repository:alice/cut:pull,push")
        answer.add_header("Authorization", "Basic " + base64.b64encode(f"{ACCOUNT}:{PASSWORD}".encode()).decode())
        with urlopen(answer, timeout=PATIENCE) as reply:
            token = json.load(reply)["token"]
        made = Cutter(server, token)
        assert made.ask("POST", f"{REPO}/blobs/uploads/?digest={digest_of(EMPTY)}", EMPTY)[0] == 201
        yield made


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)


STAGES = {
    "before the head": lambda head, _body: head[:0],
    "in its first line": lambda head, _body: head[:9],
    "in the head": lambda head, _body: head[:-3],
    "before the body": lambda head, _body: head,
    # Not one: "0-0" is how clients expect to be told of nothing as well.
    "after two bytes": lambda head, body: head + body[:2],
    "in the middle": lambda head, body: head + body[: len(body) // 2],
    "one byte before the end": lambda head, body: head + body[:-1],
    "before the answer": lambda head, body: head + body,
}
STAGE = pytest.mark.parametrize("stage", STAGES)
RESETS = pytest.mark.parametrize("reset", [True, False], ids=["reset", "closed"])


@STAGE
@RESETS
def test_an_upload_cut_in_a_chunk_goes_on_where_the_server_says(cutter: Cutter, stage: str, reset: bool) -> None:
    content, location = os.urandom(200_000) + CONTENT, cutter.begin()
    head = cutter.head("PATCH", location, f"Content-Length: {len(content)}")
    cutter.cut(STAGES[stage](head, content), reset=reset)
    stands = -1

    def settled() -> bool:
        """The server has noticed: the upload is nobody's any more and stands still."""
        nonlocal stands
        before, (status, headers, _) = stands, cutter.ask("GET", location)
        assert status == 204
        stands = int(headers["range"].removeprefix("0-")) + 1 if headers["range"] != "0-0" else 0
        # A closed connection has delivered all that was sent; a reset may have swallowed the end of it.
        return stands == before and (reset or stage != "before the answer" or stands == len(content))

    until(settled)
    assert stands <= max(0, len(STAGES[stage](head, content)) - len(head))
    rest = content[stands:]

    def goes_on() -> bool:
        status, _, body = cutter.ask("PUT", f"{location}?digest={digest_of(content)}", rest)
        assert status in {201, 409}, body  # 409: the former request is not over yet
        return status == 201

    until(goes_on)
    status, _, body = cutter.ask("GET", f"{REPO}/blobs/{digest_of(content)}")
    assert (status, body == content) == (200, True)


@STAGE
@RESETS
@pytest.mark.parametrize("form", ["POST", "PUT"])
def test_a_blob_that_is_cut_is_whole_or_not_there(cutter: Cutter, stage: str, reset: bool, form: str) -> None:
    content = os.urandom(50_000) + CONTENT
    digest = digest_of(content)
    path = f"{REPO}/blobs/uploads/?digest={digest}" if form == "POST" else f"{cutter.begin()}?digest={digest}"
    cutter.cut(STAGES[stage](cutter.head(form, path, f"Content-Length: {len(content)}"), content), reset=reset)
    status, _, body = cutter.ask("GET", f"{REPO}/blobs/{digest}")
    assert status == 404 or body == content
    if stage != "before the answer":
        assert status == 404
    elif not reset:
        until(lambda: cutter.ask("HEAD", f"{REPO}/blobs/{digest}")[0] == 200)
    assert cutter.ask("POST", f"{REPO}/blobs/uploads/?digest={digest}", content)[0] == 201
    assert cutter.ask("GET", f"{REPO}/blobs/{digest}")[2] == content


@STAGE
@RESETS
def test_a_manifest_that_is_cut_is_whole_or_not_there(cutter: Cutter, stage: str, reset: bool) -> None:
    content = artifact(annotations={"stage": stage, "reset": str(reset)})
    tag = f"{'reset' if reset else 'closed'}-{stage.replace(' ', '-')}"
    path, kind = f"{REPO}/manifests/{tag}", f"Content-Type: {OCI_MANIFEST}"
    head = cutter.head("PUT", path, kind, f"Content-Length: {len(content)}")
    cutter.cut(STAGES[stage](head, content), reset=reset)
    status, _, body = cutter.ask("GET", path)
    assert (status == 404 and stage) or body == content
    if stage != "before the answer":
        assert status == 404
    assert cutter.ask("PUT", path, content, kind)[0] == 201
    assert cutter.ask("GET", path)[2] == content


def test_a_pull_cut_anywhere_goes_on_by_ranges_and_leaves_nothing_open(cutter: Cutter) -> None:
    content = os.urandom(3_000_000)
    assert cutter.ask("POST", f"{REPO}/blobs/uploads/?digest={digest_of(content)}", content)[0] == 201
    path, before = f"{REPO}/blobs/{digest_of(content)}", cutter.descriptors()
    for size in (0, 1, 20, 300, 5_000, 100_000, 2_000_000):
        for ending in (b"", RESET):
            with socket.create_connection(("127.0.0.1", cutter.server.port), PATIENCE) as wire:
                wire.sendall(cutter.head("GET", path))
                got = b""
                while len(got) < size:
                    got += wire.recv(size - len(got))
                if ending:
                    wire.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, ending)
            have = len(got.partition(b"\r\n\r\n")[2])
            status, headers, rest = cutter.ask("GET", path, b"", f"Range: bytes={have}-")
            assert status == 206
            assert re.fullmatch(rf"bytes {have}-{len(content) - 1}/{len(content)}", headers["content-range"])
            assert rest == content[have:]
    until(lambda: cutter.descriptors() <= before)
