"""Beside real engines: what ``havre`` pushed or packed they pull and run, and what they hold it copies; digests stay."""

from __future__ import annotations

import json
import re
import tarfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.engines import ENGINES, Engine, Machine, require_clients
from tests.support.images import Image, layer, noise
from tests.support.peers import PASSWORD, Peer
from tests.support.python_hello import GREETING, python_hello_world
from tests.support.terminal import Terminal

pytestmark = pytest.mark.clients


@pytest.fixture(scope="module")
def machine() -> Iterator[Machine]:
    """A machine with all engines, each new."""
    require_clients()
    with Machine() as machine:
        yield machine


@pytest.fixture(scope="module")
def greeting(tmp_path_factory: pytest.TempPathFactory) -> Terminal:
    """Somebody who has loaded the image that greets: packing a whole Python takes seconds, so it is done once."""
    terminal = Terminal(tmp_path_factory.mktemp("greeting"))
    terminal("load", "-i", hello("greets").archive(terminal.home))
    return terminal


@pytest.fixture
def greets(greeting: Terminal, peer: Peer) -> str:
    """That image in a registry; after the first time nothing is sent."""
    target = f"{peer.host}/alice/greets:1"
    greeting("login", peer.host, "-u", "alice", "--password-stdin", typed=PASSWORD)
    greeting("tag", "greets", target)
    greeting("push", target)
    return target


@pytest.fixture
def docker(machine: Machine) -> Engine:
    return machine.docker


@pytest.fixture
def marin(machine: Machine, tmp_path: Path) -> Terminal:
    """Somebody with a docker engine, which havre finds as docker's own command does."""
    terminal = Terminal(tmp_path / "marin")
    terminal.environ["DOCKER_HOST"] = f"unix://{machine.home}/d/docker.sock"
    return terminal


def hello(name: str) -> Image:
    return replace(python_hello_world(), name=name)


def image_id(said: str) -> str:
    digest: str = json.loads(said)[0]["Id"].removeprefix("sha256:")
    return digest


@pytest.mark.parametrize("name", ENGINES)
def test_what_havre_pushed_is_pulled_and_greets(machine: Machine, greets: str, peer: Peer, name: str) -> None:
    engine = machine.client(name)
    assert isinstance(engine, Engine)
    engine.login(peer.host, "alice", PASSWORD).ok()
    engine.pull(greets).ok()
    assert GREETING in engine.start(greets).ok()


@pytest.mark.parametrize("name", ["docker", "podman", "buildah"])
def test_what_engines_pushed_is_pulled_by_havre(machine: Machine, alice: Terminal, peer: Peer, name: str) -> None:
    image = Image(f"pushed-by-{name}", (layer({"a": noise(name, 200_000)}), layer({"b": b"b"})))
    target = f"{peer.host}/alice/{image.name}:1"
    engine = machine.client(name)
    engine.login(peer.host, "alice", PASSWORD).ok()
    engine.take(image, target)
    told = re.findall(r"sha256:[0-9a-f]{64}", engine.push(target).ok())[-1]
    [pulled] = alice("pull", "--json", target).json()
    assert pulled["digest"] == told
    alice("export", "-o", "files.tar", target)
    assert (alice.home / "files.tar").stat().st_size > 200_000


def test_what_havre_packed_is_pulled_by_engines_and_runs(
    machine: Machine, alice: Terminal, greets: str, peer: Peer, tmp_path: Path
) -> None:
    (tmp_path / "app.py").write_text("print('packed on a plain layer')\n")
    target = f"{peer.host}/alice/packed-on:1"
    alice("pack", tmp_path, "-t", target, "--base", greets, "--entrypoint", "/usr/bin/python3 /app/app.py")
    alice("push", target)
    for name in ("docker", "podman"):
        engine = machine.client(name)
        assert isinstance(engine, Engine)
        engine.login(peer.host, "alice", PASSWORD).ok()
        engine.pull(target).ok()
        assert "packed on a plain layer" in engine.start(target).ok()


def test_out_of_a_docker_engine_and_back(docker: Engine, marin: Terminal, peer: Peer) -> None:
    image = hello("travels")
    marin("login", peer.host, "-u", "alice", "--password-stdin", typed=PASSWORD)
    docker.take(image, "travels:1")
    target = f"{peer.host}/alice/travels:1"
    marin("copy", "docker-daemon:travels:1", target)
    before = image_id(docker("image", "inspect", "travels:1").ok())
    docker("image", "rm", "--force", before).ok()
    marin("copy", target, "docker-daemon:came/back:2")
    assert image_id(docker("image", "inspect", "came/back:2").ok()) == before
    assert GREETING in docker.start("came/back:2").ok()
    found = marin("inspect", "--json", "docker-daemon:came/back:2").json()
    assert len(found["layers"]) == 2
    marin("copy", "docker-daemon:came/back:2", "oci:layout:1")
    assert GREETING in marin("export", "oci:layout:1").out


def test_what_an_engine_does_not_have_or_is_not_there_is_said(docker: Engine, marin: Terminal) -> None:
    missing = marin("copy", "docker-daemon:no/such:1", "oci:layout", code=4)
    assert "has no image no/such:1; docker images lists them" in missing.err
    marin.environ["DOCKER_HOST"] = f"unix://{marin.home}/nobody.sock"
    gone = marin("copy", "docker-daemon:no/such:1", "oci:layout", code=6)
    assert re.search(
        r"cannot reach the docker engine at unix://.*nobody.sock: No such file or directory; check", gone.err
    )
    marin.environ["DOCKER_HOST"] = "ssh://somebody@somewhere"
    assert "docker save and havre load" in marin("copy", "docker-daemon:x", "oci:layout", code=2).err


def test_an_exported_file_system_is_what_docker_exports(docker: Engine, marin: Terminal, tmp_path: Path) -> None:
    lower = layer({"etc/keep": b"1", "etc/gone": b"2", "opt/a/x": b"3", "opt/b": b"4", "deep/er/file": b"5"})
    upper = layer({"etc/.wh.gone": b"", "opt/a/.wh..wh..opq": b"", "opt/a/y": b"6", "etc/keep": b"7"})
    image = Image("layered", (lower, upper, layer({"deep/.wh.er": b""}, links={"deep/link": "../etc/keep"})))
    docker.take(image, "layered:1")
    docker("create", "--name", "layered", "layered:1").ok()
    docker("export", "--output", str(tmp_path / "docker.tar"), "layered").ok()
    marin("copy", "docker-daemon:layered:1", "oci:layered")
    marin("export", "-o", "havre.tar", "oci:layered")

    def files(path: Path) -> dict[str, tuple[bytes, int, str, bytes]]:
        with tarfile.open(path) as tar:
            found = {}
            for one in tar:
                content = tar.extractfile(one) if one.isreg() else None
                said = (one.type, one.mode & 0o7777, one.linkname, content.read() if content else b"")
                found[one.name.rstrip("/")] = said
        return {name: said for name, said in found.items() if name.startswith(("etc/keep", "etc/gone", "opt", "deep"))}

    assert files(marin.home / "havre.tar") == files(tmp_path / "docker.tar")
