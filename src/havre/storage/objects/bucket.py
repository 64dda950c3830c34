"""The bucket: the few things that are asked of an object store, each with its failures named.

Nothing here needs conditional writes, which stores implement differently: no name is ever used twice.
"""

from __future__ import annotations

import os
import re
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from havre.errors import BlobUnknown, Unavailable, UploadUnknown
from havre.oci.ranges import ByteRange
from havre.registry.byte_ports import SEGMENTS
from havre.storage.objects.failures import failures_named
from havre.storage.objects.place import Place

if TYPE_CHECKING:
    from obstore import ObjectMeta
    from obstore.store import AzureStore, GCSStore, S3Store

    Store = S3Store | GCSStore | AzureStore

MARK = "havre-storage.json"
"""Lies in every place that is ours: where it can not be read, nothing else is taken for lost."""

PART = 8 * 1024 * 1024
"""Bytes sent to the store at a time."""

PARTS_AT_ONCE = 2
MAX_PARTS = 9_000
"""Of one object. Stores allow 10,000."""

PIECE = 1024 * 1024
"""Bytes handed to a reader at most."""

LINK_LIFE = timedelta(minutes=10)
"""For how long an address given to a client works: downloads must have begun by then."""

_READ = 256 * 1024
_ATTRIBUTES = {"Content-Type": "application/octet-stream", "Content-Disposition": "attachment"}
_SECONDS = timedelta(seconds=1)
_KEY = re.compile(
    r"uploads/[A-Za-z0-9][A-Za-z0-9_-]{0,127}/[0-9]{1,15}-[0-9a-f]{16}"
    r"|(?:sha256/[a-f0-9]{2}/[a-f0-9]{64}|sha512/[a-f0-9]{2}/[a-f0-9]{128})(?:\.[A-Za-z0-9][A-Za-z0-9_-]{0,127})?",
    re.ASCII,
)


def is_key(text: str) -> bool:
    """Is this the key of content: one that was pushed here, or one that was copied here from a data folder's blobs?"""
    return _KEY.fullmatch(text) is not None


class Bucket:
    """One place in an object store. Making one opens no connection and starts no thread; a process that forks may."""

    def __init__(self, place: Place, headers: Callable[[], Mapping[str, str]] | None = None) -> None:
        """``headers`` says what the request that is made now carries besides: the trace that it belongs to."""
        self.place = place
        self._headers = headers
        self._stores: dict[str, Store] = {}
        self._process = 0

    def _store(self, name: str) -> Any:
        if self._process != os.getpid():
            self._stores, self._process = {}, os.getpid()
        if self._headers and (headers := self._headers()):
            # Stores have headers of their own, requests have not: some milliseconds for a trace that is kept.
            return self._open(name, headers)
        if name not in self._stores:
            self._stores[name] = self._open(name, {})
        return self._stores[name]

    def _open(self, name: str, headers: Mapping[str, str]) -> Store:
        connect: dict[str, Any] = {"connect_timeout": 5 * _SECONDS}
        if headers:
            connect["default_headers"] = dict(headers)
        with failures_named("opening the object store"):
            if name == "quick":
                return self.place.open({**connect, "timeout": 20 * _SECONDS}, 10 * _SECONDS)
            if name == "writes":
                # Putting thousands of parts together may take minutes.
                return self.place.open({**connect, "timeout": 300 * _SECONDS}, 15 * _SECONDS)
            # How long a whole answer takes is up to the reader; each read of it is not.
            reads = {**connect, "timeout": 86_400 * _SECONDS, "read_timeout": 30 * _SECONDS}
            return self.place.open(reads, 20 * _SECONDS)

    async def size(self, key: str) -> int | None:
        """Bytes of the object, None if there is none."""
        found = await self.look(key)
        return None if found is None else int(found["size"])

    async def look(self, key: str) -> ObjectMeta | None:
        """What the store says of the object."""
        with failures_named("looking for content"):
            try:
                return await self._store("quick").head_async(key)  # type: ignore[no-any-return]
            except FileNotFoundError:
                return None

    def absent(self, key: str) -> bool:
        """Is there no such object now? Blocks. Raises Unavailable if not even the mark of the place is there."""
        with failures_named("looking for content"):
            store = self._store("quick")
            try:
                store.head(key)
            except FileNotFoundError as error:
                try:
                    store.head(MARK)
                except FileNotFoundError:
                    raise Unavailable(
                        "the registry's object store shows nothing of this registry: its administrator has to look at the"
                        " bucket and the prefix",
                        retry_after=30,
                    ) from error
                return True
            return False

    async def put(self, key: str, content: bytes | bytearray) -> None:
        """Store a small object."""
        with failures_named("storing content"):
            await self._store("writes").put_async(key, content, use_multipart=False, attributes=_ATTRIBUTES)

    async def put_parts(self, key: str, parts: AsyncIterator[bytes | bytearray], part: int = PART) -> None:
        """Store an object as its parts come, all but the last of ``part`` bytes.

        If the store or ``parts`` fails, it is told to forget what it got.
        """
        with failures_named("storing content"):
            await self._store("writes").put_async(
                key, parts, chunk_size=part, max_concurrency=PARTS_AT_ONCE, attributes=_ATTRIBUTES
            )

    async def read(self, key: str, span: ByteRange, missing: BlobUnknown | UploadUnknown) -> AsyncIterator[bytes]:
        """The bytes of ``span`` in pieces of at most 1 MiB. Raises ``missing``, and Unavailable if there are fewer."""
        position = span.start
        if span.length == 0 and await self.look(key) is None:
            raise missing
        while position < span.stop:
            with failures_named("reading content"):
                try:
                    options = {"range": (position, span.stop)}
                    found = await self._store("reads").get_async(key, options=options)
                except FileNotFoundError as error:
                    raise missing from error
                stream = found.stream(_READ)
            before = position
            while True:
                with failures_named("reading content"):
                    try:
                        chunk = await anext(stream)
                    except StopAsyncIteration:
                        break
                position += len(chunk)
                for start in range(0, len(chunk), PIECE):
                    yield chunk[start : start + PIECE]
            if position == before:
                raise Unavailable(
                    f"the registry's storage holds only {position} bytes of this content, {span.stop} were expected"
                )

    async def delete(self, keys: Collection[str]) -> None:
        """Remove objects; those that are not there do not matter."""
        every = sorted(keys)
        with failures_named("removing content"):
            for start in range(0, len(every), 500):
                try:
                    await self._store("quick").delete_async(every[start : start + 500])
                except FileNotFoundError:
                    for key in every[start : start + 500]:
                        await self._delete_one(key)

    async def _delete_one(self, key: str) -> None:
        try:
            await self._store("quick").delete_async(key)
        except FileNotFoundError:
            return

    async def list(self, after: str = "", below: str = "", batch: int = 1000) -> AsyncIterator[Sequence[ObjectMeta]]:
        """What lies there, in the order of keys, from behind ``after`` on, in batches."""
        with failures_named("listing content"):
            stream = self._store("reads").list(below or None, offset=after or None, chunk_size=batch)
        while True:
            with failures_named("listing content"):
                try:
                    found = await anext(stream)
                except StopAsyncIteration:
                    return
            yield found

    async def copy(self, key: str, target: str) -> None:
        """Have the store copy an object of at most 5 GB. Raises FileNotFoundError."""
        with failures_named("copying content"):
            await self._store("writes").copy_async(key, target)

    async def link(self, key: str) -> str:
        """An address from which anybody may read the object for LINK_LIFE. Whoever logs it gives it away."""
        with failures_named("signing an address"):
            from obstore import sign_async

            return await sign_async(self._store("quick"), "GET", key, LINK_LIFE)


def segment_key(upload_id: str, offset: int, token: str) -> str:
    """The key of bytes of an upload that begin at ``offset``."""
    return f"{SEGMENTS}{upload_id}/{offset}-{token}"
