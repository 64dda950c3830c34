"""The smallest request and response that the hot path needs, over plain ASGI.

``/v2/`` and the token endpoint are built on these; pages and our JSON API use Starlette. Header names and values are
decoded only when asked for, and bodies are read as a stream with every whole-body read naming its limit.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, MutableMapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

from havre.errors import ClientGone, InputInvalid, SizeInvalid, TooLarge

Message = MutableMapping[str, Any]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

MAX_QUERY_FIELDS = 128
"""Parameters in one query or form: a token request may repeat ``scope`` many times."""


class Request:
    """One HTTP request."""

    __slots__ = (
        "_headers",
        "_query",
        "actor_name",
        "client_address",
        "id",
        "method",
        "path",
        "receive",
        "scheme",
        "scope",
    )

    def __init__(self, scope: Scope, receive: Receive) -> None:
        self.scope = scope
        self.receive = receive
        self._headers: list[tuple[bytes, bytes]] = scope["headers"]
        self._query: list[tuple[str, str]] | None = None
        self.method: str = scope["method"]
        self.path: str = scope["path"]
        self.scheme: str = scope.get("scheme", "http")
        client = scope.get("client")
        self.client_address: str = client[0] if client else ""
        """Of the person's machine, as far as trusted proxies tell; see ``middleware``."""
        self.id: str = ""
        """The request id that logs and answers carry."""
        self.actor_name: str = ""
        """Set once known, for the log line."""

    def header(self, name: str) -> str | None:
        """The first value of a header, by lower-case name."""
        wanted = name.encode()
        for key, value in self._headers:
            if key == wanted:
                return value.decode("latin-1")
        return None

    def headers_all(self, name: str) -> list[str]:
        """Every value of a header, in order: docker sends one Accept line per type."""
        wanted = name.encode()
        return [value.decode("latin-1") for key, value in self._headers if key == wanted]

    @property
    def host(self) -> str:
        """The Host header (``:authority`` in HTTP/2), as sent; empty when there is none. ``urls.host`` checks it."""
        return self.header("host") or self.header(":authority") or ""

    @property
    def query(self) -> list[tuple[str, str]]:
        """The parameters of the query, in order. Raises InputInvalid for more than MAX_QUERY_FIELDS."""
        if self._query is None:
            self._query = parse_fields(self.scope["query_string"].decode("latin-1"))
        return self._query

    def parameter(self, name: str) -> str | None:
        """The first value of a query parameter."""
        return next((value for key, value in self.query if key == name), None)

    def parameters(self, name: str) -> list[str]:
        """All values of a query parameter."""
        return [value for key, value in self.query if key == name]

    @property
    def content_length(self) -> int | None:
        """The announced length in bytes; None for a chunked body. Raises SizeInvalid if it is not a number."""
        text = self.header("content-length")
        if text is None:
            return None
        if not (text.isascii() and text.isdigit() and len(text) < 19):
            raise SizeInvalid(f"invalid Content-Length {text[:40]!r}: it must be a number of bytes")
        return int(text)

    async def stream(self) -> AsyncIterator[bytes]:
        """The body as it arrives. Raises ClientGone if the client leaves before its end, and SizeInvalid if the body
        is not as long as announced.
        """
        announced, seen, more = self.content_length, 0, True
        while more:
            message = await self.receive()
            if message["type"] == "http.disconnect":
                raise ClientGone(f"the client left after {seen} bytes")
            chunk, more = message.get("body", b""), message.get("more_body", False)
            seen += len(chunk)
            if announced is not None and seen > announced:
                raise SizeInvalid(f"the body is longer than the {announced} bytes announced")
            if chunk:
                yield chunk
        if announced is not None and seen < announced:
            raise ClientGone(f"the body ended after {seen} of the {announced} bytes announced")

    async def body(self, limit: int) -> bytes:
        """The whole body, of at most ``limit`` bytes; raises TooLarge beyond, SizeInvalid if it is not all there."""
        announced = self.content_length
        if announced is not None and announced > limit:
            raise TooLarge(f"the body has {announced} bytes, at most {limit} are accepted here")
        pieces, total = [], 0
        try:
            async for chunk in self.stream():
                total += len(chunk)
                if total > limit:
                    raise TooLarge(f"the body has more than the {limit} bytes accepted here")
                pieces.append(chunk)
        except ClientGone as error:
            raise SizeInvalid(error.message) from error
        return b"".join(pieces)


def parse_fields(text: str) -> list[tuple[str, str]]:
    """Read ``a=b&c=d`` of a query or form; raises InputInvalid for too many fields, and for NUL in one of them."""
    try:
        fields = parse_qsl(text, keep_blank_values=True, max_num_fields=MAX_QUERY_FIELDS) if text else []
    except ValueError as error:
        raise InputInvalid(f"more than {MAX_QUERY_FIELDS} parameters in one request") from error
    for name, value in fields:
        # Nothing that we look for can hold it, and PostgreSQL refuses to look.
        if "\0" in value:
            raise InputInvalid(f"the parameter {name[:40]!r} holds a NUL character: remove it", field=name[:40])
    return fields


@dataclass(slots=True)
class Response:
    """One HTTP response. A body of bytes gets a Content-Length; a stream needs its own header."""

    status: int
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytes | AsyncIterator[bytes] | None = None
    file: str = ""
    """Path of a file to send instead of ``body``, where the server can hand it to the kernel."""
    span: tuple[int, int] | None = None
    """Offset and number of bytes of ``file``; None: all of it."""

    async def __call__(self, scope: Scope, send: Send) -> None:
        """Send it. The body is left out in answer to HEAD, its headers are not."""
        headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in self.headers]
        body = self.body
        if isinstance(body, bytes) and not _has(headers, b"content-length"):
            headers.append((b"content-length", b"%d" % len(body)))
        elif body is None and not self.file and self.status not in {204, 304} and not _has(headers, b"content-length"):
            headers.append((b"content-length", b"0"))
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        if scope["method"] == "HEAD" or (body is None and not self.file):
            await send({"type": "http.response.body", "body": b""})
        elif self.file and "http.response.pathsend" in scope.get("extensions", {}):
            offset, count = self.span or (0, None)
            await send({"type": "http.response.pathsend", "path": self.file, "offset": offset, "count": count})
        elif isinstance(body, bytes):
            await send({"type": "http.response.body", "body": body})
        elif body is not None:
            async for chunk in body:
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
            await send({"type": "http.response.body", "body": b""})


def _has(headers: Iterable[tuple[bytes, bytes]], name: bytes) -> bool:
    return any(key.lower() == name for key, _ in headers)
