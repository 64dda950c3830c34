"""Memory: what was read from the rows, remembered for as long as nothing was committed since.

The usual pull asks for the same few manifests and blobs over and over. The database tells cheaply whether anything at
all has changed, on whichever worker; until then the last answer is still the right one, a deleted tag or a repository
made private included.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

from havre.registry.ports import Metadata, Rows

V = TypeVar("V")

MAX_BYTES = 16 * 1024 * 1024
"""Of contents kept in one memory; with the objects around them they take about twice as much."""

OVERHEAD = 512
"""Bytes that an entry is counted with beside its content."""


class Memory(Generic[V]):
    """Remembers results of reads by key, up to a number of bytes, until something is committed."""

    def __init__(self, metadata: Metadata, limit: int = MAX_BYTES) -> None:
        self._metadata = metadata
        self._limit = limit
        self._version: Hashable = None
        self._kept: dict[Hashable, V] = {}
        self._bytes = 0

    async def read(self, key: Hashable, work: Callable[[Rows], V], weight: Callable[[V], int]) -> V:
        """The remembered result for ``key``, else what ``work`` reads now. ``weight`` counts the bytes of a result.

        What ``work`` raises is not remembered.
        """
        version = await self._metadata.version()
        if version != self._version:
            self._forget(version)
        found = self._kept.get(key)
        if found is None:
            found = await self._metadata.read(work)
            # The version is the one from before the read: if something was committed meanwhile, this entry goes with
            # the rest at the next look. Another task may already have looked, and then it must not come in at all.
            if version == self._version:
                self._keep(key, found, weight(found) + OVERHEAD)
        return found

    def _keep(self, key: Hashable, value: V, size: int) -> None:
        if size > self._limit // 4:
            return
        if self._bytes + size > self._limit:
            self._forget(self._version)
        self._kept[key] = value
        self._bytes += size

    def _forget(self, version: Hashable) -> None:
        self._kept.clear()
        self._bytes = 0
        self._version = version
