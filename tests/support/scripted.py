"""A registry that misbehaves on order: a small HTTP server in the test's own loop, which answers as the test says.

It is a real server on a real socket: it can break off in the middle of a body, send other bytes than it should, send
people elsewhere, or ask them to wait. `Scripted.requests` is what clients sent.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Self
from urllib.parse import parse_qsl, urlsplit

HEAD_LIMIT = 64 * 1024


@dataclass(frozen=True)
class Request:
    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes = field(repr=False)

    @property
    def path(self) -> str:
        return urlsplit(self.target).path

    @property
    def query(self) -> list[tuple[str, str]]:
        return parse_qsl(urlsplit(self.target).query, keep_blank_values=True)

    def __str__(self) -> str:
        return f"{self.method} {self.target}"


@dataclass(frozen=True)
class Reply:
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = field(default=b"", repr=False)
    cut: int | None = None
    """Close the connection after so many bytes of the body, however long it was announced to be."""
    chunked: bool = False


Answer = Callable[[Request], Reply]


class Scripted:
    """Answers every request with what ``answer`` returns. Use it in an ``async with``; ``host`` is its address."""

    def __init__(self, answer: Answer, *, tls: ssl.SSLContext | None = None) -> None:
        self.answer = answer
        self.requests: list[Request] = []
        self.host = ""
        self._tls = tls
        self._connections: set[asyncio.StreamWriter] = set()

    @property
    def url(self) -> str:
        return f"{'https' if self._tls else 'http'}://{self.host}"

    def asked(self, method: str, part: str = "") -> list[Request]:
        """The requests of a method with ``part`` in their target."""
        return [request for request in self.requests if request.method == method and part in request.target]

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, limit=HEAD_LIMIT, ssl=self._tls)
        self.host = f"127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for writer in list(self._connections):
            writer.transport.abort()
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._connections.add(writer)
        try:
            while await self._exchange(reader, writer):
                pass
        except (OSError, asyncio.IncompleteReadError, ValueError):
            pass  # the client left, or spoke TLS to a plain port
        finally:
            self._connections.discard(writer)
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        if await reader.readexactly(1) == b"\x16" and not self._tls:
            writer.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            await writer.drain()
            return False
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        method, target, _ = head[0].split(" ", 2)
        # The first letter of the method was read to tell TLS apart.
        method = next(word for word in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE") if word[1:] == method)
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:] if line)}
        request = Request(method, target, headers, await _body(reader, headers))
        self.requests.append(request)
        reply = self.answer(request)
        await _send(writer, reply, bodiless=method == "HEAD")
        return reply.cut is None


async def _body(reader: asyncio.StreamReader, headers: Mapping[str, str]) -> bytes:
    if "chunked" not in headers.get("transfer-encoding", ""):
        return await reader.readexactly(int(headers.get("content-length", "0")))
    parts = []
    while size := int(await reader.readuntil(b"\r\n"), 16):
        parts.append(await reader.readexactly(size))
        await reader.readexactly(2)
    await reader.readexactly(2)
    return b"".join(parts)


async def _send(writer: asyncio.StreamWriter, reply: Reply, *, bodiless: bool) -> None:
    headers = {"content-length": str(len(reply.body))} | {name.lower(): text for name, text in reply.headers.items()}
    if reply.chunked:
        del headers["content-length"]
        headers["transfer-encoding"] = "chunked"
    lines = [f"HTTP/1.1 {reply.status} Said"] + [f"{name}: {text}" for name, text in headers.items()]
    writer.write("\r\n".join([*lines, "", ""]).encode("latin-1"))
    body = reply.body[: reply.cut]
    if reply.chunked:
        body = f"{len(reply.body):x}\r\n".encode() + body + (b"\r\n0\r\n\r\n" if reply.cut is None else b"")
    if not bodiless:
        writer.write(body)
    await writer.drain()
