"""Media types: the known kinds of content and what each may hold."""

from __future__ import annotations

import re

OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
OCI_LAYER = "application/vnd.oci.image.layer.v1.tar"
OCI_LAYER_GZIP = "application/vnd.oci.image.layer.v1.tar+gzip"
OCI_LAYER_ZSTD = "application/vnd.oci.image.layer.v1.tar+zstd"
OCI_EMPTY = "application/vnd.oci.empty.v1+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_CONFIG = "application/vnd.docker.container.image.v1+json"
DOCKER_LAYER_GZIP = "application/vnd.docker.image.rootfs.diff.tar.gzip"
OCTET_STREAM = "application/octet-stream"

IMAGES = frozenset({OCI_MANIFEST, DOCKER_MANIFEST})
"""Manifests with a config and layers."""

INDEXES = frozenset({OCI_INDEX, DOCKER_LIST})
"""Manifests that list others."""

OBSOLETE = frozenset(
    {
        "application/vnd.docker.distribution.manifest.v1+json",
        "application/vnd.docker.distribution.manifest.v1+prettyjws",
    }
)
"""Manifests of Docker's first schema, whose digest is not that of their bytes."""

CONFIGS = frozenset({OCI_CONFIG, DOCKER_CONFIG})
"""Configs that describe how to run an image."""

_TEXT = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]{0,253}[\x21-\x7e])?", re.ASCII)

_ELSEWHERE = ("nondistributable", "foreign")


def may_be_elsewhere(media_type: str) -> bool:
    """May content of this type be absent here, because its descriptor says where else it lies?

    True for the non-distributable layers of OCI and the foreign layers of Docker.
    """
    return any(word in media_type for word in _ELSEWHERE)


def is_media_type(value: object) -> bool:
    """May this stand as a media type: 1 to 255 printable ASCII characters, the length of RFC 6838, section 4.2?

    The finer grammar is not asked for, because clients in the field break it.
    """
    return isinstance(value, str) and _TEXT.fullmatch(value) is not None
