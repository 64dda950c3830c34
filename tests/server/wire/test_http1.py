"""The wire against clients that write bytes by hand: framing, order, bounds, deadlines, and files."""

import hashlib
import json
import os
import select
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Self

import pytest

from tests.support.oddities import LIMITS
from tests.support.server import free_port

HOST = b"Host: localhost\r\n"
BIG = 5_000_011
PATIENCE = 20


class Oddities:
    """The server under test."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        (folder / "big").write_bytes(os.urandom(BIG))
        with (folder / "log").open("wb") as log:
            command = [sys.executable, "-m", "tests.support.oddities", str(self.port), str(folder)]
            self.process = subprocess.Popen(command, stderr=log, start_new_session=True)
        until(self.accepts)

    def accepts(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
        except OSError:
            return False
        return True

    def connect(self, receive_buffer: int = 0) -> "Wire":
        return Wire(self.port, receive_buffer)

    def ask(self, request: bytes) -> bytes:
        """All that comes back until the server hangs up."""
        with self.connect() as wire:
            wire.send(request)
            return wire.rest()


class Wire:
    """A client's connection to it."""

    def __init__(self, port: int, receive_buffer: int) -> None:
        self.socket = socket.socket()
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(PATIENCE)
        self.socket.connect(("127.0.0.1", port))
        self.data = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def answer(self) -> tuple[int, dict[str, str], bytes]:
        """One answer with a Content-Length, or with none and no body."""
        while b"\r\n\r\n" not in self.data:
            self._more()
        head, _, self.data = self.data.partition(b"\r\n\r\n")
        lines = head.decode().split("\r\n")
        headers = dict(line.split(": ", 1) for line in lines[1:])
        length = int(headers.get("content-length", "0"))
        while len(self.data) < length:
            self._more()
        body, self.data = self.data[:length], self.data[length:]
        return int(lines[0].split()[1]), headers, body

    def _more(self) -> None:
        piece = self.socket.recv(1 << 16)
        if not piece:
            raise EOFError(self.data)
        self.data += piece

    def rest(self) -> bytes:
        """Everything until the end; what came before a reset counts too."""
        try:
            while True:
                self._more()
        except (EOFError, ConnectionResetError):
            return self.data

    def close(self) -> None:
        """Leave as a browser does whose window is closed."""
        self.socket.close()

    def end(self) -> None:
        """Send no more, and go on reading."""
        self.socket.shutdown(socket.SHUT_WR)

    def reset(self) -> None:
        """Leave as a machine that crashes does."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.02)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Oddities]:
    made = Oddities(tmp_path_factory.mktemp("wire"))
    yield made
    made.process.send_signal(signal.SIGTERM)
    assert made.process.wait(PATIENCE) == 0
    assert (made.folder / "stopped").exists()


@pytest.fixture
def wire(server: Oddities) -> Iterator[Wire]:
    with server.connect() as made:
        yield made


# ---------------------------------------------------------------- requests


def test_what_the_application_is_told(wire: Wire) -> None:
    wire.send(b"GET /a%20b/%C3%A9?q=%31&r HTTP/1.1\r\n" + HOST + b"Accept: a\r\nACCEPT: b\r\n\r\n")
    status, headers, body = wire.answer()
    assert json.loads(body) == {
        "method": "GET", "path": "/a b/é", "scheme": "http", "http_version": "1.1", "query": "q=%31&r",
        "headers": [["host", "localhost"], ["accept", "a"], ["accept", "b"]],
    }  # fmt: skip
    assert status == 200
    assert headers["date"].endswith("GMT")


def test_a_request_byte_by_byte(wire: Wire) -> None:
    wire.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for byte in (
        b"POST /echo HTTP/1.1\r\n"
        + HOST
        + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nT: 1\r\n\r\n"
    ):
        wire.send(bytes([byte]))
    assert wire.answer()[2] == b"abcde"


def test_pipelined_requests_are_answered_in_order(wire: Wire) -> None:
    one = b"POST /echo HTTP/1.1\r\n" + HOST + b"Content-Length: 3\r\n\r\n%03d"
    wire.send(b"".join(one % number for number in range(300)))
    assert [wire.answer()[2] for _ in range(300)] == [b"%03d" % number for number in range(300)]


def test_a_large_body_arrives_whole_and_in_few_calls(wire: Wire) -> None:
    content = os.urandom(3_000_000)
    pieces = [content[start : start + 5000] for start in range(0, len(content), 5000)]
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"
    wire.send(b"POST /echo HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n")
    sender = threading.Thread(target=wire.send, args=(chunks,))
    sender.start()
    _, headers, body = wire.answer()
    sender.join()
    assert hashlib.sha256(body).digest() == hashlib.sha256(content).digest()
    assert int(headers["x-calls"]) < len(pieces) / 2


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n" + HOST + HOST + b"\r\n", 400),
        (b"POST /echo HTTP/1.1\r\n" + HOST + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
        (b"POST /echo HTTP/1.1\r\n" + HOST + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd", 400),
        (b"POST /echo HTTP/1.1\r\n" + HOST + b"Content-Length: -3\r\n\r\nabcd", 400),
        (b"POST /echo HTTP/1.1\r\n" + HOST + b"Content-Length: 99999999999999999999999\r\n\r\n", 400),
        (b"POST /echo HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501),
        (b"POST /echo HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\nxyz\r\n", 400),
        (b"GET / HTTP/1.1\r\n" + HOST + b"X: a\r\n b\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n" + HOST + b"X: a\0b\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n" + HOST + b"X : a\r\n\r\n", 400),
        (b"GET /\xc3\xa9 HTTP/1.1\r\n" + HOST + b"\r\n", 400),
        (b"GET * HTTP/1.1\r\n" + HOST + b"\r\n", 400),
        (b"GET / HTTP/3.7\r\n" + HOST + b"\r\n", 400),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(100), 400),
        (b"GET / HTTP/1.1\r\n" + HOST + b"X: " + b"x" * 70_000 + b"\r\n\r\n", 431),
        (b"GET /" + b"x" * 70_000 + b" HTTP/1.1\r\n" + HOST + b"\r\n", 431),
        (b"GET / HTTP/1.1\r\n" + HOST + b"X: y\r\n" * 201 + b"\r\n", 431),
    ],
)  # fmt: skip
def test_what_is_refused(server: Oddities, request_: bytes, status: int) -> None:
    answer = server.ask(request_)
    assert answer.startswith(b"HTTP/1.1 %d " % status)
    assert b"connection: close\r\n" in answer


@pytest.mark.parametrize("endless", [b"X: ", b"", b"X: y\r\n"])
def test_a_head_without_end_is_refused_before_it_fills_memory(server: Oddities, endless: bytes) -> None:
    with server.connect() as wire:
        filler = endless if endless.endswith(b"\n") else b"x" * 1000
        flood = b"GET / HTTP/1.1\r\n" + HOST + endless + filler * (20_000_000 // len(filler))
        _send_what_is_taken(wire, flood)
        assert wire.rest()[:12] in {b"HTTP/1.1 431", b"HTTP/1.1 400", b""}


@pytest.mark.parametrize("flood", [b"1;" + b"x" * 20_000_000, b"0\r\nT: " + b"x" * 20_000_000])
def test_bytes_between_pieces_of_a_body_are_bounded(server: Oddities, flood: bytes) -> None:
    with server.connect() as wire:
        _send_what_is_taken(wire, b"POST /echo HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n" + flood)
        assert wire.rest()[:12] in {b"HTTP/1.1 431", b""}


def _send_what_is_taken(wire: Wire, data: bytes) -> None:
    sender = threading.Thread(target=_send_quietly, args=(wire, data))
    sender.start()
    sender.join(PATIENCE)
    assert not sender.is_alive()


def _send_quietly(wire: Wire, data: bytes) -> None:
    try:
        wire.send(data)
    except OSError:
        return


def test_the_absolute_form(wire: Wire) -> None:
    wire.send(b"GET http://elsewhere/path?q HTTP/1.1\r\n" + HOST + b"\r\n")
    seen = json.loads(wire.answer()[2])
    assert (seen["path"], seen["query"]) == ("/path", "q")


def test_http_1_0(server: Oddities) -> None:
    answer = server.ask(b"GET /stream HTTP/1.0\r\n\r\n")
    head, _, body = answer.partition(b"\r\n\r\n")
    assert body == b"one,two,three"
    assert b"transfer-encoding" not in head
    with server.connect() as wire:
        for _ in range(2):
            wire.send(b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
            assert wire.answer()[1]["connection"] == "keep-alive"


def test_an_upgrade_is_not_taken(server: Oddities) -> None:
    answer = server.ask(b"GET / HTTP/1.1\r\n" + HOST + b"Connection: Upgrade\r\nUpgrade: h2c\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 200 ")


# ---------------------------------------------------------------- bodies and answers


def test_a_body_is_asked_for_when_it_is_wanted(wire: Wire) -> None:
    wire.send(b"POST /echo HTTP/1.1\r\n" + HOST + b"Content-Length: 3\r\nExpect: 100-continue\r\n\r\n")
    assert wire.answer()[0] == 100
    wire.send(b"abc")
    assert wire.answer()[2] == b"abc"


def test_a_body_that_is_not_wanted_is_not_asked_for(server: Oddities) -> None:
    answer = server.ask(b"POST /refuse HTTP/1.1\r\n" + HOST + b"Content-Length: 3\r\nExpect: 100-continue\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 403 ")
    assert b"connection: close\r\n" in answer


def test_a_refused_body_may_still_arrive_and_the_connection_goes_on(wire: Wire) -> None:
    wire.send(b"POST /refuse HTTP/1.1\r\n" + HOST + b"Content-Length: 3000000\r\n\r\n")
    assert wire.answer()[0] == 403
    wire.send(bytes(3_000_000) + b"GET /empty HTTP/1.1\r\n" + HOST + b"\r\n")
    assert wire.answer()[0] == 204


def test_a_stream_of_unknown_length(wire: Wire) -> None:
    wire.send(b"GET /stream HTTP/1.1\r\n" + HOST + b"\r\nGET /empty HTTP/1.1\r\n" + HOST + b"Connection: close\r\n\r\n")
    head, _, rest = wire.rest().partition(b"\r\n\r\n")
    assert b"transfer-encoding: chunked" in head
    assert rest.startswith(b"4\r\none,\r\n4\r\ntwo,\r\n5\r\nthree\r\n0\r\n\r\nHTTP/1.1 204 ")


def test_head_has_the_headers_and_no_body(wire: Wire) -> None:
    wire.send(b"HEAD / HTTP/1.1\r\n" + HOST + b"\r\nHEAD /stream HTTP/1.1\r\n" + HOST + b"Connection: close\r\n\r\n")
    answers = wire.rest()
    assert answers.count(b"HTTP/1.1 200 ") == 2
    assert b"{" not in answers
    assert b"one" not in answers


@pytest.mark.parametrize(
    ("path", "status"), [("split", 500), ("fail", 500), ("nothing", 500), ("too-long", 500), ("too-short", 0)]
)
def test_an_application_that_fails(server: Oddities, path: str, status: int) -> None:
    answer = server.ask(f"GET /{path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    if status:
        assert answer.startswith(b"HTTP/1.1 500 ")
        assert b"much" not in answer
        assert b"set-cookie" not in answer
    else:
        assert len(answer.partition(b"\r\n\r\n")[2]) < 10
    assert server.accepts()


def test_a_client_that_leaves_in_the_middle_of_its_body(server: Oddities) -> None:
    with server.connect() as wire:
        wire.send(b"POST /echo HTTP/1.1\r\n" + HOST + b"Content-Length: 1000\r\n\r\n" + bytes(77))
    until(lambda: (server.folder / "left").exists() and "77\n" in (server.folder / "left").read_text())


@pytest.mark.parametrize("how", [Wire.reset, Wire.close, Wire.end])
def test_a_client_that_leaves_while_it_waits_is_noticed(server: Oddities, how: Callable[[Wire], None]) -> None:
    noticed = server.folder / "noticed"
    noticed.unlink(missing_ok=True)
    logged = (server.folder / "log").read_bytes().count(b"no whole answer")
    with server.connect() as wire:
        wire.send(b"GET /hold HTTP/1.1\r\n" + HOST + b"\r\n")
        how(wire)
        until(noticed.exists)
    noticed.unlink()
    with server.connect() as wire:
        # Answers that go on for ever are like that: begun, and broken off when nobody is left.
        wire.send(b"GET /watch HTTP/1.1\r\n" + HOST + b"\r\n")
        assert b"200" in wire.socket.recv(1000)
        how(wire)
        until(noticed.exists)
    assert (server.folder / "log").read_bytes().count(b"no whole answer") == logged


@pytest.mark.parametrize("path", ["/", "/stream", "/file?,,"])
def test_a_client_that_sends_no_more_still_gets_its_answers(server: Oddities, path: str) -> None:
    one = f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
    with server.connect() as wire:
        wire.send(one)
        wire.end()
        alone = wire.rest()
    assert alone.startswith(b"HTTP/1.1 200 ")
    with server.connect() as wire:
        wire.send(b"POST /echo HTTP/1.1\r\n" + HOST + b"Content-Length: 3\r\n\r\nabc" + one + one[:9])
        wire.end()
        several = wire.rest()
    assert several.count(b"HTTP/1.1 200 ") == 2
    assert len(several) > len(alone)


def test_a_client_that_leaves_in_the_middle_of_an_answer(server: Oddities) -> None:
    with server.connect() as wire:
        wire.send(b"GET /flood HTTP/1.1\r\n" + HOST + b"\r\n")
        assert wire.socket.recv(1000)
    until(lambda: (server.folder / "flooded").exists() and (server.folder / "flooded").read_text() == "Gone")
    assert b"Traceback" not in (server.folder / "log").read_bytes().partition(b"Gone")[2]


# ---------------------------------------------------------------- files


@pytest.mark.parametrize(("offset", "count"), [("", ""), ("1", ""), ("4000000", "1000000"), ("5", "0"), ("", "1")])
def test_a_file(server: Oddities, wire: Wire, offset: str, count: str) -> None:
    content = (server.folder / "big").read_bytes()
    start = int(offset or 0)
    wanted = content[start : start + int(count) if count else None]
    for _ in range(2):
        wire.send(f"GET /file?{offset},{count}, HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        assert wire.answer()[2] == wanted


def test_a_file_for_a_client_that_reads_slowly(server: Oddities) -> None:
    with server.connect(receive_buffer=4096) as wire:
        wire.send(b"GET /file?,, HTTP/1.1\r\n" + HOST + b"\r\n")
        slow = b""
        while len(slow) < 200_000:
            slow += wire.socket.recv(4096)
        wire.data = slow
        assert wire.answer()[2] == (server.folder / "big").read_bytes()


def test_a_file_that_is_shorter_than_announced(server: Oddities) -> None:
    answer = server.ask(b"GET /file?4999000,5000,5000 HTTP/1.1\r\n" + HOST + b"\r\n")
    assert len(answer.partition(b"\r\n\r\n")[2]) == BIG - 4_999_000
    assert not server.ask(b"GET /file?0,10,20 HTTP/1.1\r\n" + HOST + b"\r\n").startswith(b"HTTP/1.1 200")


def test_a_client_that_leaves_in_the_middle_of_a_file(server: Oddities) -> None:
    for _ in range(3):
        with server.connect(receive_buffer=4096) as wire:
            wire.send(b"GET /file?,, HTTP/1.1\r\n" + HOST + b"\r\n")
            assert wire.socket.recv(1000)
            wire.reset()
    assert server.ask(b"GET /empty HTTP/1.1\r\n" + HOST + b"Connection: close\r\n\r\n").startswith(b"HTTP/1.1 204")


# ---------------------------------------------------------------- time and numbers


def test_a_head_that_never_ends_in_time(server: Oddities) -> None:
    assert server.ask(b"GET / HTTP/1.1\r\nHost:").startswith(b"HTTP/1.1 408 ")


def test_an_idle_connection_ends(server: Oddities) -> None:
    answer = server.ask(b"GET /empty HTTP/1.1\r\n" + HOST + b"\r\n")
    assert answer.startswith(b"HTTP/1.1 204 ")
    assert server.ask(b"") == b""


def test_a_body_that_stops_to_arrive(server: Oddities) -> None:
    server.ask(b"POST /echo HTTP/1.1\r\n" + HOST + b"Content-Length: 1000\r\n\r\n" + bytes(88))
    until(lambda: "88\n" in (server.folder / "left").read_text())


def test_a_body_that_crawls(server: Oddities) -> None:
    with server.connect() as wire:
        wire.send(b"POST /echo HTTP/1.1\r\n" + HOST + b"Content-Length: 100000\r\n\r\n")
        ended = select.poll()
        ended.register(wire.socket, select.POLLIN)
        sent = 0
        while not ended.poll(100):  # ten bytes a second: never silent, never done
            wire.socket.send(b"x")
            sent += 1
            assert sent < PATIENCE * 10
    until(lambda: any(int(line) >= sent - 1 for line in (server.folder / "left").read_text().split()[-1:]))


def test_a_body_that_is_slow_but_moves(server: Oddities) -> None:
    with server.connect() as wire:
        wire.send(b"POST /echo HTTP/1.1\r\n" + HOST + b"Content-Length: 30000\r\n\r\n")
        quiet = select.poll()
        quiet.register(wire.socket, select.POLLIN)
        for _ in range(50):
            assert not quiet.poll(100)  # five seconds in all, at six times the rate that is asked for
            wire.send(bytes(600))
        assert wire.answer()[0] == 200


def test_an_answer_that_is_taken_at_a_crawl(server: Oddities) -> None:
    with server.connect(receive_buffer=4096) as wire:
        wire.send(b"GET /file?,, HTTP/1.1\r\n" + HOST + b"\r\n")
        broken = select.poll()
        broken.register(wire.socket, 0)
        for _ in range(PATIENCE * 10):
            if broken.poll(100):
                break
            wire.socket.recv(10)
        else:
            pytest.fail("the server went on for ever")


@pytest.mark.parametrize("path", ["/flood", "/file?,,"])
def test_an_answer_that_is_not_taken(server: Oddities, path: str) -> None:
    with server.connect(receive_buffer=4096) as wire:
        wire.send(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        broken = select.poll()
        broken.register(wire.socket, 0)  # nothing but errors, among which is that the server hung up
        assert broken.poll(PATIENCE * 1000)
        assert len(wire.rest()) < BIG


HOLD = b"GET /hold HTTP/1.1\r\n" + HOST + b"\r\n"
EMPTY = b"GET /empty HTTP/1.1\r\n" + HOST + b"\r\n"


def test_requests_beyond_the_limit_wait(server: Oddities) -> None:
    held = [server.connect() for _ in range(LIMITS.active)]
    for wire in held:
        wire.send(HOLD)
    with server.connect() as last:
        last.send(EMPTY)
        last.socket.settimeout(0.5)
        with pytest.raises(TimeoutError):
            last.answer()
        held.pop().reset()
        last.socket.settimeout(PATIENCE)
        assert last.answer()[0] == 204
    for wire in held:
        wire.reset()


def test_requests_that_would_wait_too_long_or_in_too_long_a_line_are_turned_away(server: Oddities) -> None:
    held = [server.connect() for _ in range(LIMITS.active + LIMITS.waiting)]
    for wire in held:
        wire.send(HOLD)
    until(lambda: server.ask(EMPTY).startswith(b"HTTP/1.1 503 "))  # once all of them are in the line
    left = held.pop()
    left.reset()
    with server.connect() as last:
        last.send(b"POST /echo HTTP/1.1\r\n" + HOST + b"Content-Length: 4\r\n\r\nbody")
        status, headers, body = last.answer()  # the last in line, after some seconds
        assert (status, headers["retry-after"], headers["connection"]) == (503, "5", "close")
        assert b"more to do than it can" in body
        assert last.rest() == b""
    turned_away = [wire.answer()[0] for wire in held[LIMITS.active :]]
    assert turned_away == [503] * (LIMITS.waiting - 1)
    for wire in held:
        wire.reset()
    assert server.ask(b"GET /empty HTTP/1.0\r\n\r\n").startswith(b"HTTP/1.1 204 ")
    until(lambda: b"turned away with 503" in (server.folder / "log").read_bytes())


def test_who_leaves_the_line_is_not_worked_for(server: Oddities) -> None:
    held = [server.connect() for _ in range(LIMITS.active)]
    for wire in held:
        wire.send(HOLD)
    gone = server.connect()
    gone.send(b"GET /die HTTP/1.1\r\n" + HOST + b"\r\n")
    gone.reset()
    with server.connect() as last:
        last.send(EMPTY)
        held.pop().reset()
        assert last.answer()[0] == 204, "the worker is alive, so nobody asked it to die"
    for wire in held:
        wire.reset()


def test_an_idle_connection_makes_room_for_a_new_one(server: Oddities) -> None:
    idle = [server.connect() for _ in range(LIMITS.connections)]
    with server.connect() as wire:
        wire.send(EMPTY)
        assert wire.answer()[0] == 204
    # It was the one that came first, and no other.
    assert idle[0].rest() == b""
    for one in idle[1:]:
        one.send(EMPTY)
        assert one.answer()[0] == 204
    for one in idle:
        one.reset()


def test_a_connection_too_many_is_refused(server: Oddities) -> None:
    held = [server.connect() for _ in range(LIMITS.connections)]
    for wire in held:
        wire.send(HOLD)
    until(lambda: server.ask(EMPTY).startswith(b"HTTP/1.1 503 "))
    for wire in held:
        wire.reset()
    until(lambda: server.ask(b"GET /empty HTTP/1.0\r\n\r\n").startswith(b"HTTP/1.1 204 "))


def test_a_worker_that_dies_is_replaced(server: Oddities) -> None:
    assert server.ask(b"GET /die HTTP/1.1\r\n" + HOST + b"\r\n") == b""
    assert server.ask(b"GET /empty HTTP/1.0\r\n\r\n").startswith(b"HTTP/1.1 204 ")
    assert b"a worker ended (with exit code 7)" in (server.folder / "log").read_bytes()
