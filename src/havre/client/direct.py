"""Direct: large answers straight from the socket, for blobs.

The HTTP library copies what it reads several times on its way through parsers, 64 KB at a time, which is most of what a
pull costs. Here a thread waits at the socket and brings up to two megabytes at once, with no copy in between. It is one of
the library's transports: redirects, tries and errors stay where they are for all other requests. Proxies are not known
here; where one is set, blobs travel like everything else.
"""

from __future__ import annotations

import asyncio
import http.client
import os
import socket
import ssl
import time
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

import httpx

LARGEST_PIECE = 2 * 1024 * 1024
SMALLEST_PIECE = 64 * 1024
"""Bytes that are waited for at once: more of them while they come fast. What a broken connection had brought of the
piece under way is lost, so the first ones are small."""

_FAST, _SLOW = 0.1, 0.5
"""Seconds for one piece, below and above which the next one is larger or smaller."""

_HEAD_START = 0.25
"""Seconds that an address gets before the next one of the same host is tried beside it (RFC 8305)."""

T = TypeVar("T")
Place = tuple[str, str, int]


class DirectTransport(httpx.AsyncBaseTransport):
    """Sends requests without a body over connections of its own, one thread for each that is at work. HTTP/1.1 alone.

    Times are in seconds; ``connections`` is how many are used at once and kept for the next request.
    """

    def __init__(
        self, context: ssl.SSLContext, *, connect_timeout: float, read_timeout: float, connections: int
    ) -> None:
        context.set_alpn_protocols(["http/1.1"])
        self._context = context
        self._connect_timeout = connect_timeout
        self._read_timeout = read_timeout
        self._connections = connections
        self._idle: list[tuple[Place, http.client.HTTPConnection]] = []
        self._threads = ThreadPoolExecutor(connections, "havre-blobs")

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send, and give the answer with its body unread. Raises httpx.TransportError."""
        url = request.url
        place = (url.scheme, url.host, url.port or (443 if url.scheme == "https" else 80))
        while True:
            kept = self._kept(place)
            connection = kept or await self._connect(place)
            try:
                answer = await self.at(connection, lambda: _exchange(connection, request))  # noqa: B023 - awaited here
            except httpx.TransportError:
                connection.close()
                # One that was kept may have been closed by the other side for its idleness; a new one has no excuse.
                if kept is None:
                    raise
            except BaseException:
                connection.close()
                raise
            else:
                headers = [(name.encode("latin-1"), text.encode("latin-1")) for name, text in answer.headers.items()]
                body = _Body(self, place, connection, answer)
                return httpx.Response(answer.status, headers=headers, stream=body)

    async def aclose(self) -> None:
        """Close what is kept. Answers still being read must be closed before."""
        idle, self._idle = self._idle, []
        for _, connection in idle:
            connection.close()
        self._threads.shutdown(wait=False)

    def keep(self, place: Place, connection: http.client.HTTPConnection) -> None:
        """Take back a connection whose answer was read to its end."""
        if len(self._idle) < self._connections:
            self._idle.append((place, connection))
        else:
            connection.close()

    async def at(self, connection: http.client.HTTPConnection, work: Callable[[], T]) -> T:
        """Do ``work`` with a connection in a thread. A cancelled caller ends the connection, and waits for the thread."""
        future = asyncio.get_running_loop().run_in_executor(self._threads, work)
        try:
            return await asyncio.shield(future)
        except asyncio.CancelledError:
            _wake(connection.sock)
            await asyncio.wait([future])
            if not future.cancelled():
                future.exception()
            raise

    def _kept(self, place: Place) -> http.client.HTTPConnection | None:
        for number, (known, connection) in enumerate(self._idle):
            if known == place:
                del self._idle[number]
                return connection
        return None

    async def _connect(self, place: Place) -> http.client.HTTPConnection:
        scheme, host, port = place
        connection = http.client.HTTPConnection(host, port)
        connection.auto_open = 0
        with _translated(httpx.ConnectTimeout, httpx.ConnectError):
            async with asyncio.timeout(self._connect_timeout):
                # The loop tries several addresses at a time. It then lets go: the thread wants to wait by itself.
                transport, _ = await asyncio.get_running_loop().create_connection(
                    asyncio.Protocol, host, port, happy_eyeballs_delay=_HEAD_START
                )
                try:
                    plain = socket.socket(fileno=os.dup(transport.get_extra_info("socket").fileno()))
                finally:
                    transport.abort()
            connection.sock = plain
            try:
                plain.settimeout(self._connect_timeout)
                plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                if scheme == "https":
                    await self.at(connection, lambda: self._encrypt(connection, host))
                connection.sock.settimeout(self._read_timeout)
            except BaseException:
                connection.close()
                raise
        return connection

    def _encrypt(self, connection: http.client.HTTPConnection, host: str) -> None:
        connection.sock = self._context.wrap_socket(connection.sock, server_hostname=host)


class _Body(httpx.AsyncByteStream):
    """A body as it comes, in pieces that grow."""

    def __init__(
        self,
        transport: DirectTransport,
        place: Place,
        connection: http.client.HTTPConnection,
        answer: http.client.HTTPResponse,
    ) -> None:
        self._transport = transport
        self._place = place
        self._connection: http.client.HTTPConnection | None = connection
        self._answer = answer
        self._piece = SMALLEST_PIECE

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while self._connection and (piece := await self._transport.at(self._connection, self._read)):
            yield piece

    async def aclose(self) -> None:
        """Keep the connection if nothing more comes over it for this answer, else close it."""
        connection, self._connection = self._connection, None
        if connection is None:
            return
        if self._answer.isclosed() and not self._answer.will_close:
            self._transport.keep(self._place, connection)
        else:
            self._answer.close()
            connection.close()

    def _read(self) -> bytes:
        """The next bytes, none at the end. Raises httpx.TransportError when the body is shorter than announced."""
        started = time.monotonic()
        with _translated(httpx.ReadTimeout, httpx.ReadError):
            piece = self._answer.read(self._piece)
        if not piece and self._answer.length:
            raise httpx.RemoteProtocolError("the body of the answer ended early")
        taken = time.monotonic() - started
        if taken < _FAST:
            self._piece = min(self._piece * 2, LARGEST_PIECE)
        elif taken > _SLOW:
            self._piece = max(self._piece // 2, SMALLEST_PIECE)
        return piece


def _exchange(connection: http.client.HTTPConnection, request: httpx.Request) -> http.client.HTTPResponse:
    """Send the request and read the head of its answer."""
    with _translated(httpx.ReadTimeout, httpx.ReadError):
        target = request.url.raw_path.decode("ascii")
        connection.putrequest(request.method, target, skip_host=True, skip_accept_encoding=True)
        for name, text in request.headers.raw:
            connection.putheader(name, text)
        connection.endheaders()
        answer = connection.getresponse()
        while 100 <= answer.status < 200:
            # Hints that come before the answer (RFC 9110, section 15.2). The library knows only the first of them.
            answer.headers = answer.msg = None  # type: ignore[assignment]
            answer.begin()
        return answer


def _wake(wire: socket.socket | None) -> None:
    """Let a thread that waits at the socket see its end. Not by TLS's own way, which is not for two threads."""
    if wire is not None:
        try:
            socket.socket.shutdown(wire, socket.SHUT_RDWR)
        except OSError:
            return


@contextmanager
def _translated(late: type[httpx.TimeoutException], broken: type[httpx.NetworkError]) -> Iterator[None]:
    """The standard library's failures as those of the HTTP library."""
    try:
        yield
    except TimeoutError as error:
        raise late(str(error)) from error
    except (OSError, UnicodeError) as error:
        raise broken(str(error)) from error
    except http.client.HTTPException as error:
        raise httpx.RemoteProtocolError(str(error) or type(error).__name__) from error
