"""A line to the registry: HTTP/1.1 by hand, so that it is known exactly what was sent and what was answered."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from urllib.parse import urlsplit

PATIENCE = 60.0
"""Seconds for one request and its whole answer: longer than the server takes to refuse."""

MAX_HEAD = 64 * 1024


class Unanswered(Exception):
    """The connection could not be had, broke, or stayed silent before the answer was whole: nobody knows what was done."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer. Names of headers are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def good(self) -> bool:
        """Did the server say yes?"""
        return 200 <= self.status < 300


@dataclass(frozen=True, slots=True)
class Address:
    """Where a registry is, and whom to trust there; without a context it speaks plain HTTP."""

    host: str
    port: int
    tls: ssl.SSLContext | None = None

    def __str__(self) -> str:
        """What stands in the header Host."""
        return f"{self.host}:{self.port}"


Where = int | Address
"""An address, or a port of this machine."""


class Line:
    """A connection that is made when it is needed, and kept. A GET that is sent elsewhere goes there."""

    def __init__(self, where: Where, patience: float = PATIENCE) -> None:
        self._where = where if isinstance(where, Address) else Address("127.0.0.1", where)
        self._patience = patience
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(
        self,
        method: str,
        target: str,
        headers: Mapping[str, str] | None = None,
        body: bytes | Sequence[bytes] = b"",
    ) -> Answer:
        """One request; pieces instead of one body are sent as a stream of unknown length. Raises Unanswered."""
        try:
            async with asyncio.timeout(self._patience):
                answer = await self._ask(method, target, headers or {}, body)
                if method == "GET" and answer.status == 307:
                    return await _elsewhere(answer.headers["location"], headers or {})
                return answer
        except (OSError, EOFError, ValueError, asyncio.LimitOverrunError) as error:
            self.close()
            raise Unanswered(f"{method} {target}: {type(error).__name__} {error}") from error
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Hang up: the socket is closed as soon as the loop comes to it."""
        if self._streams:
            self._streams[1].transport.abort()
            self._streams = None

    async def _ask(self, method: str, target: str, headers: Mapping[str, str], body: bytes | Sequence[bytes]) -> Answer:
        if self._streams is None or self._streams[0].at_eof():
            self.close()
            where = self._where
            self._streams = await asyncio.open_connection(where.host, where.port, ssl=where.tls, limit=MAX_HEAD)
        reader, writer = self._streams
        length = f"Content-Length: {len(body)}" if isinstance(body, bytes) else "Transfer-Encoding: chunked"
        fields = [f"{name}: {value}" for name, value in headers.items()]
        writer.write(
            "\r\n".join([f"{method} {target} HTTP/1.1", f"Host: {self._where}", length, *fields, "", ""]).encode()
        )
        # A server may refuse, and hang up, before it has taken all: then its answer is what counts.
        with suppress(ConnectionError):
            for piece in [body] if isinstance(body, bytes) else [*map(_chunk, body), b"0\r\n\r\n"]:
                writer.write(piece)
                await writer.drain()
        answer = await _answer(reader, bodiless=method == "HEAD")
        if answer.headers.get("connection") == "close":
            self.close()
        return answer


async def _elsewhere(address: str, headers: Mapping[str, str]) -> Answer:
    """Ask an object store by an address that was signed for it; the right to use the registry is not told to it."""
    parts = urlsplit(address)
    line = Line(Address(parts.hostname or "", parts.port or 80))
    try:
        kept = {name: value for name, value in headers.items() if name.lower() == "range"}
        return await line.ask("GET", f"{parts.path}?{parts.query}", kept)
    finally:
        line.close()


async def _answer(reader: asyncio.StreamReader, *, bodiless: bool) -> Answer:
    lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    pairs = (line.partition(":") for line in lines[1:] if line)
    headers = {name.lower(): value.strip() for name, _, value in pairs}
    status = int(lines[0].split(" ")[1])
    empty = bodiless or status in {204, 304}
    return Answer(status, headers, b"" if empty else await reader.readexactly(int(headers["content-length"])))


def _chunk(piece: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(piece), piece)
