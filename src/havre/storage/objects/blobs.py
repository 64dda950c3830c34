"""Finished content in an object store. No key is ever used twice, so nothing has to be held against anybody."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence
from typing import TYPE_CHECKING

from havre.errors import BlobUnknown
from havre.oci.ranges import ByteRange
from havre.registry.byte_ports import Clock, Elsewhere, LocalFile, Swept
from havre.storage.filesystem import BATCH, STALE_AFTER
from havre.storage.objects.bucket import Bucket, is_key

if TYPE_CHECKING:
    from obstore import ObjectMeta


class ObjectBlobs:
    """Implements ``havre.registry.ports.BlobStore``."""

    def __init__(self, bucket: Bucket, clock: Clock) -> None:
        self._bucket = bucket
        self._clock = clock

    async def size(self, key: str) -> int | None:
        """Bytes stored under ``key``, None if there is nothing."""
        return await self._bucket.size(key) if is_key(key) else None

    async def locate(self, key: str) -> LocalFile | Elsewhere | None:
        """An address that works for some minutes, whether anything is there or not: to ask would cost a request."""
        return Elsewhere(await self._bucket.link(key)) if is_key(key) else None

    def read(self, key: str, span: ByteRange) -> AsyncIterator[bytes]:
        """The bytes of ``span``. Raises BlobUnknown, and Unavailable if there are fewer or the store fails."""
        missing = BlobUnknown(f"there is no content under the key {key[:200]!r}")
        if not is_key(key):
            raise missing
        return self._bucket.read(key, span, missing)

    async def delete(self, key: str) -> None:
        """Remove the content; nothing happens if there is none."""
        await self._bucket.delete([key])

    async def remove(
        self, keys: Collection[str], gone: Callable[[Collection[str]], Awaitable[Collection[str]]]
    ) -> None:
        """Remove those of ``keys`` that ``gone`` returns."""
        await self._bucket.delete(await gone(keys))

    async def strays(
        self,
        known: Callable[[Collection[str]], Awaitable[Collection[str]]],
        after: str = "",
        *,
        remove: bool = True,
    ) -> Swept:
        """Remove old objects that ``known`` does not know: one batch, from behind ``after`` on.

        Segments of uploads under way are known, however old they are; so the rest may go after an hour.
        """
        before = self._clock() - STALE_AFTER
        batch: Sequence[ObjectMeta] = ()
        async for found in self._bucket.list(after, batch=BATCH):
            batch = found
            break
        old = {
            one["path"]: one["size"]
            for one in batch
            if is_key(one["path"]) and one["last_modified"].timestamp() * 1000 < before
        }
        orphans = set(old) - set(await known(old)) if old else set()
        if remove and orphans:
            await self._bucket.delete(orphans)
        last = batch[-1]["path"] if len(batch) == BATCH else ""
        return Swept(last, len(batch), len(orphans), sum(old[key] for key in orphans))
