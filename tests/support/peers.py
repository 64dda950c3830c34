"""Registries to test the client with: Havre, and the distribution project's as Debian packages it."""

from __future__ import annotations

import socket
import subprocess
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.support.requirements import require
from tests.support.server import HavreProcess, free_port

PASSWORD = "correct horse 9"
STARTING = 20.0


@dataclass(frozen=True)
class Peer:
    """A registry that runs: its address, the kind it is of, and whom it knows besides the password above."""

    kind: str
    host: str
    username: str = "alice"
    password: str = PASSWORD

    @property
    def is_havre(self) -> bool:
        return self.kind == "havre"


class DockerRegistry:
    """``docker-registry serve`` with a folder and one account of its own. Use it in a ``with`` statement."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.host = f"127.0.0.1:{free_port()}"
        self.process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        program = require("docker-registry")
        accounts = subprocess.run(
            [require("htpasswd"), "-Bbn", "alice", PASSWORD], capture_output=True, check=True, timeout=20
        )
        (self.folder / "htpasswd").write_bytes(accounts.stdout)
        (self.folder / "config.yml").write_text(
            f"version: 0.1\nlog: {{level: error}}\nhttp: {{addr: '{self.host}'}}\n"
            f"storage: {{filesystem: {{rootdirectory: '{self.folder}/data'}}, delete: {{enabled: true}}}}\n"
            f"auth: {{htpasswd: {{realm: peer, path: '{self.folder}/htpasswd'}}}}\n"
        )
        with (self.folder / "log").open("wb") as log:
            self.process = subprocess.Popen(
                [program, "serve", self.folder / "config.yml"],
                env={},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        deadline = time.monotonic() + STARTING
        host, _, port = self.host.partition(":")
        while True:
            with suppress(OSError):
                socket.create_connection((host, int(port)), timeout=1).close()
                return self
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.__exit__(None, None, None)
                raise RuntimeError(f"docker-registry did not start:\n{(self.folder / 'log').read_text()}")
            time.sleep(0.02)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.process is not None:
            self.process.terminate()
            self.process.wait(20)


def havre_peer(server: HavreProcess) -> Peer:
    """A Havre that runs and knows alice."""
    return Peer("havre", server.host)
