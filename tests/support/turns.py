"""Several who act on the same registry, one unit of work at a time, in an order that chance decides."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Coroutine, Hashable
from contextlib import AbstractAsyncContextManager
from typing import Any, TypeVar

from havre.metadata import Database, Rows
from havre.oci.digest import Digest
from havre.oci.ranges import ByteRange
from havre.registry.ports import BlobStore, Elsewhere, HeldUpload, LocalFile, Swept, UploadStore
from havre.registry.records import Segments

T = TypeVar("T")


class Turns:
    """Lets one of those who wait go on at a time. ``between`` is called whenever all of them wait."""

    def __init__(self, chance: random.Random, between: Callable[[], Awaitable[None]]) -> None:
        self.chance = chance
        self.plan: list[tuple[int, int]] | None = None
        """Instead of chance: whose turn it is for how many turns; afterwards the first who is left."""
        self._between = between
        self._waiting: list[tuple[asyncio.Task[Any] | None, asyncio.Future[None]]] = []

    async def mine(self) -> None:
        """Wait for one's turn."""
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((asyncio.current_task(), turn))
        await turn

    def _next(self, waiting: list[int]) -> int:
        """The place in the line of who goes on."""
        if self.plan is None:
            return self.chance.randrange(len(waiting))
        while self.plan:
            act, turns = self.plan[0]
            if turns > 0 and act in waiting:
                self.plan[0] = (act, turns - 1)
                return waiting.index(act)
            self.plan.pop(0)
        return waiting.index(min(waiting))

    async def play(self, *acts: Coroutine[Any, Any, None]) -> None:
        """Run all of them to their ends; the first failure ends everything."""
        tasks = [asyncio.create_task(act) for act in acts]
        try:
            while running := [task for task in tasks if not task.done()]:
                if len(self._waiting) < len(running):
                    await asyncio.sleep(0.0002)
                    continue
                await self._between()
                _, turn = self._waiting.pop(self._next([tasks.index(one) for one, _ in self._waiting if one]))
                turn.set_result(None)
                await asyncio.sleep(0)
            for task in tasks:
                task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


class TurnedRows:
    """The real rows, whose units of work wait for their turn."""

    def __init__(self, database: Database, turns: Turns) -> None:
        self._database, self._turns = database, turns

    async def version(self) -> Hashable:
        return await self._database.version()

    async def read(self, work: Callable[[Rows], T]) -> T:
        await self._turns.mine()
        return await self._database.read(work)

    async def write(self, work: Callable[[Rows], T], *, durable: bool = True) -> T:
        await self._turns.mine()
        return await self._database.write(work, durable=durable)


class TurnedBlobs:
    """The real content, whose removal and sizes wait for their turn."""

    def __init__(self, blobs: BlobStore, turns: Turns) -> None:
        self._blobs, self._turns = blobs, turns

    async def size(self, key: str) -> int | None:
        await self._turns.mine()
        return await self._blobs.size(key)

    async def locate(self, key: str) -> LocalFile | Elsewhere | None:
        return await self._blobs.locate(key)

    def read(self, key: str, span: ByteRange) -> AsyncIterator[bytes]:
        return self._blobs.read(key, span)

    async def delete(self, key: str) -> None:
        await self._turns.mine()
        await self._blobs.delete(key)

    async def remove(
        self, keys: Collection[str], gone: Callable[[Collection[str]], Awaitable[Collection[str]]]
    ) -> None:
        await self._turns.mine()

        async def then(held: Collection[str]) -> Collection[str]:
            found = await gone(held)
            await self._turns.mine()
            return found

        await self._blobs.remove(keys, then)

    async def strays(
        self,
        known: Callable[[Collection[str]], Awaitable[Collection[str]]],
        after: str = "",
        *,
        remove: bool = True,
    ) -> Swept:
        await self._turns.mine()

        async def then(keys: Collection[str]) -> Collection[str]:
            found = await known(keys)
            await self._turns.mine()
            return found

        return await self._blobs.strays(then, after, remove=remove)


class TurnedUploads:
    """The real uploads, whose end waits for its turn."""

    def __init__(self, uploads: UploadStore, turns: Turns) -> None:
        self._uploads, self._turns = uploads, turns

    def hold(self, upload_id: str, offset: int, segments: Segments = ()) -> AbstractAsyncContextManager[HeldUpload]:
        return self._uploads.hold(upload_id, offset, segments)

    def read(self, upload_id: str, size: int, segments: Segments = ()) -> AsyncIterator[bytes]:
        return self._uploads.read(upload_id, size, segments)

    async def finish(self, upload_id: str, digest: Digest, size: int, segments: Segments = ()) -> str:
        await self._turns.mine()
        return await self._uploads.finish(upload_id, digest, size, segments)

    async def discard(self, upload_id: str, segments: Segments = ()) -> None:
        await self._turns.mine()
        await self._uploads.discard(upload_id, segments)

    async def stale(self, known: Callable[[Collection[str]], Awaitable[Collection[str]]]) -> int:
        return await self._uploads.stale(known)
