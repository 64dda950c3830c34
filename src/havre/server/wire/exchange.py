"""One exchange: a request as it arrives and its answer as it leaves, in the terms of ASGI (version 3.0, HTTP 2.4).

Two things go beyond a plain ASGI server, both for large bodies. ``receive`` gives all that has arrived since the last
call in one piece, so that its cost does not depend on how finely a client cuts its stream. And
``http.response.pathsend`` takes an ``offset`` and a ``count``, so that ranges of a file leave through the kernel too.
"""

from __future__ import annotations

import asyncio
import os
from functools import lru_cache
from http import HTTPStatus
from typing import TYPE_CHECKING

from havre.server.http import Message, Scope
from havre.server.wire.sendfile import send_file

if TYPE_CHECKING:
    from havre.server.wire.connection import Connection

MAX_WAITING = 1024 * 1024
"""Bytes of a body that wait in memory for the application; beyond, the client waits."""

_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_BODILESS = frozenset({204, 304})


class Gone(OSError):
    """The client left, or stopped taking what it asked for."""


class Exchange:
    """A request and its answer. Bytes that the application never asks for are dropped."""

    __slots__ = (
        "_bodiless",
        "_chunked",
        "_connection",
        "_delivered",
        "_ended",
        "_head",
        "_left",
        "_pieces",
        "_waiter",
        "_waiting",
        "answered",
        "arrived",
        "awaits_continue",
        "dismissed",
        "finished",
        "gone",
        "keep_alive",
        "scope",
        "started",
    )

    def __init__(self, connection: Connection, scope: Scope, *, keep_alive: bool, awaits_continue: bool) -> None:
        self._connection = connection
        self.scope = scope
        self.keep_alive = keep_alive
        self.awaits_continue = awaits_continue
        """The client sends no byte of the body before it is asked to (RFC 9110, section 10.1.1)."""
        self.arrived = False
        """The whole request is here."""
        self.gone = False
        """The client is not."""
        self.started = False
        """The head of the answer was written."""
        self.answered = False
        """So was all of it."""
        self.finished = False
        """The application has returned."""
        self.dismissed = False
        """It was told that the client left, and need not answer."""
        self._pieces: list[bytes] = []
        self._waiting = 0
        self._waiter: asyncio.Future[None] | None = None
        self._delivered = False
        self._ended = False
        self._head: tuple[int, list[tuple[bytes, bytes]]] | None = None
        self._chunked = False
        self._bodiless = False
        self._left = -1
        """Bytes of the answer's body still to be sent; -1 if their number was not announced."""

    # ---------------------------------------------------------------- the connection's side

    def feed(self, piece: bytes) -> None:
        """Bytes of the body arrived."""
        self.awaits_continue = False
        if self.answered:
            return
        self._pieces.append(piece)
        self._waiting += len(piece)
        if self._waiting > MAX_WAITING:
            self._connection.pause_reading()
        self._wake()

    def end(self) -> None:
        """The request is complete."""
        self.arrived = True
        self._wake()

    def ended(self) -> None:
        """The client sends nothing after this request."""
        self._ended = True
        self._wake()

    def lost(self) -> None:
        """The client is gone."""
        self.gone = True
        self._wake()

    @property
    def starving(self) -> bool:
        """Does the application wait for bytes of the body?"""
        return self._waiter is not None and not self.arrived

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    # ---------------------------------------------------------------- the application's side

    async def receive(self) -> Message:
        """ASGI: what has arrived of the body since the last call, or that the client is gone."""
        while not self._pieces:
            if self.gone or (self._delivered and (self.answered or self._ended)):
                self.dismissed = True
                return {"type": "http.disconnect"}
            if self.arrived and not self._delivered:
                self._delivered = True
                return {"type": "http.request", "body": b"", "more_body": False}
            if self.awaits_continue:
                self.awaits_continue = False
                self._connection.write(_CONTINUE)
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        body = self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)
        self._pieces.clear()
        self._waiting = 0
        self._connection.resume_reading()
        self._delivered = self.arrived
        return {"type": "http.request", "body": body, "more_body": not self.arrived}

    async def send(self, message: Message) -> None:
        """ASGI: the next part of the answer. Raises Gone if the client left, RuntimeError for what ASGI forbids."""
        kind = message["type"]
        if kind == "http.response.start":
            if self._head is not None:
                raise RuntimeError("the answer began twice")
            self._head = message["status"], message.get("headers", [])
            return
        if self._head is None or self.answered:
            raise RuntimeError(f"{kind} outside of an answer")
        # Looked at each time: an application that never waits would otherwise never learn of it.
        self._connection.check()
        if kind == "http.response.body":
            await self._send_body(message.get("body", b""), more=message.get("more_body", False))
        elif kind == "http.response.pathsend":
            await self._send_file(message["path"], message.get("offset", 0), message.get("count"))
        else:
            raise RuntimeError(f"this server does not know {kind}")

    async def _send_body(self, body: bytes, *, more: bool) -> None:
        connection = self._connection
        head = b"" if self.started else self._make_head(None if more else len(body))
        if data := head + self._framed(body, more=more):
            self.started = True
            connection.write(data)
        if not more:
            self._finish()
        elif connection.congested:
            await connection.drained()

    def _framed(self, body: bytes, *, more: bool) -> bytes:
        if self._bodiless:
            return b""
        if self._chunked:
            chunk = b"%x\r\n%b\r\n" % (len(body), body) if body else b""
            return chunk if more else chunk + b"0\r\n\r\n"
        if self._left >= 0:
            if len(body) > self._left:
                raise RuntimeError("the answer is longer than its Content-Length")
            self._left -= len(body)
        return body

    async def _send_file(self, path: str, offset: int, count: int | None) -> None:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            size = os.fstat(descriptor).st_size - offset if count is None else count
            head = self._make_head(size)
            if self._left != size:
                raise RuntimeError(f"the file has {size} bytes to send, {self._left} were announced")
            self.started = True
            await send_file(self._connection, head, descriptor, offset, size)
        finally:
            os.close(descriptor)
        self._left = 0
        self._finish()

    def _make_head(self, length: int | None) -> bytes:
        """The answer's head, given the length of its body if that is known. Settles how the body is framed."""
        assert self._head is not None
        status, headers = self._head
        lines = [_status_line(status)]
        announced = -1
        for name, value in headers:
            line = b"%b: %b\r\n" % (name, value)
            if line.count(b"\n") > 1 or line.count(b"\r") > 1:
                raise RuntimeError(f"the answer's header {name!r} holds a line break")
            if name == b"content-length":
                announced = int(value)
            lines.append(line)
        self._bodiless = self.scope["method"] == "HEAD" or status in _BODILESS
        lines.append(self._framing(announced, length))
        if self.awaits_continue or self._connection.closing:
            # Whether a body that nobody asked for will still come, the client alone knows.
            self.keep_alive = False
        if not self.keep_alive:
            lines.append(b"connection: close\r\n")
        elif self.scope["http_version"] == "1.0":
            lines.append(b"connection: keep-alive\r\n")
        lines.append(self._connection.worker.date)
        return b"".join(lines)

    def _framing(self, announced: int, length: int | None) -> bytes:
        if self._bodiless:
            self._left = 0
        elif announced >= 0:
            self._left = announced
        elif length is not None:
            self._left = length
            return b"content-length: %d\r\n" % length
        elif self.scope["http_version"] == "1.1":
            self._chunked = True
            return b"transfer-encoding: chunked\r\n"
        else:
            self.keep_alive = False
        return b""

    def _finish(self) -> None:
        if self._left > 0:
            # Fewer bytes than announced: only a broken connection tells the client so.
            self._connection.abort()
            raise RuntimeError(f"the answer ended {self._left} bytes before its Content-Length")
        self.answered = True
        self._pieces.clear()
        self._wake()


@lru_cache(maxsize=64)
def _status_line(status: int) -> bytes:
    try:
        phrase = HTTPStatus(status).phrase
    except ValueError:
        phrase = ""
    return b"HTTP/1.1 %d %b\r\n" % (status, phrase.encode())
