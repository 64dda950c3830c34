"""SQLite, the embedded default: reads at once in the event loop, writes in one thread per process.

A read is a few lookups in memory-mapped pages, some ten microseconds each: shorter than a trip to another thread.
Writes wait for the disk, so they leave the loop and share their waits: see ``sqlite_writer``. In WAL mode neither
side blocks the other, and a read that begins after a commit sees it, whichever process made it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

from sqlalchemy import Connection
from sqlalchemy.engine import URL

from havre.metadata.engine import Database
from havre.metadata.failures import DATABASE_ERRORS, translated, unavailable, wrote_in_a_read
from havre.metadata.rows import Rows
from havre.metadata.sqlite_connection import database_file, driver, make_engine
from havre.metadata.sqlite_writer import Writer

T = TypeVar("T")


class SQLiteDatabase(Database):
    """One reading connection in the loop's thread, one writing connection in the writer's."""

    def __init__(self, url: URL) -> None:
        self._path = database_file(url)
        self._engine = make_engine(self._path)
        self._reader: Connection | None = None
        self._writer: Writer | None = None

    async def start(self) -> None:
        """Open the file (made if need be) and start the writer's thread."""
        try:
            reader = self._engine.connect()
            driver(reader).execute("PRAGMA query_only = ON")
        except (OSError, *DATABASE_ERRORS) as error:
            raise unavailable(f"the database {self._path} can not be opened") from error
        self._reader = reader
        self._raw = driver(reader)
        self._rows = Rows(reader)
        self._writer = Writer(self._engine, self._path, asyncio.get_running_loop())
        try:
            await self._writer.start()
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        """Drain the writer, then close both connections; the last one of all processes folds the log into the file."""
        if self._writer:
            await self._writer.close()
        if self._reader:
            self._reader.close()
            self._reader = None

    async def version(self) -> int:
        """SQLite's count of commits by other connections, which all commits are: this one only reads."""
        if self._reader is None:
            raise unavailable("the database is closed")
        try:
            (number,) = self._raw.execute("PRAGMA data_version").fetchone()
        except DATABASE_ERRORS as error:
            raise translated(error) from error
        return int(number)

    async def read(self, work: Callable[[Rows], T]) -> T:
        """Run ``work`` here and now, within a deferred transaction: its first SELECT fixes the state it sees."""
        if self._reader is None:
            raise unavailable("the database is closed")
        raw = self._raw
        try:
            raw.execute("BEGIN")
            return work(self._rows)
        except DATABASE_ERRORS as error:
            if wrote_in_a_read(error):
                raise
            raise translated(error) from error
        finally:
            raw.commit()

    async def write(self, work: Callable[[Rows], T], *, durable: bool = True) -> T:
        """Queue ``work`` for the writer's next batch."""
        if self._writer is None:
            raise unavailable("the database is closed")
        return await self._writer.submit(work, durable=durable)
