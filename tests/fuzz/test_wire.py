"""Raw bytes at the HTTP server: whatever comes and however it is cut, it says the same, and nothing breaks."""

import asyncio
import hashlib
import json
import logging
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

import pytest
import uvloop
from hypothesis import example, given
from hypothesis import strategies as st

from havre.server.http import Receive, Scope, Send
from havre.server.wire.connection import Connection
from havre.server.wire.limits import Limits
from havre.server.wire.worker import Worker
from tests.support.fuzzing import tries

VALID = [
    b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET /v2/alice/app/manifests/latest?a=b HTTP/1.1\r\nHost: a\r\nAccept: x/y, */*\r\nConnection: close\r\n\r\n",
    b"PUT /a%20b HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello",
    b"PATCH / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n1;x=y\r\n!\r\n0\r\nTrailer: t\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\nabc",
    b"GET http://a/b?c HTTP/1.1\r\nHost: a\r\n\r\n",
    b"HEAD / HTTP/1.0\r\n\r\n",
    b"OPTIONS * HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
]
HOSTILE = [
    b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /evil HTTP/1.1\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
    b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +5\r\n\r\nhello",
    b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\nx",
    b"GET / HTTP/1.1\r\nHost: a\r\n folded: b\r\n\r\n",
    b"GET / HTTP/1.1\nHost: a\n\n",
    b"GET /\x00 HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: a\r\nHost: b\r\nContent-Length: 0\r\n\r\nGET /evil HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET / HTTP/9.9\r\nHost: a\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"A" * 70_000,
    b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"b" * 70_000 + b"\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\n" + b"a: b\r\n" * 300 + b"\r\n",
]
WORDS = st.sampled_from(
    [b"\r\n", b"\n", b"\r", b"\0", b" ", b":", b"Content-Length: 7\r\n", b"Transfer-Encoding: chunked\r\n", b"0\r\n\r\n",
     b"5\r\n", b"HTTP/1.1", b"Host: b\r\n", b"GET ", b"\xff", b"Expect: 100-continue\r\n", b"Connection: close\r\n"]
)  # fmt: skip


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """A request or a few, with bytes cut out, put in, doubled or changed."""
    data = b"".join(draw(st.lists(st.sampled_from(VALID + HOSTILE[:13]), min_size=1, max_size=3)))
    for _ in range(draw(st.integers(0, 4))):
        at, upto = sorted((draw(st.integers(0, len(data))), draw(st.integers(0, len(data)))))
        new = draw(st.one_of(WORDS, st.binary(max_size=6), st.just(b""), st.just(data[at:upto] * 2)))
        data = data[:at] + new + data[min(upto, at + 40) :]
    return data


CUTS = st.lists(st.integers(0, 400), max_size=6)


class Witness:
    """Notes every request that came whole, and describes it in the answer."""

    def __init__(self) -> None:
        self.seen: list[object] = []

    async def start(self) -> None:
        """Nothing to do."""

    def wind_down(self) -> None:
        """Nothing goes on for ever."""

    async def stop(self) -> None:
        """Nothing to do."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        body, more = b"", True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            body, more = body + message["body"], message["more_body"]
        headers = [[name.decode("latin-1"), value.decode("latin-1")] for name, value in scope["headers"]]
        told = [scope["method"], scope["path"], scope["query_string"].decode("latin-1"), headers]
        self.seen.append((*told[:3], str(headers), hashlib.sha256(body).hexdigest(), len(body)))
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": json.dumps(told).encode()})


@contextmanager
def listening() -> Iterator[list[str]]:
    """What is logged meanwhile as an error."""
    said: list[str] = []

    class Ear(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            said.append(record.getMessage())

    ear = Ear(logging.ERROR)
    logging.getLogger("havre").addHandler(ear)
    try:
        yield said
    finally:
        logging.getLogger("havre").removeHandler(ear)


async def exchange(pieces: Sequence[bytes]) -> tuple[list[object], bytes]:
    """Send the pieces over a connection, each once the one before was worked on; what was seen, and what came back."""
    loop, witness = asyncio.get_running_loop(), Witness()
    trouble: list[dict[str, object]] = []
    loop.set_exception_handler(lambda _loop, context: trouble.append(context))
    near, far = socket.socketpair()
    near.setblocking(False)
    far.setblocking(False)
    worker = Worker(witness, near, None, Limits())
    worker.date = b"date: now\r\n\r\n"
    received = bytearray()
    await loop.connect_accepted_socket(lambda: Connection(worker), near)
    reading = asyncio.create_task(drain(far, received))
    for piece in pieces:
        if reading.done():
            break
        try:
            await asyncio.wait_for(loop.sock_sendall(far, piece), 5)
        except OSError:
            break
        for _ in range(6):
            await asyncio.sleep(0)
    with suppress(OSError):
        far.shutdown(socket.SHUT_WR)
    await asyncio.wait_for(reading, 10)
    far.close()
    for _ in range(4):
        await asyncio.sleep(0)
    assert not trouble, trouble
    return witness.seen, bytes(received)


async def drain(far: socket.socket, received: bytearray) -> None:
    loop = asyncio.get_running_loop()
    try:
        while data := await loop.sock_recv(far, 65536):
            received += data
    except OSError:
        return


@pytest.fixture(scope="module")
def runner() -> Iterator[asyncio.Runner]:
    """The loop that the server runs on."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as made:
        yield made


def check(runner: asyncio.Runner, data: bytes, cuts: list[int]) -> None:
    places = sorted({min(cut, len(data)) for cut in cuts})
    pieces = [data[start:end] for start, end in zip([0, *places], [*places, len(data)], strict=True) if data[start:end]]
    with listening() as said:
        whole, answer = runner.run(exchange([data]))
        parts, other = runner.run(exchange(pieces))
    assert not said, said
    for one in (answer, other):
        assert not one or one.startswith(b"HTTP/1.1 "), one[:100]
        assert b"HTTP/1.1 500" not in one
    fewer, more = sorted((whole, parts), key=len)
    assert more[: len(fewer)] == fewer
    if b" Refused\r\n" not in answer + other and b"connection: close" not in answer + other:
        assert whole == parts


@tries(60)
@given(mutated(), CUTS)
@example(b"".join(VALID[:4]), [1, 50, 90, 180])
def test_requests_with_mutations(runner: asyncio.Runner, data: bytes, cuts: list[int]):
    check(runner, data, cuts)


@tries(40)
@given(st.binary(max_size=200), CUTS)
def test_any_bytes(runner: asyncio.Runner, data: bytes, cuts: list[int]):
    check(runner, data, cuts)


@pytest.mark.parametrize("data", HOSTILE, ids=lambda data: repr(data[:40]))
def test_what_smugglers_send_is_refused(runner: asyncio.Runner, data: bytes):
    seen, answer = runner.run(exchange([data]))
    assert not any("/evil" in str(one) for one in seen)
    if b"HTTP/1.1 200" in answer:
        assert data.startswith(b"GET / HTTP/1.1\n")  # bare line feeds may be taken (RFC 9112, section 2.2)
    check(runner, data, [10, 60, 61, 62, 100])


@pytest.mark.parametrize("data", VALID, ids=lambda data: repr(data[:40]))
def test_what_is_right_is_seen_alike_at_every_cut(runner: asyncio.Runner, data: bytes):
    expected = runner.run(exchange([data]))
    for cut in range(1, len(data)):
        assert runner.run(exchange([data[:cut], data[cut:]]))[0] == expected[0]
