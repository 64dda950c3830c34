"""Carrying: one repository, brought in: content first, then each manifest when all it needs is here, then the tags.

Every digest is checked while its bytes are copied. What is damaged in the source stays there and is named; the rest of
the repository comes. Memory holds one repository's list of digests, a few manifests, and a piece of each blob on its way.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, TypeVar

from havre.adopt.names import tag_of
from havre.adopt.report import Report
from havre.adopt.source import Foreign, read_small
from havre.errors import (
    BlobUnknown,
    DigestInvalid,
    HavreError,
    ManifestBlobUnknown,
    ManifestInvalid,
    NameInvalid,
    SizeInvalid,
)
from havre.images.threads import in_thread
from havre.oci import mediatypes
from havre.oci.descriptor import Descriptor
from havre.oci.digest import Digest
from havre.oci.manifest import MAX_SIZE, Manifest, load_object, parse
from havre.oci.names import RepositoryName
from havre.registry.adoption import ADMINISTRATOR, Adoption, Moves, Placed
from havre.registry.blobs import Blobs
from havre.registry.manifests import Manifests
from havre.registry.policy import needed
from havre.registry.ports import LocalFile
from havre.registry.records import Instant, Visibility
from havre.registry.uploads import Uploads

PARALLEL = 16
"""Manifests on their way at the same time."""

SMALL = 1024 * 1024
"""Bytes below which a blob is small."""

SMALL_COPIES = 16

TAGS_AT_ONCE = 100
"""Tags placed in one unit of work."""

MAX_NESTING = 8
"""Indexes within indexes."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Services:
    """The parts of the registry that take things in. ``uploads`` asks no plan."""

    adoption: Adoption
    uploads: Uploads
    blobs: Blobs
    manifests: Manifests


@dataclass(frozen=True, slots=True)
class Options:
    """How to import."""

    dry_run: bool = False
    visibility: Visibility | None = None
    """Of repositories that are made; None: what a first push would make."""
    copies: int = 4
    """Large blobs copied at the same time; of small ones, which wait for syncs more than for bytes, `SMALL_COPIES`."""
    link: bool = False
    """Take files over by a second name, where that can be done, instead of copying them."""


@dataclass(slots=True)
class Shared:
    """What all repositories of one import share."""

    report: Report
    large: asyncio.Semaphore
    """One limit for all, because reading and writing share the disks."""
    small: asyncio.Semaphore
    moved: int = 0
    """Bytes read so far."""
    seen: set[int] = field(default_factory=set)
    """In a dry run: blobs that would be here by now, by half of their digest."""


class Carrier:
    """Brings one repository. ``tell`` is called whenever it got further."""

    def __init__(self, services: Services, options: Options, shared: Shared, tell: Callable[[], None]) -> None:
        self._services = services
        self._options = options
        self._shared = shared
        self._report = shared.report
        self._tell = tell
        self._present: set[Digest] = set()
        self._manifests: dict[Digest, asyncio.Task[bool]] = {}
        self._blobs: dict[Digest, asyncio.Task[bool]] = {}
        self._times: dict[Digest, Instant] = {}
        self._making = asyncio.Lock()

    async def bring(self, foreign: Foreign, name: RepositoryName, *, known: bool) -> None:
        """Bring in ``foreign`` as ``name``, which is here already if it is ``known``."""
        self._foreign, self._name, self._made = foreign, name, known
        self._times = {digest: at for at, digest in foreign.manifests}
        self._present = await self._services.adoption.present(name, list(self._times)) if known else set()
        self._report.present.manifests += len(self._present)
        todo = (digest for _, digest in foreign.manifests if digest not in self._present)
        try:
            await in_parallel(todo, self._manifest, PARALLEL)
        finally:
            await _ended([*self._manifests.values(), *self._blobs.values()])
        if known:
            self._report.present.repositories += 1
        elif self._made or self._options.dry_run:
            self._report.brought.repositories += 1
        await self._tags()

    # ------------------------------------------------------------ manifests

    async def _manifest(self, digest: Digest, media_type: str = "", depth: int = 0) -> bool:
        """Bring a manifest with all that it needs; False if it had to stay. The second call waits for the first."""
        if digest in self._present:
            return True
        if digest not in self._manifests:
            said = self._foreign.media_types.get(digest, media_type)
            self._manifests[digest] = asyncio.ensure_future(self._bring_manifest(digest, said, depth))
        return await self._manifests[digest]

    async def _bring_manifest(self, digest: Digest, said: str, depth: int) -> bool:
        if digest not in self._times and await self._services.adoption.present(self._name, [digest]):
            self._report.present.manifests += 1
            return True
        try:
            media_type, manifest, content = await in_thread(self._read, digest, said)
        except (BlobUnknown, DigestInvalid) as error:
            self._report.damage("manifest", self._foreign.name, digest, error.message)
            return False
        except HavreError as error:
            self._report.skip("manifest", self._foreign.name, digest, error.message)
            return False
        lost = await self._lost(manifest, depth)
        if self._options.dry_run:
            if lost:
                self._skip_incomplete(digest, lost)
                return False
        else:
            pushed = self._times.get(digest) or None
            await self._make()
            try:
                put = self._services.manifests.put
                await put(self._name, digest, (), media_type, content, None, pushed=pushed)
            except ManifestBlobUnknown as error:
                self._skip_incomplete(digest, lost or [error.message])
                return False
        self._report.brought.manifests += 1
        self._tell()
        return True

    def _read(self, digest: Digest, said: str) -> tuple[str, Manifest, bytes]:
        content = read_small(self._foreign.content, digest, MAX_SIZE)
        media_type = _media_type(content, said)
        if media_type in mediatypes.OBSOLETE:
            raise ManifestInvalid(
                "a manifest of Docker's schema 1, which has no digest of its own bytes and which no client of today"
                " pulls: pull it with an old docker and push it anew"
            )
        if (found := Digest.of(content, digest.algorithm)) != digest:
            raise DigestInvalid(f"its {len(content)} bytes have the digest {found}")
        return media_type, parse(media_type, content), content

    async def _lost(self, manifest: Manifest, depth: int) -> list[str]:
        """Bring what a manifest needs; returns what of it had to stay."""
        if depth >= MAX_NESTING:
            return [f"indexes within indexes, more than {MAX_NESTING} deep"]
        wanted = needed(manifest)
        children = manifest.manifests
        lost = [str(one.digest) for one in children if not await self._manifest(one.digest, one.media_type, depth + 1)]
        absent = await self._services.adoption.absent(self._name, {one.digest for one in manifest.blobs})
        blobs = {one.digest: one for one in manifest.blobs}
        here = [one for one in blobs if one not in absent and one not in self._blobs]
        for one in here:
            self._blobs[one] = asyncio.ensure_future(_true())
            self._report.present.blobs += 1
            self._report.present.bytes += blobs[one].size
        for blob in blobs.values():
            # What may lie elsewhere by right comes if it is there.
            required = blob.digest in wanted
            if blob.digest in absent and (required or self._foreign.content.size(blob.digest) is not None):
                self._begin_blob(blob)
        lost += [str(one) for one in blobs if one in self._blobs and not await self._blobs[one] and one in wanted]
        return lost

    def _skip_incomplete(self, digest: Digest, lost: list[str]) -> None:
        more = f" and {len(lost) - 1} more" if len(lost) > 1 else ""
        self._report.skip("manifest", self._foreign.name, digest, f"what it needs did not come: {lost[0]}{more}")

    async def _make(self) -> None:
        """Make the repository when the first thing comes, so that one of which nothing comes is not there."""
        async with self._making:
            if not self._made:
                since = min(self._times.values(), default=0)
                make = self._services.adoption.repository
                await make(self._name, self._options.visibility, since, self._report.source)
                self._made = True

    # ------------------------------------------------------------ blobs

    def _begin_blob(self, blob: Descriptor) -> None:
        if blob.digest not in self._blobs:
            self._blobs[blob.digest] = asyncio.ensure_future(self._blob(blob))

    async def _blob(self, blob: Descriptor) -> bool:
        if await self._elsewhere(blob):
            self._report.present.blobs += 1
            self._report.present.bytes += blob.size
            return True
        try:
            await self._check_size(blob)
            if not self._options.dry_run:
                async with self._shared.small if blob.size < SMALL else self._shared.large:
                    await self._copy(blob)
        except (BlobUnknown, DigestInvalid, SizeInvalid) as error:
            self._report.damage("blob", self._foreign.name, blob.digest, error.message)
            return False
        self._report.brought.blobs += 1
        self._report.brought.bytes += blob.size
        return True

    async def _elsewhere(self, blob: Descriptor) -> bool:
        """Link content that another repository here has."""
        if self._options.dry_run:
            short, seen = int(blob.digest.encoded[:32], 16), self._shared.seen
            known = short in seen or await self._services.adoption.stored(blob.digest)
            seen.add(short)
            return known
        if await self._services.adoption.stored(blob.digest):
            await self._make()
            return await self._services.blobs.mount(self._name, blob.digest, None, ADMINISTRATOR) is not None
        return False

    async def _check_size(self, blob: Descriptor) -> None:
        size = await in_thread(self._foreign.content.size, blob.digest)
        if size is None:
            raise BlobUnknown("missing in the source")
        if size != blob.size:
            raise SizeInvalid(f"it has {size} bytes{self._at(blob.digest)}, its manifest says {blob.size}")

    async def _copy(self, blob: Descriptor) -> None:
        await self._make()
        uploads = self._services.uploads
        upload = await uploads.start(self._name, None, blob.digest.algorithm, blob.size)
        try:
            path = self._foreign.content.file(blob.digest)
            file = LocalFile(str(path)) if path else None
            link = self._options.link
            how = await uploads.adopt(upload, blob.digest, file, blob.size, link=link) if file else ""
            if how:
                self._shared.moved += blob.size
                self._tell()
            else:
                await uploads.finish(upload, blob.digest, self._body(blob.digest), announced=blob.size)
        except DigestInvalid as error:
            await uploads.cancel(upload)
            raise DigestInvalid(f"its bytes{self._at(blob.digest)} have another digest") from error
        except BaseException:
            with suppress(HavreError):
                await uploads.cancel(upload)
            raise
        if how == "linked":
            self._report.linked += blob.size
        elif how:
            self._report.cloned += blob.size

    async def _body(self, digest: Digest) -> AsyncIterator[bytes]:
        pieces = self._foreign.content.pieces(digest)
        while piece := await in_thread(next, pieces, b""):
            self._shared.moved += len(piece)
            self._tell()
            yield piece

    def _at(self, digest: Digest) -> str:
        path = self._foreign.content.file(digest)
        return f" at {path}" if path else ""

    # ------------------------------------------------------------ tags

    async def _tags(self) -> None:
        moves = []
        for tag in self._foreign.tags:
            try:
                name = tag_of(tag.name)
            except NameInvalid as error:
                self._report.skip("tag", self._foreign.name, tag.name, error.message)
                continue
            targets = [(at, digest) for at, digest in tag.targets if self._came(digest)]
            if targets and targets[-1] == tag.targets[-1]:
                moves.append(Moves(name, targets))
            else:
                why = f"it points at {tag.targets[-1][1]}, which did not come"
                self._report.skip("tag", self._foreign.name, tag.name, why)
        rest = iter(moves)
        adoption = self._services.adoption
        while some := list(islice(rest, TAGS_AT_ONCE)):
            place = adoption.compare if self._options.dry_run else adoption.place
            for placed_tag, placed in (await place(self._name, some)).items():
                self._count_tag(placed_tag, placed)

    def _count_tag(self, tag: str, placed: Placed) -> None:
        if placed is Placed.MOVED:
            self._report.brought.tags += 1
        elif placed is Placed.SAME:
            self._report.present.tags += 1
        else:
            why = "it points at something else here that was pushed later: that stays"
            self._report.skip("tag", self._foreign.name, tag, why)

    def _came(self, digest: Digest) -> bool:
        brought = self._manifests.get(digest)
        return digest in self._present or (brought is not None and brought.result())


async def in_parallel(items: Iterable[T], work: Callable[[T], Coroutine[Any, Any, object]], number: int) -> None:
    """Do ``work`` for all items, ``number`` at a time; the first failure ends the others and is raised."""
    rest = iter(items)

    async def worker() -> None:
        for item in rest:
            await work(item)

    workers = [asyncio.ensure_future(worker()) for _ in range(number)]
    try:
        await asyncio.gather(*workers)
    finally:
        for one in workers:
            one.cancel()
        await asyncio.gather(*workers, return_exceptions=True)


def _media_type(content: bytes, said: str) -> str:
    """What a manifest is: what it says, else what led to it says, else what it looks like. Raises ManifestInvalid."""
    document: dict[str, Any] = {}
    try:
        document = load_object(content)
    except ManifestInvalid:
        if not said or said in mediatypes.IMAGES or said in mediatypes.INDEXES:
            raise
    if document.get("schemaVersion") == 1:
        return "application/vnd.docker.distribution.manifest.v1+prettyjws"
    inner = document.get("mediaType")
    if isinstance(inner, str) and inner:
        return inner
    return said or (mediatypes.OCI_INDEX if "manifests" in document else mediatypes.OCI_MANIFEST)


async def _ended(tasks: Sequence[asyncio.Task[bool]]) -> None:
    """Nothing goes on behind our back, whatever failed."""
    for one in tasks:
        one.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def _true() -> bool:
    return True
