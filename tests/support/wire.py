"""A small proxy between a client and the registry: it counts what passes, and can cut a transfer.

`Wire.exchanges` is the list of requests that went through, with the bytes of each body. That is how a test
proves that a layer was *not* sent again. The proxy reads nothing into meaning and changes nothing: bytes go
on as they came, and a connection that opens with a TLS hello (all clients try) is passed through untouched.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Self

PIECE = 64 * 1024
HEAD_LIMIT = 256 * 1024
TLS_HANDSHAKE = b"\x16"


@dataclass(frozen=True)
class Exchange:
    """One request and its answer: the size of both bodies as they went over the wire, in bytes."""

    method: str
    target: str
    range: str
    status: int
    sent: int
    received: int

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]


@dataclass
class Traffic:
    """The requests seen while a test watched, and the questions tests ask of them."""

    exchanges: list[Exchange] = field(default_factory=list)

    @property
    def blob_bytes_sent(self) -> int:
        """Bytes of upload bodies: layers and configurations, not manifests."""
        return sum(each.sent for each in self.exchanges if "/blobs/uploads/" in each.path)

    @property
    def blob_bytes_received(self) -> int:
        return sum(each.received for each in self.exchanges if "/blobs/sha256:" in each.path and each.method == "GET")

    @property
    def mounts(self) -> int:
        """Layers the registry linked from another repository instead of asking for their bytes."""
        return sum(1 for each in self.exchanges if "mount=" in each.target and each.status == 201)

    @property
    def parts(self) -> list[Exchange]:
        """Downloads that asked for one or several ranges of a blob and got exactly those."""
        return [
            each for each in self.exchanges
            if "/blobs/sha256:" in each.path and each.range.startswith("bytes=") and each.status == 206
        ]  # fmt: skip

    def count(self, method: str, part: str = "") -> int:
        return sum(1 for each in self.exchanges if each.method == method and part in each.target)


@dataclass
class _Request:
    method: str
    target: str
    range: str
    sent: int = 0


@dataclass
class _Cut:
    """Ends the connection once, where a body of this method for a path with `part` in it reaches `after` bytes."""

    method: str
    part: str
    after: int
    done: bool = False

    def meant_for(self, request: _Request) -> bool:
        return not self.done and request.method == self.method and self.part in request.target


class Wire:
    """The proxy, on a free port of 127.0.0.1, in a thread of its own; use it in a `with` statement.

    `source` is the loopback address it calls the registry from, so that a test can be another machine.
    """

    def __init__(self, upstream: str, *, source: str = "127.0.0.1") -> None:
        host, _, port = upstream.rpartition(":")
        self._upstream = (host, int(port))
        self._source = source
        self._tasks: set[asyncio.Task[None]] = set()
        self._under_way: set[asyncio.Future[None]] = set()
        self._watchers: list[Traffic] = []
        self._cut: _Cut | None = None
        self.host = ""

    def __enter__(self) -> Self:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="wire", daemon=True)
        self._thread.start()
        self._server = asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result()
        self.host = f"127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    @contextlib.contextmanager
    def watched(self) -> Iterator[Traffic]:
        """Notes every request that is answered until the `with` statement ends."""
        traffic = Traffic()
        self._watchers.append(traffic)
        try:
            yield traffic
        finally:
            # The client may be done a moment before its last request is noted.
            asyncio.run_coroutine_threadsafe(self._settled(), self._loop).result()
            self._watchers.remove(traffic)

    def cut_once(self, method: str, part: str, *, after: int) -> None:
        """The next long transfer breaks off after `after` bytes: a `GET` from, or a `PATCH` to, a path with `part`."""
        self._cut = _Cut(method, part, after)

    async def _listen(self) -> asyncio.Server:
        return await asyncio.start_server(self._accept, "127.0.0.1", 0, limit=HEAD_LIMIT)

    async def _close(self) -> None:
        self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()

    async def _settled(self) -> None:
        await asyncio.gather(*self._under_way)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            await self._relay(reader, writer)
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            # A client may leave in mid-body, and the end of the test ends everything: both are no news.
            writer.transport.abort()
        finally:
            await _closed(writer)
            self._tasks.discard(task)

    async def _relay(self, client: asyncio.StreamReader, answer_to: asyncio.StreamWriter) -> None:
        opening = await client.read(1)
        if not opening:
            return
        server, ask = await asyncio.open_connection(*self._upstream, local_addr=(self._source, 0), limit=HEAD_LIMIT)
        try:
            if opening == TLS_HANDSHAKE:
                ask.write(opening)
                await _pipe_both(client, ask, server, answer_to)
                return
            while await self._exchange(opening, client, ask, server, answer_to):
                opening = await client.read(1)
                if not opening:
                    return
        finally:
            await _closed(ask)

    async def _exchange(
        self,
        opening: bytes,
        client: asyncio.StreamReader,
        ask: asyncio.StreamWriter,
        server: asyncio.StreamReader,
        answer_to: asyncio.StreamWriter,
    ) -> bool:
        """Passes one request and its answer; False when the connection ends with it."""
        head = opening + await client.readuntil(b"\r\n\r\n")
        method, target, _ = head.split(b"\r\n", 1)[0].decode("latin-1").split(" ", 2)
        request = _Request(method, target, _header(head, "range"))
        done = self._loop.create_future()
        self._under_way.add(done)
        ask.write(head)
        # An answer may come before the whole body was sent: a refusal must reach a client that still writes.
        sending = asyncio.create_task(
            _body(head, client, ask, request, cut=self._cut_for(request) if method != "GET" else None)
        )
        try:
            status, received, keep = await self._answer(request, server, answer_to)
            if not sending.done() and not keep:
                sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)
            exchange = Exchange(method, target, request.range, status, request.sent, received)
            for traffic in self._watchers:
                traffic.exchanges.append(exchange)
        finally:
            sending.cancel()
            self._under_way.discard(done)
            done.set_result(None)
        return keep and "close" not in _header(head, "connection").lower()

    def _cut_for(self, request: _Request) -> _Cut | None:
        return self._cut if self._cut and self._cut.meant_for(request) else None

    async def _answer(
        self, request: _Request, server: asyncio.StreamReader, answer_to: asyncio.StreamWriter
    ) -> tuple[int, int, bool]:
        head = await server.readuntil(b"\r\n\r\n")
        status = int(head.split(b" ", 2)[1])
        if status == 100:
            answer_to.write(head)
            return await self._answer(request, server, answer_to)
        answer_to.write(head)
        counted = _Request("", "", "")
        empty = request.method == "HEAD" or status in {204, 304}
        cut = self._cut_for(request) if request.method == "GET" else None
        ended = True if empty else await _body(head, server, answer_to, counted, until_closed=True, cut=cut)
        await answer_to.drain()
        return status, counted.sent, ended and "close" not in _header(head, "connection").lower()


async def _closed(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()


def _header(head: bytes, name: str) -> str:
    for line in head.split(b"\r\n")[1:]:
        key, _, value = line.decode("latin-1").partition(":")
        if key.strip().lower() == name:
            return value.strip()
    return ""


async def _body(
    head: bytes,
    source: asyncio.StreamReader,
    target: asyncio.StreamWriter,
    counted: _Request,
    *,
    until_closed: bool = False,
    cut: _Cut | None = None,
) -> bool:
    """Passes the body that `head` announces, adding its size to `counted`.

    False when it ends with the connection. A `cut` ends both.
    """
    if "chunked" in _header(head, "transfer-encoding").lower():
        while True:
            line = await source.readuntil(b"\r\n")
            size = int(line.split(b";")[0], 16)
            target.write(line)
            await _pass(size, source, target, counted, cut)
            target.write(await source.readuntil(b"\r\n"))
            if size == 0:
                return True
    length = _header(head, "content-length")
    if length:
        await _pass(int(length), source, target, counted, cut)
        return True
    if until_closed:
        await _pass(None, source, target, counted, cut)
        return False
    return True


async def _pass(
    size: int | None,
    source: asyncio.StreamReader,
    target: asyncio.StreamWriter,
    counted: _Request,
    cut: _Cut | None,
) -> None:
    left = size
    while left is None or left > 0:
        piece = await source.read(PIECE if left is None else min(PIECE, left))
        if not piece:
            if left is None:
                return
            raise asyncio.IncompleteReadError(piece, left)
        if cut and not cut.done and counted.sent + len(piece) > cut.after:
            cut.done = True
            target.write(piece[: cut.after - counted.sent])
            await target.drain()
            target.close()
            raise ConnectionAbortedError
        target.write(piece)
        await target.drain()
        counted.sent += len(piece)
        left = None if left is None else left - len(piece)


async def _pipe_both(
    client: asyncio.StreamReader,
    ask: asyncio.StreamWriter,
    server: asyncio.StreamReader,
    answer_to: asyncio.StreamWriter,
) -> None:
    async def pipe(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        while piece := await source.read(PIECE):
            target.write(piece)
            await target.drain()
        if target.can_write_eof():
            target.write_eof()

    await asyncio.gather(pipe(client, ask), pipe(server, answer_to))
