"""Ports for bytes: finished content, and content on its way. Asynchronous, because bytes stream; ``ports`` has the rest."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol

from havre.oci.digest import Digest, Hasher
from havre.oci.ranges import ByteRange
from havre.registry.records import Instant, Segments

SEGMENTS = "uploads/"
"""What the keys of segments begin with; then come the upload's id and a slash. As long as that upload has a row, whatever
has such a key belongs to it, and nobody else takes it away.
"""

Body = AsyncIterator[bytes]
"""Bytes as they arrive. Raises ClientGone if the sender leaves in the middle."""


class Clock(Protocol):
    """Tells the time."""

    def __call__(self) -> Instant:
        """Milliseconds since 1970, UTC."""


@dataclass(frozen=True, slots=True)
class LocalFile:
    """The content is a file on this machine, which the server may hand to the kernel."""

    path: str


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """The content can be fetched at this address, without our credentials, for some minutes."""

    url: str


@dataclass(frozen=True, slots=True)
class Swept:
    """What one look for strays found."""

    after: str
    """Where to go on; empty at the end."""
    looked: int
    removed: int
    bytes: int


class BlobStore(Protocol):
    """Finished content, by key.

    A key is never used for other content, and a new push never gets a key under which something is stored: who has
    removed the last row that names a key may take its content away, and hits nothing that was pushed meanwhile.
    """

    async def size(self, key: str) -> int | None:
        """Bytes stored under ``key``, None if there is nothing."""

    async def locate(self, key: str) -> LocalFile | Elsewhere | None:
        """Where a reader may take the whole content from; None if only ``read`` can give it."""

    def read(self, key: str, span: ByteRange) -> AsyncIterator[bytes]:
        """The bytes of ``span`` in pieces of at most 1 MiB. Raises BlobUnknown if there is nothing."""

    async def delete(self, key: str) -> None:
        """Remove content that only the caller knows; nothing happens if there is none."""

    async def remove(
        self, keys: Collection[str], gone: Callable[[Collection[str]], Awaitable[Collection[str]]]
    ) -> None:
        """Hold the content of ``keys`` against every other removal, have ``gone`` remove rows, and follow it.

        ``gone`` is given those of ``keys`` that could be held, and returns those that no row names any more: their
        content goes. If it raises, everything stays. A crash in between leaves a stray.
        """

    async def strays(
        self,
        known: Callable[[Collection[str]], Awaitable[Collection[str]]],
        after: str = "",
        *,
        remove: bool = True,
    ) -> Swept:
        """Remove content that ``known`` (given keys, returns those with a row) does not know; without ``remove`` look.

        One batch of keys greater than ``after``. Leaves alone whatever was stored within the last hour, for its row
        may not be committed yet.
        """


class HeldUpload(Protocol):
    """An upload given out at the offset up to which its bytes were acknowledged."""

    async def append(self, body: Body, hasher: Hasher) -> int:
        """Write ``body`` at the offset, feed it to ``hasher`` in order, and return the new size.

        Whatever lay beyond the offset is cut off first: it was never acknowledged. If the body breaks off
        (ClientGone), what arrived stays and the exception goes on; ``offset + hasher's new bytes`` is then the size.
        Raises StorageFull when there is no room; the upload is then cut back to the offset, as after any other failure.
        """

    def keep(self) -> Segments:
        """What the row must say of where the bytes are. From now on it may say so: what was appended stays."""

    async def finish(self, digest: Digest, size: int) -> str:
        """As ``UploadStore.finish``, before anybody else can write."""


class UploadStore(Protocol):
    """Content on its way, private to one upload. Ids are made by the registry and safe as file names.

    An upload exists for the store once bytes were appended; an unknown one is empty. ``segments`` are those that its
    row remembers: some stores find the bytes by the id alone, others keep each append as a thing of its own.
    """

    def hold(self, upload_id: str, offset: int, segments: Segments = ()) -> AbstractAsyncContextManager[HeldUpload]:
        """Begin to write to the upload, in a way that two who begin at one offset can not spoil each other's bytes.

        Either nobody else can hold it meanwhile (raises UploadBusy when somebody does), or what each of them appends
        lies apart and only the one whose row changes counts. So who holds it looks at its row again before the first
        byte, and changes the row, if its size is still that, before letting go. Raises UploadInvalid if fewer than
        ``offset`` bytes are stored.
        """

    def read(self, upload_id: str, size: int, segments: Segments = ()) -> AsyncIterator[bytes]:
        """The first ``size`` bytes again, to hash a prefix that no hasher of this process knows."""

    async def adopt(self, upload_id: str, file: LocalFile, size: int, *, link: bool) -> str:
        """Let an unknown upload hold the ``size`` bytes of a file of this machine without writing them again.

        Returns ``linked`` (only with ``link``: the upload is that file under a second name, and whoever may write to
        it changes both), ``cloned`` (both share their place until one changes), or nothing: then nothing was done.
        """

    async def finish(self, upload_id: str, digest: Digest, size: int, segments: Segments = ()) -> str:
        """Make the first ``size`` bytes durable content under a key that nothing else has, and return that.

        On return the bytes are synced, and so is their name. The caller has verified the digest. It may be the key of a
        segment: so the unit of work that names it as content is the one that removes the upload's row, and only if
        there is one; the other segments are the caller's to discard. Without segments the upload is gone, and what is
        stored without a row for an hour is a stray: the row must follow soon. Raises UploadBusy, StorageFull, and
        UploadInvalid if fewer bytes are stored.
        """

    async def discard(self, upload_id: str, segments: Segments = ()) -> None:
        """Forget the upload and its bytes; nothing happens if it is unknown. Who removed its row knows its segments."""

    async def stale(self, known: Callable[[Collection[str]], Awaitable[Collection[str]]]) -> int:
        """Discard uploads that ``known`` (given ids, returns those with a row) does not know; returns how many.

        Leaves alone whatever was touched within the last hour, for its row may not be committed yet.
        """
