"""Transport: HTTP to any host, with time limits, bounded bodies, retries and careful redirects.

Nothing here knows registries. A request is tried again when the connection fails or the answer is one that says
"later" (408, 429, 500, 502, 503, 504), with growing pauses or the one that ``Retry-After`` asks for. Credentials stay
with the origin they were meant for: a redirect to another scheme, host or port is followed without them.

Proxies come from ``HTTP_PROXY``, ``HTTPS_PROXY`` and ``NO_PROXY``; certificates of private authorities from
``SSL_CERT_FILE`` and ``SSL_CERT_DIR``, and for single registries from ``certs.d`` (see ``client/certificates``).
Hosts on this machine are never reached through a proxy.
"""

from __future__ import annotations

import asyncio
import os
import random
import ssl
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self
from urllib.request import getproxies

import httpx

from havre import __version__
from havre.client.certificates import HostCertificates, find
from havre.client.direct import DirectTransport
from havre.client.failures import retry_after
from havre.client.references import is_loopback
from havre.errors import TooLarge, Unavailable

MAX_DOCUMENT = 8 * 1024 * 1024
"""Bytes of an answer that is read whole: token, list, manifest or error."""

MAX_REDIRECTS = 8

BodyFactory = Callable[[], AsyncIterator[bytes]]
"""Opens a body from its beginning, so that a second try can send it again."""

_LATER = frozenset({408, 429, 500, 502, 503, 504})
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_SECRET_HEADERS = ("authorization", "cookie")


@dataclass(frozen=True, slots=True)
class TransportSettings:
    """How to reach hosts. All times are in seconds."""

    insecure: frozenset[str] = frozenset()
    """``host[:port]`` of registries whose certificates are not checked and that may speak plain HTTP."""
    ca_file: str = ""
    """Certificates to trust beside the system's."""
    client_certificate: tuple[str, str] | None = None
    """Files of a certificate and its key, for registries that ask for one."""
    certificate_folders: tuple[Path, ...] = ()
    """Folders that hold one folder for each registry with certificates of its own: ``certs.d``."""
    attempts: int = 5
    first_pause: float = 0.25
    longest_pause: float = 60.0
    """A registry that asks to wait longer than this gets no further try."""
    connect_timeout: float = 10.0
    read_timeout: float = 300.0
    """Silence while a registry checks a large upload can be long."""
    connections: int = 16


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer that was read whole. Header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes = b""
    all_challenges: tuple[str, ...] = field(default=(), repr=False)
    """Every WWW-Authenticate line."""
    url: str = ""


class Transport:
    """Sends requests. Use it as an asynchronous context manager, or call `close`."""

    def __init__(self, settings: TransportSettings | None = None) -> None:
        self.settings = settings or TransportSettings()
        self._clients: dict[tuple[bool, bool, HostCertificates, bool], httpx.AsyncClient] = {}
        self._certificates: dict[str, HostCertificates] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close all connections."""
        clients, self._clients = list(self._clients.values()), {}
        for client in clients:
            await client.aclose()

    def trusts_blindly(self, host: str) -> bool:
        """May ``host[:port]`` speak plain HTTP or show any certificate? True for this machine, as with docker."""
        return is_loopback(host) or host in self.settings.insecure

    async def fetch(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        limit: int = MAX_DOCUMENT,
        attempts: int | None = None,
        redirects: int = MAX_REDIRECTS,
    ) -> Answer:
        """Send, and read the whole answer. Raises TooLarge beyond ``limit`` bytes, Unavailable when no try succeeds.

        ``redirects`` is 0 for a body that no other host may see.
        """
        tries = _Tries(self.settings, attempts)
        while True:
            try:
                async with self.open(
                    method, url, headers=headers, body=body, attempts=1, redirects=redirects
                ) as response:
                    answer = await read_answer(response, limit)
            except Unavailable:
                pause = tries.pause_before_next()
                if pause is None:
                    raise
            else:
                pause = tries.pause_before_next(answer.headers) if answer.status in _LATER else None
                if pause is None:
                    return answer
            await asyncio.sleep(pause)

    @asynccontextmanager
    async def open(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | BodyFactory | None = None,
        attempts: int | None = None,
        redirects: int = MAX_REDIRECTS,
        bulk: bool = False,
    ) -> AsyncIterator[httpx.Response]:
        """Send, and give the answer with its body unread. Retries only until the head of an answer is there.

        A streamed body is sent once unless ``attempts`` says otherwise; ``bulk`` says that none is sent and much will
        come. Raises Unavailable when no try succeeds.
        """
        tries = _Tries(self.settings, 1 if callable(body) and attempts is None else attempts)
        while True:
            try:
                response = await self._follow(method, url, dict(headers or {}), body, redirects, bulk)
            except httpx.InvalidURL as error:
                raise Unavailable(f"the registry sent an address that can not be read: {error}") from error
            except httpx.TransportError as error:
                pause = tries.pause_before_next()
                if pause is None:
                    raise explain(error, url) from error
            else:
                pause = tries.pause_before_next(response.headers) if response.status_code in _LATER else None
                if pause is None:
                    try:
                        yield response
                    finally:
                        await response.aclose()
                    return
                await response.aclose()
            await asyncio.sleep(pause)

    async def _follow(
        self,
        method: str,
        url: str,
        headers: dict[str, str],
        body: bytes | BodyFactory | None,
        redirects: int,
        bulk: bool,
    ) -> httpx.Response:
        target = httpx.URL(url)
        for _ in range(redirects + 1):
            response = await self._send(method, target, headers, body, bulk)
            location = response.headers.get("location", "")
            if response.status_code not in _REDIRECTS or not location:
                return response
            await response.aclose()
            following = target.join(location)
            if following.scheme not in {"http", "https"} or not following.host:
                raise Unavailable(f"{target.host} redirects to an address that is not http or https")
            if (
                target.scheme == "https"
                and following.scheme == "http"
                and not self.trusts_blindly(authority(following))
            ):
                raise Unavailable(
                    f"{target.host} redirects to {following.host} without encryption; this is not followed"
                )
            if origin(following) != origin(target):
                headers = {name: value for name, value in headers.items() if name.lower() not in _SECRET_HEADERS}
            if response.status_code == 303 or (response.status_code in {301, 302} and method == "POST"):
                method, body = "GET", None
                headers = {name: value for name, value in headers.items() if not name.lower().startswith("content-")}
            target = following
        raise Unavailable(f"{httpx.URL(url).host} redirects more than {redirects} times")

    async def _send(
        self, method: str, url: httpx.URL, headers: Mapping[str, str], body: bytes | BodyFactory | None, bulk: bool
    ) -> httpx.Response:
        client = self._client(url, bulk)
        content = body() if callable(body) else body
        # Bytes must arrive as they were stored: a compressed answer would not have the digest that was asked for.
        sent = {"accept-encoding": "identity", **headers}
        response = await client.send(client.build_request(method, url, headers=sent, content=content), stream=True)
        if response.headers.get("content-encoding", "identity").lower() not in {"", "identity"}:
            await response.aclose()
            raise Unavailable(f"{url.host} compressed its answer although it was asked not to; a proxy may be at fault")
        return response

    def _client(self, url: httpx.URL, bulk: bool) -> httpx.AsyncClient:
        host = authority(url)
        if host not in self._certificates:
            self._certificates[host] = find(host, self.settings.certificate_folders)
        # Whatever NO_PROXY may except: where there are proxies at all, the library decides.
        direct = bulk and (is_loopback(host) or not getproxies().keys() & {url.scheme, "all"})
        key = (is_loopback(host), self.trusts_blindly(host), self._certificates[host], direct)
        client = self._clients.get(key)
        if client is None:
            local, blind, certificates, _ = key
            settings = self.settings
            context = self._tls(blind, certificates)
            client = self._clients[key] = httpx.AsyncClient(
                verify=context,
                trust_env=not local,
                transport=self._direct(context) if direct else None,
                headers={"user-agent": f"havre/{__version__}", "accept": "*/*"},
                timeout=httpx.Timeout(settings.read_timeout, connect=settings.connect_timeout, pool=None),
                limits=httpx.Limits(
                    max_connections=settings.connections, max_keepalive_connections=settings.connections
                ),
            )
        return client

    def _direct(self, context: ssl.SSLContext) -> DirectTransport:
        settings = self.settings
        return DirectTransport(
            context,
            connect_timeout=settings.connect_timeout,
            read_timeout=settings.read_timeout,
            connections=settings.connections,
        )

    def _tls(self, blind: bool, certificates: HostCertificates) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        if blind:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        else:
            _trust_authorities(context)
            if self.settings.ca_file:
                context.load_verify_locations(self.settings.ca_file)
        if self.settings.client_certificate:
            context.load_cert_chain(*self.settings.client_certificate)
        certificates.load_into(context)
        return context


def _trust_authorities(context: ssl.SSLContext) -> None:
    """The system's certificates, or those that came with the HTTP library on a machine that has none."""
    paths = ssl.get_default_verify_paths()
    if paths.cafile or paths.capath:
        context.load_default_certs()
        return
    import certifi

    context.load_verify_locations(certifi.where())


class _Tries:
    """Counts tries and pauses between them."""

    def __init__(self, settings: TransportSettings, attempts: int | None) -> None:
        self._left = (settings.attempts if attempts is None else attempts) - 1
        self._pause = settings.first_pause
        self._longest = settings.longest_pause

    def pause_before_next(self, headers: Mapping[str, str] | None = None) -> float | None:
        """Seconds to wait before another try; None when there is none left or ``headers`` ask to wait too long."""
        asked = retry_after(headers, time.time()) if headers is not None else None
        if self._left <= 0 or (asked is not None and asked > self._longest):
            return None
        self._left -= 1
        # Scattered, so that many clients turned away together do not return together.
        pause = asked if asked is not None else self._pause * random.uniform(0.75, 1.25)  # noqa: S311 - not a secret
        self._pause = min(self._pause * 3, self._longest)
        return pause


async def read_answer(response: httpx.Response, limit: int = MAX_DOCUMENT) -> Answer:
    """Read an open response whole. Raises TooLarge beyond ``limit`` bytes, Unavailable when it breaks off."""
    parts, size = [], 0
    try:
        async for part in response.aiter_raw():
            size += len(part)
            if size > limit:
                raise TooLarge(f"{response.url.host} sent more than the {limit} bytes that are read of such an answer")
            parts.append(part)
    except httpx.TransportError as error:
        raise explain(error, str(response.url)) from error
    challenges = tuple(response.headers.get_list("www-authenticate"))
    return Answer(response.status_code, response.headers, b"".join(parts), challenges, str(response.url))


def authority(url: httpx.URL) -> str:
    """``host[:port]`` of an address, the port only where it is not the scheme's own."""
    return url.netloc.decode("ascii")


def origin(url: httpx.URL) -> tuple[str, str, int]:
    """Scheme, host and port: what credentials are bound to."""
    return url.scheme, url.host, url.port or (443 if url.scheme == "https" else 80)


def _system_reason(error: BaseException) -> str:
    """What the operating system said, which the libraries above wrap in words of their own."""
    seen: list[BaseException] = [error]
    for one in seen:
        if isinstance(one, OSError) and one.strerror and not isinstance(one, ssl.SSLError):
            return os.strerror(one.errno) if one.errno and one.errno > 0 else one.strerror
        seen += one.exceptions if isinstance(one, BaseExceptionGroup) else ()
        seen += [cause for cause in (one.__cause__, one.__context__) if cause is not None and cause not in seen]
    return ""


def explain(error: httpx.TransportError, url: str) -> Unavailable:
    """A failed connection as a sentence for the person, with the remedy where one is known."""
    host = authority(httpx.URL(url))
    reason = _system_reason(error) or str(error) or type(error).__name__
    if "CERTIFICATE_VERIFY_FAILED" in reason:
        return Unavailable(
            f"cannot trust {host}: {reason.partition('] ')[2] or reason}; name its authority with SSL_CERT_FILE or --ca,"
            f" put it into ~/.docker/certs.d/{host}/ca.crt, or allow it with --insecure"
        )
    if "CERTIFICATE_REQUIRED" in reason.upper().replace(" ", "_"):
        return Unavailable(
            f"{host} asks for a certificate of yours: put it and its key into ~/.docker/certs.d/{host}/client.cert and"
            " client.key"
        )
    if isinstance(error, httpx.ConnectTimeout):
        return Unavailable(f"cannot reach {host}: no answer in time; check the name, the network and the proxy")
    if isinstance(error, httpx.ConnectError):
        return Unavailable(
            f"cannot reach {host}: {reason}; check the name and the port, and that the registry is running"
        )
    if isinstance(error, httpx.ReadTimeout | httpx.WriteTimeout):
        return Unavailable(f"{host} fell silent in the middle of an exchange; try again")
    return Unavailable(f"the connection to {host} broke: {reason}; try again")
