"""Contents: the layers of an image as files on this machine, for the commands that look into them.

An image of the local store or of a layout is read where it lies; one from a registry is fetched for the moment, each
byte checked, and is gone afterwards.
"""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from havre.cli import remote
from havre.cli.places import Place, opened_source
from havre.errors import InputInvalid, ManifestUnknown

if TYPE_CHECKING:
    from havre.client import Client
    from havre.client.copy import Source
    from havre.client.details import Details
    from havre.images.layout import Layout
    from havre.images.tree import LayerFile
    from havre.oci.descriptor import Platform
    from havre.oci.digest import Digest


@dataclass(frozen=True, slots=True)
class Contents:
    """An image, and its layers, the lowest first."""

    details: Details
    layers: list[tuple[Digest, LayerFile]]


def place_of(text: str, *, in_registry: bool = False) -> Place:
    """Where the image that a person named is: here if it is here, unless they want the registry's."""
    place = Place.parse(text)
    if place.kind != "docker" or in_registry or "://" in text:
        return place
    try:
        remote.find_local(remote.local_store(), text)
    except ManifestUnknown:
        return place
    return Place("local", text)


@asynccontextmanager
async def opened_contents(place: Place, client: Client, platform: Platform) -> AsyncIterator[Contents]:
    """The image for ``platform`` with its layers at hand. Raises ManifestUnknown, InputInvalid for what has no files."""
    from havre.client.details import details
    from havre.images.tree import LayerFile
    from havre.oci import mediatypes

    async with opened_source(place, client) as (source, reference):
        found = await details(source, reference, platform)
        if found.image is None or found.config is None:
            raise InputInvalid(f"{place.where} is no image with files: it is {found.artifact_type or 'something else'}")
        strange = [one.descriptor for one in found.layers if "tar" not in one.descriptor.media_type]
        if strange:
            raise InputInvalid(f"{place.where} has layers of the type {strange[0].media_type}, which are not read here")
        if any(mediatypes.may_be_elsewhere(one.descriptor.media_type) for one in found.layers):
            raise InputInvalid(f"{place.where} has layers that lie elsewhere: they are not fetched")
        async with _on_disk(source, found) as layout:
            blobs = [one.descriptor for one in found.layers]
            yield Contents(found, [(one.digest, LayerFile(layout.blob_path(one.digest), one)) for one in blobs])


@asynccontextmanager
async def _on_disk(source: Source, found: Details) -> AsyncIterator[Layout]:
    from havre.client.copy import copy
    from havre.images.layout import Layout

    if isinstance(source, Layout):
        yield source
        return
    near = remote.local_store().root.parent
    near.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".havre-", dir=near) as folder:
        layout = Layout(Path(folder) / "layout")
        assert found.image is not None
        await copy(source, layout, found.image.digest)
        yield layout
