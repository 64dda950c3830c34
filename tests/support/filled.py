"""A database with rows in every table, whatever tables there are: made from the schema, so that none is forgotten."""

from __future__ import annotations

import re
from typing import Any

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    Connection,
    ForeignKeyConstraint,
    LargeBinary,
    String,
    Table,
    select,
    text,
)

from havre.metadata import search_index, storage_figures
from havre.metadata.portable import DERIVED
from havre.metadata.schema import metadata

ROWS = 3
_ONE_OF = re.compile(r"(\w+) IN \('(\w+)'")
_SPECIAL = {
    # What other parts read again, so that it has to mean something to them.
    ("repositories", "path"): lambda number: f"alice/app-{number}",
    ("repositories", "name"): lambda number: f"app-{number}",
    ("repositories", "description"): lambda number: f"crêpes № {number} \u2028 \"quoted\" \\ 'single'",
    ("manifests", "content"): lambda number: b'{"schemaVersion": 2}' + b" " * number,
    ("blobs", "storage_key"): lambda number: f"sha256/{number:02}/{number:064}",
    ("blobs", "digest"): lambda number: f"sha256:{number:064}",
}


def fill(connection: Connection) -> None:
    """Put some rows into every table that is not derived from others, then derive those."""
    for table in reversed(metadata.sorted_tables):
        connection.execute(table.delete())
    for table in metadata.sorted_tables:
        if table.name not in DERIVED:
            connection.execute(table.insert(), [_row(table, number) for number in range(1, ROWS + 1)])
    storage_figures.begin_counting(connection)
    search_index.rebuild(connection)
    if connection.dialect.name != "sqlite":
        for table in metadata.sorted_tables:
            if table.autoincrement_column is not None and table.name not in DERIVED:
                connection.execute(text(f"SELECT setval(pg_get_serial_sequence('{table.name}', 'id'), {ROWS})"))


def content(connection: Connection) -> dict[str, list[tuple[Any, ...]]]:
    """All rows of all tables, derived ones included, in one order on both engines."""
    found = {}
    for table in metadata.sorted_tables:
        rows = connection.execute(select(*table.columns)).all()
        found[table.name] = sorted((tuple(map(_plain, row)) for row in rows), key=repr)
    return found


def _plain(value: Any) -> Any:
    return bytes(value) if isinstance(value, memoryview) else value


def _row(table: Table, number: int) -> dict[str, Any]:
    options = {
        found[1]: found[2]
        for one in table.constraints
        if isinstance(one, CheckConstraint) and (found := _ONE_OF.search(str(one.sqltext)))
    }
    references = {
        column.name for one in table.constraints if isinstance(one, ForeignKeyConstraint) for column in one.columns
    }
    return {one.name: _value(table, one, number, options, references) for one in table.columns}


def _value(table: Table, column: Column[Any], number: int, options: dict[str, str], references: set[str]) -> Any:
    if column.name in references or column.name == "id" or column.name.endswith("_id"):
        # Rows of other tables are numbered alike.
        return number if not isinstance(column.type, String) else f"id-{number}"
    if (table.name, column.name) in _SPECIAL:
        return _SPECIAL[table.name, column.name](number)
    if column.name in options:
        return options[column.name]
    if column.nullable and number == ROWS:
        return None
    if column.name == "deleted":
        return None
    if isinstance(column.type, Boolean):
        return number == 1
    if isinstance(column.type, LargeBinary):
        return bytes(range(256)) + bytes([number])
    if isinstance(column.type, String):
        return (
            f"{{}}{number}"
            if column.type.python_type is str and column.name == "payload"
            else f"{column.name} {number}"
        )
    return 2**40 + number if str(column.type) == "BIGINT" else number
