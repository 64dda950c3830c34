"""The one thread of a process that writes to SQLite: group commit, and turns between processes.

A durable commit waits for the disk, some milliseconds in which SQLite lets nobody else write. So whatever was asked
for meanwhile goes into the next transaction together, each unit of work in a savepoint of its own: 32 pushes cost one
wait, and one that fails takes nobody with it. Nobody hears of success before COMMIT has returned.

Processes take turns (``sqlite_connection.Turnstile``), so none of them ever meets a locked database.
"""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine

from havre.metadata.failures import DATABASE_ERRORS, caused, unavailable
from havre.metadata.rows import Rows
from havre.metadata.sqlite_connection import Turnstile, driver

T = TypeVar("T")

MAX_WAITING = 4096
"""Units of work that may wait in one process; more are refused with Unavailable."""

MAX_BATCH = 256
"""Units of work in one transaction: bounds how long others wait for the lock."""


class Unit:
    """A unit of work: what to run, who waits for it, and how it ended."""

    __slots__ = ("durable", "error", "future", "result", "work")

    def __init__(self, work: Callable[[Rows], Any], durable: bool, future: asyncio.Future[Any]) -> None:
        self.work = work
        self.durable = durable
        self.future = future
        self.result: Any = None
        self.error: BaseException | None = None

    def settle(self) -> None:
        """Tell who waits; a caller that was cancelled meanwhile is not there any more."""
        if self.future.done():
            return
        if self.error is None:
            self.future.set_result(self.result)
        else:
            self.future.set_exception(self.error)


class Writer:
    """Takes units of work from the event loop and commits them in batches in a thread of its own."""

    def __init__(self, engine: Engine, path: Path, loop: asyncio.AbstractEventLoop) -> None:
        self._engine = engine
        self._path = path
        self._loop = loop
        self._waiting: deque[Unit] = deque()
        self._wake = threading.Condition()
        self._closing = False
        self._started: asyncio.Future[None] = loop.create_future()
        self._stopped: asyncio.Future[None] = loop.create_future()
        self._thread = threading.Thread(target=self._run, name="havre-writer", daemon=True)

    async def start(self) -> None:
        """Start the thread; raises Unavailable if it can not open the database."""
        self._thread.start()
        await self._started

    async def close(self) -> None:
        """Refuse new units, commit those that wait, and end the thread."""
        with self._wake:
            self._closing = True
            self._wake.notify()
        await self._stopped

    async def submit(self, work: Callable[[Rows], T], *, durable: bool) -> T:
        """Wait for ``work`` to be committed. Raises Unavailable when closing or when too many wait already."""
        unit = Unit(work, durable, self._loop.create_future())
        with self._wake:
            if self._closing:
                raise unavailable("the database is closing")
            if len(self._waiting) >= MAX_WAITING:
                raise unavailable(f"{MAX_WAITING} changes wait for the database already")
            self._waiting.append(unit)
            self._wake.notify()
        result: T = await unit.future
        return result

    # ------------------------------------------------------------ everything below runs in the thread

    def _run(self) -> None:
        try:
            connection = self._engine.connect()
            turnstile = Turnstile(self._path)
        except (OSError, *DATABASE_ERRORS) as error:
            self._tell(self._started.set_exception, caused(error))
            self._tell(self._stopped.set_result, None)
            return
        self._tell(self._started.set_result, None)
        session = _Session(connection)
        try:
            while self._wait():
                self._tell(_settle, self._next_batch(turnstile, session))
        finally:
            connection.close()
            turnstile.close()
            self._tell(self._stopped.set_result, None)

    def _next_batch(self, turnstile: Turnstile, session: _Session) -> list[Unit]:
        """Take our turn and commit what waits. If there is no turn to be had, those who wait hear of it."""
        batch: list[Unit] = []
        try:
            with turnstile.turn():
                batch = self._take()
                session.commit(batch)
        except OSError as error:
            # If it is the unlocking that failed, the batch is committed and keeps its results.
            if not batch:
                batch = self._take()
                for unit in batch:
                    unit.error = unavailable(f"the database can not be locked ({error.strerror})")
                    unit.error.__cause__ = error
        return batch

    def _wait(self) -> bool:
        """Wait for work; False when closing and nothing is left."""
        with self._wake:
            while not self._waiting and not self._closing:
                self._wake.wait()
            return bool(self._waiting)

    def _take(self) -> list[Unit]:
        """The next batch. Called only once it is our turn, so that all who came meanwhile are in it."""
        with self._wake:
            return [self._waiting.popleft() for _ in range(min(len(self._waiting), MAX_BATCH))]

    def _tell(self, callback: Callable[..., object], *values: object) -> None:
        try:
            self._loop.call_soon_threadsafe(callback, *values)
        except RuntimeError:
            # The loop was closed without closing the database, as in a program that is being killed: nobody listens.
            self._closing = True


class _Session:
    """The writing connection. Commits one batch at a time, during its turn."""

    def __init__(self, connection: Connection) -> None:
        self._rows = Rows(connection)
        self._raw = driver(connection)
        self._synchronous = ""

    def commit(self, batch: list[Unit]) -> None:
        """Run and commit the units. If the transaction as a whole fails, every one of them has failed."""
        execute = self._raw.execute
        # FULL syncs the log at each commit; NORMAL leaves that to the next durable commit or checkpoint. It can only
        # be changed between transactions.
        synchronous = "FULL" if any(unit.durable for unit in batch) else "NORMAL"
        try:
            if synchronous != self._synchronous:
                execute(f"PRAGMA synchronous = {synchronous}")
                self._synchronous = synchronous
            if self._raw.in_transaction:
                self._raw.rollback()
            execute("BEGIN IMMEDIATE")
            for unit in batch:
                self._work(unit)
            execute("COMMIT")
        except BaseException as error:  # noqa: BLE001 - the thread must outlive it, and the callers must hear of it
            for unit in batch:
                unit.error = caused(error)
            # On a failing disk this may fail as well; it is done again before the next one begins.
            with suppress(sqlite3.Error):
                self._raw.rollback()

    def _work(self, unit: Unit) -> None:
        execute = self._raw.execute
        execute("SAVEPOINT unit")
        try:
            unit.result = unit.work(self._rows)
        except BaseException as error:
            if not self._raw.in_transaction:
                # SQLite has undone the whole transaction, as it does when the disk is full.
                raise
            unit.error = caused(error)
            execute("ROLLBACK TO unit")
        execute("RELEASE unit")


def _settle(batch: list[Unit]) -> None:
    for unit in batch:
        unit.settle()
