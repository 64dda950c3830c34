"""Where the audit trail is told as well: adapters for files, syslog and servers that take lines of JSON.

Each hands a batch over in the thread or task that calls it, and says nothing until the other side has it: a file is
synced, a stream was read to its end, a server answered 2xx. Datagrams are the exception: whether they arrive is for the
network to say, as always with syslog over UDP.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import os
import socket
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import orjson

from havre import __version__
from havre.access.audit import document
from havre.access.ports import AuditSink
from havre.config.kinds import SINK_SCHEMES
from havre.errors import Unavailable
from havre.registry.records import AuditEvent

SECONDS = 10
"""For which a sink may keep a batch waiting."""

_PRIORITY = 13 * 8 + 6
"""Of syslog (RFC 5424): facility "log audit", severity "informational"."""


def open_sinks(addresses: str) -> list[AuditSink]:
    """The sinks that the setting names; each once. Opens nothing yet."""
    return [_open(one) for one in dict.fromkeys(addresses.split())]


def _open(address: str) -> AuditSink:
    scheme = urlsplit(address).scheme
    assert scheme in SINK_SCHEMES, "the setting was checked"
    if scheme == "file":
        return FileSink(address)
    return WebSink(address) if scheme in {"http", "https"} else SyslogSink(address)


class _Sink:
    """What all have: an address, a name without secrets, and a kind of job that stands for the address."""

    def __init__(self, address: str) -> None:
        self._parts = urlsplit(address)
        scheme, host = self._parts.scheme, self._parts.netloc.rpartition("@")[2]
        self.target = f"{scheme}://{host}{self._parts.path}"
        # The path of a web address may be a secret of its own.
        self.name = f"{scheme}://{host}" if scheme in {"http", "https"} else self.target
        # A password that changes makes no other sink of it.
        self.kind = f"audit.{scheme}.{hashlib.sha256(self.target.encode()).hexdigest()[:8]}"

    def _away(self, error: Exception | str) -> Unavailable:
        said = error if isinstance(error, str) else _reason(error)
        return Unavailable(f"the audit trail can not be told to {self.name}: {said}", retry_after=60)


class FileSink(_Sink):
    """A file that lines are added to. It is opened for each batch, so it may be moved away at any time."""

    async def write(self, events: Sequence[AuditEvent]) -> None:
        """Add the lines, and have them on the disk. Raises Unavailable."""
        text = b"".join(_line(event) + b"\n" for event in events)
        try:
            await asyncio.to_thread(self._append, Path(unquote(self._parts.path)), text)
        except OSError as error:
            raise self._away(error) from error

    def _append(self, path: Path, text: bytes) -> None:
        file = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            found = os.fstat(file)
            # What is no file, such as /dev/stdout, can not be read back or synced.
            size, regular = found.st_size, stat.S_ISREG(found.st_mode)
            if regular and size and os.pread(file, 1, size - 1) != b"\n":
                # Whoever wrote before was cut off in the middle of a line, which comes again whole.
                text = b"\n" + text
            while text:
                text = text[os.write(file, text) :]
            if regular:
                os.fsync(file)
            if regular and not size:
                _sync_folder(path.parent)
        finally:
            os.close(file)


class SyslogSink(_Sink):
    """A syslog receiver (RFC 5424): a socket of this machine, datagrams (RFC 5426), or a stream (RFC 6587)."""

    async def write(self, events: Sequence[AuditEvent]) -> None:
        """Send one message for each event. Raises Unavailable."""
        host = socket.gethostname() or "-"
        head = f"havre {os.getpid()} audit - "
        messages = [f"<{_PRIORITY}>1 {document(event)['at']} {host} {head}".encode() + _line(event) for event in events]
        try:
            await asyncio.to_thread(self._stream if self._parts.scheme == "syslog+tcp" else self._datagrams, messages)
        except (OSError, UnicodeError) as error:
            raise self._away(error) from error

    def _datagrams(self, messages: Sequence[bytes]) -> None:
        address: Any
        if self._parts.hostname:
            port = self._parts.port or 514
            found = socket.getaddrinfo(self._parts.hostname, port, type=socket.SOCK_DGRAM)
            family, address = int(found[0][0]), found[0][4]
        else:
            family, address = int(socket.AF_UNIX), unquote(self._parts.path)
        with socket.socket(family, socket.SOCK_DGRAM) as sender:
            sender.settimeout(SECONDS)
            sender.connect(address)
            for message in messages:
                sender.send(message)

    def _stream(self, messages: Sequence[bytes]) -> None:
        where = (self._parts.hostname or "localhost", self._parts.port or 601)
        with socket.create_connection(where, timeout=SECONDS) as sender:
            sender.sendall(b"".join(b"%d %b" % (len(one), one) for one in messages))
            # It ends the connection when it has read all of it, and not before.
            sender.shutdown(socket.SHUT_WR)
            while sender.recv(4096):
                pass


class WebSink(_Sink):
    """A server that takes lines of JSON by POST. Its name and password may stand in the address."""

    async def write(self, events: Sequence[AuditEvent]) -> None:
        """Send the lines in one request, whose key is the same when it is sent again. Raises Unavailable."""
        import ssl

        import httpcore

        headers = {
            "content-type": "application/jsonl",
            "user-agent": f"Havre/{__version__}",
            "idempotency-key": f"audit-{events[0].id}-{events[-1].id}",
        }
        if self._parts.username is not None:
            pair = f"{unquote(self._parts.username)}:{unquote(self._parts.password or '')}"
            headers["authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
        query = f"?{self._parts.query}" if self._parts.query else ""
        body = b"".join(_line(event) + b"\n" for event in events)
        try:
            async with (
                asyncio.timeout(SECONDS),
                httpcore.AsyncConnectionPool(ssl_context=ssl.create_default_context()) as pool,
            ):
                answer = await pool.request("POST", self.target + query, headers=_encoded(headers), content=body)
        except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException, OSError) as error:
            raise self._away(error) from error
        if not 200 <= answer.status < 300:
            raise self._away(f"it answered {answer.status}")


def _line(event: AuditEvent) -> bytes:
    return orjson.dumps(document(event))


def _encoded(headers: dict[str, str]) -> list[tuple[bytes, bytes]]:
    return [(name.encode(), value.encode()) for name, value in headers.items()]


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)[:200] or type(error).__name__


def _sync_folder(folder: Path) -> None:
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
