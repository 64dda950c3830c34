"""Reading requests: llhttp (through httptools) finds heads, chunks and ends in what a client sends, strictly.

Bounded are a head's bytes and headers, and the bytes between two pieces of a body: chunk extensions and trailers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast
from urllib.parse import unquote

import httptools

from havre.server.http import Scope
from havre.server.wire.exchange import Exchange

if TYPE_CHECKING:
    from havre.server.wire.connection import Connection

MAX_HEAD = 64 * 1024
"""Bytes of a request's head."""

MAX_HEADERS = 200


class Reader:
    """Turns the bytes of one connection into exchanges, and feeds them."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._parser = httptools.HttpRequestParser(self)
        self._arriving: Exchange | None = None
        self._between = 0
        self.on_message_begin()

    def feed(self, data: memoryview) -> None:
        """Take the next bytes."""
        self._between += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            pass  # we speak nothing else: the request is answered as it stands, and is the last
        except httptools.HttpParserError:
            self._connection.refuse(400, "this is not HTTP/1.1; does the client speak TLS to a port that does not?")
            return
        if self._between > MAX_HEAD + len(data):
            self._connection.refuse(431, f"the head of a request has at most {MAX_HEAD} bytes")

    def close(self) -> None:
        """No more bytes come: who holds each other here lets go, so that no memory waits for the collector."""
        self._parser = cast("httptools.HttpRequestParser", None)
        self._connection = cast("Connection", None)

    # ---------------------------------------------------------------- called by llhttp

    def on_message_begin(self) -> None:
        """The first byte of a head."""
        self._url = b""
        self._headers: list[tuple[bytes, bytes]] = []
        self._size = 0
        self._hosts = 0
        self._expects = False
        self._encoded = False

    def on_url(self, url: bytes) -> None:
        """The request's target, or a piece of it."""
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header; or one trailer, which nobody reads."""
        name = name.lower()
        self._size += len(name) + len(value) + 4
        if name == b"host":
            self._hosts += 1
        elif name == b"expect":
            self._expects = value.lower() == b"100-continue"
        elif name == b"transfer-encoding":
            self._encoded = value.strip().lower() != b"chunked"
        if len(self._headers) <= MAX_HEADERS:
            self._headers.append((name, value))

    def on_headers_complete(self) -> None:
        """A head is complete."""
        self._between = 0
        if self._connection.deaf:
            return  # it came in the same breath as what was refused
        parser = self._parser
        version = parser.get_http_version()
        if fault := self._fault(version):
            self._connection.refuse(*fault)
            return
        self._arriving = Exchange(
            self._connection,
            self._scope(version),
            keep_alive=parser.should_keep_alive() and not parser.should_upgrade(),
            awaits_continue=self._expects and version == "1.1",
        )
        self._connection.opened(self._arriving)

    def on_body(self, body: bytes) -> None:
        """Bytes of a body."""
        self._between = 0
        if self._arriving is not None:
            self._arriving.feed(body)

    def on_message_complete(self) -> None:
        """A request is complete."""
        arriving, self._arriving = self._arriving, None
        if arriving is not None:
            self._connection.completed(arriving)

    # ---------------------------------------------------------------- heads

    def _fault(self, version: str) -> tuple[int, str] | None:
        """What is wrong with the head, as status and sentence."""
        if self._size + len(self._url) > MAX_HEAD or len(self._headers) > MAX_HEADERS:
            return 431, f"the head of a request has at most {MAX_HEAD} bytes and {MAX_HEADERS} headers"
        if self._hosts > 1 or (version == "1.1" and not self._hosts):
            return 400, "a request names its host exactly once"
        if self._encoded:
            return 501, "a body may be sent in chunks, but in no other transfer coding"
        if not self._url.isascii():
            return 400, "the request's address holds bytes that must be percent-encoded"
        if not self._url.startswith(b"/") and not self._absolute():
            return 400, "the request names no address of this server"
        return None

    def _absolute(self) -> bool:
        """Reduce ``http://host/path``, as proxies are asked, to the path (RFC 9112, section 3.2.2)."""
        try:
            parsed = httptools.parse_url(self._url)
        except httptools.HttpParserInvalidURLError:
            return False
        self._url = (parsed.path or b"/") + (b"?" + parsed.query if parsed.query else b"")
        return parsed.schema in {b"http", b"https"}

    def _scope(self, version: str) -> Scope:
        connection = self._connection
        raw, _, query = self._url.partition(b"?")
        path = raw.decode("ascii")
        tls = connection.worker.tls is not None
        return {
            "type": "http",
            "asgi": _ASGI,
            "http_version": version,
            "method": self._parser.get_method().decode("ascii"),
            "scheme": "https" if tls else "http",
            "path": unquote(path) if "%" in path else path,
            "raw_path": raw,
            "query_string": query,
            "root_path": "",
            "headers": self._headers,
            "client": connection.client,
            "server": connection.server,
            # Through TLS the kernel can not send a file.
            "extensions": {} if tls else {"http.response.pathsend": {}},
        }


_ASGI = {"version": "3.0", "spec_version": "2.4"}
