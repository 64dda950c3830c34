"""A line to PostgreSQL that can be cut, or swallow what it is given as a network does that drops packets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy.engine import make_url


class Line:
    """A port of this machine that leads to the server's socket, for as long as it behaves."""

    def __init__(self, socket: str) -> None:
        self._socket = socket
        self._writers: list[asyncio.StreamWriter] = []
        self._whole = asyncio.Event()
        self._whole.set()
        self.port = 0
        self.cut_at = b""
        """Once the client says this, the line breaks before the server hears it; forgotten then."""
        self.cut_after = b""
        """Once the client says this, the server does it, and the line breaks instead of its answer; forgotten then."""
        self._mute = False
        self.sent = 0
        """Pieces that came from clients."""

    def swallow(self) -> None:
        """From now on take everything, and bring nothing to anybody."""
        self._whole.clear()

    def heal(self) -> None:
        """Be as good as new; what was swallowed stays so, and those connections are dead."""
        self.cut()
        self._whole.set()

    def cut(self) -> None:
        """Break all connections."""
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Be one connection."""
        self._writers.append(writer)
        answers, server = await asyncio.open_unix_connection(self._socket)
        self._writers.append(server)
        await asyncio.gather(
            self._pump(reader, server, asking=True), self._pump(answers, writer), return_exceptions=True
        )
        server.transport.abort()
        writer.transport.abort()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, asking: bool = False) -> None:
        while piece := await reader.read(65536):
            if asking:
                self.sent += 1
                if self.cut_at and self.cut_at in piece:
                    self.cut_at = b""
                    self.cut()
                    return
                if self.cut_after and self.cut_after in piece:
                    self.cut_after, self._mute = b"", True
            elif self._mute:
                self._mute = False
                self.cut()
                return
            if not self._whole.is_set():
                continue
            writer.write(piece)
            await writer.drain()
        writer.transport.abort()


@asynccontextmanager
async def line_to(url: str) -> AsyncIterator[tuple[str, Line]]:
    """A line to the server of a database that is reached by a Unix socket, and the database's address over it."""
    address = make_url(url)
    line = Line(f"{address.query['host']}/.s.PGSQL.5432")
    server = await asyncio.start_server(line.serve, "127.0.0.1", 0)
    line.port = server.sockets[0].getsockname()[1]
    try:
        yield f"postgresql://havre@127.0.0.1:{line.port}/{address.database}?connect_timeout=2", line
    finally:
        server.close()
        line.cut()
