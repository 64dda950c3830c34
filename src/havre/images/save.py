"""Save: images out of a layout into one tar that docker, podman, skopeo and Havre itself can read.

The file is an OCI layout, with the ``manifest.json`` of ``docker save`` beside it. Content keeps its digests. The
same images give the same file, byte by byte.
"""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import IO, Any, BinaryIO, cast

from havre.errors import DigestInvalid
from havre.images.layout import FULL_NAME, REF_NAME, Layout, written_whole
from havre.images.threads import Advance, unwatched
from havre.oci import mediatypes
from havre.oci.descriptor import Descriptor, Platform
from havre.oci.digest import Digest, Hasher
from havre.oci.manifest import Manifest, parse


def save(
    layout: Layout,
    images: Iterable[tuple[Descriptor, Sequence[str]]],
    out: BinaryIO,
    platform: Platform,
    advance: Advance = unwatched,
) -> None:
    """Write ``images``, each with its names, to ``out``.

    Names are full references (``docker.io/library/python:3``). ``platform`` is the one that readers of
    ``manifest.json`` get of an image for several. Raises ManifestUnknown when content is missing.
    """
    listed, docker, needed = [], [], dict[Digest, Descriptor]()
    for descriptor, names in images:
        _walk(layout, descriptor, needed)
        docker += _docker_entry(layout, descriptor, names, platform)
        for name in names or [""]:
            entry = Descriptor(descriptor.media_type, descriptor.digest, descriptor.size).to_json()
            if name:
                tag = name.partition("@")[0].rpartition(":")[2]
                entry["annotations"] = {FULL_NAME: name, REF_NAME: tag}
            listed.append(entry)
    index = {"schemaVersion": 2, "mediaType": mediatypes.OCI_INDEX, "manifests": listed}
    with tarfile.open(fileobj=out, mode="w|", format=tarfile.PAX_FORMAT) as tar:
        for folder in sorted({f"blobs/{digest.algorithm}" for digest in needed} | {"blobs"}):
            tar.addfile(_folder(folder))
        whole = sum(one.size for one in needed.values())
        for digest in sorted(needed):
            path = layout.blob_path(digest)
            with path.open("rb") as file:
                checked = _Checked(file, digest, lambda more: advance(more, whole))
                _add(tar, f"blobs/{digest.algorithm}/{digest.encoded}", cast("IO[bytes]", checked), path.stat().st_size)
                checked.finish(layout)
        for name, document in (
            ("index.json", index),
            ("manifest.json", docker),
            ("oci-layout", {"imageLayoutVersion": "1.0.0"}),
        ):
            content = json.dumps(document, separators=(",", ":")).encode()
            _add(tar, name, io.BytesIO(content), len(content))


def save_to(
    layout: Layout,
    images: Iterable[tuple[Descriptor, Sequence[str]]],
    path: Path,
    platform: Platform,
    advance: Advance = unwatched,
) -> None:
    """Write ``images`` to a file, which appears only when it is whole."""
    with written_whole(path) as out:
        save(layout, images, out, platform, advance)


class _Checked(io.RawIOBase):
    """A blob that is hashed while it is read."""

    def __init__(self, file: BinaryIO, digest: Digest, advance: Callable[[int], None]) -> None:
        self._file = file
        self._advance = advance
        self._digest = digest
        self._hasher = Hasher(digest.algorithm)

    def read(self, size: int = -1, /) -> bytes:
        piece = self._file.read(size)
        self._hasher.update(piece)
        self._advance(len(piece))
        return piece

    def finish(self, layout: Layout) -> None:
        """Raises DigestInvalid when it is not what its name says."""
        found = self._hasher.digest(self._digest.algorithm)
        if found != self._digest:
            raise DigestInvalid(
                f"the file of {self._digest} in {layout.root} is damaged: its digest is {found}; remove it and pull"
                " the image again"
            )


def _walk(layout: Layout, descriptor: Descriptor, needed: dict[Digest, Descriptor]) -> None:
    needed[descriptor.digest] = descriptor
    for blob in _blobs(layout, descriptor):
        if not mediatypes.may_be_elsewhere(blob.media_type) or layout.has_blob(blob):
            needed[blob.digest] = blob
    for child in _read(layout, descriptor).manifests:
        _walk(layout, child, needed)


def _read(layout: Layout, descriptor: Descriptor) -> Manifest:
    return parse(descriptor.media_type, layout.read_manifest(descriptor.digest, descriptor.media_type)[1])


def _blobs(layout: Layout, descriptor: Descriptor) -> Iterator[Descriptor]:
    yield from _read(layout, descriptor).blobs


def _docker_entry(
    layout: Layout, descriptor: Descriptor, names: Sequence[str], platform: Platform
) -> list[dict[str, Any]]:
    """What ``manifest.json`` says of an image; nothing for what is no image that docker could run."""
    read = _read(layout, descriptor)
    if read.kind == "index":
        fitting = [child for child in read.manifests if child.platform == platform] or [
            child for child in read.manifests if child.platform and child.platform.os == platform.os
        ]
        return _docker_entry(layout, fitting[0], names, platform) if fitting else []
    if read.config is None or read.config.media_type not in mediatypes.CONFIGS:
        return []
    tags = [_short(name) for name in names if "@" not in name]
    paths = [f"blobs/{blob.digest.algorithm}/{blob.digest.encoded}" for blob in (read.config, *read.layers)]
    return [{"Config": paths[0], "RepoTags": tags or None, "Layers": paths[1:]}]


def _short(name: str) -> str:
    """The name as docker writes it in its own archives."""
    return name.removeprefix("docker.io/").removeprefix("library/") if name.startswith("docker.io/") else name


def _add(tar: tarfile.TarFile, name: str, content: IO[bytes], size: int) -> None:
    member = tarfile.TarInfo(name)
    member.size, member.mode = size, 0o644
    tar.addfile(member, content)


def _folder(name: str) -> tarfile.TarInfo:
    folder = tarfile.TarInfo(name)
    folder.type, folder.mode = tarfile.DIRTYPE, 0o755
    return folder
