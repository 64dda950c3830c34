"""Streams of a real server: over several workers, to their end when it stops, and in its log and figures."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from urllib.parse import urlencode

import httpx
import pytest

from havre.server.middleware import area
from tests.conftest import PASSWORD
from tests.support.server import HavreProcess

REPOSITORY = "alice/app"
ANY = b'{"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": []}'
EVENTS = f"/r/{REPOSITORY}/-/events"

Start = Callable[..., HavreProcess]


@pytest.fixture
def havre(start_havre: Start, tmp_path_factory: pytest.TempPathFactory) -> HavreProcess:
    folder = tmp_path_factory.mktemp("people")
    HavreProcess(folder).add_user("alice", PASSWORD)
    return start_havre(data=str(folder / "data"), workers="2")


class Pusher:
    """Someone whose every request goes over a connection of its own, and so to any of the workers."""

    def __init__(self, havre: HavreProcess) -> None:
        self._url = havre.url
        scope = urlencode({"service": havre.host, "scope": f"repository:{REPOSITORY}:pull,push"})
        with httpx.Client(base_url=self._url, trust_env=False) as client:
            reply = client.get(f"/auth/token?{scope}", auth=("alice", PASSWORD)).raise_for_status()
        self._headers = {"Authorization": f"Bearer {reply.json()['token']}"}

    def __call__(self, method: str, path: str, **options: object) -> httpx.Response:
        kind = "application/vnd.oci.image.index.v1+json" if "manifests" in path else "application/octet-stream"
        headers = {**self._headers, "Content-Type": kind, "Connection": "close"}
        with httpx.Client(base_url=self._url, trust_env=False, timeout=30, headers=headers) as client:
            reply = client.request(method, path, **options)  # type: ignore[arg-type]
        return reply.raise_for_status()


@contextmanager
def signed_in(havre: HavreProcess) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=havre.url, trust_env=False, timeout=20) as client:
        reply = client.post("/login", data={"name": "alice", "password": PASSWORD}, headers={"Origin": havre.url})
        assert reply.status_code == 303
        yield client


def read_until(lines: Iterator[str], wanted: str) -> None:
    for line in lines:
        if wanted in line:
            return
    raise AssertionError(f"the stream ended without {wanted!r}")


def test_bytes_are_seen_from_whichever_worker_takes_them(havre: HavreProcess) -> None:
    push = Pusher(havre)
    go_on = threading.Event()

    def body() -> Iterator[bytes]:
        yield b"x" * 3_000_000
        yield b"y" * 500_000
        go_on.wait(20)
        yield b"z"

    with signed_in(havre) as client:
        push("PUT", f"/v2/{REPOSITORY}/manifests/any", content=ANY)
        location = push("POST", f"/v2/{REPOSITORY}/blobs/uploads/").headers["location"]
        with client.stream("GET", EVENTS) as stream:
            lines = stream.iter_lines()
            read_until(lines, "event: uploads")
            sending = threading.Thread(target=push, args=("PATCH", location), kwargs={"content": body()})
            sending.start()
            try:
                # More than nothing while the request goes on: the last piece waits for us.
                read_until(lines, "MB")
            finally:
                go_on.set()
                sending.join()
            push("PUT", f"/v2/{REPOSITORY}/manifests/new", content=ANY)
            read_until(lines, "new has arrived.")


def test_a_stop_ends_streams_and_the_log_has_one_line_for_each(havre: HavreProcess) -> None:
    push = Pusher(havre)
    push("PUT", f"/v2/{REPOSITORY}/manifests/any", content=ANY)
    with signed_in(havre) as client:
        with client.stream("GET", EVENTS) as left:
            read_until(left.iter_lines(), "retry")
        with client.stream("GET", EVENTS) as stream:
            lines = stream.iter_lines()
            read_until(lines, "retry")
            stopping = threading.Thread(target=havre.stop)
            stopping.start()
            assert "event: odd" not in list(lines), "it ends by itself"
            stopping.join()
    answered = re.findall(rf"GET {EVENTS} status=(\d+)", havre.log.read_text())
    assert answered == ["200", "200"]
    assert area(EVENTS) == "live", "how long someone watches must not count as the time of a page"
    assert "Traceback" not in havre.log.read_text()
