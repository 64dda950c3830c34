"""What every request passes: a request id, the client's true address, one log line, one count.

Pure ASGI, because blobs stream through it. Forwarded headers count only when a trusted proxy sent them.
"""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Awaitable, Callable, Sequence
from ipaddress import IPv4Network, IPv6Network, ip_address

from havre.server import logs
from havre.server.http import Message, Receive, Request, Scope, Send
from havre.server.metrics import Figures

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)

MAX_PATH = 500
"""Characters of a path in the log."""

EVENTS = "/-/events"
"""How the paths of streams end, which last as long as somebody watches."""

Network = IPv4Network | IPv6Network
Handler = Callable[[Request, Send], Awaitable[None]]


def area(path: str) -> str:
    """The part of the site a path belongs to, for logs and figures: a short fixed list."""
    if path.endswith(EVENTS):
        return "live"
    head = path[1:].partition("/")[0]
    return {"v2": "registry", "v1": "registry", "auth": "token", "api": "api", "static": "static"}.get(
        head, "health" if head in {"healthz", "readyz", "metrics"} else "page"
    )


class Front:
    """Wraps the application; calls it with a prepared request and watches the answer."""

    def __init__(self, handler: Handler, figures: Figures, trusted: Sequence[Network]) -> None:
        self._handler = handler
        self._figures = figures
        self._trusted = trusted

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one HTTP request."""
        started = time.perf_counter()
        request = Request(scope, receive)
        if self._trusted:
            self._unwrap(request)
        given = request.header("x-request-id")
        request.id = given if given and _REQUEST_ID.fullmatch(given) else secrets.token_hex(8)
        scope["state"] = {"request": request}
        status = 0

        async def watch(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"].append((b"x-request-id", request.id.encode()))
            await send(message)

        try:
            await self._handler(request, watch)
        finally:
            self._report(request, status, time.perf_counter() - started)

    def _report(self, request: Request, status: int, seconds: float) -> None:
        where = area(request.path)
        self._figures.observe(where, request.method, status, seconds)
        if where != "health":
            self._log(request, status, seconds, where)

    def _log(self, request: Request, status: int, seconds: float, _where: str, /, **more: str) -> None:
        """The line of one request."""
        logs.access(
            request.method[:20],
            request.path[:MAX_PATH],
            status=status,
            ms=round(seconds * 1000, 1),
            client=request.client_address,
            account=request.actor_name,
            request=request.id,
            **more,
        )

    def _unwrap(self, request: Request) -> None:
        """Believe X-Forwarded-For and -Proto as far as they were written by proxies we trust."""
        if not self._trusts(request.client_address):
            return
        hops = [hop.strip() for line in request.headers_all("x-forwarded-for") for hop in line.split(",")]
        for hop in reversed(hops[-20:]):
            if not _is_address(hop):
                break
            request.client_address = hop
            if not self._trusts(hop):
                break
        proto = request.header("x-forwarded-proto")
        if proto in {"http", "https"}:
            request.scheme = request.scope["scheme"] = proto
        request.scope["client"] = (request.client_address, 0)

    def _trusts(self, address: str) -> bool:
        return _is_address(address) and any(ip_address(address) in network for network in self._trusted)


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True
