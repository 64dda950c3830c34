"""Takes spans to a collector, over HTTP (OTLP), in the background: a collector that is away slows nothing down."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import logging
import os
import socket
import ssl
from urllib.parse import unquote, urlsplit

import httpcore

from havre import __version__
from havre.server.metrics import Figures
from havre.server.tracing import otlp
from havre.server.tracing.tracer import Span, Tracer

log = logging.getLogger("havre.traces")

BATCH = 1000
EVERY_SECONDS = 1.0
SECONDS = 10
"""For which the collector may keep a batch waiting."""

LAST_SECONDS = 2
"""For which the last batch keeps the server from stopping."""

MAX_PAUSE = 30.0
_LATER = {408, 429, 502, 503, 504}


class Exporter:
    """Sends what a tracer keeps to ``url``, in whose host a name and a password may stand; to /v1/traces without a path."""

    def __init__(self, url: str, tracer: Tracer, figures: Figures) -> None:
        parts = urlsplit(url)
        host = parts.netloc.rpartition("@")[2]
        self._url = f"{parts.scheme}://{host}{parts.path.rstrip('/') or '/v1/traces'}"
        self._headers = [(b"content-type", b"application/x-protobuf"), (b"user-agent", f"Havre/{__version__}".encode())]
        if parts.username is not None:
            pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}".encode()
            self._headers.append((b"authorization", b"Basic " + base64.b64encode(pair)))
        self._tracer = tracer
        self._figures = figures
        self._task: asyncio.Task[None] | None = None
        self._pool: httpcore.AsyncConnectionPool | None = None
        self._complained = False

    def start(self) -> None:
        """Begin to send."""
        self._pool = httpcore.AsyncConnectionPool(ssl_context=ssl.create_default_context(), max_connections=1)
        self._task = asyncio.create_task(self._loop())

    async def stop(self) -> None:
        """Send what waits, if that is quickly done, and end."""
        task, self._task = self._task, None
        if task:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        if self._pool:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LAST_SECONDS):
                    while self._tracer.ended and await self.send():
                        pass
            await self._pool.aclose()

    async def send(self) -> bool:
        """Send one batch; False if the collector is away and it has to be sent again."""
        batch = self._tracer.ended[:BATCH]
        taken = await self._post(batch)
        if taken is not None:
            del self._tracer.ended[: len(batch)]
            self._figures.events["spans_sent" if taken else "spans_dropped"] += len(batch)
        self._figures.events["spans_dropped"] += self._tracer.dropped
        self._tracer.dropped = 0
        return taken is not None

    async def _loop(self) -> None:
        pause = EVERY_SECONDS
        while True:
            await asyncio.sleep(pause)
            while self._tracer.ended and await self.send():
                pause = EVERY_SECONDS
            if self._tracer.ended:
                pause = min(pause * 2, MAX_PAUSE)

    async def _post(self, batch: list[Span]) -> bool | None:
        """True: it has them; False: it never will; None: perhaps later."""
        assert self._pool is not None
        resource: dict[str, str | int] = {
            "service.name": "havre",
            "service.version": __version__,
            "service.instance.id": f"{socket.gethostname()}-{os.getpid()}",
        }
        body = otlp.request(batch, resource, __version__)
        try:
            async with asyncio.timeout(SECONDS):
                answer = await self._pool.request("POST", self._url, headers=self._headers, content=body)
        except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException, OSError) as error:
            self._complain(str(error) or type(error).__name__)
            return None
        if 200 <= answer.status < 300:
            self._complained = False
            return True
        self._complain(f"it answered {answer.status}")
        return None if answer.status in _LATER else False

    def _complain(self, why: str) -> None:
        """Once for each time that it goes away."""
        if not self._complained:
            log.warning("traces can not be told to %s: %s", self._url, why)
        self._complained = True
