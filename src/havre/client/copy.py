"""Copy: an image from any source to any sink, its digest unchanged.

Sources and sinks are repositories in registries, image layouts in folders, and archives in files. Blobs go first,
several at a time; then each manifest when all it needs is there; the one with the tag comes last. No content is held
in memory beyond one piece per blob on its way, and none is kept whose digest is wrong.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from contextlib import aclosing
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Protocol

from havre.client.uploads import Moved, Opener
from havre.client.verify import Pieces, verified
from havre.errors import DigestInvalid, HavreError, ManifestInvalid, ManifestUnknown, SizeInvalid, TooLarge
from havre.oci import mediatypes
from havre.oci.descriptor import Descriptor, Platform
from havre.oci.digest import Digest
from havre.oci.manifest import parse
from havre.oci.names import Tag
from havre.oci.reference import Reference

PARALLEL = 4
"""Blobs on their way at the same time."""

MAX_NESTING = 4
"""Indexes within indexes."""

MAX_REFERRERS = 10_000
"""Manifests that refer to one image, in several steps or through its platforms."""


class Source(Protocol):
    """Where images come from."""

    @property
    def name(self) -> str:
        """For messages."""

    async def manifest(self, reference: Reference) -> tuple[Descriptor, bytes]:
        """A manifest's exact bytes; ManifestUnknown when there is none."""

    def open_blob(self, descriptor: Descriptor, offset: int = 0) -> Pieces:
        """A blob's bytes from ``offset`` on, unchecked."""


class ReferredSource(Source, Protocol):
    """A source that knows what refers to its images."""

    async def referrers(self, digest: Digest) -> list[Descriptor]:
        """The manifests whose subject is ``digest``; none is no error."""


class Sink(Protocol):
    """Where images go. ``checks`` says that it verifies digests itself before it keeps anything."""

    checks: bool

    async def write_blob(self, descriptor: Descriptor, opener: Opener, origin: str = "") -> str:
        """Store a blob unless it is there; ``origin`` may be mounted from. Gives one of the words of `Moved`."""

    async def put_manifest(self, descriptor: Descriptor, content: bytes, tag: Tag | None = None) -> None:
        """Store a manifest, and name it ``tag`` if that is given."""


class State(StrEnum):
    """How far a blob is."""

    WAITING = "waiting"
    MOVING = "moving"
    EXISTS = "exists"
    MOUNTED = "mounted"
    DONE = "done"


@dataclass(frozen=True, slots=True)
class Progress:
    """A step of one blob: ``done`` of its bytes are through; ``origin`` is where it was mounted from."""

    blob: Descriptor
    state: State
    done: int = 0
    origin: str = ""


Watch = Callable[[Progress], None]


def silent(_: Progress) -> None:
    """Watch nothing."""


@dataclass(frozen=True, slots=True)
class Options:
    """How to copy. ``origins`` says from which repository of the sink's registry a blob may be mounted."""

    platform: Platform | None = None
    """Only this one of an image for several platforms."""
    parallel: int = PARALLEL
    origins: Callable[[Digest], str] = lambda _: ""
    watch: Watch = silent


async def copy(
    source: Source, sink: Sink, reference: Reference, tag: Tag | None = None, options: Options | None = None
) -> Descriptor:
    """Copy the image ``reference``; gives what it is in the sink, named ``tag`` there if that is given.

    Raises what the source and the sink raise, among them ManifestUnknown, DigestInvalid, Denied and Unavailable.
    """
    chosen = options or Options()
    descriptor, content = await select(source, reference, chosen.platform)
    job = _Copy(source, sink, chosen)
    await job.everything_below(descriptor, content)
    await sink.put_manifest(descriptor, content, tag)
    return descriptor


async def copy_referrers(
    source: ReferredSource, sink: Sink, image: Descriptor, options: Options, known: set[Digest]
) -> list[Descriptor]:
    """Copy what refers to ``image``, to the images within it, and in turn to what refers; gives what was copied.

    ``known`` holds the subjects that were looked at before, and takes in those of this call. Raises what `copy` does,
    and TooLarge beyond `MAX_REFERRERS`.
    """
    copied: dict[Digest, Descriptor] = {}
    pending = [image]
    while pending:
        subject = pending.pop()
        if subject.digest in known:
            continue
        known.add(subject.digest)
        if subject.media_type in mediatypes.INDEXES:
            descriptor, content = await source.manifest(subject.digest)
            pending += filter(_is_manifest, parse(descriptor.media_type, content).manifests)
        for referrer in await source.referrers(subject.digest):
            if referrer.digest in copied:
                continue
            if len(copied) >= MAX_REFERRERS:
                raise TooLarge(f"{source.name}: more than {MAX_REFERRERS} manifests refer to {image.digest}")
            found = await copy(source, sink, referrer.digest, None, replace(options, platform=None))
            copied[found.digest] = found
            pending.append(found)
    return list(copied.values())


async def select(source: Source, reference: Reference, platform: Platform | None) -> tuple[Descriptor, bytes]:
    """The manifest ``reference``, or the one within it for ``platform``. Raises ManifestUnknown."""
    descriptor, content = await source.manifest(reference)
    for _ in range(MAX_NESTING):
        if platform is None or descriptor.media_type not in mediatypes.INDEXES:
            return descriptor, content
        children = parse(descriptor.media_type, content).manifests
        child = matching(children, platform)
        if child is None:
            offered = ", ".join(sorted({str(one.platform) for one in children if one.platform})) or "none"
            raise ManifestUnknown(
                f"{source.name}: no matching manifest for {platform} in {reference}; it is there for: {offered}"
            )
        descriptor, content = await source.manifest(child.digest)
    raise ManifestInvalid(f"{source.name}: indexes within indexes, more than {MAX_NESTING} deep")


def matching(children: Iterable[Descriptor], wanted: Platform) -> Descriptor | None:
    """The entry of an index for a platform: the exact variant, else one that names none, else any."""
    fitting = [
        one
        for one in children
        if one.platform
        and (one.platform.os, one.platform.architecture) == (wanted.os, wanted.architecture)
        and (not wanted.variant or one.platform.variant in {"", wanted.variant})
    ]
    fitting.sort(key=lambda one: one.platform is None or one.platform.variant != wanted.variant)
    return fitting[0] if fitting else None


class _Copy:
    """One copy under way."""

    def __init__(self, source: Source, sink: Sink, options: Options) -> None:
        self._source = source
        self._sink = sink
        self._options = options
        self._places = asyncio.Semaphore(options.parallel)
        self._seen: set[Digest] = set()

    async def everything_below(self, descriptor: Descriptor, content: bytes, depth: int = 0) -> None:
        """Copy what a manifest points at; the manifest itself is the caller's."""
        if depth > MAX_NESTING:
            raise ManifestInvalid(f"{self._source.name}: indexes within indexes, more than {MAX_NESTING} deep")
        read = parse(descriptor.media_type, content)
        children = [child for child in read.manifests if _is_manifest(child)]
        # An index may list plain blobs too, as BuildKit's old caches do.
        await self._blobs((*read.blobs, *(child for child in read.manifests if not _is_manifest(child))))
        for child in children:
            if child.digest in self._seen:
                continue
            self._seen.add(child.digest)
            found, inner = await self._source.manifest(child.digest)
            await self.everything_below(found, inner, depth + 1)
            await self._sink.put_manifest(found, inner)

    async def _blobs(self, blobs: Iterable[Descriptor]) -> None:
        wanted = []
        for blob in blobs:
            if blob.digest not in self._seen and not mediatypes.may_be_elsewhere(blob.media_type):
                self._seen.add(blob.digest)
                wanted.append(blob)
        for blob in wanted:
            self._options.watch(Progress(blob, State.WAITING))
        try:
            async with asyncio.TaskGroup() as tasks:
                for blob in wanted:
                    tasks.create_task(self._blob(blob))
        except BaseExceptionGroup as group:
            raise _first(group) from None

    async def _blob(self, blob: Descriptor) -> None:
        async with self._places:
            try:
                moved = await self._move(blob)
            except (DigestInvalid, SizeInvalid):
                # Damage on the way is not rare enough to give up at once.
                try:
                    moved = await self._move(blob)
                except (DigestInvalid, SizeInvalid) as error:
                    raise self._damaged(error) from None
        origin = self._options.origins(blob.digest) if moved == Moved.MOUNTED else ""
        self._options.watch(Progress(blob, State(moved), blob.size, origin))

    def _damaged(self, error: DigestInvalid | SizeInvalid) -> HavreError:
        """The second failure in a row, which names where the content came from, and what may help."""
        known = self._source.name.partition("/")[0] in error.message
        message = error.message if known else f"{self._source.name}: {error.message}"
        return type(error)(f"{message}; nothing of it was kept: try again, or push the image there anew")

    async def _move(self, blob: Descriptor) -> str:
        def opener(offset: int) -> Pieces:
            stream = self._source.open_blob(blob, offset)
            if offset == 0 and not self._sink.checks:
                stream = verified(stream, blob, self._source.name)
            return self._watched(stream, blob, offset)

        return await self._sink.write_blob(blob, opener, self._options.origins(blob.digest))

    async def _watched(self, stream: Pieces, blob: Descriptor, done: int) -> Pieces:
        async with aclosing(stream):
            self._options.watch(Progress(blob, State.MOVING, done))
            async for piece in stream:
                yield piece
                done += len(piece)
                self._options.watch(Progress(blob, State.MOVING, done))


def _is_manifest(descriptor: Descriptor) -> bool:
    return descriptor.media_type in mediatypes.IMAGES or descriptor.media_type in mediatypes.INDEXES


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """The one failure to tell; the others are mostly its consequences."""
    flat: list[BaseException] = []
    for error in group.exceptions:
        flat += [_first(error)] if isinstance(error, BaseExceptionGroup) else [error]
    return next((error for error in flat if isinstance(error, HavreError)), flat[0])
