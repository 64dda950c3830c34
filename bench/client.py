"""The client: a 500 MB image of ten layers pushed and pulled by ``havre``, by ``skopeo copy`` and by docker, in one run.

``havre`` and skopeo keep layers as they are; docker unpacks what it pulls and packs what it pushes, because it is there
to run images. All talk to the same Havre, in turn, over the same loopback.
"""

from __future__ import annotations

import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from bench.figures import Row, alternate, compare
from bench.servers import ACCOUNT, PASSWORD
from bench.works import Bench, forget
from tests.support.engines import Docker, Dockerd
from tests.support.images import Image, layer, noise

HAVRE = [sys.executable, "-m", "havre"]
LAYERS, LAYER_SIZE = 10, 50_000_000
MOST_MEMORY = 150.0
"""Megabytes that the client may take."""


@dataclass
class Spent:
    """What commands of one kind took besides time: CPU seconds of each, and the most memory in bytes."""

    cpu: list[float] = field(default_factory=list)
    memory: int = 0

    def note(self, name: str) -> str:
        return f"{name} {statistics.median(self.cpu):.1f}"


def client(bench: Bench) -> list[Row]:
    """Push and pull; the memory of ``havre`` itself."""
    layout = _layout(bench.folder)
    spent: dict[str, Spent] = {}
    rows = []
    with _docker() as docker:
        people = [
            _WithHavre(bench, layout),
            _WithSkopeo(bench, layout),
            *([_WithDocker(bench, docker)] if docker else []),
        ]
        for work in ("push", "pull"):
            spent = {one.name: Spent() for one in people}
            for one in people if work == "pull" else ():
                # Their layers are not the same, and each push let the server forget those of the one before.
                command, environ = one.push()
                subprocess.run(command, env=environ, stdout=subprocess.DEVNULL, check=True)
            measures = {one.name: _measure(one, work, spent[one.name]) for one in people}
            found = alternate(max(3, bench.rounds), measures)
            goals = dict.fromkeys((one.name for one in people[1:]), 1.0)
            note = "CPU s: " + ", ".join(spent[name].note(name) for name in ("Havre", "skopeo"))
            rows.append(compare(f"client {work}, 10 layers, 500 MB", "s", found, goals, less_is_better=True, note=note))
            most = {name: one.memory / 1e6 for name, one in spent.items() if name != "docker"}
            rows.append(
                Row(
                    f"most memory of the client, {work}",
                    "MB",
                    most.pop("Havre"),
                    most,
                    {"150 MB": MOST_MEMORY / (spent["Havre"].memory / 1e6)},
                    {"150 MB": 1},
                )
            )
    return rows


class _WithHavre:
    name = "Havre"

    def __init__(self, bench: Bench, layout: Path) -> None:
        self.server = bench.havre
        self.host = bench.havre.url.partition("//")[2]
        self.environ = {"PATH": os.environ["PATH"], "HOME": str(bench.folder / "client-home"), "HAVRE_IMAGES": ""}
        self._layout = layout
        self._id = _image().digest
        self._stores = bench.folder
        self._turn = 0

    def _run(self, *words: str, typed: str = "") -> None:
        subprocess.run([*HAVRE, *words], env=self.environ, input=typed, text=True, check=True, capture_output=True)

    def push(self) -> tuple[list[str], dict[str, str]]:
        self.environ["HAVRE_IMAGES"] = str(self._layout)
        self._run("login", self.host, "-u", ACCOUNT, "--password-stdin", typed=PASSWORD)
        # A new name each time, and none beside it: otherwise the layers would be mounted.
        self._run("rmi", f"{self.host}/{ACCOUNT}/client{self._turn}") if self._turn else None
        self._turn += 1
        target = f"{self.host}/{ACCOUNT}/client{self._turn}"
        self._run("tag", self._id, target)
        return [*HAVRE, "push", "-q", target], self.environ

    def pull(self) -> tuple[list[str], dict[str, str]]:
        store = self._stores / "client-store"
        shutil.rmtree(store, ignore_errors=True)
        self.environ["HAVRE_IMAGES"] = str(store)
        return [*HAVRE, "pull", "-q", f"{self.host}/{ACCOUNT}/client{self._turn}"], self.environ


class _WithSkopeo:
    name = "skopeo"

    def __init__(self, bench: Bench, layout: Path) -> None:
        self.server = bench.havre
        self.host = bench.havre.url.partition("//")[2]
        home = bench.folder / "skopeo-client"
        home.mkdir(exist_ok=True)
        self._environ = {"PATH": os.environ["PATH"], "HOME": str(home), "TMPDIR": str(home)}
        self._layout, self._target = layout, home / "pulled"
        self._turn = 0

    def _copy(self, *words: str) -> tuple[list[str], dict[str, str]]:
        shutil.rmtree("/var/lib/containers/cache", ignore_errors=True)
        return ["skopeo", "--insecure-policy", "copy", "-q", *words], self._environ

    def push(self) -> tuple[list[str], dict[str, str]]:
        self._turn += 1
        to = f"docker://{self.host}/{ACCOUNT}/byskopeo{self._turn}:latest"
        credentials = f"--dest-creds={ACCOUNT}:{PASSWORD}"
        return self._copy("--dest-tls-verify=false", credentials, f"oci:{self._layout}:latest", to)

    def pull(self) -> tuple[list[str], dict[str, str]]:
        shutil.rmtree(self._target, ignore_errors=True)
        source = f"docker://{self.host}/{ACCOUNT}/byskopeo{self._turn}:latest"
        credentials = f"--src-creds={ACCOUNT}:{PASSWORD}"
        return self._copy("--src-tls-verify=false", credentials, source, f"oci:{self._target}:latest")


class _WithDocker:
    name = "docker"

    def __init__(self, bench: Bench, docker: Docker) -> None:
        self.server = bench.havre
        self.host = bench.havre.url.partition("//")[2]
        self._docker = docker
        self._turn = 0
        docker.login(self.host, ACCOUNT, PASSWORD).ok()
        docker.take(_image(), "client:1")

    @property
    def _target(self) -> str:
        return f"{self.host}/{ACCOUNT}/bydocker{self._turn}"

    def _command(self, *words: str) -> tuple[list[str], dict[str, str]]:
        return [self._docker._program, *words], self._docker._environment  # noqa: SLF001 - to be measured, not only run

    def push(self) -> tuple[list[str], dict[str, str]]:
        self._turn += 1
        self._docker("tag", "client:1", self._target).ok()
        # Otherwise it would ask for layers to be mounted from where it pushed them before.
        data = Path(self._docker._environment["DOCKER_HOST"].removeprefix("unix://")).parent / "data/image"  # noqa: SLF001
        for known in data.glob("*/distribution"):
            shutil.rmtree(known / "v2metadata-by-diffid", ignore_errors=True)
        return self._command("push", "--quiet", self._target)

    def pull(self) -> tuple[list[str], dict[str, str]]:
        # Every name of it: otherwise its layers stay, and nothing is left to be pulled.
        held = self._docker("images", "--quiet", "--no-trunc").ok().split()
        if held:
            self._docker("rmi", "--force", *set(held)).ok()
        return self._command("pull", "--quiet", self._target)


def _measure(person: _WithHavre | _WithSkopeo | _WithDocker, work: str, spent: Spent) -> Callable[[], float]:
    def measure() -> float:
        if work == "push":
            forget(person.server)
        command, environ = person.push() if work == "push" else person.pull()
        # What earlier commands left to be written is not this one's work.
        os.sync()
        started = time.perf_counter()
        process = subprocess.Popen(command, env=environ, stdout=subprocess.DEVNULL)
        with _watched(process.pid, spent):
            _, status, used = os.wait4(process.pid, 0)
        taken = time.perf_counter() - started
        process.returncode = status
        if status:
            raise RuntimeError(f"{' '.join(command)} fails")
        spent.cpu.append(used.ru_utime + used.ru_stime)
        return taken

    return measure


@contextmanager
def _watched(pid: int, spent: Spent) -> Iterator[None]:
    """Look at the most memory that a process had so far, until it has ended."""
    ended = threading.Event()

    def look() -> None:
        while not ended.wait(0.01):
            with suppress(OSError):
                found = re.search(r"^VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
                spent.memory = max(spent.memory, int(found[1]) * 1024 if found else 0)

    watcher = threading.Thread(target=look)
    watcher.start()
    try:
        yield
    finally:
        ended.set()
        watcher.join()


@cache
def _image() -> Image:
    return Image("client", tuple(layer({f"data/{one}": noise(f"client {one}", LAYER_SIZE)}) for one in range(LAYERS)))


def _layout(folder: Path) -> Path:
    """The image as ``havre`` and skopeo read it."""
    return _image().layout(folder)


@contextmanager
def _docker() -> Iterator[Docker | None]:
    """A docker engine of our own; None where none can be started."""
    if os.geteuid() or not shutil.which("dockerd") or not shutil.which("docker"):
        print("no docker engine can be started here: the client is compared with skopeo alone", file=sys.stderr)
        yield None
        return
    home = Path(tempfile.mkdtemp(prefix="hvr-", dir="/tmp"))
    daemon = Dockerd(home / "d")
    try:
        daemon.wait()
        yield Docker(home / "docker", daemon)
    finally:
        daemon.stop()
        shutil.rmtree(home, ignore_errors=True)
