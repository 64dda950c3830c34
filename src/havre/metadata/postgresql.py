"""PostgreSQL, for several machines: a small pool of connections, each used from a thread.

Writes run SERIALIZABLE, so that units of work behave as if run one after the other, exactly as on SQLite; what
PostgreSQL can not put in an order it refuses, and we run it again. Reads see one snapshot (REPEATABLE READ) and are
never refused. Nothing waits without end: see ``postgresql_connection`` and ``Limits``.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Hashable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

from sqlalchemy import Connection, Engine, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError

from havre.errors import Unavailable
from havre.metadata.engine import Database, Limits
from havre.metadata.failures import DATABASE_ERRORS, caused, is_conflict, translated, unavailable, wrote_in_a_read
from havre.metadata.postgresql_connection import make_engine
from havre.metadata.postgresql_watch import CommitWatch
from havre.metadata.rows import Rows

T = TypeVar("T")

MAX_WAITING = 4096
"""Units of work that may be under way in one process; more are refused with Unavailable."""

RESTART_SECONDS = 2.0
"""For which a unit of work is tried again while the server is away: a restart takes no longer."""

_ATTEMPTS = 16
_LONGEST_PAUSE = 0.25
_RELAXED = text("SET LOCAL synchronous_commit = off")


class _LostError(Exception):
    """There was no connection, or it broke while the transaction was open: nothing has been committed."""


class PostgreSQLDatabase(Database):
    """Units of work wait, for a while, for one of a few threads, each with a connection from the pool."""

    def __init__(self, url: URL, limits: Limits) -> None:
        engine = make_engine(url, limits)
        self._limits = limits
        self._engine = engine
        self._reads = engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
        self._writes = engine.execution_options(isolation_level="SERIALIZABLE")
        self._threads: ThreadPoolExecutor | None = None
        self._free = asyncio.Semaphore(limits.connections)
        self._watch = CommitWatch(url)
        self._open = False
        self._under_way = 0
        self._done = asyncio.Event()

    async def start(self) -> None:
        """Connect once, to learn now rather than later that the address is wrong."""
        # Of this loop: the database may have been opened before a fork, for others.
        self._free, self._done = asyncio.Semaphore(self._limits.connections), asyncio.Event()
        self._threads = ThreadPoolExecutor(self._limits.connections, "havre-postgresql")
        self._watch.start()
        self._open = True
        try:
            await self.read(lambda rows: rows.connection.execute(text("SELECT 1")).first())
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        """Let the units of work that were asked for end, then disconnect."""
        self._open = False
        while self._under_way:
            self._done.clear()
            await self._done.wait()
        await self._watch.close()
        threads, self._threads = self._threads, None
        if threads:
            # A thread of its own: the pool can not wait for itself, and the loop must go on to take the results.
            await asyncio.to_thread(threads.shutdown)
        self._engine.dispose()

    async def version(self) -> Hashable:
        """The transactions that have ended: see ``postgresql_watch``. One look serves all who wait for it."""
        if not self._open:
            raise unavailable("the database is closed")
        return await self._watch.version()

    async def read(self, work: Callable[[Rows], T]) -> T:
        """Run ``work`` on a snapshot in a thread; again if the connection was lost, as after a restart."""
        return await self._persistently(self._read, work)

    async def write(self, work: Callable[[Rows], T], *, durable: bool = True) -> T:
        """Run ``work`` in a thread; again, after a pause that grows at random, when PostgreSQL sees a conflict.

        So too if the connection was lost before the commit. One lost during the commit is not tried again: nobody
        knows whether it was carried out.
        """
        return await self._persistently(self._write, work, durable)

    async def _persistently(self, function: Callable[..., T], *values: object) -> T:
        if not self._open:
            raise unavailable("the database is closed")
        if self._under_way >= MAX_WAITING:
            raise unavailable(f"{MAX_WAITING} units of work wait for the database already")
        self._under_way += 1
        try:
            return await self._again(function, *values)
        finally:
            self._under_way -= 1
            self._done.set()

    async def _again(self, function: Callable[..., T], *values: object) -> T:
        clock = asyncio.get_running_loop().time
        began = clock()
        for attempt in range(_ATTEMPTS):
            try:
                return await self._run(function, *values)
            except _LostError as error:
                # Once in any case: connections that nobody used may have gone long ago.
                if attempt and clock() - began > RESTART_SECONDS:
                    raise unavailable("the database does not answer") from error
            except DATABASE_ERRORS as error:
                if function == self._read and wrote_in_a_read(error):
                    raise
                if not is_conflict(error) or attempt == _ATTEMPTS - 1:
                    raise translated(error) from error
            # The pause is spent here, where it keeps no thread and no connection from others.
            await asyncio.sleep(random.uniform(0, min(0.002 * 2**attempt, _LONGEST_PAUSE)))  # noqa: S311 - no secret
        raise unavailable("the database does not answer")

    async def _run(self, function: Callable[..., T], *values: object) -> T:
        """In a thread, with a connection; whoever is cancelled leaves both to the unit of work until it ends."""
        try:
            async with asyncio.timeout(self._limits.wait_seconds):
                await self._free.acquire()
        except TimeoutError:
            busy = f"all {self._limits.connections} connections to the database were busy"
            raise unavailable(f"{busy} for {self._limits.wait_seconds:g} seconds") from None
        running = asyncio.get_running_loop().run_in_executor(self._threads, _contained, function, *values)
        running.add_done_callback(self._ended)
        return await asyncio.shield(running)

    def _ended(self, running: asyncio.Future[T]) -> None:
        self._free.release()
        # Of one that nobody waits for any more, nobody asks what it raised.
        _ = running.cancelled() or running.exception()

    def _read(self, work: Callable[[Rows], T]) -> T:
        with _connected(self._reads) as connection:
            try:
                with connection.begin():
                    return work(Rows(connection))
            except DBAPIError as error:
                if error.connection_invalidated:
                    raise _LostError from error
                raise

    def _write(self, work: Callable[[Rows], T], durable: bool) -> T:
        with _connected(self._writes) as connection, connection.begin():
            try:
                if not durable:
                    connection.execute(_RELAXED)
                return work(Rows(connection))
            except DBAPIError as error:
                if error.connection_invalidated:
                    raise _LostError from error
                raise


@contextmanager
def _connected(engine: Engine) -> Iterator[Connection]:
    try:
        connection = engine.connect()
    except DATABASE_ERRORS as error:
        failure = translated(error)
        raise _LostError() if isinstance(failure, Unavailable) else failure from error
    with connection:
        yield connection


def _contained(function: Callable[..., T], *values: object) -> T:
    try:
        return function(*values)
    except StopIteration as error:
        raise caused(error) from error
