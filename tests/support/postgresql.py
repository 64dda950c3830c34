"""A PostgreSQL server of our own: the distribution's binaries, a fresh cluster, a Unix socket and no port."""

import contextlib
import itertools
import os
import pwd
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from tests.support.requirements import require

ENDING = 20.0
"""Seconds that a server which was killed may take to be gone."""

ACCOUNT = "postgres"
"""Who runs the server when the tests run as root, which PostgreSQL refuses to."""


class Cluster:
    """A running server. Durable as in production: the tests pull its plug.

    With an ``address`` it listens there too, for ``network`` alone, and asks for ``password``; ``before`` is the command
    that leads to where that address is.
    """

    def __init__(
        self, parent: Path | None = None, address: str = "", network: str = "", before: Sequence[str] = ()
    ) -> None:
        self.address = address
        self.password = secrets.token_urlsafe(12)
        self._network = network
        self._before = before
        self._programs = require("/usr/lib/postgresql/*/bin/initdb").parent
        # Not below pytest's folder: others may not enter that, and the path of a socket has 107 characters at most.
        self._folder = Path(tempfile.mkdtemp(prefix="havre-pg-", dir=parent))
        self._account = ACCOUNT if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name
        self._numbers = itertools.count()
        shutil.chown(self._folder, self._account)

    def start(self) -> None:
        """Make the cluster on the first call, and start the server."""
        if not (self._folder / "data").exists():
            locale = ["--encoding=UTF8", "--locale=C.UTF-8", "--no-sync"]
            self._run("initdb", "--pgdata", str(self._folder / "data"), "--username=havre", "--auth=trust", *locale)
            if self.address:
                with (self._folder / "data/pg_hba.conf").open("a") as rules:
                    rules.write(f"host all all {self._network} scram-sha-256\n")
        options = (
            f"-c listen_addresses='{self.address}' -c unix_socket_directories={self._folder} -c max_connections=200"
        )
        self._run("pg_ctl", "--wait", *self._data, "--log", str(self._folder / "log"), "--options", options, "start")

    def stop(self, mode: str = "fast") -> None:
        """Stop it; with ``immediate`` as a crash would."""
        self._run("pg_ctl", "--wait", *self._data, "--mode", mode, "stop")

    def crash(self, what: str) -> None:
        """Kill the server with all its processes, or a ``backend`` alone, or have it stop as it is: ``immediate``."""
        server = self._server()
        if server is None:
            return
        processes = [int(pid) for pid in Path(f"/proc/{server}/task/{server}/children").read_text().split()]
        if "immediate" in what:
            os.kill(server, signal.SIGQUIT)
        elif "backend" in what:
            served = [pid for pid in processes if b" havre " in Path(f"/proc/{pid}/cmdline").read_bytes()]
            for pid in served[:1]:
                os.kill(pid, signal.SIGKILL)
        else:
            for pid in [server, *processes]:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        if "backend" not in what:
            deadline = time.monotonic() + ENDING
            while self._server() is not None and time.monotonic() < deadline:
                time.sleep(0.02)

    def revive(self) -> None:
        """Start it if it does not run any more; raises AssertionError while what is left of it is in the way."""
        if self._server() is None:
            self.start()

    def _server(self) -> int | None:
        with contextlib.suppress(OSError, ValueError, IndexError):
            pid = int((self._folder / "data/postmaster.pid").read_text().split()[0])
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z":
                return pid
        return None

    def remove(self) -> None:
        """Stop it and delete everything."""
        if self._server() is not None:
            self.stop("immediate")
        shutil.rmtree(self._folder)

    def create(self, template: str = "template0") -> str:
        """A new database, as a copy of ``template``; returns its URL."""
        name = f"havre{next(self._numbers)}"
        socket = ["--host", str(self._folder), "--username=havre"]
        self._run("createdb", *socket, "--template", template, name)
        if self.address:
            change = f"ALTER ROLE havre PASSWORD '{self.password}'"
            self._run("psql", *socket, "--quiet", "--command", change, name)
            return f"postgresql://havre:{self.password}@{self.address}/{name}"
        return f"postgresql://havre@/{name}?host={self._folder}"

    @property
    def _data(self) -> list[str]:
        return ["--pgdata", str(self._folder / "data")]

    @property
    def _as_account(self) -> list[str]:
        # Only here, at the end of ``before``: what leads elsewhere takes root's rights.
        uid = pwd.getpwnam(self._account).pw_uid
        return ["setpriv", f"--reuid={uid}", "--keep-groups", "--"] if os.geteuid() == 0 else []

    def _run(self, program: str, *arguments: str) -> None:
        # To a file: a server that pg_ctl leaves running would hold a pipe open for ever.
        with tempfile.TemporaryFile() as output:
            done = subprocess.run(
                [*self._before, *self._as_account, self._programs / program, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd=self._folder,
                check=False,
            )
            output.seek(0)
            assert done.returncode == 0, output.read().decode()
