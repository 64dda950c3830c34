"""``INSERT … ON CONFLICT``, which SQLite and PostgreSQL spell alike but SQLAlchemy keeps apart by engine."""

from __future__ import annotations

from sqlalchemy import Connection, Table
from sqlalchemy.dialects import sqlite


def insert(connection: Connection, table: Table) -> sqlite.Insert:
    """An insert into ``table`` that takes ``on_conflict_do_nothing`` and ``on_conflict_do_update``."""
    if connection.dialect.name == "postgresql":
        from sqlalchemy.dialects import postgresql

        # The two classes offer the same methods; only their compilers differ.
        return postgresql.insert(table)  # type: ignore[return-value]
    return sqlite.insert(table)
