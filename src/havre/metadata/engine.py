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
from collections.abc import Callable
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


class Database(ABC):
    """Where the rows are: the implementation of ``havre.registry.ports.Metadata``.

    Belongs to one event loop, the one that called ``start``. Errors that the database itself causes reach the caller
    as StorageFull (no room) or Unavailable (busy, unreachable, closing); whatever ``work`` raises, as it is.
    """

    @staticmethod
    def open(url: str) -> Database:
        """The database at ``url``; raises ConfigError for an address that can not work. Connects to nothing yet."""
        parsed = parse_url(url)
        # Each engine is imported for those who use it: psycopg alone costs several megabytes.
        if parsed.get_backend_name() == "sqlite":
            from havre.metadata.sqlite import SQLiteDatabase

            return SQLiteDatabase(parsed)
        from havre.metadata.postgresql import PostgreSQLDatabase

        return PostgreSQLDatabase(parsed)

    @abstractmethod
    async def start(self) -> None:
        """Connect and start the threads; raises Unavailable if the database can not be reached."""

    @abstractmethod
    async def close(self) -> None:
        """Finish the writes already asked for, refuse new ones with Unavailable, and disconnect."""

    def version(self) -> int | None:
        """A number that differs once anything was committed, by whomever; None where asking costs as much as reading."""
        return None

    @abstractmethod
    async def read(self, work: Callable[[Rows], T]) -> T:
        """Run ``work`` on one consistent state that holds every write committed before; it can not write."""

    @abstractmethod
    async def write(self, work: Callable[[Rows], T], *, durable: bool = True) -> T:
        """Run ``work`` in a transaction and return its result once that is committed.

        Units of work behave as if run one after the other. An exception undoes all of it. ``work`` may be run again
        after a conflict. It runs in another thread. With ``durable`` the commit survives a power failure.
        """
