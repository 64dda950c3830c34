"""Places: what ``havre copy`` and ``havre inspect`` understand besides an image in a registry.

[docker://]HOST/PATH[:TAG|@DIGEST]   a registry
oci:FOLDER[:TAG]                     an OCI layout in a folder
oci-archive:FILE[:TAG]               an OCI layout in a tar; docker and podman read it too
docker-archive:FILE[:NAME]           a file of docker save
docker-daemon:NAME                   a docker engine on this machine, or where DOCKER_HOST says
local:NAME                           the local store
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from havre.cli import remote
from havre.errors import HavreError, InputInvalid, ManifestUnknown
from havre.oci.descriptor import Platform
from havre.oci.names import Tag

if TYPE_CHECKING:
    from havre.client import Client
    from havre.client.copy import Sink, Source
    from havre.oci.reference import Reference

_ARCHIVES = ("docker-archive", "oci-archive")


@dataclass(frozen=True, slots=True)
class Place:
    """A place as typed: ``kind`` is docker, oci, one of the archives, docker-daemon, or local."""

    kind: str
    where: str
    name: str = ""

    @classmethod
    def parse(cls, text: str) -> Place:
        """Read what a person typed."""
        kind, colon, rest = text.partition(":")
        if kind == "docker" and rest.startswith("//"):
            return cls("docker", rest[2:])
        if colon and kind in {"local", "docker-daemon"}:
            return cls(kind, rest)
        if colon and kind in {"oci", *_ARCHIVES}:
            where, _, name = rest.partition(":")
            return cls(kind, where, name)
        return cls("docker", text)

    @property
    def registries(self) -> tuple[str, ...]:
        """The registry that holds it, if one does. Raises NameInvalid."""
        return (remote.parse_image(self.where).registry,) if self.kind == "docker" else ()


@asynccontextmanager
async def opened_source(place: Place, client: Client) -> AsyncIterator[tuple[Source, Reference]]:
    """A source, and the reference of the image in it. Raises ManifestUnknown."""
    from havre.client.engine import Engine
    from havre.images.archive import load
    from havre.images.layout import Layout

    if place.kind == "docker":
        image = remote.parse_image(place.where)
        yield client.repository(image), image.reference
    elif place.kind == "local":
        store = remote.local_store()
        yield store, remote.find_local(store, place.where)[1].digest
    elif place.kind == "oci":
        layout = Layout(Path(place.where))
        entries = layout.entries()
        fitting = [entry for entry in entries if place.name in {"", entry.name}]
        yield layout, _only([(entry.name, entry.descriptor.digest) for entry in fitting], place)
    elif place.kind == "docker-daemon":
        with _folder(_near()) as folder:
            archive = folder / "engine.tar"
            async with Engine.from_environment(os.environ) as engine:
                await engine.save(place.where, archive)
            layout = Layout(folder / "layout")
            found = [("", image.descriptor.digest) for image in await load(archive, layout, place.where)]
            archive.unlink()
            yield layout, _only(found, place)
    else:
        path = Path(place.where)
        # Beside the archive: temporary folders are often small and in memory.
        with _folder(path.parent) as folder:
            layout = Layout(folder / "layout")
            found = [
                (name, image.descriptor.digest) for image in await load(path, layout) for name in image.names or ("",)
            ]
            fitting_names = [(name, digest) for name, digest in found if _is_named(name, place.name)]
            yield layout, _only(fitting_names, place)


@asynccontextmanager
async def opened_sink(
    place: Place, client: Client, platform: Platform | None
) -> AsyncIterator[tuple[Sink, Tag | None]]:
    """A sink, and the tag for the image in it. An archive is written when the block ends well."""
    from havre.client.engine import Engine
    from havre.images.layout import Layout
    from havre.images.save import save_to

    if place.kind == "docker":
        image = remote.parse_image(place.where)
        yield client.repository(image), image.tag
    elif place.kind == "local":
        raise InputInvalid("images come into the local store by havre pull and havre load")
    elif place.kind == "oci":
        layout = Layout(Path(place.where))
        async with layout.adding():
            yield layout, Tag.parse(place.name or "latest")
    else:
        engine = place.kind == "docker-daemon"
        name = place.where if engine else place.name
        with _folder(_near() if engine else Path(place.where).parent) as folder:
            layout = Layout(folder / "layout")
            tag = Tag("latest")
            names = [str(remote.parse_image(name))] if name else []
            yield layout, tag
            descriptor = layout.find(tag)
            assert descriptor is not None
            path = folder / "engine.tar" if engine else Path(place.where)
            save_to(layout, [(descriptor, names)], path, platform or remote.chosen_platform(None))
            if engine:
                async with Engine.from_environment(os.environ) as docker:
                    await docker.load(path)


@contextmanager
def _folder(near: Path) -> Iterator[Path]:
    """A folder that is gone afterwards."""
    near.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".havre-", dir=near) as folder:
        yield Path(folder)


def _near() -> Path:
    """Where there is room for images: beside the local store."""
    return remote.local_store().root.parent


def _is_named(name: str, wanted: str) -> bool:
    """Archives hold short names or whole ones; people type either, or only the tag."""
    from havre.client.references import HUB, RemoteImage

    if wanted in {"", name, name.rpartition(":")[2]}:
        return True
    try:
        return RemoteImage.parse(name, HUB) == RemoteImage.parse(wanted, HUB)
    except HavreError:
        return False


def _only(found: Sequence[tuple[str, Reference]], place: Place) -> Reference:
    digests = {digest for _, digest in found}
    if len(digests) == 1:
        return digests.pop()
    if not found:
        raise ManifestUnknown(f"{place.where} holds no image {place.name!r}")
    names = ", ".join(sorted(name for name, _ in found if name)) or "without names"
    raise ManifestUnknown(f"{place.where} holds several images: add one of their names after a colon ({names})")
