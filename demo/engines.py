"""Who carries the image: docker if its daemon answers, else podman, else Havre's own client, which needs neither.

All three take the same orders. An engine is asked first whether it can load and run the image at all: many
machines have the program and not the rights. The person's own sign-ins are never read or changed.
"""

from __future__ import annotations

import io
import json
import re
import sys
import tarfile
from pathlib import Path
from typing import ClassVar

from demo.narration import ABSENT, Aground, attempt, run, tell

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


def only_digest(text: str) -> str:
    """Return the last digest in what a client printed. Raises Aground if there is none."""
    found = _DIGEST.findall(text)
    if not found:
        raise Aground(f"no digest in: {text.strip() or 'nothing'}")
    return str(found[-1])


def file_of_image(archive: Path, name: str) -> bytes:
    """Return one file of a docker archive, out of the topmost layer that has it. Raises Aground if none has."""
    with tarfile.open(archive) as tar:
        layers = json.loads(_member(tar, "manifest.json") or b"[{}]")[0].get("Layers", [])
        for layer in reversed(layers):
            with tarfile.open(fileobj=io.BytesIO(_member(tar, layer) or b"")) as files:
                if content := _member(files, name):
                    return content
    raise Aground(f"{archive.name} holds no {name}")


def _member(tar: tarfile.TarFile, name: str) -> bytes | None:
    try:
        found = tar.extractfile(name)
    except KeyError:
        return None
    return found.read() if found else None


class Engine:
    """What docker and podman have in common, which is nearly all."""

    program: ClassVar[str]
    plain_http: ClassVar[tuple[str, ...]] = ()

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment: dict[str, str] = {}

    def unusable(self, archive: Path, image: str) -> str:
        """Load and run the image; return why that does not work here, or nothing when it does."""
        for command in (["version"], ["load", "-q", "-i", str(archive)], ["run", "--rm", "--network", "none", image]):
            status, output = attempt([self.program, *command], self.environment)
            if status:
                lines = output.strip().splitlines() or ["no answer"]
                self.forget(image)
                return lines[-1] if status == ABSENT else f"{self.program} {command[0]}: {lines[-1]}"
        return ""

    def load(self, archive: Path) -> None:
        """Take the image into the local store."""
        run([self.program, "load", "-i", str(archive)], self.environment)

    def login(self, host: str, name: str, password: str) -> None:
        """Sign in to the registry."""
        run(
            [self.program, "login", *self.plain_http, host, "-u", name, "--password-stdin"],
            self.environment,
            typed=password,
        )

    def tag(self, image: str, reference: str) -> None:
        """Give the image its name in the registry."""
        run([self.program, "tag", image, reference], self.environment)

    def push(self, reference: str) -> str:
        """Send it; return the digest that the client says it has there."""
        return only_digest(run([self.program, "push", reference], self.environment))

    def forget(self, *references: str) -> None:
        """Remove images from the local store, so that a pull has to fetch them."""
        attempt([self.program, "rmi", "-f", *references], self.environment)

    def go_elsewhere(self, host: str, *references: str) -> None:
        """Be as a machine that never saw the image and is signed in nowhere."""
        run([self.program, "logout", host], self.environment)
        run([self.program, "rmi", "-f", *references], self.environment)

    def pull(self, reference: str) -> str:
        """Fetch it; return the digest of what came."""
        run([self.program, "pull", *self.plain_http, reference], self.environment)
        form = "{{index .RepoDigests 0}}"
        return only_digest(run([self.program, "image", "inspect", "--format", form, reference], self.environment))

    def start(self, reference: str) -> str:
        """Run the image and return what it printed."""
        return run([self.program, "run", "--rm", "--network", "none", reference], self.environment)


class Docker(Engine):
    """The docker command line and its daemon."""

    program = "docker"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        # A configuration of our own knows no contexts, so the daemon's address is asked for before.
        status, address = attempt(["docker", "context", "inspect", "--format", "{{.Endpoints.docker.Host}}"])
        self.environment["DOCKER_CONFIG"] = str(folder)
        # Any entry keeps docker from choosing a password store of the desktop for a sign-in of minutes.
        (folder / "config.json").write_text('{"auths": {"placeholder.invalid": {}}}')
        if status == 0 and address.strip():
            self.environment["DOCKER_HOST"] = address.strip()


class Podman(Engine):
    """Podman, which asks to be told that a registry on this machine speaks plain HTTP."""

    program = "podman"
    plain_http = ("--tls-verify=false",)

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.environment["REGISTRY_AUTH_FILE"] = str(folder / "auth.json")
        (folder / "auth.json").write_text("{}")

    def push(self, reference: str) -> str:
        """Send it; podman tells the digest to a file."""
        said = self.folder / "digest"
        run([self.program, "push", *self.plain_http, "--digestfile", str(said), reference], self.environment)
        tell(said.read_text())
        return only_digest(said.read_text())


class BuiltIn(Engine):
    """Havre's own client, which carries images and runs none. Its home is a folder of the demo."""

    program = str(Path(sys.executable).parent / "havre")

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._settle(folder / "here")

    def _settle(self, folder: Path) -> None:
        folder.mkdir()
        self.environment["HOME"] = str(folder)
        for name in ("XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_RUNTIME_DIR", "DOCKER_CONFIG"):
            self.environment[name] = str(folder / name.lower())

    def unusable(self, archive: Path, image: str) -> str:
        """Say nothing: it is always here."""
        return ""

    def go_elsewhere(self, host: str, *references: str) -> None:
        """Sign out, and move to a second, empty home."""
        run([self.program, "logout", host], self.environment)
        self._settle(self.folder / "elsewhere")
        tell("a second home: no sign-in, no image")

    def pull(self, reference: str) -> str:
        """Fetch it; the client says the digest of what came."""
        return only_digest(run([self.program, "pull", reference], self.environment))

    def start(self, reference: str) -> str:
        """Take the app out of the pulled layers and run it with this machine's Python, for want of an engine."""
        tell("No engine here can run it whole, so: its app.py, taken out of the pulled layers.")
        archive = self.folder / "pulled.tar"
        run([self.program, "save", "-o", str(archive), reference], self.environment)
        app = self.folder / "app.py"
        app.write_bytes(file_of_image(archive, "app/app.py"))
        return run([sys.executable, str(app)])


def choose(folder: Path, archive: Path, image: str) -> Engine:
    """Return the first engine that can load and run the image here, and say why not the others."""
    for kind in (Docker, Podman, BuiltIn):
        home = folder / kind.__name__.lower()
        home.mkdir()
        engine = kind(home)
        reason = engine.unusable(archive, image)
        if not reason:
            tell(f"carried by {kind.__name__.lower()}" if kind is not BuiltIn else "carried by havre, its own client")
            return engine
        tell(f"not by {engine.program}: {reason}")
    raise AssertionError("the built-in client is always here")
