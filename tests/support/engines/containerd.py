"""containerd and its own command line, ctr: a daemon with its own images and socket, which pulls and pushes by itself.

(docker 20.10 has a containerd, too, but only to run what docker itself has pulled.)
"""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.support.engines.command import Outcome, run
from tests.support.engines.needs import SEARCHED, program
from tests.support.engines.storage import unmount_below
from tests.support.images import Image, Index

START = 40.0
"""Seconds until the daemon answers, at most."""
STOP = 20.0

CONFIGURATION = """\
version = 2
root = "{home}/root"
state = "{home}/state"
disabled_plugins = ["io.containerd.grpc.v1.cri"]
[grpc]
address = "{home}/c.sock"
[debug]
address = "{home}/debug.sock"
[plugins."io.containerd.metadata.v1.bolt"]
# Each namespace is a machine of its own here: what one has pulled, another has to pull again.
content_sharing_policy = "isolated"
"""


class Containerd:
    """One daemon with any number of namespaces; use it in a `with` statement."""

    def __init__(self) -> None:
        self.home = Path(tempfile.mkdtemp(prefix="hvr-", dir="/tmp"))  # unix sockets allow no long paths
        self._environment = {"PATH": SEARCHED, "HOME": str(self.home), "TMPDIR": str(self.home)}

    def __enter__(self) -> Self:
        configuration = self.home / "config.toml"
        configuration.write_text(CONFIGURATION.format(home=self.home))
        log = self.home / "log"
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                [program("setpriv"), "--pdeathsig", "TERM", program("containerd"), "--config", str(configuration)],
                stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=self._environment, start_new_session=True,
            )  # fmt: skip
        deadline = time.monotonic() + START
        while self.ctr("probe", "version").status != 0:
            gave_up = self._process.poll() is not None or time.monotonic() > deadline
            assert not gave_up, f"containerd does not answer:\n{log.read_text()[-3000:]}"
            time.sleep(0.05)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.terminate()
        try:
            self._process.wait(STOP)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        unmount_below(self.home)
        shutil.rmtree(self.home)

    def ctr(self, namespace: str, *arguments: str) -> Outcome:
        """Run ctr in one of the daemon's namespaces."""
        command = [program("ctr"), "--address", str(self.home / "c.sock"), "--namespace", namespace, *arguments]
        return run(command, self._environment)

    def take(self, namespace: str, image: Image | Index, reference: str) -> None:
        """Import a made image under this name, tag included."""
        name, _, tag = reference.rpartition(":")
        layout = image.layout(self.home / "images")
        index = json.loads((layout / "index.json").read_text())
        index["manifests"][0]["annotations"]["org.opencontainers.image.ref.name"] = tag
        (layout / "index.json").write_text(json.dumps(index))
        archive = shutil.make_archive(str(layout), "tar", layout)
        self.ctr(
            namespace, "images", "import", "--no-unpack", "--all-platforms", "--base-name", name, archive
        ).ok()  # fmt: skip

    def images(self, namespace: str) -> dict[str, str]:
        """Name → digest of what a namespace holds."""
        _, *lines = self.ctr(namespace, "images", "ls").ok().splitlines()
        return {fields[0]: fields[2] for fields in map(str.split, lines)}
