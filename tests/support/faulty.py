"""Faulty: the real registry behind a line that misbehaves on order.

Requests go on to the server as they came, except for those that a fault was ordered for: an upload or answer is cut or
gets a wrong byte, the caller is told to wait, sent to another host, or its token turns invalid on the way. Each order
counts once, so that what comes after it goes well again unless more were given.
"""

from __future__ import annotations

import re
import socket
import socketserver
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Self

PIECE = 64 * 1024
PATIENCE = 30.0
"""Seconds that either side may be silent."""


@dataclass(frozen=True)
class CutUpload:
    """The connection breaks when so many bytes of the request's body went through to the registry."""

    after: int


@dataclass(frozen=True)
class CutAnswer:
    """The connection breaks when so many bytes of the answer's body came back."""

    after: int


@dataclass(frozen=True)
class WrongByteUp:
    """One byte of the request's body arrives as another one."""

    at: int


@dataclass(frozen=True)
class WrongByteDown:
    """One byte of the answer's body arrives as another one."""

    at: int


@dataclass(frozen=True)
class Wait:
    """429, with a Retry-After of so many seconds."""

    seconds: int = 0


@dataclass(frozen=True)
class Elsewhere:
    """307 to the same path at another host."""

    host: str


@dataclass(frozen=True)
class Refusal:
    """An object store's answer that it can not do this now: a status, and a code of its own."""

    status: int
    code: str


@dataclass(frozen=True)
class StaleToken:
    """The registry does not know the token: it answers 401 with its own challenge."""


Fault = CutUpload | CutAnswer | WrongByteUp | WrongByteDown | Wait | Elsewhere | Refusal | StaleToken


@dataclass(frozen=True)
class Seen:
    """A request as it came."""

    method: str
    target: str
    headers: dict[str, str] = field(repr=False)

    @property
    def authorized(self) -> bool:
        return "authorization" in self.headers


class Faulty:
    """The line to ``upstream`` (host and port). Use it in a ``with`` statement; ``host`` is what clients are told."""

    def __init__(self, upstream: str) -> None:
        name, _, port = upstream.rpartition(":")
        self._upstream = (name, int(port))
        self._orders: list[tuple[str, str, Fault]] = []
        self._lock = threading.Lock()
        self.seen: list[Seen] = []
        self.host = ""

    def order(self, method: str, part: str, *faults: Fault) -> None:
        """The next requests of this method with ``part`` (a regular expression) in their target suffer, one fault each."""
        with self._lock:
            self._orders += [(method, part, fault) for fault in faults]

    @property
    def open_orders(self) -> int:
        """Faults that did not happen yet."""
        return len(self._orders)

    def asked(self, method: str, part: str = "") -> list[Seen]:
        return [one for one in self.seen if one.method == method and re.search(part, one.target)]

    def __enter__(self) -> Self:
        line = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                with suppress(OSError, ValueError):
                    line.serve(self.request)

        class Server(socketserver.ThreadingTCPServer):
            daemon_threads = True
            request_queue_size = 64

        self._server = Server(("127.0.0.1", 0), Handler)
        self.host = f"127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def serve(self, client: socket.socket) -> None:
        """One request, and the end of the connection."""
        client.settimeout(PATIENCE)
        head, rest = _head(client)
        if not head:
            return
        lines = head.decode("latin-1").split("\r\n")
        method, target, _ = lines[0].split(" ", 2)
        headers = {name.lower(): text.strip() for name, _, text in (line.partition(":") for line in lines[1:] if line)}
        fault = self._take(method, target, headers)
        size = int(headers.get("content-length", "0"))
        if isinstance(fault, Wait | Elsewhere | Refusal):
            for _ in _body(client, rest, size):
                pass
            client.sendall(_short_answer(fault, target))
            return
        if isinstance(fault, StaleToken):
            headers["authorization"] = "Bearer stale"
        with socket.create_connection(self._upstream, timeout=PATIENCE) as server:
            headers["connection"] = "close"
            sent = "".join(f"{name}: {text}\r\n" for name, text in headers.items())
            server.sendall(f"{lines[0]}\r\n{sent}\r\n".encode("latin-1"))
            if _pass_on(_body(client, rest, size), server, fault, CutUpload, WrongByteUp):
                return
            answer, rest = _head(server)
            client.sendall(re.sub(rb"(?i)\r\nconnection:[^\r]*", b"", answer[:-2]) + b"connection: close\r\n\r\n")
            _pass_on(_body(server, rest, None), client, fault, CutAnswer, WrongByteDown)

    def _take(self, method: str, target: str, headers: dict[str, str]) -> Fault | None:
        with self._lock:
            self.seen.append(Seen(method, target, headers))
            for number, (wanted, part, fault) in enumerate(self._orders):
                if wanted == method and re.search(part, target):
                    del self._orders[number]
                    return fault
        return None


def _head(peer: socket.socket) -> tuple[bytes, bytes]:
    """Everything up to the empty line, and what came after it; nothing when the peer speaks TLS or is gone."""
    data = b""
    while b"\r\n\r\n" not in data:
        piece = peer.recv(PIECE)
        if not piece or data[:1] == b"\x16" or (piece[:1] == b"\x16" and not data):
            return b"", b""
        data += piece
    head, _, rest = data.partition(b"\r\n\r\n")
    return head + b"\r\n\r\n", rest


def _body(peer: socket.socket, rest: bytes, size: int | None) -> Iterator[bytes]:
    """So many bytes; without a size all that come."""
    left = size
    while left is None or left > 0:
        piece = rest or peer.recv(PIECE if left is None else min(PIECE, left))
        rest = b""
        if not piece:
            return
        yield piece
        left = None if left is None else left - len(piece)


def _pass_on(
    pieces: Iterator[bytes], to: socket.socket, fault: Fault | None, cut: type[Fault], wrong: type[Fault]
) -> bool:
    """Pass a body on; True when the connection is to break now."""
    done = 0
    for piece in pieces:
        sent = piece
        if (
            isinstance(fault, wrong)
            and isinstance(fault, WrongByteUp | WrongByteDown)
            and done <= fault.at < done + len(piece)
        ):
            at = fault.at - done
            sent = piece[:at] + bytes([piece[at] ^ 0x55]) + piece[at + 1 :]
        if isinstance(fault, cut) and isinstance(fault, CutUpload | CutAnswer) and done + len(piece) >= fault.after:
            to.sendall(sent[: fault.after - done])
            return True
        to.sendall(sent)
        done += len(piece)
    return False


def _short_answer(fault: Wait | Elsewhere | Refusal, target: str) -> bytes:
    if isinstance(fault, Refusal):
        body = f"<Error><Code>{fault.code}</Code><Message>Please reduce your request rate.</Message></Error>"
        return (
            f"HTTP/1.1 {fault.status} Refused\r\ncontent-type: application/xml\r\ncontent-length: {len(body)}\r\n"
            f"connection: close\r\n\r\n{body}"
        ).encode()
    if isinstance(fault, Wait):
        said = f"429 Too Many Requests\r\nretry-after: {fault.seconds}"
    else:
        said = f"307 Temporary Redirect\r\nlocation: http://{fault.host}{target}"
    return f"HTTP/1.1 {said}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n".encode()
