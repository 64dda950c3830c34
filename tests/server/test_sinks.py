"""The audit trail told elsewhere: to real files, sockets and servers, in order, at least once, whatever is away."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import sqlite3
import stat
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from havre.access.forwarding import BATCH, SETTLED, in_order
from havre.config import load
from havre.errors import ConfigError, Unavailable
from havre.registry.audit import OPERATOR, record
from havre.registry.job_ports import State
from havre.registry.records import AuditEvent
from havre.server.sinks import open_sinks
from tests.support.inprocess import InProcess, prepare, until
from tests.support.server import HavreProcess

pytestmark = pytest.mark.anyio


@pytest.fixture(autouse=True, scope="module")
def prepared() -> None:
    prepare()


def events(*ids: int) -> list[AuditEvent]:
    return [AuditEvent(1_790_000_000_000, 7, "alice", "token.create", "alice", id=one) for one in ids]


def told(text: bytes | str) -> list[int]:
    """The ids in lines of JSON."""
    return [json.loads(line)["id"] for line in text.splitlines()]


async def happen(havre: InProcess, *subjects: str) -> None:
    """Something worth an audit event, once for each."""

    def work(rows: Any) -> None:
        for subject in subjects:
            record(rows, OPERATOR, "account.create", subject, at=havre.clock())

    await havre.app.database.write(work)


class Receiver:
    """A server that takes what is posted, and refuses the first requests."""

    def __init__(self, refused: int = 0) -> None:
        self.taken: list[tuple[dict[str, str], bytes]] = []
        self.asked = 0
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                outer.asked += 1
                if outer.asked > refused:
                    outer.taken.append(({key.lower(): value for key, value in self.headers.items()}, body))
                self.send_response(204 if outer.asked > refused else 503)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def receivers() -> Iterator[Callable[..., Receiver]]:
    made: list[Receiver] = []

    def make(refused: int = 0) -> Receiver:
        made.append(Receiver(refused))
        return made[-1]

    yield make
    for one in made:
        one.close()


def test_an_event_waits_for_an_earlier_one_that_may_still_be_committed() -> None:
    now = 1_790_000_000_000
    assert [one.id for one in in_order(events(4, 5, 7), 3, now)] == [4, 5]
    assert [one.id for one in in_order(events(7), 5, now + SETTLED - 1)] == []
    assert [one.id for one in in_order(events(7, 8), 5, now + SETTLED)] == [7, 8]


async def test_a_file_is_only_added_to_and_may_be_rotated(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    (sink,) = open_sinks(f"file://{path}")
    await sink.write(events(1, 2))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.rename(tmp_path / "audit.1")
    await sink.write(events(3))
    assert (told((tmp_path / "audit.1").read_bytes()), told(path.read_bytes())) == ([1, 2], [3])


async def test_a_line_that_was_cut_off_spoils_no_other(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    path.write_bytes(b'{"id": 1}\n{"id": 2, "act')
    (sink,) = open_sinks(f"file://{path}")
    await sink.write(events(2, 3))
    first, cut, *rest = path.read_text().splitlines()
    assert (first, cut, told("\n".join(rest))) == ('{"id": 1}', '{"id": 2, "act', [2, 3])


async def test_what_is_no_file_gets_the_lines_too(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        (sink,) = open_sinks(f"file://{path}")
        await sink.write(events(1, 2))
        assert told(os.read(reader, 65536)) == [1, 2]
    finally:
        os.close(reader)


async def test_a_file_that_can_not_be_written_says_so(tmp_path: Path) -> None:
    (sink,) = open_sinks(f"file://{tmp_path}/none/audit.jsonl")
    with pytest.raises(Unavailable, match=r"none/audit\.jsonl: No such file"):
        await sink.write(events(1))


@pytest.mark.parametrize("kind", ["unix", "udp"])
async def test_syslog_gets_a_datagram_for_each_event(kind: str, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX if kind == "unix" else socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.settimeout(10)
        receiver.bind(str(tmp_path / "log") if kind == "unix" else ("127.0.0.1", 0))
        where = str(tmp_path / "log") if kind == "unix" else f"127.0.0.1:{receiver.getsockname()[1]}"
        (sink,) = open_sinks(f"syslog://{where}")
        await sink.write(events(1, 2))
        for number in (1, 2):
            head, _, text = receiver.recv(65536).partition(b" - ")
            assert head.startswith(b"<110>1 2026-09-21T")
            assert head.split()[3:4] == [b"havre"]
            assert head.endswith(b" audit")
            assert json.loads(text) == {
                "id": number, "at": "2026-09-21T14:13:20Z", "actor": "alice", "actor_id": 7, "action": "token.create",
                "subject": "alice", "repository_id": None, "address": "", "detail": {},
            }  # fmt: skip


async def test_syslog_over_a_stream_has_taken_what_it_read_to_the_end() -> None:
    received = bytearray()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        received.extend(await reader.read(-1))
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    (sink,) = open_sinks(f"syslog+tcp://127.0.0.1:{port}")
    await sink.write(events(1, 2))
    lengths = []
    rest = bytes(received)
    while rest:
        length, _, rest = rest.partition(b" ")
        message, rest = rest[: int(length)], rest[int(length) :]
        lengths.append(json.loads(message.partition(b" - ")[2])["id"])
    assert lengths == [1, 2]
    server.close()
    await server.wait_closed()
    with pytest.raises(Unavailable, match="syslog"):
        await sink.write(events(3))


async def test_a_server_gets_lines_and_the_password_but_nobody_else_does(receivers: Callable[..., Receiver]) -> None:
    receiver = receivers(refused=1)
    (sink,) = open_sinks(f"http://havre:s%40cret@{receiver.address}/in?to=siem")
    with pytest.raises(Unavailable, match="it answered 503") as refused:
        await sink.write(events(1, 2))
    assert "cret" not in refused.value.message + sink.name + sink.kind
    await sink.write(events(1, 2))
    ((headers, body),) = receiver.taken
    assert told(body) == [1, 2]
    assert headers["authorization"] == "Basic aGF2cmU6c0BjcmV0"
    assert (headers["content-type"], headers["idempotency-key"]) == ("application/jsonl", "audit-1-2")
    (same,) = open_sinks(f"http://havre:other@{receiver.address}/in")
    assert same.kind == sink.kind


async def test_each_sink_is_told_of_everything_in_order_though_one_fails_at_first(
    tmp_path: Path, receivers: Callable[..., Receiver]
) -> None:
    receiver, path = receivers(refused=2), tmp_path / "audit.jsonl"
    sinks = f"file://{path} http://{receiver.address}/"
    async with InProcess(tmp_path / "one", audit_sinks=sinks) as havre:
        await happen(havre, "before")
        await havre.app.forwarding.behind()
        names = [f"person{number}" for number in range(BATCH + 20)]
        await happen(havre, *names)
        assert set((await havre.app.forwarding.behind()).values()) == {len(names)}
        await havre.app.forwarding.schedule()
        for work in havre.app.sink_work:
            work.ordered()
        await until(lambda: path.exists() and len(path.read_bytes().splitlines()) == len(names))

        def complete() -> bool:
            havre.clock.forward(seconds=0.05)
            for work in havre.app.sink_work:
                work.ordered()
            return sum(body.count(b"\n") for _, body in receiver.taken) == len(names)

        await until(complete)
        await happen(havre, "last")
        await until(lambda: b'"last"' in path.read_bytes() and b'"last"' in receiver.taken[-1][1])
        every = [json.loads(line)["subject"] for line in path.read_text().splitlines()]
        posted = [json.loads(line)["subject"] for _, body in receiver.taken for line in body.splitlines()]
        assert every == posted == [*names, "last"]
        jobs = await havre.app.database.read(lambda rows: rows.jobs.page([State.RUNNING], 0, 9))
        assert {job.key for job in jobs} == {f"file://{path}", f"http://{receiver.address}"}


def known_sinks(server: HavreProcess) -> int:
    with contextlib.closing(sqlite3.connect(server.data / "havre.db")) as connection:
        return int(connection.execute("SELECT count(*) FROM audit_sinks").fetchone()[0])


async def test_what_happened_while_the_server_was_away_is_told_after_it(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    server = HavreProcess(tmp_path / "one", audit_sinks=f"file://{path}")
    with server:
        await until(lambda: known_sinks(server) == 1)
    server.command("user", "add", "bobby", "--email", "b@example.org", "--password-stdin", typed="correct horse 9")
    assert not path.exists()
    with server:
        await until(lambda: path.exists() and b'"bobby"' in path.read_bytes())
    ids = told(path.read_bytes())
    assert ids == sorted(set(ids))
    assert b"correct horse" not in path.read_bytes()


@pytest.mark.parametrize(
    "wrong",
    ["audit.jsonl", "file://host/x", "file:///", "ftp://host/", "https:///x", "syslog://", "syslog+tcp:///dev/log"],
)
def test_what_is_no_place_is_refused_without_repeating_it(wrong: str) -> None:
    with pytest.raises(ConfigError, match="audit_sinks") as refused:
        load({"audit_sinks": f"https://havre:secret@host/ {wrong}"})
    assert "secret" not in refused.value.message
