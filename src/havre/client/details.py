"""Details: what an image is made of, read from any source: its platforms, its configuration, its layers and history."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any

from havre.client.copy import Source, select
from havre.client.verify import verified
from havre.errors import ManifestInvalid, SizeInvalid
from havre.oci import mediatypes
from havre.oci.descriptor import Descriptor, Platform
from havre.oci.manifest import load_object, parse
from havre.oci.reference import Reference

MAX_CONFIG = 8 * 1024 * 1024
"""Bytes of an image's configuration."""


@dataclass(frozen=True, slots=True)
class Layer:
    """A layer, and the instruction of the build file that made it, where the history tells."""

    descriptor: Descriptor
    instruction: str = ""


@dataclass(frozen=True, slots=True)
class Details:
    """An image. For an index: that, and the image of one platform unless none was asked for and several are there."""

    descriptor: Descriptor
    content: bytes = field(repr=False)
    """The exact bytes of the manifest."""
    platforms: tuple[Descriptor, ...] = ()
    """The entries of an index."""
    image: Descriptor | None = None
    config: dict[str, Any] | None = None
    layers: tuple[Layer, ...] = ()
    artifact_type: str = ""

    @property
    def size(self) -> int:
        """Bytes of the layers as they are stored."""
        return sum(layer.descriptor.size for layer in self.layers)


async def details(source: Source, reference: Reference, platform: Platform | None = None) -> Details:
    """Read an image. Raises what the source raises, and ManifestUnknown when ``platform`` is not among its own."""
    descriptor, content = await source.manifest(reference)
    read = parse(descriptor.media_type, content)
    image, inner = descriptor, read
    if read.kind == "index":
        if platform is None:
            return Details(descriptor, content, read.manifests)
        image, below = await select(source, descriptor.digest, platform)
        inner = parse(image.media_type, below)
    config = None
    if inner.config and inner.config.media_type in mediatypes.CONFIGS:
        config = await read_config(source, inner.config)
    instructions = _instructions(config or {})
    layers = tuple(Layer(layer, next(instructions, "")) for layer in inner.layers)
    return Details(descriptor, content, read.manifests, image, config, layers, inner.artifact_type)


async def read_config(source: Source, descriptor: Descriptor) -> dict[str, Any]:
    """The configuration of an image, checked. Raises SizeInvalid, DigestInvalid, ManifestInvalid."""
    if descriptor.size > MAX_CONFIG:
        raise SizeInvalid(f"{source.name}: the configuration {descriptor.digest} is larger than {MAX_CONFIG} bytes")
    async with aclosing(verified(source.open_blob(descriptor), descriptor, source.name)) as pieces:
        content = b"".join([piece async for piece in pieces])
    try:
        return load_object(content)
    except ManifestInvalid as error:
        raise ManifestInvalid(f"{source.name}: the configuration {descriptor.digest}: {error.message}") from error


def _instructions(config: dict[str, Any]) -> Iterator[str]:
    history = config.get("history")
    for step in history if isinstance(history, list) else []:
        if isinstance(step, dict) and not step.get("empty_layer"):
            text = step.get("created_by")
            yield text if isinstance(text, str) else ""
