"""Rows and bytes, with a span for each call. Whatever else they offer is theirs."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any, TypeVar, cast

from havre.metadata.engine import Database
from havre.metadata.rows import Rows
from havre.oci.digest import Digest, Hasher
from havre.oci.ranges import ByteRange
from havre.registry.byte_ports import BlobStore, Elsewhere, HeldUpload, LocalFile, UploadStore
from havre.registry.records import Segments
from havre.server.tracing.tracer import Kind, Tracer
from havre.storage import Storage

T = TypeVar("T")


def traced_database(database: Database, tracer: Tracer) -> Database:
    """The database, each unit of work of which is a span."""
    return cast("Database", _Database(database, tracer))


def traced_storage(storage: Storage, tracer: Tracer) -> Storage:
    """The stores, each call of which is a span."""
    blobs = cast("BlobStore", _Blobs(storage.blobs, tracer))
    return replace(storage, blobs=blobs, uploads=cast("UploadStore", _Uploads(storage.uploads, tracer)))


class _Part:
    """Something that is wrapped: what it has and we do not name goes straight to it."""

    def __init__(self, inner: Any, tracer: Tracer) -> None:
        self._inner = inner
        self._tracer = tracer

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


class _Database(_Part):
    async def read(self, work: Callable[[Rows], T]) -> T:
        with self._tracer.step("rows.read", Kind.CLIENT) as span:
            if span:
                span.attributes["code.function.name"] = _named(work)
            return cast("T", await self._inner.read(work))

    async def write(self, work: Callable[[Rows], T], *, durable: bool = True) -> T:
        with self._tracer.step("rows.write", Kind.CLIENT) as span:
            if span:
                span.attributes["code.function.name"] = _named(work)
            return cast("T", await self._inner.write(work, durable=durable))


class _Blobs(_Part):
    async def size(self, key: str) -> int | None:
        with self._tracer.step("bytes.size", Kind.CLIENT):
            return cast("int | None", await self._inner.size(key))

    async def locate(self, key: str) -> LocalFile | Elsewhere | None:
        with self._tracer.step("bytes.locate"):
            return cast("LocalFile | Elsewhere | None", await self._inner.locate(key))

    async def read(self, key: str, span: ByteRange) -> AsyncIterator[bytes]:
        """Its span ends with the last piece; it runs in pieces, between which others do."""
        step = self._tracer.open("bytes.read", Kind.CLIENT)
        pieces: AsyncGenerator[bytes, None] = self._inner.read(key, span)
        if step is None:
            async for piece in pieces:
                yield piece
            return
        step.attributes["havre.bytes"] = span.length
        try:
            while True:
                with self._tracer.within(step):
                    try:
                        piece = await anext(pieces)
                    except StopAsyncIteration:
                        return
                yield piece
        except BaseException as error:
            step.failure = type(error).__name__
            raise
        finally:
            self._tracer.close(step)


class _Uploads(_Part):
    @asynccontextmanager
    async def hold(self, upload_id: str, offset: int, segments: Segments = ()) -> AsyncGenerator[HeldUpload, None]:
        async with self._inner.hold(upload_id, offset, segments) as held:
            yield cast("HeldUpload", _Held(held, self._tracer))

    async def finish(self, upload_id: str, digest: Digest, size: int, segments: Segments = ()) -> str:
        with self._tracer.step("bytes.finish", Kind.CLIENT):
            return cast("str", await self._inner.finish(upload_id, digest, size, segments))


class _Held(_Part):
    async def append(self, body: AsyncIterator[bytes], hasher: Hasher) -> int:
        with self._tracer.step("bytes.append", Kind.CLIENT) as span:
            size = cast("int", await self._inner.append(body, hasher))
            if span:
                span.attributes["havre.size"] = size
            return size

    async def finish(self, digest: Digest, size: int) -> str:
        with self._tracer.step("bytes.finish", Kind.CLIENT):
            return cast("str", await self._inner.finish(digest, size))


def _named(work: Callable[..., Any]) -> str:
    """Where a unit of work was written."""
    function = getattr(work, "func", work)
    module, name = getattr(function, "__module__", ""), getattr(function, "__qualname__", type(function).__name__)
    return f"{module}.{name}".replace(".<locals>", "")
