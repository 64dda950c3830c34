"""Requests to the outside that people on the outside ask for: pictures in overviews, webhooks.

Whoever writes an address must not reach what only this server reaches. So a name is looked up once, every address it
has is checked, and the connection goes to one that passed: a second answer of the name server changes nothing. Each
redirect is checked the same way. No proxy of the environment is used, no cookie or credential is ever sent, and
everything has a bound: time, size, redirects.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import socket
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin, urlsplit

from havre import __version__
from havre.config import Networks
from havre.errors import InputInvalid, Unreachable

if TYPE_CHECKING:
    import httpcore

SECONDS = 10.0
"""For a whole fetch, redirects included."""

MAX_REDIRECTS = 4
MAX_URL = 2000
MAX_CONNECTIONS = 20

_REDIRECTS = {301, 302, 303, 307, 308}
_NAT64 = ipaddress.ip_network("64:ff9b::/96")

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: the whole body, and where it came from in the end."""

    status: int
    headers: Mapping[str, str]
    """Names in lower case; of several with one name, the last."""
    body: bytes
    url: str


class Outbound:
    """Fetches from public addresses, and from private ones in ``networks``. Opens nothing before the first request."""

    def __init__(self, networks: Networks = ()) -> None:
        self._networks = networks
        self._pool: httpcore.AsyncConnectionPool | None = None

    async def get(self, url: str, limit: int, accept: str = "*/*") -> Answer:
        """Fetch at most ``limit`` bytes, following redirects.

        Raises InputInvalid for what is no web address or leads to a network that is not allowed, Unreachable for all
        that goes wrong on the way.
        """
        try:
            async with asyncio.timeout(SECONDS):
                return await self._follow(url, limit, {"accept": accept})
        except TimeoutError as error:
            raise Unreachable(f"{_host(url)} did not answer within {SECONDS:.0f} seconds") from error

    async def close(self) -> None:
        """Close the connections."""
        if self._pool is not None:
            with contextlib.suppress(Exception):
                await self._pool.aclose()
            self._pool = None

    def allows(self, address: Address) -> bool:
        """Is it a public address, or in a network that the settings allow?"""
        if any(address in network for network in self._networks):
            return True
        inner = _inside(address)
        if inner is not None:
            return self.allows(inner)
        return address.is_global and not address.is_multicast and not address.is_reserved

    async def resolve(self, host: str, port: int) -> list[str]:
        """The addresses of ``host`` that may be connected to. Raises Unreachable, InputInvalid if there is none."""
        try:
            literal = ipaddress.ip_address(host.strip("[]"))
        except ValueError:
            found = await self._look_up(host, port)
        else:
            found = [literal]
        allowed = [str(one) for one in found if self.allows(one)]
        if not allowed:
            raise InputInvalid(f"{host[:100]} is not on the public internet, and this server fetches from nowhere else")
        return allowed

    async def _look_up(self, host: str, port: int) -> list[Address]:
        try:
            answers = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise Unreachable(f"{host[:100]} can not be found") from error
        return list(dict.fromkeys(ipaddress.ip_address(str(answer[4][0]).partition("%")[0]) for answer in answers))

    async def _follow(self, url: str, limit: int, headers: Mapping[str, str]) -> Answer:
        for _ in range(MAX_REDIRECTS + 1):
            answer = await self._ask(url, limit, headers)
            target = answer.headers.get("location", "")
            if answer.status not in _REDIRECTS or not target:
                return answer
            url = urljoin(url, target)
        raise Unreachable(f"{_host(url)} leads on too often")

    async def _ask(self, url: str, limit: int, headers: Mapping[str, str]) -> Answer:
        import httpcore

        checked = check_url(url)
        sent = {"user-agent": f"Havre/{__version__}", "accept-encoding": "identity", **headers}
        try:
            async with self._connections().stream("GET", checked, headers=_encoded(sent)) as response:
                names = {key.decode("latin-1").lower(): value.decode("latin-1") for key, value in response.headers}
                if response.status in _REDIRECTS:
                    return Answer(response.status, names, b"", url)
                return Answer(response.status, names, await _body(response, limit, url), url)
        except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException, OSError) as error:
            raise Unreachable(f"{_host(url)} could not be asked: {type(error).__name__}") from error

    def _connections(self) -> httpcore.AsyncConnectionPool:
        if self._pool is None:
            import httpcore

            self._pool = httpcore.AsyncConnectionPool(
                max_connections=MAX_CONNECTIONS,
                max_keepalive_connections=0,
                network_backend=_guarded(self),
            )
        return self._pool


def check_url(url: str) -> str:
    """The address, if it is one of the web without credentials in it; raises InputInvalid."""
    try:
        parts = urlsplit(url)
        fine = parts.scheme in {"http", "https"} and bool(parts.hostname) and (parts.port or 1) > 0
        fine = fine and "@" not in parts.netloc and len(url) <= MAX_URL and url.isprintable() and " " not in url
    except ValueError:
        fine = False
    if not fine:
        raise InputInvalid(f"{url[:100]!r} is no web address that this server would ask: write http:// or https://")
    return url if url.isascii() else _ascii(url)


def _ascii(url: str) -> str:
    from urllib.parse import quote, urlunsplit

    parts = urlsplit(url)
    try:
        host = (parts.hostname or "").encode("idna").decode()
    except UnicodeError as error:
        raise InputInvalid(f"{url[:100]!r} is no web address: its host can not be one") from error
    netloc = f"{host}:{parts.port}" if parts.port else host
    safe = "/%:=&?~#+!$,;'@()*[]"
    return urlunsplit((parts.scheme, netloc, quote(parts.path, safe), quote(parts.query, safe), ""))


async def _body(response: httpcore.Response, limit: int, url: str) -> bytes:
    if response_encoding(response) not in {"", "identity"}:
        raise Unreachable(f"{_host(url)} sent a compressed answer that was not asked for")
    pieces, total = [], 0
    async for piece in response.aiter_stream():
        total += len(piece)
        if total > limit:
            raise Unreachable(f"{_host(url)} sent more than the {limit} bytes that are taken")
        pieces.append(piece)
    return b"".join(pieces)


def response_encoding(response: httpcore.Response) -> str:
    """Its Content-Encoding, in lower case."""
    return next((v.decode("latin-1").lower() for k, v in response.headers if k.lower() == b"content-encoding"), "")


def _encoded(headers: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    return [(name.encode("ascii"), value.encode("latin-1")) for name, value in headers.items()]


def _host(url: str) -> str:
    """The host, for sentences: the path may be a secret."""
    try:
        return (urlsplit(url).hostname or "that address")[:100]
    except ValueError:
        return "that address"


def _inside(address: Address) -> ipaddress.IPv4Address | None:
    """The IPv4 address that an IPv6 address stands for."""
    if not isinstance(address, ipaddress.IPv6Address):
        return None
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address.sixtofour is not None:
        return address.sixtofour
    if address.teredo is not None:
        return address.teredo[1]
    return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF) if address in _NAT64 else None


def _guarded(guard: Outbound) -> Any:
    """A network backend that connects only to what ``guard`` lets through. Made late: httpcore is loaded when needed."""
    import httpcore

    class Guarded(httpcore.AsyncNetworkBackend):
        """Looks a name up once and connects to an address that was checked; TLS still checks the name."""

        def __init__(self) -> None:
            self._backend = httpcore.AnyIOBackend()

        async def connect_tcp(
            self,
            host: str,
            port: int,
            timeout: float | None = None,  # noqa: ASYNC109 - the interface of httpcore
            local_address: str | None = None,
            socket_options: Iterable[Any] | None = None,
        ) -> httpcore.AsyncNetworkStream:
            addresses = await guard.resolve(host, port)
            return await self._backend.connect_tcp(addresses[0], port, timeout, local_address, socket_options)

        async def sleep(self, seconds: float) -> None:
            await self._backend.sleep(seconds)

    return Guarded()
