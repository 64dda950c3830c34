"""Migrations: bring a database to the schema of this version, one Alembic revision after the other.

Revisions are numbered (``0001``, ``0002`` …), so that a database from a newer Havre is known as such. There is no way
down: restore the backup that was made before the upgrade. To add one: change ``schema.py``, write the next file in
``versions/`` and raise ``HEAD``; a test compares what they lead to with the schema.
"""

from __future__ import annotations

import json
import logging
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection, Engine, text
from sqlalchemy.engine import URL

from havre.errors import ConfigError, HavreError, StorageFull, Unavailable
from havre.metadata.engine import parse_url
from havre.metadata.failures import DATABASE_ERRORS, translated, unavailable
from havre.metadata.sqlite_connection import Turnstile, database_file, driver, make_engine

HEAD = "0002"
"""The newest revision."""

# An arbitrary number that means "Havre upgrades its schema" among a PostgreSQL server's advisory locks.
_ADVISORY_LOCK = 0x48415652
_REVISION = "SELECT version_num FROM alembic_version"

_log = logging.getLogger("havre.metadata")


def upgrade(url: str, to: str = HEAD) -> None:
    """Bring the database at ``url`` to ``HEAD``, creating it if need be; does nothing, quickly, if it is there.

    ``to`` is an older schema where rows of that one are to be read in; a database that is past it stays as it is.

    Several processes may call this at once: one works, the others wait. All or nothing: a crash in the middle leaves
    the former schema. Raises ConfigError if a newer Havre has written the database, StorageFull or Unavailable.
    """
    address = parse_url(url)
    try:
        if not is_current(url):
            _run_alembic(address, to)
    except (OSError, *DATABASE_ERRORS) as error:
        failure = unavailable("the database can not be opened") if isinstance(error, OSError) else translated(error)
        raise failure from error


def upgrade_in_child(url: str) -> None:
    """As ``upgrade``, but in a short-lived child process, so that a server does not keep Alembic in memory.

    Call it before any thread is started: it forks.
    """
    if is_current(url):
        return
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        os._exit(_upgrade_and_report(url, writing))
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        report = pipe.read()
    _, status = os.waitpid(child, 0)
    if status:
        name, message = json.loads(report) if report else ("", f"the upgrade of the database died (status {status})")
        kinds = {kind.__name__: kind for kind in (ConfigError, StorageFull, Unavailable)}
        raise kinds.get(name, ConfigError)(message)


def is_current(url: str) -> bool:
    """Is the schema at ``HEAD``? One query, without Alembic. Raises ConfigError if it is newer, or Unavailable."""
    return revision_of(url) == HEAD


def revision_of(url: str) -> str:
    """The schema of the database, empty where there is none. Raises ConfigError if it is newer, or Unavailable."""
    address = parse_url(url)
    try:
        revision = (
            _sqlite_revision(address) if address.get_backend_name() == "sqlite" else _postgresql_revision(address)
        )
    except DATABASE_ERRORS as error:
        raise translated(error) from error
    if revision > HEAD:
        raise ConfigError(
            f"the database has schema {revision}, this version of Havre knows schemas up to {HEAD}:"
            " install the newer version again, or restore the backup made before its upgrade"
        )
    return revision


def _sqlite_revision(address: URL) -> str:
    """The revision, empty for a new database."""
    path = database_file(address)
    if not path.exists():
        return ""
    raw = sqlite3.connect(path, timeout=10, isolation_level=None)
    try:
        row = raw.execute(_REVISION).fetchone()
    except sqlite3.OperationalError as error:
        if "no such table" in str(error):
            return ""
        raise
    finally:
        raw.close()
    return str(row[0]) if row else ""


def _postgresql_revision(address: URL) -> str:
    with _postgresql(address) as engine, engine.connect() as connection:
        if connection.scalar(text("SELECT to_regclass('alembic_version')")) is None:
            return ""
        return str(connection.scalar(text(_REVISION)) or "")


@contextmanager
def _postgresql(address: URL) -> Iterator[Engine]:
    from havre.metadata import postgresql_connection

    engine = postgresql_connection.make_engine(address)
    try:
        yield engine
    finally:
        engine.dispose()


def _run_alembic(address: URL, to: str) -> None:
    """Run what is missing in one transaction, as the only process that does."""
    if address.get_backend_name() == "sqlite":
        path = database_file(address)
        path.parent.mkdir(parents=True, exist_ok=True)
        turnstile = Turnstile(path)
        try:
            with turnstile.turn(), make_engine(path).connect() as connection:
                raw = driver(connection)
                # Foreign keys are off while tables are rebuilt: dropping the old one would empty those that refer to it.
                raw.execute("PRAGMA foreign_keys = OFF")
                raw.execute("BEGIN IMMEDIATE")
                try:
                    _alembic(connection, to)
                    raw.commit()
                finally:
                    raw.rollback()
        finally:
            turnstile.close()
        return
    with _postgresql(address) as engine, engine.begin() as connection:
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _ADVISORY_LOCK})
        _alembic(connection, to)


def _alembic(connection: Connection, to: str) -> None:
    # Alembic reads the revision itself, in our transaction: whoever waited for the lock finds nothing left to do.
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, to)
    _log.info("the database has schema %s", to)


def _upgrade_and_report(url: str, pipe: int) -> int:
    """In the child: the exit status, and on failure its name and sentence in the pipe."""
    try:
        upgrade(url)
    except HavreError as error:
        report = [type(error).__name__, error.message]
    except BaseException as error:  # noqa: BLE001 - a forked child must never return into its parent's code
        _log.exception("the upgrade of the database failed")
        report = ["", f"the upgrade of the database failed: {type(error).__name__}"]
    else:
        return 0
    os.write(pipe, json.dumps(report).encode())
    return 1
