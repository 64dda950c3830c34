"""Real container clients - docker, podman, buildah, skopeo - started, isolated and stopped by the tests.

Everything they write lives in one short folder under /tmp (unix sockets allow no long paths), their logins,
images and configuration are their own, and the machine's docker and podman are neither used nor disturbed.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Self

from tests.support.engines.client import Client, Engine
from tests.support.engines.command import Outcome, without_times
from tests.support.engines.containers import Buildah, Podman, Skopeo
from tests.support.engines.docker import Docker
from tests.support.engines.dockerd import Dockerd
from tests.support.engines.needs import require_clients

CLIENTS = ("docker", "podman", "buildah", "skopeo")
ENGINES = ("docker", "podman", "buildah")  # those that can run an image

__all__ = [
    "CLIENTS",
    "ENGINES",
    "Buildah",
    "Client",
    "Docker",
    "Dockerd",
    "Engine",
    "Machine",
    "Outcome",
    "Podman",
    "Skopeo",
    "require_clients",
    "without_times",
]


class Machine:
    """One computer with the four clients on it, all of them new; use it in a `with` statement.

    `docker` waits for its daemon at first use, so a machine whose docker nobody asks for costs nothing. With an
    `authority`, a file of certificates, all of them insist on TLS and trust it.
    """

    def __init__(self, authority: Path | None = None) -> None:
        self.home = Path(tempfile.mkdtemp(prefix="hvr-", dir="/tmp"))
        self._authority = authority
        self._dockerd = Dockerd(self.home / "d", {"SSL_CERT_FILE": str(authority)} if authority else None)
        self._docker: Docker | None = None
        self.podman = Podman(self.home / "podman")
        self.buildah = Buildah(self.home / "buildah")
        self.skopeo = Skopeo(self.home / "skopeo")
        for client in (self.podman, self.buildah, self.skopeo):
            if authority:
                client.trust(authority)

    @property
    def docker(self) -> Docker:
        if self._docker is None:
            self._dockerd.wait()
            self._docker = Docker(self.home / "docker", self._dockerd)
        return self._docker

    def client(self, name: str) -> Client:
        client: Client = getattr(self, name)
        return client

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._dockerd.stop()
        for client in (self.podman, self.buildah, self.skopeo):
            client.stop()
        shutil.rmtree(self.home)
