"""Backup: the rows of one moment, then the content that they name, while everybody goes on.

In this order, since rows name content and content names nothing: what is pushed later is in the next backup, what is
deleted later is held until this one has it (see ``guard``). Content that lies on the shelf already is not copied again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass, field
from enum import Enum

from havre.config import Config
from havre.errors import InputInvalid, Unavailable
from havre.metadata.engine import Database
from havre.metadata.portable import Summary, export_rows
from havre.oci.digest import Digest
from havre.registry.ports import Clock
from havre.storage.disk import size_of
from havre.upkeep.contents import Contents, contents_of
from havre.upkeep.files import Pace, digest_of, pace_of, written_rows
from havre.upkeep.guard import Guard
from havre.upkeep.shelf import Content, Generation, Shelf

COPIES = 4
"""Blobs copied at a time: while one is synced, others are read."""

_AHEAD = 64


class Fate(Enum):
    """What became of a blob."""

    COPIED = "copied"
    KEPT = "kept"
    MISSING = "missing"


@dataclass(slots=True)
class Tally:
    """What was done so far."""

    copied: int = 0
    copied_bytes: int = 0
    kept: int = 0
    bytes: int = 0
    missing: list[str] = field(default_factory=list)

    @property
    def blobs(self) -> int:
        """All that the rows name."""
        return self.copied + self.kept + len(self.missing)

    def count(self, content: Content, fate: Fate) -> None:
        """Add one."""
        self.bytes += content.size
        if fate is Fate.MISSING:
            self.missing.append(str(content.digest))
        elif fate is Fate.COPIED:
            self.copied += 1
            self.copied_bytes += content.size
        else:
            self.kept += 1


class Backup:
    """Makes one generation on a shelf. ``rate`` is in bytes each second, 0 for as fast as it goes."""

    def __init__(self, config: Config, shelf: Shelf, database: Database, clock: Clock, rate: float = 0) -> None:
        self._config = config
        self._shelf = shelf
        self._database = database
        self._clock = clock
        self._contents: Contents = contents_of(config)
        self._pace: Pace = pace_of(rate)

    async def run(self, keep: int | None = None) -> tuple[Generation, Tally]:
        """Make it, and remove generations beyond the newest ``keep`` (None: keeps all).

        Raises Conflict if another backup runs, Unavailable if it was held up for so long that content may be gone,
        StorageFull and OSError of either side; nothing counts then.
        """
        with self._shelf.changing():
            self._shelf.tidy()
            async with Guard(self._database, self._clock, self._shelf.folder) as guard:
                loop = asyncio.get_running_loop()

                def current(digest: Digest) -> str | None:
                    asking = self._database.read(lambda rows: rows.blobs.find(digest))
                    found = asyncio.run_coroutine_threadsafe(asking, loop).result()
                    return found.key if found else None

                generation, tally = await asyncio.to_thread(self._make, guard, current)
            if keep is not None:
                await asyncio.to_thread(self._shelf.prune, keep)
        return generation, tally

    def _make(self, guard: Guard, current: Callable[[Digest], str | None]) -> tuple[Generation, Tally]:
        name = self._shelf.new_name()
        rows = self._shelf.rows(name)
        try:
            with written_rows(rows, compressed=True) as sink:
                summary = export_rows(self._config.database_url, sink)
            guard.total = summary.tables["blobs"]
            tally = self._copy_all(name, guard, current)
            generation = self._generation(name, summary, tally, digest_of(rows))
            if guard.lost:
                raise Unavailable("the backup could not keep its hold on the registry's content: start it again")
            self._shelf.publish(generation)
        except BaseException:
            with suppress(OSError):
                rows.unlink(missing_ok=True)
            raise
        return generation, tally

    def _copy_all(self, name: str, guard: Guard, current: Callable[[Digest], str | None]) -> Tally:
        tally = Tally()
        running: dict[Future[Fate], Content] = {}

        def settle(all_of_them: bool) -> None:
            while running and (all_of_them or len(running) >= _AHEAD):
                for one in wait(running, return_when=FIRST_COMPLETED).done:
                    tally.count(running.pop(one), one.result())
                    guard.done = tally.blobs

        with ThreadPoolExecutor(COPIES, "backup") as pool:
            try:
                for content in self._wanted(name, guard):
                    running[pool.submit(self._copy, content, current)] = content
                    settle(all_of_them=False)
                settle(all_of_them=True)
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise
        return tally

    def _wanted(self, name: str, guard: Guard) -> Iterator[Content]:
        for content in self._shelf.content(name):
            if guard.lost:
                raise Unavailable("the backup could not keep its hold on the registry's content: start it again")
            yield content

    def _copy(self, content: Content, current: Callable[[Digest], str | None]) -> Fate:
        target = self._shelf.blob(content.digest)
        if size_of(target) == content.size:
            return Fate.KEPT
        # A push may have healed it meanwhile, under another key.
        if self._contents.take(content.key, content, target, self._pace):
            return Fate.COPIED
        key = current(content.digest)
        return Fate.COPIED if key and self._contents.take(key, content, target, self._pace) else Fate.MISSING

    def _generation(self, name: str, summary: Summary, tally: Tally, digest: Digest) -> Generation:
        return Generation(
            name,
            summary.made,
            summary.schema,
            summary.total,
            str(digest),
            tally.blobs,
            tally.bytes,
            tuple(sorted(tally.missing)),
        )


@dataclass(frozen=True, slots=True)
class Reading:
    """What was found when a generation was read back."""

    blobs: int
    bytes: int
    damaged: tuple[str, ...]
    """Digests whose copies are missing or not what they should be; bad copies are set aside, for the next backup to
    make them again.
    """


def read_back(shelf: Shelf, generation: Generation, rate: float = 0) -> Reading:
    """Read every byte of a generation again and compare digests. Raises InputInvalid if its rows are damaged."""
    pace = pace_of(rate)
    if digest_of(shelf.rows(generation.name)) != generation.rows_digest:
        raise InputInvalid(f"the rows of the backup {generation.name} are damaged: make another one")
    damaged, blobs, total = [], 0, 0
    for content in shelf.content(generation.name):
        if content.digest in generation.missing:
            continue
        path = shelf.blob(content.digest)
        blobs, total = blobs + 1, total + content.size
        if size_of(path) == content.size and digest_of(path, content.digest.algorithm, pace) == content.digest:
            continue
        damaged.append(str(content.digest))
        with suppress(FileNotFoundError):
            path.rename(path.with_name(f"{path.name}.damaged"))
    return Reading(blobs, total, tuple(damaged))
