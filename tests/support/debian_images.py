"""Real images of real size, made from this machine's own Debian without network: the second is the first, maintained."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import subprocess
import tarfile
from dataclasses import dataclass
from pathlib import Path

import httpx

from tests.conftest import PASSWORD
from tests.support import documents
from tests.support.server import HavreProcess

OCI_ZSTD = "application/vnd.oci.image.layer.v1.tar+zstd"
OCI_PLAIN = "application/vnd.oci.image.layer.v1.tar"

BASE = ("etc/apt", "etc/debian_version", "etc/os-release", "etc/default", "etc/alternatives", "var/lib/dpkg")
BASE += ("usr/lib/python3.11", "usr/lib/python3", "usr/share/doc", "usr/share/perl")
TOOLS = ("usr/bin", "usr/share/vim")
"""What of the machine goes into the first image: some 100 MB packed, in 40,000 files."""


@dataclass(frozen=True)
class PackedLayer:
    """A layer in a file."""

    path: Path
    media_type: str
    instruction: str

    @property
    def descriptor(self) -> dict[str, object]:
        with self.path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        return {"mediaType": self.media_type, "digest": f"sha256:{digest}", "size": self.path.stat().st_size}


def from_this_machine(target: Path, *paths: str, instruction: str, zstd: bool = False) -> PackedLayer:
    """Pack folders of this machine."""
    there = [path for path in paths if Path("/", path).exists()]
    flag, media_type = ("--zstd", OCI_ZSTD) if zstd else ("--use-compress-program=gzip -1", documents.OCI_LAYER)
    command = ["tar", "-C", "/", "--create", "--sort=name", "--exclude=*.lock", flag, "--file", str(target), *there]
    subprocess.run(command, check=True, capture_output=True, timeout=300)
    return PackedLayer(target, media_type, instruction)


def from_contents(target: Path, contents: dict[str, bytes | None], instruction: str) -> PackedLayer:
    """Pack files given by name; None takes a name away from the layers below."""
    with tarfile.open(target, "w", format=tarfile.PAX_FORMAT) as tar:
        for name, content in contents.items():
            folder, _, leaf = name.rpartition("/")
            entry = tarfile.TarInfo(name if content is not None else f"{folder}/.wh.{leaf}")
            entry.size, entry.mode, entry.mtime = len(content or b""), 0o644, 1_700_000_000
            tar.addfile(entry, io.BytesIO(content or b""))
    return PackedLayer(target, OCI_PLAIN, instruction)


def debian(folder: Path) -> tuple[list[PackedLayer], list[PackedLayer]]:
    """The layers of both images: base and tools, and the same with packages changed."""
    base = from_this_machine(folder / "base.tar.gz", *BASE, instruction="ADD rootfs.tar.gz / # debian bookworm")
    tools = from_this_machine(
        folder / "tools.tar.zst", *TOOLS, instruction="RUN apt-get install -y vim coreutils", zstd=True
    )
    names = sorted(path for path in Path("/usr/lib/python3.11").rglob("*.py") if path.is_file())
    modules = {str(path).lstrip("/"): path for path in names}
    upgraded = {name: path.read_bytes() + b"\n# maintained\n" for name, path in list(modules.items())[:300]}
    removed = dict.fromkeys(list(modules)[300:420])
    added = {f"opt/app/module_{number:03}.py": b"print('%d')\n" % number * number for number in range(150)}
    added |= {
        "opt/app/README.txt": "Ça marche: <b>text</b>, not markup\n".encode(),
        "opt/app/logo.bin": bytes(range(256)) * 40,
    }
    upgrade = from_contents(folder / "upgrade.tar", {**upgraded, **removed}, "RUN apt-get upgrade -y")
    app = from_contents(folder / "app.tar", added, "COPY app /opt/app")
    return [base, tools, app], [base, tools, upgrade, app]


def large_layer(path: Path, number: int = 200_000) -> PackedLayer:
    """One layer with that many small files, in two thousand folders."""
    with gzip.open(path, "wb", compresslevel=1) as packed, tarfile.open(fileobj=packed, mode="w|") as tar:
        for count in range(number):
            content = b"%d\n" % count * (count % 9)
            entry = tarfile.TarInfo(f"srv/data/{count % 2000:04}/file-{count:06}.txt")
            entry.size, entry.mode, entry.mtime = len(content), 0o644, 1_700_000_000
            tar.addfile(entry, io.BytesIO(content))
    return PackedLayer(path, documents.OCI_LAYER, "COPY data /srv/data")


def publish(
    havre: HavreProcess,
    repository: str,
    tag: str,
    layers: list[PackedLayer],
    environment: dict[str, str],
    *,
    name: str = "alice",
    labels: dict[str, str] | None = None,
) -> str:
    """Push an image of these layers as ``name``; returns its digest."""
    config = {
        "architecture": "amd64",
        "os": "linux",
        "created": "2026-11-20T10:00:00Z",
        "config": {
            "Cmd": ["python3", "/opt/app/main.py"],
            "Env": [f"{key}={value}" for key, value in environment.items()],
            "Labels": labels or {},
        },
        "rootfs": {"type": "layers", "diff_ids": []},
        "history": [{"created_by": layer.instruction} for layer in layers],
    }
    content = json.dumps(config).encode()
    manifest = documents.manifest(
        documents.descriptor(content, documents.OCI_CONFIG), [layer.descriptor for layer in layers]
    )
    with httpx.Client(base_url=havre.url, trust_env=False, timeout=120) as client:
        query = {"service": havre.host, "scope": f"repository:{repository}:pull,push"}
        reply = client.get("/auth/token", params=query, auth=(name, PASSWORD)).raise_for_status()
        client.headers["Authorization"] = f"Bearer {reply.json()['token']}"
        octets = {"Content-Type": "application/octet-stream"}
        uploads = f"/v2/{repository}/blobs/uploads/"
        digest = documents.digest_of(content)
        client.post(uploads, params={"digest": digest}, content=content, headers=octets).raise_for_status()
        for layer in layers:
            if client.head(f"/v2/{repository}/blobs/{layer.descriptor['digest']}").status_code == 404:
                with layer.path.open("rb") as file:
                    headers = {**octets, "Content-Length": str(layer.path.stat().st_size)}
                    query = {"digest": str(layer.descriptor["digest"])}
                    client.post(uploads, params=query, content=file, headers=headers).raise_for_status()
        headers = {"Content-Type": documents.OCI_MANIFEST}
        client.put(f"/v2/{repository}/manifests/{tag}", content=manifest, headers=headers).raise_for_status()
    return documents.digest_of(manifest)
