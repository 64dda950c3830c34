"""Tracing as the composition root sees it: one thing that wraps the parts, starts and stops."""

from __future__ import annotations

from collections.abc import Sequence

from havre.config import Config
from havre.metadata.engine import Database
from havre.server import logs
from havre.server.metrics import Figures
from havre.server.middleware import Front, Handler, Network
from havre.server.tracing.exporter import Exporter
from havre.server.tracing.front import TracedFront
from havre.server.tracing.tracer import Tracer, current_trace, outgoing
from havre.server.tracing.wrapped import traced_database, traced_storage
from havre.storage import Headers, Storage


class Traces:
    """The traces of one worker. Making it opens no connection."""

    headers: Headers = staticmethod(outgoing)
    """What a request to another server carries."""

    def __init__(self, config: Config, figures: Figures) -> None:
        self.tracer = Tracer(config.traces_percent)
        self._exporter = Exporter(config.traces_url, self.tracer, figures)
        self._figures = figures
        logs.tell_traces(current_trace)

    def wrap(self, database: Database, storage: Storage) -> tuple[Database, Storage]:
        """Rows and bytes, with a span for each call."""
        return traced_database(database, self.tracer), traced_storage(storage, self.tracer)

    def front(self, handler: Handler, trusted: Sequence[Network]) -> Front:
        """The door, with a span for each request."""
        return TracedFront(handler, self._figures, trusted, self.tracer)

    def start(self) -> None:
        """Begin to send."""
        self._exporter.start()

    async def stop(self) -> None:
        """Send what waits, if that is quickly done."""
        await self._exporter.stop()
