"""Plays what real clients send, over a socket and to the letter: header lines in their order, bodies in chunks, one
connection for each request, and nothing that the client would not have sent.

A trace is a list of ``Step``. Its texts may name what is known by then: ``{repo}``, the ``{token}`` and the latest
``{location}`` that an answer gave, the ``{realm}`` and ``{service}`` of the challenge, and for each content that the
test named its digest, ``{layer}``, and the same as it stands in a query, ``{layer_q}``.
"""

from __future__ import annotations

import base64
import http.client
import re
import socket
import ssl
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from types import MappingProxyType
from urllib.parse import quote, urlsplit

import orjson

from tests.support.documents import digest_of

PATIENCE = 20
"""Seconds for one answer."""

BASIC = "Authorization: Basic {basic}"
NOBODY = "Authorization: Basic Og=="
"""An empty name and an empty password: what podman sends for people who have not signed in."""
BEARER = "Authorization: Bearer {token}"

UUID = "[0-9a-f]+-[0-9a-f]+-[0-9a-f]+-[0-9a-f]+-[0-9a-f]+"

Chunks = tuple[bytes, ...]


@dataclass(frozen=True)
class Step:
    """One request, and what the client needs of the answer. A body in pieces is sent in chunks, without a length."""

    request: str
    """Method and target."""
    status: int
    headers: Sequence[str] = ()
    """Lines, besides those that the client always sends."""
    body: bytes | Chunks = b""
    needs: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    """Headers of the answer, and the pattern that the whole value must match."""
    gives: bytes | None = None
    """The body of the answer."""
    says: str = ""
    """A part of the body, for a refusal."""


class Player:
    """One client at one server. ``always`` are the header lines that it sends with every request."""

    def __init__(self, host: str, always: Sequence[str], *, name: str = "", secret: str = "", **known: str) -> None:
        self.host = host
        self.always = always
        self.known = {"host": host, **known, "basic": base64.b64encode(f"{name}:{secret}".encode()).decode()}

    def know(self, **contents: bytes) -> None:
        """Let steps name these contents by their digests."""
        for name, content in contents.items():
            self.known |= {name: digest_of(content), f"{name}_q": quote(digest_of(content), safe="")}

    def play(self, *steps: Step) -> None:
        """Send the requests in turn; each answer must be what the step needs."""
        for step in steps:
            self._check(step, *self._exchange(step))

    def knock(self) -> None:
        """What every client tries first: TLS, on the port that speaks none. It must hear HTTP to fall back to it."""
        outgoing = ssl.MemoryBIO()
        tls = ssl.create_default_context().wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname="localhost")
        with suppress(ssl.SSLWantReadError):
            tls.do_handshake()  # writes its hello, then wants an answer
        host, _, port = self.host.rpartition(":")
        with socket.create_connection((host, int(port)), timeout=PATIENCE) as connection:
            connection.sendall(outgoing.read())
            answer = connection.recv(1000)
        assert re.match(rb"HTTP/1\.[01] 400 ", answer), answer

    def _exchange(self, step: Step) -> tuple[http.client.HTTPResponse, bytes]:
        method, _, target = step.request.format_map(self.known).partition(" ")
        connection = http.client.HTTPConnection(self.host, timeout=PATIENCE)
        try:
            connection.putrequest(method, _whole(target), skip_host=True, skip_accept_encoding=True)
            for line in self._lines(method, step):
                name, _, value = line.format_map(self.known).partition(": ")
                connection.putheader(name, value)
            connection.endheaders()
            for piece in _framed(step.body):
                connection.send(piece)
            answer = connection.getresponse()
            return answer, answer.read()
        finally:
            connection.close()

    def _lines(self, method: str, step: Step) -> list[str]:
        framing = []
        if isinstance(step.body, tuple):
            framing = ["Transfer-Encoding: chunked"]
        elif step.body or method in {"POST", "PUT", "PATCH"}:
            framing = [f"Content-Length: {len(step.body)}"]
        packed = [] if method == "HEAD" else ["Accept-Encoding: gzip"]
        return ["Host: {host}", *self.always, *framing, *step.headers, *packed, "Connection: close"]

    def _check(self, step: Step, answer: http.client.HTTPResponse, body: bytes) -> None:
        told = f"{step.request}: {answer.status} {answer.getheaders()} {body[:500]!r}"
        assert answer.status == step.status, told
        for name, pattern in step.needs.items():
            assert re.fullmatch(pattern.format_map(self.known), answer.getheader(name) or ""), f"{name} of {told}"
        assert step.gives is None or body == step.gives, told
        assert step.says.format_map(self.known).encode() in body, told
        if location := answer.getheader("Location"):
            self.known["location"] = location
        if challenge := answer.getheader("WWW-Authenticate"):
            self._remember(challenge)
        if (answer.getheader("Content-Type") or "") == "application/json" and b'"token"' in body:
            self.known["token"] = orjson.loads(body)["token"]

    def _remember(self, challenge: str) -> None:
        scheme, _, parameters = challenge.partition(" ")
        if scheme == "Bearer":
            found = dict(re.findall(r'(\w+)="([^"]*)"', parameters))
            realm = urlsplit(found["realm"])
            assert (realm.scheme, realm.netloc) == ("http", self.host), challenge
            self.known |= {"realm": realm.path, "service": quote(found["service"], safe="")}


def _whole(target: str) -> str:
    """Append a parameter as clients do: to the query that the address has, or as its first."""
    return target if "?" in target else target.replace("&", "?", 1)


def _framed(body: bytes | Chunks) -> Sequence[bytes]:
    if isinstance(body, bytes):
        return [body] if body else []
    return [*(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in body), b"0\r\n\r\n"]
