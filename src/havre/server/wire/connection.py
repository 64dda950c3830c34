"""A connection: one answer after the other, and how long a client may keep us waiting.

Bounded are a head's time, pipelined requests (answered one at a time, in order), a body that stops to arrive, an answer
that is not taken, and the time between requests.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
import struct
from collections import deque
from typing import TYPE_CHECKING, cast

from havre.server.wire.exchange import Exchange, Gone
from havre.server.wire.limits import Stage
from havre.server.wire.reader import Reader

if TYPE_CHECKING:
    from havre.server.wire.worker import Worker

WRITE_HIGH = 512 * 1024
"""Bytes of an answer that wait for the client; beyond, the application waits."""

_RESET = struct.pack("ii", 1, 0)
"""Linger for no second: closing resets the connection."""

log = logging.getLogger("havre.serve")


class Connection(asyncio.BufferedProtocol):
    """One client's connection."""

    def __init__(self, worker: Worker) -> None:
        self.worker = worker
        self.closing = False
        """The answer that is being made is the last one."""
        self.congested = False
        """The client reads more slowly than we write."""
        self._ended = False
        """The client sends no more."""
        self._transport: asyncio.Transport = cast("asyncio.Transport", None)  # until connection_made
        self._wire: socket.socket | None = None
        self._reader = Reader(self)
        self._exchange: Exchange | None = None
        self._queue: deque[Exchange] = deque()
        self.deaf = False
        """Nothing that arrives is looked at any more."""
        self._paused = False
        self._waiters: list[asyncio.Future[None]] = []
        self._stage = Stage.IDLE
        self.since = worker.now
        """Of this stage: when it began, or when bytes last moved."""
        self._unsent = 0
        self._moved = 0
        self._slow = 0.0
        self._seen = worker.now

    # ---------------------------------------------------------------- called by the loop

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client has connected."""
        self._transport = cast("asyncio.Transport", transport)
        self._transport.set_write_buffer_limits(WRITE_HIGH)
        self.client = _address(transport.get_extra_info("peername"))
        self.server = _address(transport.get_extra_info("sockname"))
        self.worker.welcome(self)

    def get_buffer(self, _sizehint: int) -> memoryview:
        """Where the next bytes go: one buffer for all connections, since each read is worked on before the next."""
        return self.worker.buffer

    def buffer_updated(self, nbytes: int) -> None:
        """Bytes have arrived."""
        if self.deaf:
            return
        self.progressed(nbytes)
        if self._stage is Stage.IDLE:
            self._enter(Stage.HEAD)
        self._reader.feed(self.worker.buffer[:nbytes])

    def eof_received(self) -> bool:
        """The client sends no more, and may still read: it gets an answer to each request that is here whole.

        Whether it closed its window or only its half of the connection, no one can tell. Who waits for it to leave is
        told that it left; who makes an answer goes on.
        """
        self._ended = True
        if self._queue and not self._queue[-1].arrived:
            self._queue.pop().lost()
        self.closing = not self._queue
        exchange = self._exchange
        if exchange is None or not exchange.arrived or self._stage is not Stage.EXCHANGE or self.worker.tls:
            return False
        exchange.ended()
        return True

    def connection_lost(self, _error: Exception | None) -> None:
        """The connection is gone."""
        self.worker.farewell(self)
        if self._wire is not None:
            self._wire.close()
        self.closing = self.deaf = True
        for exchange in (self._exchange, *self._queue):
            if exchange:
                exchange.lost()
        self._queue.clear()
        self._reader.close()
        self._wake_all()

    def pause_writing(self) -> None:
        """The client reads more slowly than we write."""
        self.congested = True

    def resume_writing(self) -> None:
        """It has caught up."""
        self.congested = False
        self._wake_all()

    # ---------------------------------------------------------------- one exchange after the other

    def opened(self, exchange: Exchange) -> None:
        """A request has begun to arrive: its answer is made now, or when those before it are done."""
        if self._exchange is None:
            self._begin(exchange)
        else:
            self._queue.append(exchange)
            self.pause_reading()

    def completed(self, exchange: Exchange) -> None:
        """A request has arrived whole."""
        exchange.end()
        if exchange.finished and exchange is self._exchange:
            self._next()

    def _begin(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._enter(Stage.EXCHANGE)
        self.worker.run(self, exchange)

    async def answer(self, exchange: Exchange) -> None:
        """Have the application answer, and go on to what comes after it."""
        try:
            await self.worker.application(exchange.scope, exchange.receive, exchange.send)
            if not exchange.answered and exchange.dismissed:
                self.abort()
            elif not exchange.answered and not exchange.gone:
                raise RuntimeError("the application gave no whole answer")
        except Exception:
            if not exchange.gone and not self._transport.is_closing():
                log.exception("a request failed, and nothing else handled that")
                if exchange.started:
                    self.abort()
                else:
                    self._say(500, "the server failed; its log says why")
        exchange.finished = True
        if exchange.arrived or exchange.gone or exchange.awaits_continue:
            self._next()
        else:
            self._enter(Stage.LINGER)
            self.resume_reading()

    def _next(self) -> None:
        """The exchange is over: begin the next, wait for one, or hang up."""
        exchange, self._exchange = self._exchange, None
        if self._transport.is_closing():
            return
        if self.closing or exchange is None or not exchange.keep_alive:
            self._transport.close()
        elif self._queue:
            following = self._queue.popleft()
            if self._ended:
                self.closing = not self._queue
                following.ended()
            self._begin(following)
        else:
            self._enter(Stage.IDLE)
            self.resume_reading()

    def refuse(self, status: int, sentence: str) -> None:
        """Take no further byte of this client, and tell why unless an answer is on its way."""
        if self.deaf:
            return
        self.closing = self.deaf = True
        exchange = self._exchange
        if exchange is not None and exchange.arrived:
            return  # its answer is made and sent in peace, then the connection ends
        if exchange is not None:
            exchange.lost()
        if exchange is not None and exchange.started:
            self.abort()
        else:
            self._say(status, sentence)

    def turn_away(self) -> None:
        """There are more connections or requests than can be served: say so, without any work for it."""
        if self._exchange is not None:
            self._exchange.lost()
        self._say(503, "the server has more to do than it can: try again in a moment")

    def _say(self, status: int, sentence: str) -> None:
        """Answer without an application, and hang up once the client had time to read."""
        self.closing = self.deaf = True
        body = sentence.encode() + b"\n"
        head = b"HTTP/1.1 %d Refused\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-length: %d\r\n"
        retry = b"retry-after: 5\r\n" if status == 503 else b""
        self.write(head % (status, len(body)) + retry + b"connection: close\r\n" + self.worker.date + body)
        if self._transport.can_write_eof():
            self._transport.write_eof()
            self._enter(Stage.LINGER)
        else:
            self._transport.close()

    def shut(self) -> None:
        """The server stops: hang up, after the answer that is being made."""
        self.closing = True
        if self._exchange is None:
            self._transport.close()

    # ---------------------------------------------------------------- used by an exchange

    @property
    def wire(self) -> socket.socket:
        """The socket under a second descriptor, to write past the transport."""
        if self._wire is None:
            self._wire = socket.socket(fileno=os.dup(self._transport.get_extra_info("socket").fileno()))
        return self._wire

    def write(self, data: bytes) -> None:
        """Write, without waiting."""
        self._unsent += len(data)
        self._transport.write(data)

    def check(self) -> None:
        """Raises Gone if the connection is lost."""
        if self._transport.is_closing():
            raise self.left()

    def left(self) -> Gone:
        """The failure of an answer that nobody takes."""
        return Gone("the client left before the answer's end")

    async def drained(self) -> None:
        """Wait until there is room for more of the answer. Raises Gone."""
        while self.congested:
            await self.waiter()
            self.check()

    async def flushed(self) -> None:
        """Wait until everything is written. Raises Gone."""
        if not self._transport.get_write_buffer_size():
            return
        self._transport.set_write_buffer_limits(0)
        try:
            while self._transport.get_write_buffer_size():
                await self.waiter()
                self.check()
        finally:
            self._transport.set_write_buffer_limits(WRITE_HIGH)

    def waiter(self) -> asyncio.Future[None]:
        """Done when there is room, or when the connection is lost."""
        made: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if self._transport.is_closing():
            made.set_result(None)
        else:
            self._waiters = [*(one for one in self._waiters if not one.done()), made]
        return made

    def _wake_all(self) -> None:
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)
        self._waiters.clear()

    def pause_reading(self) -> None:
        """The client has to wait with its next bytes."""
        if not self._paused and not self._transport.is_closing():
            self._paused = True
            self._transport.pause_reading()

    def resume_reading(self) -> None:
        """It may go on, unless requests of its wait already."""
        if self._paused and not self._queue and not self._transport.is_closing():
            self._paused = False
            self._transport.resume_reading()

    def abort(self) -> None:
        """Break the connection, so that the client sees it broken and the kernel keeps none of what it did not take."""
        if not self._transport.is_closing():
            with contextlib.suppress(OSError):
                self.wire.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            self._transport.abort()

    # ---------------------------------------------------------------- time

    @property
    def idle(self) -> bool:
        """Is nothing going on?"""
        return self._stage is Stage.IDLE

    def progressed(self, count: int = 0) -> None:
        """Bytes moved, ``count`` of them."""
        self._moved += count
        if self._stage is Stage.EXCHANGE:
            self.since = self.worker.now

    def _enter(self, stage: Stage) -> None:
        self._stage = stage
        self.since = self.worker.now
        self._moved, self._slow = 0, 0.0

    def look_at_the_clock(self) -> None:
        """End what takes too long; called every second."""
        unsent, slow = self._transport.get_write_buffer_size(), self._client_is_slow()
        if unsent < self._unsent or (self._stage is Stage.EXCHANGE and not slow):
            self.progressed(max(0, self._unsent - unsent))  # of what was there and what was written since
        self._unsent = unsent
        allowed = self.worker.limits.seconds(self._stage)
        if self.worker.now - self.since <= allowed and not (slow and self._crawls(allowed)):
            return
        if self._stage is Stage.HEAD:
            self.refuse(408, f"the head of a request has {allowed:g} seconds to arrive")
        elif self._stage is Stage.IDLE:
            self._transport.close()
        else:
            self.abort()

    def _crawls(self, span: float) -> bool:
        """Have too few bytes moved in ``span`` seconds of waiting for this client? Looked at every second of them."""
        self._slow += min(1.0, self.worker.now - self._seen)
        self._seen = self.worker.now
        if self._stage is not Stage.EXCHANGE or self._slow < span:
            return False
        moved, self._moved, self._slow = self._moved, 0, 0.0
        return moved < self.worker.limits.rate * span

    def _client_is_slow(self) -> bool:
        """Is it the client that keeps this exchange from going on?"""
        return bool(self._waiters or (self._exchange and self._exchange.starving))


def _address(name: object) -> tuple[str, int]:
    return (str(name[0]), int(name[1])) if isinstance(name, tuple) else ("", 0)
