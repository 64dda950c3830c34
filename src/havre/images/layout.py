"""Layout: an OCI image layout in a folder (OCI image specification, image-layout.md). The local store is one.

    ROOT/oci-layout              {"imageLayoutVersion": "1.0.0"}
    ROOT/index.json              the images, each with its name in an annotation
    ROOT/blobs/sha256/<hex>      content; a file here always has the digest of its name
    ROOT/blobs/.incoming/        content on its way
    ROOT/.lock, ROOT/.in-use     locks: who changes the index; who is adding content

Names are whole strings to this room: a tag in a plain layout, a full reference in the local store.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import secrets
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Mapping
from contextlib import aclosing, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from havre.errors import DigestInvalid, InputInvalid, ManifestInvalid, ManifestUnknown, SizeInvalid
from havre.images.incoming import Incoming
from havre.images.threads import in_thread
from havre.oci import mediatypes
from havre.oci.descriptor import Descriptor
from havre.oci.digest import ALGORITHMS, Digest
from havre.oci.manifest import MAX_SIZE, load_object, parse
from havre.oci.names import Tag
from havre.oci.reference import Reference

REF_NAME = "org.opencontainers.image.ref.name"
FULL_NAME = "io.containerd.image.name"
MAX_INDEX = 64 * 1024 * 1024
"""Bytes of ``index.json``."""

PIECE = 1024 * 1024
"""Bytes read from disk at a time."""

Pieces = AsyncGenerator[bytes, None]

# What may lie in a layout's folder beside it, half-made files of another process included.
_OURS = re.compile(r"blobs|index\.json|oci-layout|\.lock|\.in-use|\.(?:index\.json|oci-layout)\.[0-9a-f]{12}")


@dataclass(frozen=True, slots=True)
class Entry:
    """An image of the layout; ``name`` is empty for one that has lost or never had a name."""

    name: str
    descriptor: Descriptor


@dataclass(slots=True)
class Swept:
    """What a sweep freed."""

    digests: list[Digest] = field(default_factory=list)
    size: int = 0


class Layout:
    """A layout in the folder ``root``. Source and sink of copies; several processes may use it at once."""

    checks = True
    """As a sink: content is hashed while it is written."""

    def __init__(self, root: Path) -> None:
        self.root = root

    @property
    def name(self) -> str:
        """For messages."""
        return str(self.root)

    # ------------------------------------------------------------ names

    def entries(self) -> list[Entry]:
        """All images, in the order they were added. Raises ManifestInvalid for an index that can not be read."""
        return [
            Entry(_entry_name(value), Descriptor.from_json(value, f"{self.root}/index.json manifests[{number}]"))
            for number, value in enumerate(self._index()["manifests"])
        ]

    def find(self, name: str) -> Descriptor | None:
        """The image of that name."""
        return next((entry.descriptor for entry in self.entries() if entry.name == name), None)

    def put_name(self, name: str, descriptor: Descriptor) -> None:
        """Let ``name`` mean this image, whatever it meant before."""

        def change(entries: list[Any]) -> list[Any]:
            value = Descriptor(descriptor.media_type, descriptor.digest, descriptor.size, descriptor.platform).to_json()
            value["annotations"] = {REF_NAME: name}
            kept = [one for one in entries if _entry_name(one) != name]
            # An image that had lost its name needs no nameless entry any more.
            return [one for one in kept if _entry_name(one) or one.get("digest") != descriptor.digest] + [value]

        self._change(change)

    def _list(self, descriptor: Descriptor) -> None:
        """Let the index lead to this manifest, under whatever name or none."""

        def change(entries: list[Any]) -> list[Any]:
            if any(one.get("digest") == descriptor.digest for one in entries):
                return entries
            return [*entries, Descriptor(descriptor.media_type, descriptor.digest, descriptor.size).to_json()]

        self._change(change)

    def drop_name(self, name: str) -> bool:
        """Forget a name; False when there was none. Content stays until `sweep`."""
        found = False

        def change(entries: list[Any]) -> list[Any]:
            nonlocal found
            kept = [one for one in entries if _entry_name(one) != name]
            found = len(kept) < len(entries)
            return kept

        self._change(change)
        return found

    async def tags(self) -> AsyncIterator[str]:
        """The names that are tags, as in a layout of one repository."""
        for entry in self.entries():
            if entry.name and "/" not in entry.name:
                yield entry.name

    # ------------------------------------------------------------ source

    async def manifest(self, reference: Reference) -> tuple[Descriptor, bytes]:
        """A manifest's exact bytes, by digest or by name. Raises ManifestUnknown, DigestInvalid."""
        if isinstance(reference, Digest):
            return self.read_manifest(reference)
        found = self.find(reference)
        if found is None:
            raise ManifestUnknown(f"{self.root} has no image named {reference!r}")
        return self.read_manifest(found.digest, found.media_type)

    def read_manifest(self, digest: Digest, media_type: str = "") -> tuple[Descriptor, bytes]:
        """A manifest's exact bytes, checked. Raises ManifestUnknown, DigestInvalid."""
        content = self.read_small(digest, MAX_SIZE)
        return Descriptor(media_type or guess_media_type(content), digest, len(content)), content

    def read_small(self, digest: Digest, limit: int) -> bytes:
        """A small blob whole, checked. Raises ManifestUnknown when it is not here, SizeInvalid beyond ``limit``."""
        try:
            with self.blob_path(digest).open("rb") as file:
                content = file.read(limit + 1)
        except FileNotFoundError as error:
            raise ManifestUnknown(f"{self.root} does not hold {digest}") from error
        if len(content) > limit:
            raise SizeInvalid(f"{digest} in {self.root} is larger than the {limit} bytes that are read of such content")
        found = Digest.of(content, digest.algorithm)
        if found != digest:
            raise DigestInvalid(f"the file of {digest} in {self.root} is damaged: its digest is {found}")
        return content

    async def open_blob(self, descriptor: Descriptor, offset: int = 0) -> Pieces:
        """A blob's bytes from ``offset`` on, unchecked. Raises ManifestUnknown when it is not here."""
        try:
            file = self.blob_path(descriptor.digest).open("rb", buffering=0)
        except FileNotFoundError as error:
            raise ManifestUnknown(f"{self.root} does not hold {descriptor.digest}") from error
        with file:
            file.seek(offset)
            while piece := await in_thread(file.read, PIECE):
                yield piece

    async def referrers(self, digest: Digest) -> list[Descriptor]:
        """The listed manifests whose subject is ``digest``."""
        found: dict[Digest, Descriptor] = {}
        for entry in self.entries():
            with suppress(ManifestUnknown, DigestInvalid, ManifestInvalid, SizeInvalid):
                descriptor, content = self.read_manifest(entry.descriptor.digest, entry.descriptor.media_type)
                subject = parse(descriptor.media_type, content).subject
                if subject and subject.digest == digest:
                    found[descriptor.digest] = descriptor
        return list(found.values())

    def has_blob(self, descriptor: Descriptor) -> bool:
        """Is this content here, whole?"""
        try:
            return self.blob_path(descriptor.digest).stat().st_size == descriptor.size
        except FileNotFoundError:
            return False

    # ------------------------------------------------------------ sink

    async def write_blob(self, descriptor: Descriptor, opener: Callable[[int], Pieces], origin: str = "") -> str:
        """Keep a blob unless it is here. Raises DigestInvalid or SizeInvalid, and keeps nothing then."""
        del origin  # a folder mounts nothing
        if self.has_blob(descriptor):
            return "exists"
        with self.incoming(descriptor.digest.algorithm) as incoming:
            async with aclosing(opener(0)) as pieces:
                async for piece in pieces:
                    if incoming.size + len(piece) > descriptor.size:
                        raise SizeInvalid(f"more than the {descriptor.size} bytes of {descriptor.digest} arrived")
                    await in_thread(incoming.write, piece)
            await in_thread(incoming.keep, descriptor)
        return "done"

    async def put_manifest(self, descriptor: Descriptor, content: bytes, tag: Tag | None = None) -> None:
        """Keep a manifest, and name it ``tag`` if that is given. Raises DigestInvalid.

        One that refers to another is listed without a name, as no other way leads to it.
        """
        if not self.has_blob(descriptor):
            with self.incoming(descriptor.digest.algorithm) as incoming:
                incoming.write(content)
                incoming.keep(descriptor)
        if tag is not None:
            self.put_name(tag, descriptor)
        elif parse(descriptor.media_type, content).subject:
            self._list(descriptor)

    def incoming(self, algorithm: str = "sha256") -> Incoming:
        """A place for new content; what is not kept disappears at its end."""
        self._create()
        return Incoming(self.root / "blobs" / ".incoming" / secrets.token_hex(12), self.blob_path, algorithm)

    @asynccontextmanager
    async def adding(self) -> AsyncIterator[None]:
        """While content arrives that no name leads to yet: no sweep runs meanwhile."""
        self._create()
        with (self.root / ".in-use").open("ab") as file:
            await in_thread(fcntl.flock, file, fcntl.LOCK_SH)
            yield

    # ------------------------------------------------------------ upkeep

    def sweep(self) -> Swept:
        """Remove the content that no image needs. Does nothing while someone adds content."""
        swept = Swept()
        self._create()
        with (self.root / ".in-use").open("ab") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return swept
            needed = {digest for entry in self.entries() for digest in self.reachable(entry.descriptor)}
            for path in self._files():
                digest = Digest(f"{path.parent.name}:{path.name}")
                if path.parent.name == ".incoming" or digest not in needed:
                    size = path.stat().st_size
                    path.unlink(missing_ok=True)
                    if path.parent.name != ".incoming":
                        swept.digests.append(digest)
                        swept.size += size
        return swept

    def reachable(self, descriptor: Descriptor) -> Iterator[Digest]:
        """Every digest that an image leads to, its own first; what is missing here leads no further."""
        yield descriptor.digest
        if descriptor.media_type not in mediatypes.IMAGES and descriptor.media_type not in mediatypes.INDEXES:
            return
        with suppress(ManifestUnknown, DigestInvalid, ManifestInvalid, SizeInvalid):
            read = parse(descriptor.media_type, self.read_manifest(descriptor.digest, descriptor.media_type)[1])
            yield from (blob.digest for blob in read.blobs)
            for child in read.manifests:
                yield from self.reachable(child)

    def blob_path(self, digest: Digest) -> Path:
        """Where content of that digest lies, or would."""
        return self.root / "blobs" / digest.algorithm / digest.encoded

    # ------------------------------------------------------------ within

    def _files(self) -> Iterator[Path]:
        for folder in (".incoming", *ALGORITHMS):
            with suppress(FileNotFoundError):
                yield from list((self.root / "blobs" / folder).iterdir())

    def _create(self) -> None:
        if (self.root / "oci-layout").exists():
            (self.root / "blobs" / ".incoming").mkdir(parents=True, exist_ok=True)
            return
        # Another process may be at this very moment where we are: what it has made so far is no stranger.
        if self.root.exists() and not all(_OURS.fullmatch(path.name) for path in self.root.iterdir()):
            raise InputInvalid(f"{self.root} holds something else than an image layout; name an empty folder")
        (self.root / "blobs" / "sha256").mkdir(parents=True, exist_ok=True)
        (self.root / "blobs" / ".incoming").mkdir(exist_ok=True)
        _replace(self.root / "oci-layout", b'{"imageLayoutVersion":"1.0.0"}')

    def _index(self) -> dict[str, Any]:
        try:
            with (self.root / "index.json").open("rb") as file:
                content = file.read(MAX_INDEX + 1)
        except FileNotFoundError:
            return {"schemaVersion": 2, "mediaType": mediatypes.OCI_INDEX, "manifests": []}
        except NotADirectoryError as error:
            raise InputInvalid(f"{self.root} is no folder with an image layout") from error
        if len(content) > MAX_INDEX:
            raise ManifestInvalid(f"{self.root}/index.json is larger than {MAX_INDEX} bytes")
        try:
            document = load_object(content)
        except ManifestInvalid as error:
            raise ManifestInvalid(f"{self.root}/index.json: {error.message}") from error
        entries = document.setdefault("manifests", [])
        if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
            raise ManifestInvalid(f"{self.root}/index.json: manifests is not an array of objects")
        return document

    def _change(self, change: Callable[[list[Any]], list[Any]]) -> None:
        self._create()
        with _locked(self.root / ".lock"):
            document = self._index()
            document["manifests"] = change(document["manifests"])
            _replace(self.root / "index.json", json.dumps(document, separators=(",", ":")).encode())


def guess_media_type(content: bytes) -> str:
    """A manifest's media type, as it says or by its shape. Raises ManifestInvalid."""
    document = load_object(content)
    said = document.get("mediaType")
    if isinstance(said, str) and said:
        return said
    return mediatypes.OCI_INDEX if "manifests" in document else mediatypes.OCI_MANIFEST


@contextmanager
def written_whole(path: Path) -> Iterator[BinaryIO]:
    """A file to write to, which appears under its name only when the ``with`` block ends well."""
    partial = path.with_name(f".{path.name}.{secrets.token_hex(6)}")
    try:
        with partial.open("wb") as out:
            yield out
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def store_path(environ: Mapping[str, str]) -> Path:
    """The folder of the local store: ``$HAVRE_IMAGES``, else ``$XDG_DATA_HOME/havre/images``."""
    if chosen := environ.get("HAVRE_IMAGES"):
        return Path(chosen)
    home = Path(environ.get("HOME") or Path.home())
    return Path(environ.get("XDG_DATA_HOME") or home / ".local" / "share") / "havre" / "images"


def _entry_name(entry: Mapping[str, Any]) -> str:
    annotations = entry.get("annotations")
    name = annotations.get(REF_NAME) if isinstance(annotations, dict) else None
    return name if isinstance(name, str) else ""


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _replace(path: Path, content: bytes) -> None:
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(6)}")
    with temporary.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
