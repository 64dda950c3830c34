"""The database: runs functions over rows in transactions, on SQLite (the embedded default) or PostgreSQL.

    database = Database.open("sqlite:////srv/havre/havre.db")     no file, thread or connection yet: may be forked
    await database.start()                                        in the process that uses it
    found = await database.read(lambda rows: rows.repositories.get(name))
    await database.write(lambda rows: rows.tags.put(…))
    await database.close()

The two engines keep the same promises (``havre.registry.ports.Metadata``) by different means: see ``sqlite`` and
``postgresql`` beside this module.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import TypeVar

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from havre.errors import ConfigError
from havre.metadata.rows import Rows

T = TypeVar("T")


def parse_url(url: str) -> URL:
    """The address of a database, with the driver that Havre uses.

    Raises ConfigError unless it is ``sqlite:///FILE`` or ``postgresql://USER:PASSWORD@HOST/NAME``. The sentence does
    not repeat the address, which may hold a password.
    """
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        parsed = URL.create("unreadable")
    backend = parsed.get_backend_name()
    if backend == "sqlite" and parsed.database and parsed.database != ":memory:":
        return parsed.set(drivername="sqlite+pysqlite")
    if backend in {"postgresql", "postgres"}:
        return parsed.set(drivername="postgresql+psycopg")
    raise ConfigError(
        f"the database URL begins with {parsed.drivername[:40]!r} or names no database:"
        " write sqlite:////path/to/havre.db or postgresql://user:password@host/name"
    )


@dataclass(frozen=True, slots=True)
class Limits:
    """How much one process asks of a database server, and how long it waits. SQLite needs none of it."""

    connections: int = 8
    """For units of work, each in a thread; one more watches for commits."""
    wait_seconds: float = 10
    """For a connection, while all are busy; then a unit of work is refused with Unavailable."""
    statement_seconds: float = 30
    """For one statement, after which the server ends it."""


UPKEEP = Limits(connections=4, statement_seconds=4 * 3600)
"""Of commands that go through everything."""


class Database(ABC):
    """Where the rows are: the implementation of ``havre.registry.ports.Metadata``.

    Belongs to one event loop, the one that called ``start``. Errors that the database itself causes reach the caller
    as StorageFull (no room) or Unavailable (busy, unreachable, closing); whatever ``work`` raises, as it is.
    """

    @staticmethod
    def open(url: str, limits: Limits | None = None) -> Database:
        """The database at ``url``; raises ConfigError for an address that can not work. Connects to nothing yet."""
        parsed = parse_url(url)
        # Each engine is imported for those who use it: psycopg alone costs several megabytes.
        if parsed.get_backend_name() == "sqlite":
            from havre.metadata.sqlite import SQLiteDatabase

            return SQLiteDatabase(parsed)
        from havre.metadata.postgresql import PostgreSQLDatabase

        return PostgreSQLDatabase(parsed, limits or Limits())

    @abstractmethod
    async def start(self) -> None:
        """Connect and start the threads; raises Unavailable if the database can not be reached."""

    @abstractmethod
    async def close(self) -> None:
        """Finish the writes already asked for, refuse new ones with Unavailable, and disconnect."""

    @abstractmethod
    async def version(self) -> Hashable:
        """What differs once anything was committed, by whomever; it is never an earlier one again."""

    @abstractmethod
    async def read(self, work: Callable[[Rows], T]) -> T:
        """Run ``work`` on one consistent state that holds every write committed before; it can not write."""

    @abstractmethod
    async def write(self, work: Callable[[Rows], T], *, durable: bool = True) -> T:
        """Run ``work`` in a transaction and return its result once that is committed.

        Units of work behave as if run one after the other. An exception undoes all of it. ``work`` may be run again
        after a conflict. It runs in another thread. With ``durable`` the commit survives a power failure.
        """
