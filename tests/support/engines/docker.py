"""docker: the command line client and a daemon behind it."""

from __future__ import annotations

import os
from pathlib import Path

from tests.support.engines.client import Engine
from tests.support.engines.command import Outcome
from tests.support.engines.dockerd import Dockerd
from tests.support.engines.needs import SEARCHED
from tests.support.images import Image

# A file with one entry keeps docker from choosing a credential helper that happens to be installed.
NO_HELPER = '{"auths":{"placeholder.invalid":{}}}'


class Docker(Engine):
    name = "docker"

    def __init__(self, home: Path, daemon: Dockerd) -> None:
        configuration = home / "docker"
        configuration.mkdir(parents=True)
        self._credentials = configuration / "config.json"
        self._credentials.write_text(NO_HELPER)
        super().__init__(
            home,
            {
                "PATH": SEARCHED,
                "HOME": str(home),
                "DOCKER_HOST": f"unix://{daemon.socket}",
                "DOCKER_CONFIG": str(configuration),
                "DOCKER_CLI_HINTS": "false",
            },
        )
        self._program = _client_for(daemon)

    @property
    def credentials(self) -> Path:
        return self._credentials

    @property
    def plain(self) -> tuple[str, ...]:
        return ()  # docker trusts every registry on 127.0.0.0/8 without being asked

    def take(self, image: Image, reference: str) -> None:
        self("load", "--quiet", "--input", str(image.archive(self._scratch))).ok()
        self("tag", image.name, reference).ok()

    def push(self, reference: str, *options: str) -> Outcome:
        return self("push", *options, reference)

    def pull(self, reference: str) -> Outcome:
        return self("pull", reference)

    def start(self, reference: str) -> Outcome:
        return self("run", "--rm", "--network", "none", reference)


def _client_for(daemon: Dockerd) -> str:
    """The first docker on the path that is not too new for the daemon."""
    for folder in SEARCHED.split(os.pathsep):
        candidate = Path(folder) / "docker"
        if candidate.is_file() and os.access(candidate, os.X_OK) and daemon.talks_to(str(candidate)):
            return str(candidate)
    raise AssertionError("no docker command on the path can talk to this dockerd")
