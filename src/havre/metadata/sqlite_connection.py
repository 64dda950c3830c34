"""Connections to an SQLite file: how each is prepared, and the queue in which writing processes wait.

SQLite knows no queue between processes, only polling with growing pauses, and then "database is locked". Processes
therefore wait in the kernel (``flock`` on a file beside the database) before they begin to write.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from sqlalchemy import Connection, Engine, create_engine
from sqlalchemy.engine import URL
from sqlalchemy.pool import NullPool

from havre.metadata.statements import add_functions

# Writers of Havre queue on a lock of their own; this is for visitors such as the sqlite3 shell or a backup.
_BUSY_SECONDS = 10
_PRAGMAS = (
    "PRAGMA journal_mode = WAL",
    "PRAGMA foreign_keys = ON",
    "PRAGMA temp_store = MEMORY",
    # Shared by all workers through the kernel's page cache, unlike cache_size, which each connection has for itself.
    "PRAGMA mmap_size = 268435456",
    "PRAGMA cache_size = -4096",
    # A burst may leave a huge log behind; the next checkpoint cuts it to this.
    "PRAGMA journal_size_limit = 67108864",
)


def database_file(url: URL) -> Path:
    """The file of an SQLite address."""
    return Path(url.database or "").absolute()


def make_engine(path: Path) -> Engine:
    """An engine whose every connection is new, prepared by the pragmas, and leaves transactions to its user.

    The driver's own transactions are off because they begin late, never for DDL, and know no BEGIN IMMEDIATE.
    """

    def connect() -> sqlite3.Connection:
        _create_private(path)
        raw = sqlite3.connect(path, timeout=_BUSY_SECONDS, isolation_level=None, cached_statements=256)
        for pragma in _PRAGMAS:
            raw.execute(pragma)
        add_functions(raw)
        return raw

    return create_engine(
        "sqlite+pysqlite://", creator=connect, poolclass=NullPool, isolation_level="AUTOCOMMIT", hide_parameters=True
    )


def driver(connection: Connection) -> sqlite3.Connection:
    """The driver's connection: BEGIN and COMMIT cost a microsecond there, more than ten through SQLAlchemy."""
    raw = connection.connection.driver_connection
    assert isinstance(raw, sqlite3.Connection)
    return raw


class Turnstile:
    """The queue of writing processes: ``DATABASE.lock`` beside the database. One per process, opened after a fork."""

    def __init__(self, path: Path) -> None:
        lock = path.with_name(path.name + ".lock")
        self._file = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Wait for our turn and hold it. The kernel ends the turn of a process that dies."""
        fcntl.flock(self._file, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.flock(self._file, fcntl.LOCK_UN)

    def close(self) -> None:
        """Leave the queue."""
        os.close(self._file)


def _create_private(path: Path) -> None:
    """Make the file, if it is missing, so that nobody else on the machine may read it: it holds password hashes.

    SQLite gives its log the same mode. An existing database must never be opened past SQLite: closing that descriptor
    would drop every lock that this process holds on the file (POSIX), and the next process to leave would take itself
    for the last one and delete the log that we still write to.
    """
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
