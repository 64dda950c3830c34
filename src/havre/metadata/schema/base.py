"""What all tables share: the collection they are in, names of constraints, types, and a key."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Integer, MetaData, String

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

# SQLite only gives its fast rowid keys to INTEGER, PostgreSQL needs BIGINT to outgrow two thousand million rows.
Id = BigInteger().with_variant(Integer, "sqlite")
Time = BigInteger
Bytewise = String().with_variant(String(collation="C"), "postgresql")


def identity() -> Column[int]:
    """A key that the engine gives out."""
    return Column("id", Id, primary_key=True, autoincrement=True)
