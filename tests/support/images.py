"""Container images made from nothing, offline: a few bytes of Python instead of a builder and a base image.

An image here is a list of layers (each a tar) and a configuration. It can be written as a docker archive,
which `docker load` and `podman load` read, or as an OCI layout, which skopeo and buildah read. The same
arguments always give the same digests, on every machine.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import platform
import random
import tarfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

EPOCH = "2024-01-01T00:00:00Z"
OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
OCI_LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"

ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm", "ppc64le": "ppc64le", "s390x": "s390x"}


def this_architecture() -> str:
    """The name Go, and so every image, gives to the processor of this machine."""
    machine = platform.machine()
    return ARCHITECTURES.get(machine, machine)


def digest_of(content: bytes) -> str:
    return "sha256:" + hashlib.sha256(content).hexdigest()


@dataclass(frozen=True)
class Layer:
    """One tar of files, with the two digests it is known by: of the tar itself and of its gzip."""

    tar: bytes = field(repr=False)

    @cached_property
    def gz(self) -> bytes:
        return gzip.compress(self.tar, compresslevel=1, mtime=0)

    @cached_property
    def diff_id(self) -> str:
        return digest_of(self.tar)

    @cached_property
    def digest(self) -> str:
        return digest_of(self.gz)


def layer(files: Mapping[str, bytes | Path], *, links: Mapping[str, str] | None = None) -> Layer:
    """A layer of `files` (path in the image -> content, or a file of this machine) and symbolic `links`."""
    entries: dict[str, bytes | Path | str | None] = {**files, **(links or {})}
    folders = {str(parent) for name in entries for parent in Path(name).parents if str(parent) != "."}
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for folder in sorted(folders - set(entries)):
            entry = tarfile.TarInfo(folder)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o755
            tar.addfile(entry)
        for name in sorted(files):
            source = files[name]
            content = source.read_bytes() if isinstance(source, Path) else source
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), 0o755
            tar.addfile(entry, io.BytesIO(content))
        for name, target in sorted((links or {}).items()):
            entry = tarfile.TarInfo(name)
            entry.type, entry.linkname, entry.mode = tarfile.SYMTYPE, target, 0o777
            tar.addfile(entry)
    return Layer(buffer.getvalue())


def noise(seed: str, size: int) -> bytes:
    """`size` bytes that gzip cannot shrink, the same for the same seed."""
    return random.Random(seed).randbytes(size)


@dataclass(frozen=True)
class Image:
    """Layers and how to start them. `name` is the short name the image gets where it is loaded."""

    name: str
    layers: tuple[Layer, ...]
    command: tuple[str, ...] = ("/hello",)
    working_directory: str = "/"
    architecture: str = field(default_factory=this_architecture)

    @cached_property
    def config(self) -> bytes:
        return _json({
            "created": EPOCH,
            "architecture": self.architecture,
            "os": "linux",
            "config": {
                "Cmd": list(self.command),
                "WorkingDir": self.working_directory,
                "Env": ["PATH=/usr/local/bin:/usr/bin:/bin"],
                "Labels": {"org.opencontainers.image.title": self.name},
            },
            "rootfs": {"type": "layers", "diff_ids": [each.diff_id for each in self.layers]},
            "history": [{"created": EPOCH, "created_by": f"layer {n}"} for n, _ in enumerate(self.layers)],
        })  # fmt: skip

    @cached_property
    def manifest(self) -> bytes:
        return _json({
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "config": _descriptor(OCI_CONFIG, self.config),
            "layers": [_descriptor(OCI_LAYER, each.gz) for each in self.layers],
        })  # fmt: skip

    @property
    def digest(self) -> str:
        """The digest of the OCI manifest. A client that repacks the layers pushes another one."""
        return digest_of(self.manifest)

    def archive(self, folder: Path) -> Path:
        """Writes the image as a docker archive tagged `name:latest` and returns the file."""
        path = folder / f"{self.name}.tar"
        contents = {f"{each.diff_id[7:]}.tar": each.tar for each in self.layers}
        config = f"{digest_of(self.config)[7:]}.json"
        manifest = [{"Config": config, "RepoTags": [f"{self.name}:latest"], "Layers": list(contents)}]
        contents = {**contents, config: self.config, "manifest.json": _json(manifest)}
        with tarfile.open(path, "w") as tar:
            for name, content in contents.items():
                entry = tarfile.TarInfo(name)
                entry.size = len(content)
                tar.addfile(entry, io.BytesIO(content))
        return path

    def layout(self, folder: Path) -> Path:
        """Writes the image as an OCI layout tagged `latest` and returns its folder."""
        return _layout(folder / f"{self.name}.oci", [self], _descriptor(OCI_MANIFEST, self.manifest))


@dataclass(frozen=True)
class Index:
    """One image per processor under one name, as a multi-architecture list."""

    name: str
    images: tuple[Image, ...]

    @cached_property
    def manifest(self) -> bytes:
        return _json({
            "schemaVersion": 2,
            "mediaType": OCI_INDEX,
            "manifests": [
                _descriptor(OCI_MANIFEST, each.manifest)
                | {"platform": {"os": "linux", "architecture": each.architecture}}
                for each in self.images
            ],
        })  # fmt: skip

    @property
    def digest(self) -> str:
        return digest_of(self.manifest)

    def layout(self, folder: Path) -> Path:
        """Writes the list and all its images as an OCI layout tagged `latest` and returns its folder."""
        top = _descriptor(OCI_INDEX, self.manifest)
        path = _layout(folder / f"{self.name}.oci", self.images, top)
        _blob(path, self.manifest)
        return path


def small(name: str, *, size: int = 40_000, base: Iterable[Layer] = ()) -> Image:
    """An image of one layer of `size` incompressible bytes of its own, on top of the layers of `base`."""
    own = layer({f"data/{name}": noise(name, size)})
    return Image(name, (*base, own))


def everywhere(name: str) -> Index:
    """A list of two small images: one for this machine's processor and one for another."""
    here = this_architecture()
    other = "arm64" if here != "arm64" else "amd64"
    images = (
        Image(
            f"{name}-{architecture}", (layer({"data": noise(name + architecture, 20_000)}),), architecture=architecture
        )
        for architecture in (here, other)
    )
    return Index(name, tuple(images))


def _json(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":"), sort_keys=True).encode()


def _descriptor(media_type: str, content: bytes) -> dict[str, object]:
    return {"mediaType": media_type, "digest": digest_of(content), "size": len(content)}


def _blob(layout: Path, content: bytes) -> None:
    (layout / "blobs/sha256" / digest_of(content)[7:]).write_bytes(content)


def _layout(path: Path, images: Iterable[Image], top: dict[str, object]) -> Path:
    (path / "blobs/sha256").mkdir(parents=True, exist_ok=True)
    for image in images:
        for content in (image.manifest, image.config, *(each.gz for each in image.layers)):
            _blob(path, content)
    (path / "oci-layout").write_bytes(_json({"imageLayoutVersion": "1.0.0"}))
    tagged = top | {"annotations": {"org.opencontainers.image.ref.name": "latest"}}
    (path / "index.json").write_bytes(_json({"schemaVersion": 2, "manifests": [tagged]}))
    return path
