"""Objects as a check sees them: read from the store and hashed, and set aside when they are not what they should be."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Sequence
from typing import TYPE_CHECKING

from havre.errors import BlobUnknown
from havre.oci.digest import Digest, Hasher
from havre.oci.ranges import ByteRange
from havre.registry.byte_ports import Clock
from havre.registry.check_ports import Examined, Pace
from havre.storage.filesystem import BATCH, STALE_AFTER, Threads, finished
from havre.storage.objects.bucket import MARK, PART, Bucket, is_key
from havre.storage.objects.writing import Pipe

if TYPE_CHECKING:
    from obstore import ObjectMeta

QUARANTINE = "quarantine/"
"""What the keys begin with of what a check found damaged, until a person deletes it; nothing reads it."""

_COPYABLE = 5_000_000_000
"""Bytes of an object that stores copy by themselves."""


class ObjectChecks:
    """Implements ``havre.registry.check_ports.BlobChecks`` over an object store."""

    def __init__(self, bucket: Bucket, threads: Threads, clock: Clock) -> None:
        self._bucket = bucket
        self._threads = threads
        self._clock = clock

    async def examine(self, key: str, algorithm: str, pace: Pace) -> Examined | None:
        """Read and hash the object; None if there is none."""
        found = await self._bucket.look(key) if is_key(key) else None
        if found is None:
            return None
        hasher = Hasher(algorithm)
        try:
            async for piece in self._bucket.read(key, ByteRange(0, found["size"]), _missing(key)):
                await finished(self._threads.start(hasher.update, piece))
                await pace(len(piece))
        except BlobUnknown:
            return None
        return Examined(hasher.size, hasher.digest(algorithm), _mark(found))

    def absent(self, key: str) -> bool:
        """Is there no such object now, while others of ours are there? Raises Unavailable if none can be seen."""
        return not is_key(key) or self._bucket.absent(key)

    async def copies(self, digest: Digest) -> Sequence[str]:
        """None: keys do not tell digests."""
        return []

    async def renew(self, key: str) -> bool:
        """No: copies are not found here."""
        return False

    async def quarantine(self, key: str, mark: str) -> bool:
        """Move the object to the quarantine, if it is that one."""
        found = await self._bucket.look(key)
        if found is None or _mark(found) != mark:
            return False
        target = f"{QUARANTINE}{key.replace('/', '-')}.{secrets.token_hex(4)}"
        try:
            if found["size"] <= _COPYABLE:
                await self._bucket.copy(key, target)
            else:
                await self._carry(key, found["size"], target)
        except (FileNotFoundError, BlobUnknown):
            return False
        await self._bucket.delete([key])
        return True

    async def keep(self, name: str, content: bytes) -> None:
        """Store an object of the quarantine."""
        await self._bucket.put(f"{QUARANTINE}{name}.{secrets.token_hex(4)}", content)

    async def files(self) -> AsyncIterator[Sequence[tuple[str, int, bool]]]:
        """Every object that might be content, in batches: key, size, and is it old?"""
        before = self._clock() - STALE_AFTER
        async for batch in self._bucket.list(batch=BATCH):
            yield [
                (one["path"], one["size"], one["last_modified"].timestamp() * 1000 < before)
                for one in batch
                if one["path"] != MARK and not one["path"].startswith(QUARANTINE)
            ]

    async def _carry(self, key: str, size: int, target: str) -> None:
        pipe = Pipe(self._bucket, target, 16 * PART)
        try:
            async for piece in self._bucket.read(key, ByteRange(0, size), _missing(key)):
                await pipe.send(piece)
            await pipe.close()
        except BaseException:
            pipe.abort()
            raise


def _mark(found: ObjectMeta) -> str:
    return f"{found['e_tag']}:{found['size']}:{found['last_modified'].isoformat()}"


def _missing(key: str) -> BlobUnknown:
    return BlobUnknown(f"there is no content under the key {key[:200]!r}")
