"""Portable rows read in: a whole stream becomes the content of an empty database, or nothing does.

A stream of an older schema is read into a database of that schema, which is then migrated: what an older Havre backed up
can be restored by this one.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, BinaryIO

from sqlalchemy import Connection, column, func, inspect, select, table, text

from havre.errors import ConfigError, Conflict
from havre.metadata import migrations, search_index, storage_figures
from havre.metadata.engine import parse_url
from havre.metadata.failures import DATABASE_ERRORS, translated
from havre.metadata.portable import Reader, Section, Summary, Tell
from havre.metadata.schema import metadata
from havre.metadata.sqlite_connection import Turnstile, database_file, driver, make_engine

Change = Callable[[dict[str, Any]], dict[str, Any] | None]
"""What becomes of a row on its way in; None leaves it out."""

_PEOPLES = ("users", "repositories", "blobs")
"""Tables that are empty where nobody has been yet."""

_ROWS, _BYTES = 500, 4 * 1024 * 1024
"""Of one statement, at most."""

_IMPORT_LOCK = 0x48415653


def import_rows(
    url: str, source: BinaryIO, changes: Mapping[str, Change] | None = None, tell: Tell = lambda _rows: None
) -> Summary:
    """Read a stream into the database at ``url``, which is made if need be; all or nothing.

    ``changes`` say by table what becomes of rows. Raises InputInvalid for a damaged stream, Conflict if the database
    holds accounts, repositories or content already, ConfigError if the stream is of a newer schema than this version knows
    or of an older one than the database has, StorageFull and Unavailable.
    """
    reader = Reader(source)
    reader.head()
    if reader.schema > migrations.HEAD:
        raise ConfigError(
            f"the rows have schema {reader.schema}, this version of Havre knows schemas up to {migrations.HEAD}:"
            " install the version that wrote them, or a newer one"
        )
    migrations.upgrade(url, reader.schema)
    if (there := migrations.revision_of(url)) != reader.schema:
        raise ConfigError(
            f"the rows have schema {reader.schema}, the database has {there} already: read them into a new, empty database"
        )
    current = reader.schema == migrations.HEAD
    with _writing(url) as connection:
        _check_empty(connection)
        _clear(connection)
        _insert(connection, reader, changes or {}, tell)
        if current:
            _derive(connection)
    if not current:
        migrations.upgrade(url)
        with _writing(url) as connection:
            _derive(connection)
    return reader.summary


def check_empty(url: str) -> None:
    """Raises Conflict if the database holds anything; it may be missing, or have any schema up to this version's."""
    if migrations.revision_of(url):
        with _writing(url) as connection:
            _check_empty(connection)


def _check_empty(connection: Connection) -> None:
    full = [name for name in _PEOPLES if connection.scalar(select(func.count()).select_from(table(name)))]
    if full:
        raise Conflict(
            f"the database is not empty, there are {' and '.join(full)} in it: rows are read into a new, empty one only"
        )


def _clear(connection: Connection) -> None:
    """Remove what a migration or a start has put there."""
    there = set(inspect(connection).get_table_names())
    for one in reversed(metadata.sorted_tables):
        if one.name in there:
            connection.execute(one.delete())


def _insert(connection: Connection, reader: Reader, changes: Mapping[str, Change], tell: Tell) -> None:
    batch: list[dict[str, Any]] = []
    section: Section | None = None
    size = total = 0
    for here, row in reader.rows():
        if row is None or len(batch) >= _ROWS or size > _BYTES:
            _put(connection, section, batch)
            total += len(batch)
            tell(total)
            batch, size = [], 0
        if row is None:
            section = here
            _go_on_from(connection, here)
            continue
        change = changes.get(here.table)
        kept = change(row) if change else row
        if kept is not None:
            batch.append(kept)
            size += sum(len(value) for value in kept.values() if isinstance(value, str | bytes))
    _put(connection, section, batch)


def _put(connection: Connection, section: Section | None, batch: Collection[dict[str, Any]]) -> None:
    if section is not None and batch:
        into = table(section.table, *(column(name) for name in section.columns))
        connection.execute(into.insert(), list(batch))


def _go_on_from(connection: Connection, section: Section) -> None:
    """Ids that were given once are not given again."""
    if not section.last:
        return
    if connection.dialect.name != "sqlite":
        connection.execute(
            text("SELECT setval(pg_get_serial_sequence(:table, 'id'), :last)"),
            {"table": section.table, "last": section.last},
        )
    elif _counts_for_ever(connection, section.table):
        connection.execute(text("DELETE FROM sqlite_sequence WHERE name = :table"), {"table": section.table})
        connection.execute(
            text("INSERT INTO sqlite_sequence (name, seq) VALUES (:table, :last)"),
            {"table": section.table, "last": section.last},
        )


def _counts_for_ever(connection: Connection, name: str) -> bool:
    found = text("SELECT sql LIKE '%AUTOINCREMENT%' FROM sqlite_master WHERE type = 'table' AND name = :name")
    return bool(connection.scalar(found, {"name": name}))


def _derive(connection: Connection) -> None:
    storage_figures.begin_counting(connection)
    search_index.rebuild(connection)


@contextmanager
def _writing(url: str) -> Iterator[Connection]:
    """A connection within a transaction that nobody else writes beside."""
    address = parse_url(url)
    try:
        if address.get_backend_name() == "sqlite":
            path = database_file(address)
            turnstile = Turnstile(path)
            try:
                with turnstile.turn(), make_engine(path).connect() as connection:
                    raw = driver(connection)
                    raw.execute("BEGIN IMMEDIATE")
                    try:
                        yield connection
                        raw.commit()
                    finally:
                        raw.rollback()
            finally:
                turnstile.close()
            return
        from havre.metadata import postgresql_connection

        engine = postgresql_connection.make_engine(address)
        try:
            with engine.begin() as connection:
                connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _IMPORT_LOCK})
                yield connection
        finally:
            engine.dispose()
    except DATABASE_ERRORS as error:
        raise translated(error) from error
