"""Manifests for the tests of the registry: small documents around made-up blobs, as exact bytes."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any

OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
OCI_LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
OCI_EMPTY = "application/vnd.oci.empty.v1+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_CONFIG = "application/vnd.docker.container.image.v1+json"
DOCKER_LAYER = "application/vnd.docker.image.rootfs.diff.tar.gzip"

EMPTY = b"{}"
"""The content of an artifact that needs no config (OCI image specification, "empty descriptor")."""


def digest_of(content: bytes, algorithm: str = "sha256") -> str:
    return f"{algorithm}:{hashlib.new(algorithm, content).hexdigest()}"


def descriptor(content: bytes, media_type: str, **fields: Any) -> dict[str, Any]:
    return {"mediaType": media_type, "digest": digest_of(content), "size": len(content), **fields}


def encoded(document: dict[str, Any]) -> bytes:
    return json.dumps(document, indent=1).encode()


def manifest(config: dict[str, Any], layers: list[dict[str, Any]], **fields: Any) -> bytes:
    """An image manifest; a field that is None is left out."""
    document = {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": config, "layers": layers, **fields}
    return encoded({key: value for key, value in document.items() if value is not None})


def index(manifests: list[dict[str, Any]], **fields: Any) -> bytes:
    """An image index; a field that is None is left out."""
    document = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": manifests, **fields}
    return encoded({key: value for key, value in document.items() if value is not None})


def artifact(**fields: Any) -> bytes:
    """A manifest without content of its own, such as a signature's: its config is the empty blob."""
    return manifest(descriptor(EMPTY, OCI_EMPTY), [descriptor(EMPTY, OCI_EMPTY)], **fields)


@dataclass(frozen=True)
class Image:
    """A manifest and what it needs."""

    content: bytes
    blobs: tuple[bytes, ...]
    """Config first."""

    @property
    def digest(self) -> str:
        return digest_of(self.content)

    @property
    def layers(self) -> tuple[str, ...]:
        return tuple(digest_of(one) for one in self.blobs[1:])


def image(seed: str, architecture: str = "amd64", **fields: Any) -> Image:
    """An image with two layers; each seed gives another one."""
    config = json.dumps({"architecture": architecture, "os": "linux", "config": {"Env": [f"SEED={seed}"]}}).encode()
    layers = (f"first layer of {seed}".encode(), f"second layer of {seed}".encode())
    described = [descriptor(one, OCI_LAYER) for one in layers]
    return Image(manifest(descriptor(config, OCI_CONFIG), described, **fields), (config, *layers))
