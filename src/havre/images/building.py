"""Building: images out of files, without any engine, always in the same way: the same input gives the same digest.

Files have no owner but root, no time but the one that was chosen, and one of two sets of rights; they lie in a layer in
the order of their names. Layers are plain tars, which every client pulls, unless somebody prefers small ones: zlib and
its relatives compress the same bytes differently from version to version.
"""

from __future__ import annotations

import datetime as dt
import json
import tarfile
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from havre.errors import InputInvalid
from havre.images.layout import Layout
from havre.images.threads import Advance, unwatched
from havre.oci import mediatypes
from havre.oci.descriptor import Descriptor, Platform
from havre.oci.digest import Digest, Hasher

LEVEL = 6
"""Of gzip, as docker compresses layers."""

PIECE = 1024 * 1024


@dataclass(frozen=True, slots=True)
class File:
    """A file of an image: its content, a file of this machine that holds it, a link to follow, or a folder (none)."""

    content: bytes | Path | None = None
    executable: bool = False
    link: str = ""
    mode: int = 0
    """Rights, where they are others than those that all files have."""

    @property
    def size(self) -> int:
        """Bytes of the content, as far as they are known now."""
        if isinstance(self.content, bytes):
            return len(self.content)
        return self.content.stat().st_size if self.content else 0


Files = Mapping[str, File]
"""Path within the image, without a slash at its beginning → file."""


@dataclass(frozen=True, slots=True)
class NewLayer:
    """A layer to be made, and what its history says of it."""

    instruction: str
    files: Files
    packed: bool = False
    """Whether it is compressed. Which bytes that gives depends on the version of zlib, so that the digest then does."""


@dataclass(frozen=True, slots=True)
class Built:
    """A layer that lies in the layout now; ``diff_id`` is the digest of its tar."""

    descriptor: Descriptor
    diff_id: Digest
    instruction: str


@dataclass(frozen=True, slots=True)
class Base:
    """What an image stands on: the layers and the configuration of another one."""

    layers: tuple[Descriptor, ...] = ()
    config: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Settings:
    """How the image is run, over what its base says. ``created`` is seconds since 1970."""

    entrypoint: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    working_directory: str = ""
    user: str = ""
    ports: tuple[str, ...] = ()
    created: int = 0


def write_layer(layout: Layout, layer: NewLayer, created: int, advance: Advance = unwatched) -> Built:
    """Write a layer into the layout. Raises InputInvalid for a file that changes while it is read."""
    with layout.incoming() as incoming:
        whole = sum(file.size for file in layer.files.values())
        packer = _Packer(incoming.write, lambda more: advance(more, whole), layer.packed)
        with tarfile.open(fileobj=packer, mode="w|", format=tarfile.PAX_FORMAT) as tar:  # type: ignore[call-overload]
            for path, file in sorted(_with_folders(layer.files).items()):
                _add(tar, path, file, created)
        packer.finish()
        size, digest = incoming.size, incoming.keep()
    media_type = mediatypes.OCI_LAYER_GZIP if layer.packed else mediatypes.OCI_LAYER
    return Built(Descriptor(media_type, digest, size), packer.plain.digest(), layer.instruction)


async def write_image(
    layout: Layout, base: Base, layers: Sequence[Built], settings: Settings, platform: Platform
) -> Descriptor:
    """Write configuration and manifest of an image over ``base``; its layers must be in the layout already."""
    config = json.dumps(_config(base, layers, settings, platform), separators=(",", ":"), sort_keys=True).encode()
    with layout.incoming() as incoming:
        incoming.write(config)
        config_digest = incoming.keep()
    document = {
        "schemaVersion": 2,
        "mediaType": mediatypes.OCI_MANIFEST,
        "config": Descriptor(mediatypes.OCI_CONFIG, config_digest, len(config)).to_json(),
        "layers": [_as_oci(one).to_json() for one in (*base.layers, *(layer.descriptor for layer in layers))],
    }
    return await _put(layout, mediatypes.OCI_MANIFEST, document, settings, platform)


async def write_index(layout: Layout, images: Sequence[Descriptor], settings: Settings) -> Descriptor:
    """Write the index of images for several platforms."""
    document = {
        "schemaVersion": 2,
        "mediaType": mediatypes.OCI_INDEX,
        "manifests": [one.to_json() for one in images],
    }
    return await _put(layout, mediatypes.OCI_INDEX, document, settings, None)


async def _put(
    layout: Layout, media_type: str, document: dict[str, Any], settings: Settings, platform: Platform | None
) -> Descriptor:
    if settings.labels:
        document["annotations"] = dict(sorted(settings.labels.items()))
    content = json.dumps(document, separators=(",", ":")).encode()
    descriptor = Descriptor(media_type, Digest.of(content), len(content), platform)
    await layout.put_manifest(descriptor, content)
    return descriptor


def _config(base: Base, layers: Sequence[Built], settings: Settings, platform: Platform) -> dict[str, Any]:
    created = dt.datetime.fromtimestamp(settings.created, dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    inner = dict(base.config.get("config") or {})
    environment = dict(str(one).partition("=")[::2] for one in inner.get("Env") or ())
    environment |= {key: _expanded(text, environment) for key, text in settings.environment.items()}
    if environment:
        inner["Env"] = [f"{key}={text}" for key, text in environment.items()]
    if settings.entrypoint:
        inner["Entrypoint"] = list(settings.entrypoint)
        inner.pop("Cmd", None)
    if settings.command:
        inner["Cmd"] = list(settings.command)
    if settings.working_directory:
        inner["WorkingDir"] = settings.working_directory
    if settings.user:
        inner["User"] = settings.user
    if settings.labels:
        inner["Labels"] = {**(inner.get("Labels") or {}), **settings.labels}
    if settings.ports:
        inner["ExposedPorts"] = {**(inner.get("ExposedPorts") or {}), **{port: {} for port in settings.ports}}
    below = base.config.get("rootfs") or {}
    history = [{"created": created, "created_by": layer.instruction} for layer in layers]
    return {
        "created": created,
        "os": platform.os,
        "architecture": platform.architecture,
        **({"variant": platform.variant} if platform.variant else {}),
        "config": inner,
        "rootfs": {"type": "layers", "diff_ids": [*below.get("diff_ids", ()), *(str(one.diff_id) for one in layers)]},
        "history": [*(base.config.get("history") or ()), *history],
    }


def _expanded(text: str, environment: Mapping[str, str]) -> str:
    """``PATH=/new:$PATH`` stands for what the base says, and for nothing where it says nothing."""
    key, dollar, name = text.rpartition(":$")
    if not dollar:
        return text
    return f"{key}:{environment[name]}" if environment.get(name) else key


def _as_oci(layer: Descriptor) -> Descriptor:
    """A layer of a base in docker's form: the same bytes have another name in OCI manifests."""
    if layer.media_type == mediatypes.DOCKER_LAYER_GZIP:
        return Descriptor(mediatypes.OCI_LAYER_GZIP, layer.digest, layer.size)
    return layer


def _with_folders(files: Files) -> dict[str, File]:
    folders = {str(parent) for path in files for parent in Path(path).parents if str(parent) != "."}
    return {**{path: File() for path in folders}, **files}


def _add(tar: tarfile.TarFile, path: str, file: File, created: int) -> None:
    member = tarfile.TarInfo(path)
    member.mtime = created
    if file.link:
        member.type, member.linkname, member.mode = tarfile.SYMTYPE, file.link, 0o777
        tar.addfile(member)
    elif file.content is None:
        member.type, member.mode = tarfile.DIRTYPE, file.mode or 0o755
        tar.addfile(member)
    elif isinstance(file.content, bytes):
        import io

        member.size, member.mode = len(file.content), file.mode or (0o755 if file.executable else 0o644)
        tar.addfile(member, io.BytesIO(file.content))
    else:
        with file.content.open("rb") as source:
            member.size = file.content.stat().st_size
            member.mode = file.mode or (0o755 if file.executable else 0o644)
            try:
                tar.addfile(member, source)
            except OSError as error:
                raise InputInvalid(f"{file.content} changed while it was read: {error}") from error


class _Packer:
    """Takes a tar's bytes: hashes them as they are, and hands them on so or as gzip."""

    def __init__(self, write: Callable[[bytes], None], advance: Callable[[int], None], packed: bool) -> None:
        self.plain = Hasher()
        self._write = write
        self._advance = advance
        # The header that zlib writes holds no name and no time.
        self._machine = zlib.compressobj(LEVEL, zlib.DEFLATED, 31) if packed else None

    def write(self, data: bytes) -> int:
        self.plain.update(data)
        self._write(self._machine.compress(data) if self._machine else data)
        self._advance(len(data))
        return len(data)

    def finish(self) -> None:
        if self._machine:
            self._write(self._machine.flush())
