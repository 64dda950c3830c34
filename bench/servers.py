"""The servers of a benchmark: Havre, CNCF distribution as Debian packages it, and nginx as the limit for downloads.

Each has a folder of its own on the same disk. Havre asks for tokens, syncs what it acknowledges and logs every request;
the peer runs as its package configures it, but without authentication.
"""

from __future__ import annotations

import base64
import json
import re
import subprocess
import time
import urllib.request
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from tests.support.server import HavreProcess, free_port

ACCOUNT, PASSWORD = "alice", "correct horse 9"
STARTING = 20.0
MANIFEST = "application/vnd.oci.image.manifest.v1+json"

OPENSSL_CERTIFICATE = [
    *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"),
    *("-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"),
]


class Server(Protocol):
    """What a measurement needs to know of a server."""

    name: str
    url: str

    def headers(self, scope: str = "") -> list[str]:
        """Header lines that let a request for this scope through, made now: tokens live five minutes."""

    def processes(self) -> list[int]:
        """The ids of all its processes."""


def certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 and its key, good for a benchmark."""
    pem, key = folder / "bench.pem", folder / "bench.key"
    subprocess.run([*OPENSSL_CERTIFICATE, "-out", pem, "-keyout", key], check=True, capture_output=True)
    return pem, key


def session(leader: int) -> list[int]:
    """The processes of the session that ``leader`` began."""
    listed = subprocess.run(["ps", "-e", "-o", "pid=,sid="], capture_output=True, text=True, check=True).stdout
    pairs = [line.split() for line in listed.splitlines()]
    return [int(pid) for pid, sid in pairs if int(sid) == leader]


def memory(pids: list[int]) -> int:
    """Proportional memory of processes, in bytes: pages they share are counted once."""
    total = 0
    for pid in pids:
        with suppress(OSError):
            found = re.search(r"^Pss:\s+(\d+) kB", Path(f"/proc/{pid}/smaps_rollup").read_text(), re.MULTILINE)
            total += int(found[1]) * 1024 if found else 0
    return total


class Havre:
    """``havre serve`` as anyone runs it."""

    name = "Havre"

    def __init__(self, folder: Path, workers: int, tls: tuple[Path, Path] | None = None) -> None:
        flags = ["--workers", str(workers)]
        if tls:
            flags += ["--tls-certificate", str(tls[0]), "--tls-key", str(tls[1])]
        self.process = HavreProcess(folder, *flags, scheme="https" if tls else "http")
        self.process.add_user(ACCOUNT, PASSWORD)
        self.url = self.process.url
        self.data = self.process.data
        self._tls = tls

    def __enter__(self) -> Self:
        self.process.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.process.stop()

    def processes(self) -> list[int]:
        return session(self.process.pid)

    def headers(self, scope: str = "") -> list[str]:
        return [f"Authorization: Bearer {self.token(scope)}"]

    def token(self, scope: str) -> str:
        """A fresh bearer token."""
        import ssl

        basic = base64.b64encode(f"{ACCOUNT}:{PASSWORD}".encode()).decode()
        request = urllib.request.Request(
            f"{self.url}/auth/token?scope={scope}", headers={"Authorization": f"Basic {basic}"}
        )
        context = ssl.create_default_context(cafile=str(self._tls[0])) if self._tls else None
        with urllib.request.urlopen(request, context=context, timeout=30) as reply:
            return str(json.load(reply)["token"])


class _Program:
    """A server program of another project, in a session of its own."""

    name = ""

    def __init__(self, folder: Path, scheme: str) -> None:
        self.folder = folder
        self.folder.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self.url = f"{scheme}://127.0.0.1:{self.port}"
        self._running: subprocess.Popen[bytes] | None = None

    def command(self) -> list[str]:
        raise NotImplementedError

    def __enter__(self) -> Self:
        with (self.folder / "log").open("wb") as log:
            self._running = subprocess.Popen(
                self.command(), env={"PATH": "/usr/sbin:/usr/bin"}, stdout=log, stderr=log, start_new_session=True
            )
        deadline = time.monotonic() + STARTING
        while subprocess.run(["curl", "-sko", "/dev/null", self.url], check=False).returncode:
            if time.monotonic() > deadline or self._running.poll() is not None:
                tail = (self.folder / "log").read_text(errors="replace")[-2000:]
                raise RuntimeError(f"{self.name} does not start:\n{tail}")
            time.sleep(0.05)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._running:
            self._running.terminate()
            self._running.wait(20)

    def processes(self) -> list[int]:
        return session(self._running.pid) if self._running else []

    def headers(self, scope: str = "") -> list[str]:
        return []


class Distribution(_Program):
    """CNCF distribution, with the settings of Debian's package but for authentication."""

    name = "distribution"

    def __init__(self, folder: Path, tls: tuple[Path, Path] | None = None) -> None:
        super().__init__(folder, "https" if tls else "http")
        self.data = folder / "data"
        lines = f"\n  tls: {{certificate: '{tls[0]}', key: '{tls[1]}'}}" if tls else ""
        (folder / "config.yml").write_text(
            "version: 0.1\nstorage:\n  cache: {blobdescriptor: inmemory}\n"
            f"  filesystem: {{rootdirectory: '{self.data}'}}\n  delete: {{enabled: true}}\n"
            f"http:\n  addr: '127.0.0.1:{self.port}'{lines}\n"
        )

    def command(self) -> list[str]:
        return ["docker-registry", "serve", str(self.folder / "config.yml")]


class Nginx(_Program):
    """nginx with sendfile, serving a folder: how fast this machine can give out files.

    A folder laid out as the addresses of ``/v2/`` is a registry that clients can pull from.
    """

    name = "nginx"

    def __init__(self, folder: Path, root: Path, tls: tuple[Path, Path] | None = None) -> None:
        super().__init__(folder, "https" if tls else "http")
        listen = f"listen 127.0.0.1:{self.port}" + (" ssl" if tls else "")
        keys = f"ssl_certificate {tls[0]}; ssl_certificate_key {tls[1]};" if tls else ""
        temporary = "".join(
            f"{one}_temp_path {folder}/{one};" for one in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        (folder / "nginx.conf").write_text(
            f"daemon off; worker_processes 2; user root; pid {folder}/pid; error_log {folder}/error.log;\n"
            f"events {{}}\nhttp {{ {temporary} access_log {folder}/access.log; sendfile on; tcp_nopush on;\n"
            f"server {{ {listen}; {keys} root {root}; default_type application/octet-stream;\n"
            f"location ~ /manifests/ {{ types {{}} default_type {MANIFEST}; }} }} }}\n"
        )

    def command(self) -> list[str]:
        return ["nginx", "-e", str(self.folder / "error.log"), "-c", str(self.folder / "nginx.conf")]
