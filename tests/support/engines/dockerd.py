"""A docker daemon of our own: its own images, socket and containerd, no bridge, no firewall rules.

It dies with the test run, even one that is killed, because the kernel sends it SIGTERM then.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from uuid import uuid4

from tests.support.engines.command import run
from tests.support.engines.needs import SEARCHED, program
from tests.support.engines.storage import overlay_works, unmount_below

START = 40.0  # seconds
STOP = 20.0


class Dockerd:
    """Starts at once and is not ready yet: `wait()` is, so that several can start side by side."""

    def __init__(self, home: Path, trusts: Mapping[str, str] | None = None) -> None:
        home.mkdir(parents=True)
        self.home = home
        self.socket = home / "docker.sock"
        (home / "daemon.json").write_text(json.dumps({}))
        self._log = home / "dockerd.log"
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                self._command(), stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
                env={"PATH": SEARCHED, "HOME": str(home), "TMPDIR": str(home), **(trusts or {})},
            )  # fmt: skip

    def _command(self) -> list[str]:
        namespace = f"hvr{uuid4().hex}"
        return [
            program("setpriv"), "--pdeathsig", "TERM",
            program("dockerd"), "--config-file", str(self.home / "daemon.json"),
            "--host", f"unix://{self.socket}", "--group", "root", "--pidfile", str(self.home / "dockerd.pid"),
            "--data-root", str(self.home / "data"), "--exec-root", str(self.home / "exec"),
            "--storage-driver", "overlay2" if overlay_works(self.home) else "vfs",
            # Where containerd runs already, dockerd uses that one: two daemons must not share names in it.
            "--containerd-namespace", namespace, "--containerd-plugins-namespace", f"{namespace}-plugins",
            "--bridge=none", "--iptables=false", "--ip6tables=false", "--ip-forward=false", "--ip-masq=false",
        ]  # fmt: skip

    def wait(self) -> None:
        """Returns once the daemon answers; fails with the end of its log when it gives up."""
        deadline = time.monotonic() + START
        while not self._answers():
            assert self._process.poll() is None, f"dockerd gave up:\n{self._log.read_text()[-3000:]}"
            assert time.monotonic() < deadline, f"dockerd does not answer:\n{self._log.read_text()[-3000:]}"
            time.sleep(0.05)

    def stop(self) -> None:
        """Ends the daemon, its containerd and its mounts. Only what it started itself is touched."""
        containerd = self._containerd()
        self._process.terminate()
        try:
            self._process.wait(STOP)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            with contextlib.suppress(ProcessLookupError):
                os.kill(containerd, signal.SIGKILL)
        unmount_below(self.home)

    def _answers(self) -> bool:
        with socket.socket(socket.AF_UNIX) as connection, contextlib.suppress(OSError):
            connection.settimeout(2)
            connection.connect(str(self.socket))
            connection.sendall(b"GET /_ping HTTP/1.0\r\n\r\n")
            return b" 200 " in connection.recv(64)
        return False

    def _containerd(self) -> int:
        """The process id of the containerd that this dockerd started, or one that no process has."""
        with contextlib.suppress(OSError, ValueError):
            return int((self.home / "exec/containerd/containerd.pid").read_text())
        return 2**30

    def talks_to(self, docker: str) -> bool:
        """Whether this command line client is not too new for the daemon."""
        return run([docker, "version"], {"DOCKER_HOST": f"unix://{self.socket}", "HOME": str(self.home)}).status == 0
