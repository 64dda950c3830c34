"""Names of tags by a part of them, in repositories with very many: kept in memory, one text per repository.

A walk through 100,000 rows for a text that hardly any name has takes longer than a page may take; to look through the
same names in one piece of memory takes less than a millisecond. What is kept may hold names that are gone, for whoever
asks looks the found ones up; what was added since is asked for each time, by the ids that rows are given.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from havre.oci.names import Tag
from havre.registry.ports import Metadata, Rows
from havre.registry.tag_ports import TAG_BETWEEN

SLICE = 20_000
"""Names read before anything else gets its turn: some three milliseconds."""

MAX_NAMES = 1_000_000
"""Names of one repository; with more it is walked through instead."""

MAX_BYTES = 16 * 1024 * 1024
"""Of names kept in one process, twice where they have capital letters. One repository's may take half."""

SECONDS = 60.0
"""Names are read anew when they are older: ids can be given twice, or late, where much comes and goes at once."""

OVERLAP = 1_000
"""Ids before the last one known that are looked at again: on PostgreSQL a lower one may be committed later."""

MAX_NEW = 10_000
"""Tags made since, in all repositories; beyond, the names are read anew."""


@dataclass(slots=True)
class _Kept:
    """The names of one repository: between slashes, as they are and in lower case."""

    names: str
    folded: str
    last: int
    """The highest id of a tag before they were read."""
    read: float
    """Seconds of the monotonic clock."""
    bytes: int = field(init=False)

    def __post_init__(self) -> None:
        self.bytes = len(self.names) * (1 if self.folded is self.names else 2)

    def containing(self, text: str, most: int) -> list[Tag] | None:
        """The names with ``text`` in them, which is in lower case; None if there are more than ``most``."""
        found: list[Tag] = []
        at = self.folded.find(text)
        while at >= 0:
            if len(found) == most:
                return None
            start, end = self.names.rfind(TAG_BETWEEN, 0, at) + 1, self.names.find(TAG_BETWEEN, at)
            found.append(Tag(self.names[start:end]))
            at = self.folded.find(text, end)
        return found


class TagNames:
    """What one process keeps. ``clock`` gives seconds that only grow."""

    def __init__(self, metadata: Metadata, clock: Callable[[], float] = time.monotonic) -> None:
        self._metadata = metadata
        self._clock = clock
        self._kept: dict[int, _Kept] = {}

    async def containing(self, repository_id: int, text: str, most: int) -> list[Tag] | None:
        """Names with ``text`` in them, whatever the case of letters, in no order; some may be gone.

        None if there are more than ``most``, or too many tags to keep their names.
        """
        wanted = text.lower()
        if TAG_BETWEEN in wanted or not wanted.isascii():
            return []
        kept = self._kept.pop(repository_id, None)
        fresh = await self._since(repository_id, wanted, kept) if kept else None
        if kept is None or fresh is None:
            kept, fresh = await self._read(repository_id), []
        if kept is None:
            return None
        self._keep(repository_id, kept)
        found = kept.containing(wanted, most)
        if found is None:
            return None
        every = list(dict.fromkeys([*found, *fresh]))
        return every if len(every) <= most else None

    async def _since(self, repository_id: int, text: str, kept: _Kept) -> list[Tag] | None:
        """Names with ``text`` in them that were added since; None if the names must be read anew."""
        if self._clock() - kept.read > SECONDS:
            return None
        after = max(0, kept.last - OVERLAP)
        last, names = await self._metadata.read(lambda rows: rows.tag_lists.made(repository_id, text, after, MAX_NEW))
        return None if last < kept.last or last - after > MAX_NEW else list(names)

    async def _read(self, repository_id: int) -> _Kept | None:
        now, after, pieces, size, count = self._clock(), "", [""], 0, 0
        last, _ = await self._metadata.read(lambda rows: rows.tag_lists.made(repository_id, "", 0, 0))
        while True:

            def work(rows: Rows, after: str = after) -> tuple[str, str]:
                return rows.tag_lists.joined(repository_id, after, SLICE)

            piece, after = await self._metadata.read(work)
            if not piece:
                break
            pieces.append(piece)
            size, count = size + len(piece), count + SLICE
            if size > MAX_BYTES // 4 or count > MAX_NAMES:
                return None
            await asyncio.sleep(0)
        names = TAG_BETWEEN.join([*pieces, ""])
        folded = names.lower()
        return _Kept(names, names if folded == names else folded, last, now)

    def _keep(self, repository_id: int, kept: _Kept) -> None:
        """Remember it as the one that was used last, and let go of those that were used long ago."""
        self._kept[repository_id] = kept
        while sum(one.bytes for one in self._kept.values()) > MAX_BYTES:
            self._kept.pop(next(iter(self._kept)))
