"""A worker: one process that serves until it is asked to stop, or its parent is gone."""

from __future__ import annotations

import asyncio
import ctypes
import logging
import signal
import socket
import ssl
from collections import deque
from collections.abc import Callable
from email.utils import formatdate
from typing import Protocol

from havre.server.http import Receive, Scope, Send
from havre.server.wire.connection import Connection
from havre.server.wire.exchange import Exchange
from havre.server.wire.limits import Limits

READ_BUFFER = 256 * 1024
"""Bytes read from a socket at a time, at most."""

BACKLOG = 1024
"""Connections that wait to be accepted."""

HANDSHAKE_SECONDS = 30.0

CROWD = 256
"""Connections at once after which it is worth while to give memory back."""

log = logging.getLogger("havre.serve")


def trim() -> None:
    """Give the system what the allocator keeps of a crowd that has left; where the C library can not, nothing happens."""
    give_back = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if give_back is not None:
        give_back(0)


class Application(Protocol):
    """What is served: an ASGI application with a beginning and an end."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""

    async def start(self) -> None:
        """Get ready."""

    def wind_down(self) -> None:
        """The server stops as soon as all answers are made: end what would go on for ever."""

    async def stop(self) -> None:
        """Let go of everything."""


class Worker:
    """Accepts connections from a socket that the other workers accept from too.

    ``certificate`` makes the TLS context, anew on SIGHUP; None serves plain HTTP.
    """

    def __init__(
        self,
        application: Application,
        listener: socket.socket,
        certificate: Callable[[ssl.SSLContext], None] | None,
        limits: Limits,
    ) -> None:
        self.application = application
        self.limits = limits
        self.tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH) if certificate else None
        self.buffer = memoryview(bytearray(READ_BUFFER))
        self.now = 0.0
        """Seconds, by a clock that is read once a second: deadlines need no more."""
        self.date = b""
        """The Date header, with the end of a head."""
        self._certificate = certificate
        self._listener = listener
        self._connections: dict[Connection, None] = {}
        """In the order in which they came."""
        self._tasks: set[asyncio.Task[None]] = set()
        self._waiting: deque[tuple[float, Connection, Exchange]] = deque()
        self._turned_away = 0
        self._most = 0
        """Connections at once, at most, since memory was last given back."""
        self._stopping = asyncio.Event()

    async def serve(self, ready: Callable[[], None], parent: int, patience: float) -> None:
        """Serve until SIGTERM, or until the pipe ``parent`` ends; requests then get ``patience`` seconds to finish.

        ``ready`` is called once connections are accepted.
        """
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stopping.set)
        loop.add_signal_handler(signal.SIGHUP, self._renew)
        # The parent forked us with these held back, so that none is lost, or deadly, before somebody listens.
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        loop.add_reader(parent, self._stopping.set)
        if self.tls and self._certificate:
            self._certificate(self.tls)
        self._tick()
        await self.application.start()
        server = await loop.create_server(
            lambda: Connection(self),
            sock=self._listener,
            backlog=BACKLOG,
            ssl=self.tls,
            ssl_handshake_timeout=HANDSHAKE_SECONDS if self.tls else None,
        )
        ready()
        await self._stopping.wait()
        loop.remove_reader(parent)
        server.close()
        await self._finish(patience)
        await self.application.stop()

    async def _finish(self, patience: float) -> None:
        self.application.wind_down()
        for connection in list(self._connections):
            connection.shut()
        deadline = asyncio.get_running_loop().time() + patience
        while self._tasks and (left := deadline - asyncio.get_running_loop().time()) > 0:
            await asyncio.wait(self._tasks, timeout=left, return_when=asyncio.FIRST_COMPLETED)
        if self._tasks:
            log.warning("%d requests did not finish within %d seconds", len(self._tasks), patience)
        for connection in list(self._connections):
            connection.abort()

    def run(self, connection: Connection, exchange: Exchange) -> None:
        """Have the request answered, now or when others are done; beyond the limits it is turned away."""
        if len(self._tasks) < self.limits.active:
            self._start(connection, exchange)
        elif len(self._waiting) < self.limits.waiting:
            self._waiting.append((self.now, connection, exchange))
        else:
            self._turn_away(connection)

    def _start(self, connection: Connection, exchange: Exchange) -> None:
        task = asyncio.get_running_loop().create_task(connection.answer(exchange))
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        while self._waiting:
            _, connection, exchange = self._waiting.popleft()
            # Who left while waiting is not worked for: that would make an overload last.
            if not exchange.gone:
                self._start(connection, exchange)
                return

    def _turn_away(self, connection: Connection) -> None:
        self._turned_away += 1
        connection.turn_away()

    def _look_at_the_queue(self) -> None:
        """End waits that have taken too long; called every second."""
        while self._waiting and self.now - self._waiting[0][0] > self.limits.wait:
            _, connection, exchange = self._waiting.popleft()
            if not exchange.gone:
                self._turn_away(connection)
        if self._turned_away:
            log.warning("overload: %d requests were turned away with 503", self._turned_away)
            self._turned_away = 0

    def welcome(self, connection: Connection) -> None:
        """A client has connected."""
        if len(self._connections) >= self.limits.connections:
            # The longest idle: one that has just come is about to ask for something.
            idle = min((one for one in self._connections if one.idle), key=lambda one: one.since, default=None)
            if idle is None:
                self._turn_away(connection)
            else:
                idle.shut()
        self._connections[connection] = None
        self._most = max(self._most, len(self._connections))

    def farewell(self, connection: Connection) -> None:
        """It is gone."""
        self._connections.pop(connection, None)

    def _tick(self) -> None:
        loop = asyncio.get_running_loop()
        self.now = loop.time()
        self.date = b"date: %b\r\n\r\n" % formatdate(usegmt=True).encode()
        for connection in list(self._connections):
            connection.look_at_the_clock()
        self._look_at_the_queue()
        if self._most > CROWD and len(self._connections) < self._most // 4:
            self._most = len(self._connections)
            # In a thread: it takes some milliseconds, and the interpreter's lock is free meanwhile.
            loop.run_in_executor(None, trim)
        loop.call_later(1, self._tick)

    def _renew(self) -> None:
        """Show the certificate that is in the files now to those who connect from now on."""
        if self.tls and self._certificate:
            try:
                self._certificate(self.tls)
            except (OSError, ValueError) as error:
                log.error("the new certificate can not be used, the former one stays: %s", error)  # noqa: TRY400
