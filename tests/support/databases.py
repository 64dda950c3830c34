"""Fixtures: a migrated database on each engine, and one unit of work on it."""

from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import pytest
from sqlalchemy import Connection

from havre.metadata import Database, Rows, postgresql_connection, sqlite_connection, upgrade
from havre.metadata.engine import parse_url
from tests.support.postgresql import Cluster

ENGINES = [
    pytest.param("sqlite", id="sqlite"),
    pytest.param("postgresql", id="postgresql", marks=pytest.mark.postgresql),
]


@pytest.fixture(scope="session")
def postgresql_cluster() -> Iterator[Cluster]:
    """One server for the whole run."""
    cluster = Cluster()
    cluster.start()
    yield cluster
    cluster.remove()


@cache
def migrated(cluster: Cluster) -> str:
    """The name of a database that has the schema, to make copies of."""
    url = cluster.create()
    upgrade(url)
    return parse_url(url).database or ""


@pytest.fixture(params=ENGINES)
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database without a schema, on SQLite and on PostgreSQL."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/havre.db"
    cluster: Cluster = request.getfixturevalue("postgresql_cluster")
    return cluster.create()


@pytest.fixture(params=ENGINES)
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database with the schema, on SQLite and on PostgreSQL."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path}/havre.db"
        upgrade(url)
        return url
    cluster: Cluster = request.getfixturevalue("postgresql_cluster")
    return cluster.create(migrated(cluster))


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """A database that was started, on SQLite and on PostgreSQL."""
    database = Database.open(database_url)
    await database.start()
    yield database
    await database.close()


@pytest.fixture
def rows(database_url: str) -> Iterator[Rows]:
    """One unit of work, never committed, on SQLite and on PostgreSQL: for the contracts of the stores."""
    with connected(database_url) as connection:
        if connection.dialect.name == "sqlite":
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        yield Rows(connection)
        connection.rollback()


@contextmanager
def connected(url: str) -> Iterator[Connection]:
    """A connection beside the product's own, made as the product makes them."""
    address = parse_url(url)
    if address.get_backend_name() == "sqlite":
        engine = sqlite_connection.make_engine(sqlite_connection.database_file(address))
    else:
        engine = postgresql_connection.make_engine(address)
    try:
        with engine.connect() as connection:
            yield connection
    finally:
        engine.dispose()


@contextmanager
def undone(rows: Rows) -> Iterator[None]:
    """Undo what is done inside, so that one database serves many examples."""
    execute = rows.connection.exec_driver_sql
    execute("SAVEPOINT example")
    try:
        yield
    finally:
        execute("ROLLBACK TO SAVEPOINT example")
