"""Havre as people run it: ``havre serve`` in a process of its own, on a free port, with its own data folder."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Self
from urllib.error import URLError
from urllib.request import urlopen

STARTING = 20.0
"""Seconds until the first answer, at most. (Far more than it takes; slow machines share their cores.)"""

STOPPING = 20.0
"""Seconds that a stop may take, requests in flight included."""

HAVRE = [sys.executable, "-m", "havre"]

Person = tuple[str, str, bool]
"""Name, password, and whether they administer."""

_peopled: dict[tuple[Person, ...], TemporaryDirectory[str]] = {}
"""Data folders with these people in them, as the command left them: made once in each process of tests."""


def wait_until_ready(url: str, seconds: float = 30.0) -> None:
    """Wait for a server that something else started. Raises TimeoutError."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            with urlopen(f"{url}/readyz", timeout=2) as reply:
                if reply.status == 200:
                    return
        except (URLError, OSError):
            time.sleep(0.05)
    message = f"{url} is not ready after {seconds:.0f} s"
    raise TimeoutError(message)


def free_port() -> int:
    """Return a port of the loopback interface that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class HavreProcess:
    """One server. Use it as a context manager, or call ``start`` and ``stop``; it may be started again after a stop.

    ``settings`` are ``HAVRE_*`` variables without the prefix, in lower case: ``HavreProcess(folder, signup="closed")``.
    Nothing else of the caller's environment reaches it but PATH.
    """

    def __init__(self, folder: Path, *flags: str, port: int = 0, scheme: str = "http", **settings: str) -> None:
        self.folder = folder
        self.data = folder / "data"
        self.log = folder / "serve.log"
        self.flags = flags
        self.port = port or free_port()
        self.scheme = scheme
        self.environ: Mapping[str, str] = {
            "PATH": os.environ.get("PATH", os.defpath),
            "HAVRE_DATA": str(self.data),
            "HAVRE_LISTEN": self.host,
            # All that a test asks comes from one address, and may be more than one person would.
            "HAVRE_REQUESTS_PER_ADDRESS": "0",
            "HAVRE_REQUESTS_PER_ACCOUNT": "0",
            **{f"HAVRE_{name.upper()}": value for name, value in settings.items()},
        }
        self.process: subprocess.Popen[bytes] | None = None
        self._is_plain = not {"database_url", "storage_url"} & set(settings)
        self._people: tuple[Person, ...] = ()
        self.before: list[str] = []
        """A program that is to run it, such as a tracer, with its arguments."""

    @property
    def host(self) -> str:
        """The address as clients name it: ``127.0.0.1:PORT``."""
        return f"127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        """The address as a browser names it."""
        return f"{self.scheme}://{self.host}"

    @property
    def pid(self) -> int:
        """The process id of the parent of all workers, which leads a process group of its own."""
        if self.process is None:
            message = "the server is not running"
            raise RuntimeError(message)
        return self.process.pid

    def start(self) -> Self:
        """Start it and wait for the first answer of /healthz. Raises RuntimeError with the end of the log."""
        process = self.spawn()
        deadline = time.monotonic() + STARTING
        while not self.answers():
            if process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                message = f"havre serve did not answer at {self.url}:\n{self.log_tail()}"
                raise RuntimeError(message)
            time.sleep(0.02)
        return self

    def spawn(self) -> subprocess.Popen[bytes]:
        """Start it, and wait for nothing."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*self.before, *HAVRE, "serve", *self.flags],
                env=dict(self.environ),
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        return self.process

    def answers(self) -> bool:
        """Whether it takes a request now: of HTTP, or at least a connection where it speaks TLS."""
        try:
            if self.scheme == "https":
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                return True
            with urlopen(f"{self.url}/healthz", timeout=2) as reply:
                return bool(reply.status == 200)
        except (URLError, OSError):
            return False

    def ready(self) -> bool:
        """Whether it says that it can serve: its database and its storage answer."""
        try:
            with urlopen(f"{self.url}/readyz", timeout=10) as reply:
                return bool(reply.status == 200)
        except (URLError, OSError):
            return False

    def stop(self) -> int:
        """Ask it to stop, as an administrator does, and return its exit code. Raises TimeoutError if it stays."""
        if self.process is None:
            return 0
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(STOPPING)
        except subprocess.TimeoutExpired:
            message = f"havre serve did not stop within {STOPPING:.0f} s:\n{self.log_tail()}"
            raise TimeoutError(message) from None
        finally:
            self.kill()

    def kill(self) -> None:
        """End it and its workers at once, as a power cut would."""
        if self.process is None:
            return
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.process = None

    def log_tail(self, lines: int = 20) -> str:
        """The last lines that it wrote."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    def command(self, *arguments: str, typed: str = "") -> str:
        """Run another ``havre`` command with the same settings and return what it printed; a failure raises."""
        done = self.ended(*arguments, typed=typed)
        if done.returncode:
            message = f"havre {' '.join(arguments)} failed:\n{done.stdout}{done.stderr}"
            raise RuntimeError(message)
        return done.stdout

    def ended(self, *arguments: str, typed: str = "") -> subprocess.CompletedProcess[str]:
        """Run another ``havre`` command with the same settings to its end, whatever that is."""
        return subprocess.run(
            [*HAVRE, *arguments],
            env=dict(self.environ),
            cwd=self.folder,
            input=typed,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def add_user(self, name: str, password: str, *, admin: bool = False) -> None:
        """Make an account, the way an administrator does on the host; the first ones are copied if they were made before."""
        self.folder.mkdir(parents=True, exist_ok=True)
        people = (*self._people, (name, password, admin))
        untouched = self._is_plain and not self.log.exists() and bool(self._people) == self.data.exists()
        if untouched and people in _peopled:
            shutil.copytree(_peopled[people].name, self.data, dirs_exist_ok=True)
        else:
            flags = ["--admin"] if admin else []
            words = ("user", "add", name, "--email", f"{name}@example.org", "--password-stdin", *flags)
            self.command(*words, typed=password)
            if untouched:
                _peopled[people] = TemporaryDirectory(prefix="havre-people-")
                shutil.copytree(self.data, _peopled[people].name, dirs_exist_ok=True)
        self._people = people

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
