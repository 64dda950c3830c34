"""Portable rows: everything the database knows as one stream of lines that either engine writes and either reads.

    {"havre": "rows", "format": 1, "schema": "0002", "made": 1790000000000}
    {"table": "users", "columns": ["id", "name", …], "binary": [], "last": 7}
    [1, "alice", …]
    {"end": {"users": 1, …}, "sha256": "…"}

One JSON document per line; bytes are base64. Tables come in an order in which each refers to former ones only; ``last``
is the highest id ever given, so that none is given twice. The last line tells that nothing is missing: how many rows
there were, and the SHA-256 of all lines before it. A stream holds one moment, whatever is written meanwhile, and a few
rows at a time are in memory.
"""

from __future__ import annotations

import base64
import hashlib
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, BinaryIO

import orjson
from sqlalchemy import Connection, LargeBinary, Table, func, select, text

from havre.errors import InputInvalid
from havre.metadata import migrations
from havre.metadata.engine import parse_url
from havre.metadata.failures import DATABASE_ERRORS, translated
from havre.metadata.schema import metadata

FORMAT = 1

DERIVED: Mapping[str, str] = {
    "namespace_blobs": "counted again",
    "storage_changes": "counted again",
    "repository_facets": "counted again",
    "trees": "built again from the layers when somebody looks",
    "tree_pages": "built again from the layers when somebody looks",
}
"""Tables that a stream leaves out, and where their rows come from instead."""

MAX_LINE = 96 * 1024 * 1024
"""Bytes of one line: the largest manifest that a setting allows, in base64, and room to spare."""

_AT_ONCE = 200
"""Rows fetched from the engine at a time."""

Tell = Callable[[int], None]
"""Hears how many rows there are so far."""


@dataclass(frozen=True, slots=True)
class Summary:
    """What a stream held."""

    schema: str
    made: int
    """Milliseconds since 1970, UTC."""
    tables: Mapping[str, int]
    """Rows, by table."""

    @property
    def total(self) -> int:
        """Rows of all tables."""
        return sum(self.tables.values())


@dataclass(frozen=True, slots=True)
class Section:
    """The head of a table within a stream."""

    table: str
    columns: tuple[str, ...]
    binary: frozenset[str]
    last: int


@dataclass(slots=True)
class Reader:
    """Reads a stream line by line, and checks that it is whole. ``head`` must be called first, ``rows`` to the end.

    Raises InputInvalid for whatever is no such stream, or an incomplete one.
    """

    source: BinaryIO
    schema: str = ""
    made: int = 0
    tables: dict[str, int] = field(default_factory=dict)
    _hash: Any = field(default_factory=hashlib.sha256)

    def head(self) -> None:
        """Read the first line."""
        line = self._line()
        if not isinstance(line, dict) or line.get("havre") != "rows":
            raise InputInvalid("this is no file of rows: havre rows export writes one")
        if line.get("format") != FORMAT:
            raise InputInvalid(
                f"the rows are in format {str(line.get('format'))[:20]}, this version of Havre reads format {FORMAT}:"
                " use the version that wrote them"
            )
        self.schema, self.made = str(line["schema"]), int(line["made"])

    def rows(self) -> Iterator[tuple[Section, dict[str, Any] | None]]:
        """Every table's head, with None, followed by each of its rows."""
        section: Section | None = None
        while True:
            before = self._hash.copy()
            line = self._line()
            if isinstance(line, list) and section is not None:
                if len(line) != len(section.columns):
                    raise _broken(f"a row of {section.table} has {len(line)} values")
                row = dict(zip(section.columns, line, strict=True))
                for name in section.binary:
                    row[name] = None if row[name] is None else base64.b64decode(row[name])
                self.tables[section.table] += 1
                yield section, row
            elif isinstance(line, dict) and "table" in line:
                section = Section(
                    str(line["table"]), tuple(line["columns"]), frozenset(line["binary"]), int(line["last"])
                )
                self.tables[section.table] = 0
                yield section, None
            elif isinstance(line, dict) and "end" in line:
                if line["end"] != self.tables or line.get("sha256") != before.hexdigest():
                    raise _broken("what it holds is not what its last line says")
                return
            else:
                raise _broken("there is a line of another kind")

    @property
    def summary(self) -> Summary:
        """What was read."""
        return Summary(self.schema, self.made, dict(self.tables))

    def _line(self) -> Any:
        try:
            line = self.source.readline(MAX_LINE)
        except Exception as error:
            raise _broken("it can not be decompressed") from error
        if not line.endswith(b"\n"):
            raise _broken("it ends in the middle")
        self._hash.update(line)
        try:
            return orjson.loads(line)
        except orjson.JSONDecodeError as error:
            raise _broken("a line is not JSON") from error


def _broken(why: str) -> InputInvalid:
    return InputInvalid(f"the file of rows is damaged ({why}): nothing was read from it; take another copy")


# ---------------------------------------------------------------- writing


def export_rows(url: str, sink: BinaryIO, tell: Tell = lambda _rows: None) -> Summary:
    """Write all rows of the database at ``url`` as they are at one moment; others go on writing to it.

    The database must have the schema of this version. Raises StorageFull, Unavailable, and OSError of the sink.
    """
    made = time.time_ns() // 1_000_000
    running, total = hashlib.sha256(), 0
    counts: dict[str, int] = {}

    def write(document: object) -> None:
        line = orjson.dumps(document) + b"\n"
        running.update(line)
        sink.write(line)

    with _reading(url) as connection:
        write({"havre": "rows", "format": FORMAT, "schema": migrations.HEAD, "made": made})
        for table in _tables():
            columns = list(table.columns)
            binary = [one.name for one in columns if isinstance(one.type, LargeBinary)]
            places = [place for place, one in enumerate(columns) if one.name in binary]
            names = [one.name for one in columns]
            write({"table": table.name, "columns": names, "binary": binary, "last": _last(connection, table)})
            name = str(table.name)
            counts[name] = 0
            for row in _all(connection, table):
                write(_encoded(row, places))
                counts[name] += 1
            total += counts[name]
            tell(total)
        sink.write(orjson.dumps({"end": counts, "sha256": running.hexdigest()}) + b"\n")
    return Summary(migrations.HEAD, made, counts)


def _tables() -> list[Table]:
    return [table for table in metadata.sorted_tables if table.name not in DERIVED]


def _all(connection: Connection, table: Table) -> Iterator[Any]:
    statement = select(*table.columns).order_by(*table.primary_key.columns)
    yield from connection.execution_options(yield_per=_AT_ONCE).execute(statement)


def _encoded(row: Any, binary: list[int]) -> list[Any]:
    values = list(row)
    for place in binary:
        if values[place] is not None:
            values[place] = base64.b64encode(values[place]).decode()
    return values


def _last(connection: Connection, table: Table) -> int:
    """The highest id that the engine ever gave out for this table; 0 where it gives none."""
    column = table.autoincrement_column
    if column is None:
        return 0
    found = connection.scalar(select(func.max(column))) or 0
    if connection.dialect.name != "sqlite":
        given = connection.execute(
            text("SELECT last_value FROM pg_sequences WHERE format('%I.%I', schemaname, sequencename) = :name"),
            {"name": connection.scalar(_SEQUENCE, {"table": table.name, "column": column.name})},
        ).scalar()
    elif table.dialect_options["sqlite"]["autoincrement"]:
        given = connection.scalar(text("SELECT seq FROM sqlite_sequence WHERE name = :name"), {"name": table.name})
    else:
        given = 0
    return max(int(found), int(given or 0))


_SEQUENCE = text("SELECT pg_get_serial_sequence(:table, :column)")


@contextmanager
def _reading(url: str) -> Iterator[Connection]:
    """A connection within a transaction that sees one moment, for as long as it takes."""
    address = parse_url(url)
    try:
        if address.get_backend_name() == "sqlite":
            from havre.metadata.sqlite_connection import database_file, driver, make_engine

            with make_engine(database_file(address)).connect() as connection:
                raw = driver(connection)
                raw.execute("BEGIN")
                try:
                    yield connection
                finally:
                    raw.rollback()
            return
        from havre.metadata import postgresql_connection

        engine = postgresql_connection.make_engine(address)
        options = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
        try:
            with engine.execution_options(**options).connect() as connection, connection.begin():
                yield connection
        finally:
            engine.dispose()
    except DATABASE_ERRORS as error:
        raise translated(error) from error
