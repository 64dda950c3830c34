"""A server with an application that does what tests ask of it: ``python -m tests.support.oddities PORT FOLDER``."""

import json
import os
import socket
import sys
from pathlib import Path

from havre.server.http import Receive, Scope, Send
from havre.server.wire.limits import Limits
from havre.server.wire.processes import Parent, Service

LIMITS = Limits(idle=3, head=2, exchange=2, linger=2, rate=1000, connections=24, active=4, waiting=16, wait=3)


class Oddities:
    """One application for all tests; the path says what it does."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    async def start(self) -> None:
        """Nothing to do."""

    def wind_down(self) -> None:
        """Nothing goes on for ever here."""

    async def stop(self) -> None:
        (self.folder / "stopped").touch()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        name = scope["path"].strip("/").replace("-", "_") or "describe"
        await getattr(self, f"do_{name}", self.do_describe)(scope, receive, send)

    async def answer(self, send: Send, body: bytes, status: int = 200, *headers: tuple[bytes, bytes]) -> None:
        await send({"type": "http.response.start", "status": status, "headers": list(headers)})
        await send({"type": "http.response.body", "body": body})

    async def do_describe(self, scope: Scope, _receive: Receive, send: Send) -> None:
        seen = {key: scope[key] for key in ("method", "path", "scheme", "http_version")}
        seen["query"] = scope["query_string"].decode()
        seen["headers"] = [[name.decode("latin-1"), value.decode("latin-1")] for name, value in scope["headers"]]
        await self.answer(send, json.dumps(seen).encode())

    async def do_echo(self, _scope: Scope, receive: Receive, send: Send) -> None:
        body, more, calls = b"", True, 0
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                with (self.folder / "left").open("a") as log:
                    log.write(f"{len(body)}\n")
                return
            body, more, calls = body + message["body"], message["more_body"], calls + 1
        await self.answer(send, body, 200, (b"x-calls", b"%d" % calls))

    async def do_refuse(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        await self.answer(send, b"no", 403)

    async def do_stream(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for piece in (b"one,", b"", b"two,", b"three"):
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    async def do_flood(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        """Send until the client is gone, and tell how that came out."""
        await send({"type": "http.response.start", "status": 200, "headers": []})
        try:
            while True:
                await send({"type": "http.response.body", "body": bytes(100_000), "more_body": True})
        except OSError as error:
            (self.folder / "flooded").write_text(type(error).__name__)
            raise

    async def do_too_short(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        await self.answer(send, b"short", 200, (b"content-length", b"10"))

    async def do_too_long(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        await self.answer(send, b"much too long", 200, (b"content-length", b"3"))

    async def do_split(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        await self.answer(send, b"", 200, (b"x-bad", b"a\r\nset-cookie: b"))

    async def do_fail(self, _scope: Scope, _receive: Receive, _send: Send) -> None:
        raise ValueError("as asked")

    async def do_nothing(self, _scope: Scope, _receive: Receive, _send: Send) -> None:
        return

    async def do_empty(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        await self.answer(send, b"", 204)

    async def do_file(self, scope: Scope, _receive: Receive, send: Send) -> None:
        """``?offset,count,announced`` of the file ``big``."""
        offset, count, announced = (int(one) if one else None for one in scope["query_string"].decode().split(","))
        headers = [] if announced is None else [(b"content-length", b"%d" % announced)]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        where = {"path": str(self.folder / "big"), "offset": offset or 0, "count": count}
        await send({"type": "http.response.pathsend", **where})

    async def do_hold(self, _scope: Scope, receive: Receive, send: Send) -> None:
        """Answer only when the client is gone."""
        while (await receive())["type"] != "http.disconnect":
            pass
        (self.folder / "noticed").touch()

    async def do_watch(self, _scope: Scope, receive: Receive, send: Send) -> None:
        """Begin an answer, and leave it at that when the client is gone."""
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"so far", "more_body": True})
        while (await receive())["type"] != "http.disconnect":
            pass
        (self.folder / "noticed").touch()

    async def do_die(self, _scope: Scope, _receive: Receive, _send: Send) -> None:
        os._exit(7)


def main() -> None:
    """Serve until told to stop."""
    folder = Path(sys.argv[2])
    listener = socket.create_server(("127.0.0.1", int(sys.argv[1])), backlog=64)
    listener.setblocking(False)
    sys.exit(0 if Parent(Service(lambda: Oddities(folder), listener, limits=LIMITS), 1).run() else 3)


if __name__ == "__main__":
    main()
