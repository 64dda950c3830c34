"""A Havre of our own, served for the tests: its own data folder, a free port, and people with accounts.

The clients reach it through a `Wire`, so every test can count what was sent.
"""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from tests.support.wire import Wire

HAVRE = Path(sys.executable).with_name("havre")
START = 30.0  # seconds
STOP = 20.0


@dataclass(frozen=True)
class Person:
    name: str
    password: str
    is_admin: bool = False


ALICE = Person("alice", "correct horse 9")
BOBBY = Person("bobby", "battery staple 7")
CAROL = Person("carol", "anchor chain 5", is_admin=True)


class Hub:
    """`havre serve` in a process of its own; use it in a `with` statement. `host` is what a client types."""

    def __init__(self, data: Path, *flags: str) -> None:
        self.data = data
        self.address = f"127.0.0.1:{_free_port()}"
        self.log = data.parent / f"{data.name}.log"
        self.wire = Wire(self.address)
        self._environment = {
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": str(data.parent),
            "HAVRE_DATA": str(data),
        }
        self._flags = flags

    @property
    def host(self) -> str:
        return self.wire.host

    def __enter__(self) -> Self:
        command = [str(HAVRE), "serve", "--listen", self.address, "--data", str(self.data), *self._flags]
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                command, env=self._environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        self.wire.__enter__()
        try:
            self._wait()
            for person in (ALICE, BOBBY, CAROL):
                self.add(person)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        try:
            self._process.wait(STOP)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self.wire.__exit__()

    def add(self, person: Person) -> None:
        """Opens an account the way an administrator does on the host."""
        admin = ["--admin"] if person.is_admin else []
        self.command(
            "user", "add", person.name, "--email", f"{person.name}@example.org", "--password-stdin", *admin,
            typed=person.password + "\n",
        )  # fmt: skip

    def command(self, *arguments: str, typed: str = "") -> str:
        """Runs `havre` against the data folder of this hub and returns what it prints."""
        done = subprocess.run(
            [str(HAVRE), *arguments], env=self._environment, input=typed, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"havre {' '.join(arguments)}: {done.stdout}{done.stderr}"
        return done.stdout

    def _wait(self) -> None:
        deadline = time.monotonic() + START
        while not self._answers():
            assert self._process.poll() is None, f"havre serve ended:\n{self.log.read_text()[-3000:]}"
            assert time.monotonic() < deadline, f"havre serve does not answer:\n{self.log.read_text()[-3000:]}"
            time.sleep(0.02)

    def _answers(self) -> bool:
        with contextlib.suppress(urllib.error.URLError, OSError):
            with urllib.request.urlopen(f"http://{self.address}/healthz", timeout=2) as answer:
                return bool(answer.status == 200)
        return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
