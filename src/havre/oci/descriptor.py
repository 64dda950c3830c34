"""Descriptors: media type, digest and size, the pointer that everything uses (OCI image spec, descriptor.md)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from havre.errors import DigestInvalid, ManifestInvalid
from havre.oci import mediatypes
from havre.oci.digest import Digest


@dataclass(frozen=True, slots=True)
class Platform:
    """What an image runs on (OCI image spec, image-index.md)."""

    os: str
    architecture: str
    variant: str = ""

    def __str__(self) -> str:
        return "/".join(part for part in (self.os, self.architecture, self.variant) if part)


@dataclass(frozen=True, slots=True)
class Descriptor:
    """A pointer to content. ``size`` is in bytes."""

    media_type: str
    digest: Digest
    size: int
    platform: Platform | None = None
    artifact_type: str = ""
    annotations: Mapping[str, str] = field(default_factory=dict)
    urls: tuple[str, ...] = ()

    @classmethod
    def from_json(cls, value: object, where: str) -> Descriptor:
        """Read a descriptor found at ``where`` in a manifest; raises ManifestInvalid naming the place."""
        if not isinstance(value, dict):
            raise ManifestInvalid(f"{where} is not a descriptor: a JSON object is needed")
        media_type, size = value.get("mediaType"), value.get("size")
        if not isinstance(media_type, str) or not mediatypes.is_media_type(media_type):
            raise ManifestInvalid(f"{where}.mediaType is missing or not 1 to 255 printable ASCII characters")
        if not isinstance(size, int) or isinstance(size, bool) or not 0 <= size < 1 << 63:
            raise ManifestInvalid(f"{where}.size is missing or not a number of bytes")
        try:
            digest = Digest.parse(value["digest"]) if isinstance(value.get("digest"), str) else None
        except DigestInvalid as error:
            raise ManifestInvalid(f"{where}.digest: {error.message}") from error
        if digest is None:
            raise ManifestInvalid(f"{where}.digest is missing or not a string")
        urls = value.get("urls")
        artifact_type = value.get("artifactType")
        return cls(
            media_type,
            digest,
            size,
            _platform(value.get("platform")),
            artifact_type if isinstance(artifact_type, str) else "",
            string_map(value.get("annotations"), f"{where}.annotations"),
            tuple(url for url in urls if isinstance(url, str)) if isinstance(urls, list) else (),
        )

    def to_json(self) -> dict[str, Any]:
        """The descriptor as the specification writes it."""
        value: dict[str, Any] = {"mediaType": self.media_type, "digest": str(self.digest), "size": self.size}
        if self.artifact_type:
            value["artifactType"] = self.artifact_type
        if self.annotations:
            value["annotations"] = dict(self.annotations)
        if self.platform:
            value["platform"] = {"architecture": self.platform.architecture, "os": self.platform.os}
            if self.platform.variant:
                value["platform"]["variant"] = self.platform.variant
        if self.urls:
            value["urls"] = list(self.urls)
        return value


def _platform(value: object) -> Platform | None:
    if not isinstance(value, dict):
        return None
    os, architecture, variant = (value.get(key) for key in ("os", "architecture", "variant"))
    if not isinstance(os, str) or not isinstance(architecture, str):
        return None
    return Platform(os, architecture, variant if isinstance(variant, str) else "")


def string_map(value: object, where: str) -> dict[str, str]:
    """Annotations or labels: an object whose values are strings; raises ManifestInvalid naming the place."""
    if value is None:
        return {}
    if not isinstance(value, dict) or not all(isinstance(text, str) for text in value.values()):
        raise ManifestInvalid(f"{where} must be a JSON object whose values are strings")
    return value
