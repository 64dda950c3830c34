"""What a failing database means for the caller: no room, or not now. Everything else is a fault and goes on as it is."""

from __future__ import annotations

import sqlite3

from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from havre.errors import HavreError, StorageFull, Unavailable

# SQLite could not grow its shared-memory file: in practice a full disk too.
_SQLITE_FULL = frozenset({sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_SHMSIZE})
_SQLITE_BUSY = frozenset(
    {
        *(sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL, sqlite3.SQLITE_NOMEM),
        *(sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY),
    }
)
_POSTGRESQL_FULL = "53100"
_REFUSALS = {
    "57014": "the database took too long for this",
    "55P03": "other changes hold the rows that this one needs",
    "25006": "the database can only be read at present",
}
"""Of PostgreSQL: statement_timeout, lock_timeout, and a standby that has not taken over yet."""
_CONFLICTS = frozenset({"40001", "40P01"})

DATABASE_ERRORS = (DBAPIError, PoolTimeout, sqlite3.Error)
"""What SQLAlchemy and the bare driver raise."""


def is_conflict(error: BaseException) -> bool:
    """Did PostgreSQL ask to run the transaction again (serialisation failure or deadlock)?"""
    return isinstance(error, DBAPIError) and getattr(error.orig, "sqlstate", None) in _CONFLICTS


def wrote_in_a_read(error: Exception) -> bool:
    """Of what a read raised: did our own unit of work write, rather than the disk fail? That is no refusal for now."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    # Circumstances of a disk that can not be written to stand in the higher bytes.
    is_ours = getattr(cause, "sqlstate", "") == "25006"
    return is_ours or (
        isinstance(cause, sqlite3.Error) and getattr(cause, "sqlite_errorcode", 0) == sqlite3.SQLITE_READONLY
    )


def translated(error: Exception) -> Exception:
    """StorageFull or Unavailable if the database has no room or can not answer, else ``error`` itself.

    A broken constraint or statement is not the database's failure, so it is left alone.
    """
    cause = error.orig if isinstance(error, DBAPIError) else error
    if isinstance(cause, sqlite3.Error):
        code = getattr(cause, "sqlite_errorcode", 0)
        full = code in _SQLITE_FULL
        # The low byte is the kind of failure, the rest its circumstances.
        silent = code & 0xFF in _SQLITE_BUSY
    else:
        full = getattr(cause, "sqlstate", None) == _POSTGRESQL_FULL
        if why := _REFUSALS.get(getattr(cause, "sqlstate", None) or ""):
            return unavailable(why)
        silent = isinstance(error, (OperationalError, InterfaceError, PoolTimeout))
    if full:
        return StorageFull("the disk of the database is full: nothing was changed; free some space and try again")
    if is_conflict(error):
        return unavailable("too many changes to the same rows at once")
    return unavailable("the database does not answer") if silent else error


def caused(error: BaseException) -> BaseException:
    """What to hand to another thread for ``error``: translated, and chained to it as ``raise … from`` would do."""
    if isinstance(error, StopIteration):
        # A future refuses it, and whoever waits would wait for ever.
        failure: BaseException = RuntimeError("a unit of work raised StopIteration")
    else:
        failure = translated(error) if isinstance(error, Exception) else error
    if failure is not error:
        failure.__cause__ = error
    return failure


def unavailable(why: str) -> HavreError:
    """A refusal for now, with the advice to try again."""
    return Unavailable(f"{why}: try again in a moment", retry_after=2)
