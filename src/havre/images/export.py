"""Export: the merged file system of an image as one tar, as ``docker export`` gives it, with no engine and no root.

Each layer is read twice: once to know what becomes of each file, once to copy the content that is still there.
"""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator, Sequence
from typing import BinaryIO

from havre.errors import DigestInvalid
from havre.images.tarstream import FILE, FOLDER, Entry, TarStream
from havre.images.tree import LayerFile, Node, merge, walk


def export(layers: Sequence[LayerFile], out: BinaryIO) -> int:
    """Write the file system that ``layers`` (the lowest first) make together; gives the number of its entries.

    The same layers give the same bytes. Raises DigestInvalid for damage, InputInvalid and SizeInvalid for layers that
    no engine would take.
    """
    root = merge([layer.listing() for layer in layers])
    places: dict[tuple[int, int], list[str]] = {}
    count = 0
    with tarfile.open(fileobj=out, mode="w|", format=tarfile.PAX_FORMAT) as tar:
        for path, node in walk(root):
            count += 1
            if node.is_folder:
                tar.addfile(_member(path, node))
            else:
                places.setdefault((node.layer, node.number), []).append(path)
        for number, layer in enumerate(layers):
            _copy(tar, layer, number, places)
    if places:
        raise DigestInvalid("a layer changed while it was read: export it again")
    return count


def _copy(tar: tarfile.TarFile, layer: LayerFile, layer_number: int, places: dict[tuple[int, int], list[str]]) -> None:
    for number, (entry, stream) in enumerate(layer.entries()):
        paths = places.pop((layer_number, number), None)
        if not paths:
            continue
        first, *others = paths
        tar.addfile(_member(first, Node(entry)), _Content(stream) if entry.kind == FILE else None)
        for path in others:
            # One file under several names stays one file.
            link = _member(path, Node(entry))
            link.type, link.linkname, link.size = tarfile.LNKTYPE, first, 0
            tar.addfile(link)


def _member(path: str, node: Node) -> tarfile.TarInfo:
    entry: Entry = node.entry
    member = tarfile.TarInfo(path)
    member.type = entry.kind.encode()
    member.size, member.mode, member.uid, member.gid = entry.size, entry.mode, entry.uid, entry.gid
    member.mtime = entry.mtime
    member.devmajor, member.devminor = entry.device
    if entry.kind not in {FILE, FOLDER}:
        member.linkname = entry.link
    member.pax_headers = dict(entry.attributes)
    return member


class _Content(io.RawIOBase):
    """An entry's content as a file, for the library that writes tars."""

    def __init__(self, stream: TarStream) -> None:
        self._pieces: Iterator[bytes] = stream.content()
        self._rest = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        if not self._rest:
            self._rest = next(self._pieces, b"")
        size = min(len(buffer), len(self._rest))
        buffer[:size], self._rest = self._rest[:size], self._rest[size:]
        return size
