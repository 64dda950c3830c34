"""Pieces of SQL that the two engines spell differently."""

from __future__ import annotations

import sqlite3
from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, Connection, Table, func
from sqlalchemy.dialects import postgresql, sqlite

FOLD = "havre_fold"
"""The name under which SQLite connections know ``fold``."""


def insert_new(connection: Connection, table: Table) -> Any:
    """An INSERT that does nothing if a unique constraint says that the row is there already."""
    return _insert_new(connection.dialect.name, table)


def insert(connection: Connection, table: Table) -> Any:
    """An INSERT of this engine's dialect, which knows ON CONFLICT. Typed Any: the two dialects share no base class."""
    return insert_for(connection.dialect.name, table)


def insert_for(engine: str, table: Table) -> Any:
    """The same, for a statement that is put together once and kept: that takes longer than to run it."""
    return (sqlite if engine == "sqlite" else postgresql).insert(table)


@cache
def _insert_new(engine: str, table: Table) -> Any:
    return insert_for(engine, table).on_conflict_do_nothing()


def contains(connection: Connection, column: ColumnElement[str], text: str) -> ColumnElement[bool]:
    """Is ``text`` part of the column, whatever the case of letters? Nothing in ``text`` is a wildcard."""
    wanted = pattern(text)
    if connection.dialect.name != "sqlite":
        return column.ilike(wanted, escape="\\")
    if text.isascii():
        # SQLite's LIKE disregards the case of ASCII letters by itself, and is ten times faster than a call to Python.
        return column.like(wanted, escape="\\")
    folded: ColumnElement[str] = getattr(func, FOLD)(column)
    return folded.like(fold(wanted), escape="\\")


def pattern(text: str) -> str:
    """What LIKE looks for to find ``text`` anywhere, with a backslash before what would be a wildcard."""
    return "%" + text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"


def fold(text: str) -> str:
    """Lower case as PostgreSQL makes it: letter by letter."""
    return text.lower()


def add_functions(raw: sqlite3.Connection) -> None:
    """Teach an SQLite connection what ``contains`` needs."""
    raw.create_function(FOLD, 1, fold, deterministic=True)
