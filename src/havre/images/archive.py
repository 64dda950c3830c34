"""Archive: image files in, into a layout: ``docker save`` in its old and new form, and OCI layouts in a tar.

An OCI layout is taken as it is, every digest kept. The old form holds layers as plain tars, without a manifest: they
are compressed here, as docker does before it pushes, and described by an OCI manifest, always in the same way: the
same file gives the same digests. The archive itself may be compressed with gzip, zstd, bzip2 or xz.
"""

from __future__ import annotations

import asyncio
import json
import os
import threading
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from havre.errors import DigestInvalid, InputInvalid, ManifestInvalid, SizeInvalid
from havre.images.compression import LIMITS, Limits, is_packed, plain_file
from havre.images.layout import FULL_NAME, REF_NAME, Layout, Pieces, guess_media_type
from havre.images.tarindex import Member, TarIndex
from havre.images.threads import Advance, in_thread, stoppable, unwatched
from havre.oci import mediatypes
from havre.oci.descriptor import Descriptor
from havre.oci.digest import Digest, Hasher
from havre.oci.manifest import MAX_SIZE, Manifest, load_object, parse

MAX_NESTING = 4
"""Indexes within indexes."""

MAX_CONFIG = 8 * 1024 * 1024
"""Bytes of an image's configuration."""

_LEVEL = 6
"""Of gzip, as docker compresses layers."""

_PIECE = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Loaded:
    """An image that came out of an archive, and the names it has there."""

    descriptor: Descriptor
    names: tuple[str, ...]


async def load(
    path: Path, layout: Layout, shown: str = "", limits: Limits = LIMITS, advance: Advance = unwatched
) -> list[Loaded]:
    """Read all images of an archive into ``layout``, without naming them there.

    Raises InputInvalid for a file that is no image archive, SizeInvalid for a bomb, DigestInvalid for damage.
    """
    with plain_file(path, layout.root, limits) as plain, TarIndex(plain, shown or str(path)) as tar:
        whole = plain.stat().st_size

        def read(more: int) -> None:
            advance(more, whole)

        async with layout.adding():
            if tar.find("index.json") and not _better_as_docker(tar):
                return await _OciArchive(tar, layout, read).load()
            if tar.find("manifest.json"):
                return await _DockerArchive(tar, layout, limits, read).load()
    raise InputInvalid(f"{shown or path} holds no image: neither manifest.json nor index.json is in it")


# ---------------------------------------------------------------- OCI layout in a tar


class _OciArchive:
    def __init__(self, tar: TarIndex, layout: Layout, read: Callable[[int], None]) -> None:
        self._tar = tar
        self._layout = layout
        self._read = read

    async def load(self) -> list[Loaded]:
        names: dict[Digest, list[str]] = {}
        found: dict[Digest, Descriptor] = {}
        entries = load_object(self._tar.read("index.json", MAX_SIZE)).get("manifests")
        for number, value in enumerate(entries if isinstance(entries, list) else []):
            descriptor = Descriptor.from_json(value, f"index.json manifests[{number}]")
            found[descriptor.digest] = descriptor
            name = descriptor.annotations.get(FULL_NAME) or descriptor.annotations.get(REF_NAME)
            if name:
                names.setdefault(descriptor.digest, []).append(name)
        if not found:
            raise InputInvalid(f"{self._tar.shown} holds no image: its index.json lists none")
        loaded = []
        for digest, descriptor in found.items():
            kept = await self._image(self._present(descriptor))
            loaded.append(Loaded(kept, tuple(dict.fromkeys(names.get(digest, ())))))
        return loaded

    def _present(self, descriptor: Descriptor) -> Descriptor:
        """The image itself, or the one child of an index that the archive holds, as docker saves one of several."""
        if descriptor.media_type not in mediatypes.INDEXES:
            return descriptor
        children = self._parsed(descriptor)[0].manifests
        there = [child for child in children if self._member(child.digest)]
        if len(there) == len(children):
            return descriptor
        if not there:
            raise InputInvalid(f"{self._tar.shown} lists {descriptor.digest} but holds nothing of it")
        images = [child for child in there if child.platform and child.platform.os != "unknown"]
        return self._present((images or there)[0])

    async def _image(self, descriptor: Descriptor, depth: int = 0) -> Descriptor:
        if depth > MAX_NESTING:
            raise ManifestInvalid(f"{self._tar.shown}: indexes within indexes, more than {MAX_NESTING} deep")
        read, content = self._parsed(descriptor)
        for blob in read.blobs:
            if not mediatypes.may_be_elsewhere(blob.media_type) or self._member(blob.digest):
                await self._layout.write_blob(blob, lambda offset, blob=blob: self._blob(blob, offset))  # type: ignore[misc]
        for child in read.manifests:
            await self._image(child, depth + 1)
        exact = Descriptor(read.media_type, descriptor.digest, len(content))
        await self._layout.put_manifest(exact, content)
        return exact

    def _parsed(self, descriptor: Descriptor) -> tuple[Manifest, bytes]:
        content = self._tar.read(_blob_name(descriptor.digest), MAX_SIZE)
        if Digest.of(content, descriptor.digest.algorithm) != descriptor.digest:
            raise DigestInvalid(f"{self._tar.shown}: the manifest {descriptor.digest} is damaged")
        media_type = descriptor.media_type
        if media_type not in mediatypes.IMAGES and media_type not in mediatypes.INDEXES:
            media_type = guess_media_type(content)
        return parse(media_type, content), content

    def _member(self, digest: Digest) -> Member | None:
        return self._tar.find(_blob_name(digest))

    async def _blob(self, descriptor: Descriptor, offset: int) -> Pieces:
        member = self._member(descriptor.digest)
        if member is None:
            raise InputInvalid(f"{self._tar.shown} does not hold {descriptor.digest}, which one of its images needs")
        pieces = self._tar.pieces(member, offset)
        while piece := await in_thread(next, pieces, b""):
            yield piece
            self._read(len(piece))


# ---------------------------------------------------------------- docker save


class _DockerArchive:
    def __init__(self, tar: TarIndex, layout: Layout, limits: Limits, read: Callable[[int], None]) -> None:
        self._tar = tar
        self._layout = layout
        self._read = read
        self._limits = limits
        self._stopped = threading.Event()
        self._known: dict[tuple[int, int], tuple[Descriptor, Digest]] = {}

    async def load(self) -> list[Loaded]:
        loaded = []
        for number, entry in enumerate(docker_entries(self._tar)):
            where = f"manifest.json[{number}]"
            layers, tags = _names(entry, "Layers", where), _names(entry, "RepoTags", where)
            config = entry.get("Config")
            if not isinstance(config, str):
                raise InputInvalid(f"{self._tar.shown}: {where} names no Config")
            loaded.append(Loaded(await self._image(config, layers), tuple(tags)))
        return loaded

    async def _image(self, config_name: str, layer_names: Sequence[str]) -> Descriptor:
        config = self._tar.read(config_name, MAX_CONFIG)
        promised = _diff_ids(config, self._tar.shown)
        if len(promised) != len(layer_names):
            raise InputInvalid(
                f"{self._tar.shown}: the image has {len(layer_names)} layers, its configuration tells of {len(promised)}"
            )
        places = asyncio.Semaphore(os.cpu_count() or 1)
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(self._layer(name, places)) for name in layer_names]
        except BaseExceptionGroup as failures:
            raise failures.exceptions[0] from None
        layers = [task.result() for task in tasks]
        for name, (_, found), wanted in zip(layer_names, layers, promised, strict=True):
            if found != wanted:
                raise DigestInvalid(f"{self._tar.shown}: the layer {name!r} is damaged: {found} in place of {wanted}")
        with self._layout.incoming() as incoming:
            incoming.write(config)
            config_digest = incoming.keep()
        document = {
            "schemaVersion": 2,
            "mediaType": mediatypes.OCI_MANIFEST,
            "config": Descriptor(mediatypes.OCI_CONFIG, config_digest, len(config)).to_json(),
            "layers": [layer.to_json() for layer, _ in layers],
        }
        content = json.dumps(document, separators=(",", ":")).encode()
        descriptor = Descriptor(mediatypes.OCI_MANIFEST, Digest.of(content), len(content))
        await self._layout.put_manifest(descriptor, content)
        return descriptor

    async def _layer(self, name: str, places: asyncio.Semaphore) -> tuple[Descriptor, Digest]:
        member = self._tar.find(name)
        if member is None:
            raise InputInvalid(f"{self._tar.shown} does not hold the layer {name!r}")
        key = (member.offset, member.size)
        async with places:
            if key not in self._known:
                self._known[key] = await stoppable(self._stopped.set, self._compress, member)
        return self._known[key]

    def _compress(self, member: Member) -> tuple[Descriptor, Digest]:
        """Keep a layer as gzip; gives it and the digest of its plain form. One that is gzip already stays as it is."""
        plain = Hasher()
        pieces = self._tar.pieces(member)
        first = next(pieces, b"")
        with self._layout.incoming() as incoming:
            if first.startswith(b"\x1f\x8b"):
                self._keep_gzip(first, pieces, plain, incoming.write)
            else:
                # The header that zlib writes holds no name and no time.
                machine = zlib.compressobj(_LEVEL, zlib.DEFLATED, 31)
                while first and not self._stopped.is_set():
                    plain.update(first)
                    incoming.write(machine.compress(first))
                    self._read(len(first))
                    first = next(pieces, b"")
                incoming.write(machine.flush())
            size, digest = incoming.size, incoming.keep()
        return Descriptor(mediatypes.OCI_LAYER_GZIP, digest, size), plain.digest()

    def _keep_gzip(self, data: bytes, pieces: Iterator[bytes], plain: Hasher, write: Callable[[bytes], None]) -> None:
        machine = zlib.decompressobj(wbits=31)
        limit = self._limits.unpacked
        try:
            while data and not self._stopped.is_set():
                write(data)
                self._read(len(data))
                while data:
                    plain.update(machine.decompress(data, _PIECE))
                    if plain.size > limit:
                        raise SizeInvalid(f"{self._tar.shown}: a layer grows to more than {limit} bytes")
                    data = machine.unconsumed_tail
                    if machine.eof and machine.unused_data:
                        data, machine = machine.unused_data, zlib.decompressobj(wbits=31)
                data = next(pieces, b"")
        except zlib.error as error:
            raise InputInvalid(f"{self._tar.shown}: a layer can not be unpacked: {error}") from error


def docker_entries(tar: TarIndex) -> list[dict[str, Any]]:
    """The images that ``manifest.json`` lists. Raises InputInvalid."""
    content = tar.read("manifest.json", MAX_SIZE)
    try:
        # The document is a list; the reader of manifests bounds its depth when it is wrapped as an object.
        entries = load_object(b'{"images":' + content + b"}")["images"]
    except (ManifestInvalid, KeyError) as error:
        raise InputInvalid(f"{tar.shown}: manifest.json can not be read: {error}") from error
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries) or not entries:
        raise InputInvalid(f"{tar.shown}: manifest.json lists no image")
    return entries


def _better_as_docker(tar: TarIndex) -> bool:
    """Is this ``docker save`` with layers as plain tars? A registry would keep and send them at three times the size."""
    if not tar.find("manifest.json"):
        return False
    layers = [name for entry in docker_entries(tar) for name in _names(entry, "Layers", "manifest.json")]
    members = [member for name in layers if (member := tar.find(name))]
    return bool(members) and not any(is_packed(next(tar.pieces(member), b"")) for member in members)


def _names(entry: dict[str, Any], key: str, where: str) -> list[str]:
    values = entry.get(key) or []
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise InputInvalid(f"{where}.{key} is not a list of names")
    return values


def _diff_ids(config: bytes, shown: str) -> list[str]:
    try:
        rootfs = load_object(config).get("rootfs")
    except ManifestInvalid as error:
        raise InputInvalid(f"{shown}: the image's configuration can not be read: {error.message}") from error
    ids = rootfs.get("diff_ids") if isinstance(rootfs, dict) else None
    if not isinstance(ids, list) or not all(isinstance(value, str) for value in ids):
        raise InputInvalid(f"{shown}: the image's configuration names no layers (rootfs.diff_ids)")
    return ids


def _blob_name(digest: Digest) -> str:
    return f"blobs/{digest.algorithm}/{digest.encoded}"
