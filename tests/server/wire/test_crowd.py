"""A crowd that has left: what it took goes back to the system."""

from __future__ import annotations

import os
import re
import resource
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support.server import HavreProcess

CROWD = 1_500
REQUEST = b"GET /explore HTTP/1.1\r\nHost: localhost\r\nX-Fill: " + b"x" * 8_000 + b"\r\n\r\n"
PATIENCE = 20.0


@pytest.fixture
def server(tmp_path: Path) -> Iterator[HavreProcess]:
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (limits[1], limits[1]))
    with HavreProcess(tmp_path, workers="1") as havre:
        yield havre
    resource.setrlimit(resource.RLIMIT_NOFILE, limits)


def memory(server: HavreProcess) -> int:
    """Kilobytes of all its processes; what they share counts once."""
    total = 0
    for rollup in Path("/proc").glob("[0-9]*/smaps_rollup"):
        try:
            if os.getpgid(int(rollup.parent.name)) == server.pid:
                found = re.search(r"^Pss:\s+(\d+) kB", rollup.read_text(), re.MULTILINE)
                total += int(found[1]) if found else 0
        except OSError:
            continue
    return total


def until(condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.2)
    return True


def test_what_a_crowd_took_goes_back(server: HavreProcess) -> None:
    def come(number: int, crowd: ExitStack) -> None:
        address = ("127.0.0.1", server.port)
        lines = [crowd.enter_context(socket.create_connection(address, PATIENCE)) for _ in range(number)]
        for line in lines:
            line.sendall(REQUEST)
        for line in lines:
            assert line.recv(20).startswith(b"HTTP/1.1 ")

    with ExitStack() as few:
        come(20, few)
    before = memory(server)
    with ExitStack() as crowd:
        come(CROWD, crowd)
        during = memory(server)
    assert during > before + 5_000, "or there is nothing to give back"
    assert until(lambda: memory(server) < during - (during - before) / 3)
