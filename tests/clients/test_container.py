"""Havre in a container: an image that Havre made of itself, run with nothing but its data to write."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.engines import Machine
from tests.support.images import small
from tests.support.server import HAVRE, free_port, wait_until_ready

pytestmark = pytest.mark.clients

PROJECT = Path(__file__).parents[2]
IMAGE, HUB = "docker.io/library/havre:latest", "hub"
ACCOUNT, PASSWORD = 65532, "correct horse 9"
CONFINED = ("--read-only", "--cap-drop=all", "--security-opt=no-new-privileges", f"--user={ACCOUNT}:{ACCOUNT}")


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The archive that ``make image`` and ``havre save`` lead to."""
    store = tmp_path_factory.mktemp("store")
    environ = os.environ | {"XDG_DATA_HOME": str(store), "MAKEFLAGS": ""}
    # What runs this test is installed: nothing may be installed under its feet.
    make = ["make", "--silent", "--assume-old=.venv/.installed", "image"]
    subprocess.run(make, cwd=PROJECT, env=environ, check=True, capture_output=True, timeout=300)
    archive = store / "havre.tar"
    subprocess.run([*HAVRE, "save", "havre", "-o", str(archive)], env=environ, check=True, capture_output=True)
    return archive


@pytest.fixture
def address(packed: Path, elsewhere: Machine, tmp_path: Path) -> Iterator[str]:
    """Where such a container serves."""
    podman, port = elsewhere.podman, free_port()
    podman("load", "--quiet", "--input", str(packed)).ok()
    data = tmp_path / "data"
    data.mkdir()
    os.chown(data, ACCOUNT, ACCOUNT)
    settings = f"--env=HAVRE_LISTEN=127.0.0.1:{port}"
    podman(
        "run", "--detach", "--name", HUB, *CONFINED, "--network=host", settings, f"--volume={data}:/data", IMAGE
    ).ok()
    try:
        wait_until_ready(f"http://127.0.0.1:{port}")
        add = ("user", "add", "alice", "--email", "alice@example.org", "--password-stdin")
        podman("exec", "--interactive", HUB, "havre", *add, typed=PASSWORD).ok()
        yield f"127.0.0.1:{port}"
    finally:
        podman("rm", "--force", "--time", "5", HUB)


def test_it_serves_and_can_write_nothing_but_its_data(address: str, elsewhere: Machine) -> None:
    skopeo, reference = elsewhere.skopeo, f"{address}/alice/app:latest"
    skopeo.login(address, "alice", PASSWORD).ok()
    skopeo.take(small("in-a-container"), reference)
    skopeo.push(reference).ok()
    skopeo.pull(reference).ok()
    main = elsewhere.podman("inspect", "--format", "{{.State.Pid}}", HUB).ok().strip()
    status = Path(f"/proc/{main}/status").read_text()
    lines = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    assert set(lines["Uid"].split()) == {str(ACCOUNT)}
    assert (int(lines["CapEff"], 16), int(lines["CapBnd"], 16), lines["NoNewPrivs"].strip()) == (0, 0, "1")
    with pytest.raises(OSError, match="Read-only"):
        Path(f"/proc/{main}/root/written").touch()
