"""Has anything been committed? Asked of PostgreSQL in one round trip, which serves all who wait for the answer.

``pg_current_snapshot()`` names the transactions whose changes can be seen. It is the same twice only if nothing was
committed in between by anybody, and never the same again after that. So memory (``havre.registry.memory``) may give out
what it holds, on whichever replica, without ever being older than the last commit. Whoever comes while a look is under
way waits for the next one, for the server may have read its clock before they asked.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Hashable
from concurrent.futures import ThreadPoolExecutor

from psycopg import Error
from sqlalchemy import Connection
from sqlalchemy.engine import URL

from havre.metadata.engine import Limits
from havre.metadata.failures import DATABASE_ERRORS, unavailable
from havre.metadata.postgresql_connection import BoundedConnection, make_engine

LIMITS = Limits(connections=1, statement_seconds=3)
"""It reads no row: whoever waits for it longer waits for nothing."""

RESTART_SECONDS = 2.0
"""For which is tried again to connect."""

_PAUSE = 0.1

# The moment at which the server was started tells one that took another's place, whose transactions count anew.
_LOOK = "SELECT pg_current_snapshot()::text, pg_postmaster_start_time()::text"


class CommitWatch:
    """A connection and a thread of its own, so that units of work that wait do not keep it waiting."""

    def __init__(self, url: URL) -> None:
        self._engine = make_engine(url, LIMITS)
        self._thread: ThreadPoolExecutor | None = None
        self._connection: Connection | None = None
        self._asked: asyncio.Future[Hashable] | None = None
        self._task: asyncio.Task[None] | None = None
        self._opened = 0

    def start(self) -> None:
        """Be ready to look; nothing is connected before somebody asks."""
        self._thread = ThreadPoolExecutor(1, "havre-postgresql-watch")

    async def close(self) -> None:
        """Let the look that is under way end, and disconnect."""
        if self._task:
            await self._task
        thread, self._thread = self._thread, None
        if thread:
            await asyncio.get_running_loop().run_in_executor(thread, self._forget)
            thread.shutdown()
        self._engine.dispose()

    async def version(self) -> Hashable:
        """Of the moment of asking or later. Raises Unavailable."""
        if self._asked is None:
            self._asked = asyncio.get_running_loop().create_future()
            if self._task is None:
                self._task = asyncio.create_task(self._answer())
        seen = await asyncio.shield(self._asked)
        if seen is None:
            raise unavailable("the database does not answer")
        return seen

    async def _answer(self) -> None:
        """Look for as long as anybody asks."""
        try:
            while self._asked is not None:
                asked, self._asked = self._asked, None
                seen: Hashable = None
                try:
                    seen = await self._patiently()
                finally:
                    asked.set_result(seen)
        finally:
            self._task = None

    async def _patiently(self) -> Hashable:
        """None if the server does not answer, not even after a restart."""
        loop = asyncio.get_running_loop()
        began, attempts = loop.time(), 0
        while True:
            try:
                return await loop.run_in_executor(self._thread, self._look)
            except (Error, *DATABASE_ERRORS):
                attempts += 1
                if attempts > 1 and loop.time() - began > RESTART_SECONDS:
                    return None
            await asyncio.sleep(random.uniform(0, _PAUSE))  # noqa: S311 - no secret

    def _look(self) -> Hashable:
        """In the thread."""
        try:
            if self._connection is None:
                self._connection = self._engine.connect()
                self._opened += 1
            driver = self._connection.connection.driver_connection
            assert isinstance(driver, BoundedConnection)
            # Outside of a transaction: one round trip, and a snapshot of now.
            driver.autocommit = True
            seen = driver.execute(_LOOK).fetchone()
        except BaseException:
            self._forget()
            raise
        return self._opened, seen

    def _forget(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            # Not back to the pool: what is wrong with it would be handed out again.
            connection.invalidate()
            connection.close()
