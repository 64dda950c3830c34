"""PostgreSQL, for several machines: a small pool of connections, each used from a thread.

Writes run SERIALIZABLE, so that units of work behave as if run one after the other, exactly as on SQLite; what
PostgreSQL can not put in an order it refuses, and we run it again. Reads see one snapshot (REPEATABLE READ) and are
never refused.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from sqlalchemy import Engine, create_engine, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError

from havre.errors import Unavailable
from havre.metadata.engine import Database
from havre.metadata.failures import DATABASE_ERRORS, caused, is_conflict, translated, unavailable
from havre.metadata.rows import Rows

T = TypeVar("T")

THREADS = 8
"""Connections and threads of one process."""

MAX_WAITING = 4096
"""Units of work that may wait in one process; more are refused with Unavailable."""

_CONNECT_SECONDS = 10
_ATTEMPTS = 16
_LONGEST_PAUSE = 0.25
_RELAXED = text("SET LOCAL synchronous_commit = off")


class _LostError(Unavailable):
    """The connection broke while the transaction was open: it has not been committed."""


class PostgreSQLDatabase(Database):
    """Units of work wait for one of a few threads, each with a connection from the pool."""

    def __init__(self, url: URL) -> None:
        engine = make_engine(url)
        self._engine = engine
        self._reads = engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
        self._writes = engine.execution_options(isolation_level="SERIALIZABLE")
        self._threads: ThreadPoolExecutor | None = None
        self._waiting = 0

    async def start(self) -> None:
        """Connect once, to learn now rather than later that the address is wrong."""
        self._threads = ThreadPoolExecutor(THREADS, "havre-postgresql")
        try:
            await self.read(lambda rows: rows.connection.execute(text("SELECT 1")).first())
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        """Let the units of work that were asked for end, then disconnect."""
        threads, self._threads = self._threads, None
        if threads:
            # A thread of its own: the pool can not wait for itself, and the loop must go on to take the results.
            await asyncio.to_thread(threads.shutdown)
        self._engine.dispose()

    async def read(self, work: Callable[[Rows], T]) -> T:
        """Run ``work`` on a snapshot in a thread. Tried once more if the connection was lost, as after a restart."""
        try:
            return await self._run(self._read, work)
        except DATABASE_ERRORS as error:
            if not getattr(error, "connection_invalidated", False):
                raise translated(error) from error
        try:
            return await self._run(self._read, work)
        except DATABASE_ERRORS as error:
            raise translated(error) from error

    async def write(self, work: Callable[[Rows], T], *, durable: bool = True) -> T:
        """Run ``work`` in a thread; again, after a pause that grows at random, when PostgreSQL sees a conflict.

        A connection lost before the commit is a conflict too. One lost during the commit is not tried again: nobody
        knows whether it was carried out.
        """
        for attempt in range(_ATTEMPTS):
            try:
                return await self._run(self._write, work, durable)
            except _LostError:
                if attempt:
                    raise
            except DATABASE_ERRORS as error:
                if not is_conflict(error) or attempt == _ATTEMPTS - 1:
                    raise translated(error) from error
            # The pause is spent here, where it keeps no thread and no connection from others.
            await asyncio.sleep(random.uniform(0, min(0.002 * 2**attempt, _LONGEST_PAUSE)))  # noqa: S311 - no secret
        raise AssertionError("the last attempt returns or raises")

    async def _run(self, function: Callable[..., T], *values: object) -> T:
        if self._threads is None:
            raise unavailable("the database is closed")
        if self._waiting >= MAX_WAITING:
            raise unavailable(f"{MAX_WAITING} units of work wait for the database already")
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, _contained, function, *values)
        finally:
            self._waiting -= 1

    def _read(self, work: Callable[[Rows], T]) -> T:
        with self._reads.connect() as connection, connection.begin():
            return work(Rows(connection))

    def _write(self, work: Callable[[Rows], T], durable: bool) -> T:
        with self._writes.connect() as connection, connection.begin():
            try:
                if not durable:
                    connection.execute(_RELAXED)
                return work(Rows(connection))
            except DBAPIError as error:
                if error.connection_invalidated:
                    raise _LostError("the database went away: try again in a moment", retry_after=2) from error
                raise


def _contained(function: Callable[..., T], *values: object) -> T:
    try:
        return function(*values)
    except StopIteration as error:
        raise caused(error) from error


def make_engine(url: URL) -> Engine:
    """An engine with a pool for the threads; connects on first use."""
    return create_engine(
        url,
        pool_size=THREADS,
        max_overflow=0,
        pool_timeout=_CONNECT_SECONDS,
        hide_parameters=True,
        connect_args={"connect_timeout": _CONNECT_SECONDS, "application_name": "havre"},
    )
