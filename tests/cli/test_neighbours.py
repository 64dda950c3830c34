"""Files and registries shared with skopeo: each reads what the other wrote, and the digests stay."""

import subprocess
from pathlib import Path

import pytest

from tests.support.images import Image, layer, noise
from tests.support.peers import PASSWORD, Peer
from tests.support.requirements import require
from tests.support.terminal import Terminal

pytestmark = pytest.mark.clients


def skopeo(*words: str) -> None:
    subprocess.run([require("skopeo"), "--insecure-policy", *words], check=True, timeout=60, capture_output=True)


@pytest.fixture
def image() -> Image:
    return Image("shared", (layer({"a": noise("shared", 300_000)}), layer({"b": b"b"})))


@pytest.fixture
def saved(alice: Terminal, image: Image, tmp_path: Path) -> str:
    """The image, loaded from a file of docker save and saved by havre again; its digest."""
    alice("load", "-i", image.archive(tmp_path))
    alice("save", "-o", "saved.tar", "shared")
    digest: str = alice("inspect", "--json", "shared").json()["digest"]
    return digest


@pytest.mark.parametrize("source", ["docker-archive:{}", "oci-archive:{}:latest"])
def test_skopeo_reads_what_havre_saved(alice: Terminal, saved: str, image: Image, source: str, tmp_path: Path) -> None:
    skopeo("copy", "-q", source.format(alice.home / "saved.tar"), f"oci:{tmp_path}/read:x")
    document = alice("inspect", "--json", f"oci:{tmp_path}/read").json()
    assert len(document["layers"]) == len(image.layers)
    if source.startswith("oci"):
        assert document["digest"] == saved


@pytest.mark.parametrize("target", ["docker-archive:{}:shared:2", "oci-archive:{}:shared:2"])
def test_havre_reads_what_skopeo_saved(alice: Terminal, saved: str, target: str, tmp_path: Path) -> None:
    written = tmp_path / "written.tar"
    skopeo("copy", "-q", f"oci-archive:{alice.home}/saved.tar:latest", target.format(written))
    assert alice("load", "-i", written).lines == ["Loaded image: shared:2"]
    assert alice("inspect", "--json", "shared:2").json()["digest"] == saved


def test_registries_between_them(alice: Terminal, saved: str, peer: Peer, tmp_path: Path) -> None:
    mine, theirs = f"{peer.host}/alice/shared:mine", f"{peer.host}/alice/shared:theirs"
    alice("tag", "shared", mine)
    alice("push", mine)
    credentials = [f"{way}-creds=alice:{PASSWORD}" for way in ("--src", "--dest")]
    plain = ["--src-tls-verify=false", "--dest-tls-verify=false"]
    skopeo("copy", "-q", *credentials, *plain, f"docker://{mine}", f"docker://{theirs}")
    [pulled] = alice("pull", "--json", theirs).json()
    assert pulled["digest"] == saved
