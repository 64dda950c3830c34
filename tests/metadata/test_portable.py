"""Rows move from either engine to either, all of them, with their ids; a stream that is not whole changes nothing."""

from __future__ import annotations

import hashlib
import io
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import Connection, func, select, text

from havre.errors import ConfigError, Conflict, InputInvalid
from havre.metadata import migrations, upgrade
from havre.metadata.portable import DERIVED, Reader, export_rows
from havre.metadata.portable_import import import_rows
from havre.metadata.schema import metadata, repositories, users
from tests.support.databases import connected
from tests.support.filled import ROWS, content, fill
from tests.support.postgresql import Cluster


def begin(connection: Connection) -> None:
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("BEGIN IMMEDIATE")


def end(connection: Connection) -> None:
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("COMMIT")
    else:
        connection.commit()


@pytest.fixture
def filled_url(database_url: str) -> str:
    """A database with rows in every table, on SQLite and on PostgreSQL."""
    with connected(database_url) as connection:
        begin(connection)
        fill(connection)
        end(connection)
    return database_url


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def target_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Another database, without a schema."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/target/havre.db"
    cluster: Cluster = request.getfixturevalue("postgresql_cluster")
    return cluster.create()


def stream(url: str) -> bytes:
    sink = io.BytesIO()
    export_rows(url, sink)
    return sink.getvalue()


def held(url: str) -> dict[str, list[tuple[object, ...]]]:
    with connected(url) as connection:
        return content(connection)


def test_every_row_of_every_table_arrives(filled_url: str, target_url: str) -> None:
    before = held(filled_url)
    empty = [name for name, rows in before.items() if len(rows) != ROWS and name not in DERIVED]
    assert not empty, "the test has no rows for these tables"
    summary = import_rows(target_url, io.BytesIO(stream(filled_url)))
    assert summary.total == ROWS * (len(metadata.tables) - len(DERIVED))
    assert held(target_url) == before


def test_there_and_back_is_the_same_stream(filled_url: str, target_url: str) -> None:
    once = stream(filled_url)
    import_rows(target_url, io.BytesIO(once))
    # But for the moment in the first line, and the sum that depends on it.
    assert stream(target_url).splitlines()[1:-1] == once.splitlines()[1:-1]


def test_derived_tables_are_known_and_few() -> None:
    assert set(DERIVED) <= set(metadata.tables)
    assert set(DERIVED) == {"namespace_blobs", "storage_changes", "repository_facets", "trees", "tree_pages"}


def test_ids_are_not_given_twice(filled_url: str, target_url: str) -> None:
    with connected(filled_url) as connection:
        begin(connection)
        add = users.insert().values(
            name="gone", email="gone@example.org", password="", is_admin=False, disabled=False, created=0
        )
        gone = connection.execute(add).inserted_primary_key
        connection.execute(users.delete().where(users.c.name == "gone"))
        end(connection)
    import_rows(target_url, io.BytesIO(stream(filled_url)))
    with connected(target_url) as connection:
        begin(connection)
        fresh = connection.execute(add).inserted_primary_key
        assert gone is not None
        assert fresh is not None
        assert fresh[0] > gone[0] > ROWS
        connection.rollback()


def test_search_finds_what_was_read(filled_url: str, target_url: str) -> None:
    import_rows(target_url, io.BytesIO(stream(filled_url)))
    with connected(target_url) as connection:
        assert connection.scalar(text("SELECT count(*) FROM search")) == ROWS


def test_a_database_with_people_in_it_is_left_alone(filled_url: str) -> None:
    before = held(filled_url)
    with pytest.raises(Conflict, match="the database is not empty, there are users and repositories and blobs in it"):
        import_rows(filled_url, io.BytesIO(stream(filled_url)))
    assert held(filled_url) == before


@pytest.mark.parametrize(
    ("harm", "why"),
    [
        (lambda whole: whole[:-1], "ends in the middle"),
        (lambda whole: whole[: len(whole) // 2], "ends in the middle"),
        (lambda whole: b"".join(whole.splitlines(keepends=True)[:-1]), "ends in the middle"),
        (lambda whole: whole.replace(b'"alice/app-1"', b'"alice/abb-1"'), "not what its last line says"),
        (lambda whole: whole.replace(b'"alice/app-1"', b'"alice/app-1",7'), "a row of repositories has"),
        (lambda whole: b"hello\n" + whole, "not JSON"),
        (lambda _: b"{}\n", "no file of rows"),
        (lambda whole: whole.replace(b'"format":1', b'"format":2'), "reads format 1"),
    ],
)
def test_a_stream_that_is_not_whole_changes_nothing(
    database_url: str, filled: bytes, harm: Callable[[bytes], bytes], why: str
) -> None:
    before = held(database_url)
    with pytest.raises(InputInvalid, match=why):
        import_rows(database_url, io.BytesIO(harm(filled)))
    assert held(database_url) == before


@pytest.fixture
def filled(tmp_path: Path) -> bytes:
    """A whole stream."""
    url = f"sqlite:///{tmp_path}/source.db"
    upgrade(url)
    with connected(url) as connection:
        begin(connection)
        fill(connection)
        end(connection)
    return stream(url)


def test_a_newer_schema_is_refused(empty_url: str, filled: bytes) -> None:
    newer = filled.replace(f'"schema":"{migrations.HEAD}"'.encode(), b'"schema":"9999"')
    with pytest.raises(ConfigError, match="schema 9999"):
        import_rows(empty_url, io.BytesIO(newer))


OLD = b"""{"havre":"rows","format":1,"schema":"0001","made":7}
{"table":"users","columns":["id","name","email","password","is_admin","disabled","default_visibility","language","created"],"binary":[],"last":9}
[4,"alice","alice@example.org","x",true,false,"public","",7]
{"table":"namespaces","columns":["id","name","kind","user_id","created"],"binary":[],"last":5}
[1,"library","official",null,7]
[5,"alice","user",4,7]
{"table":"repositories","columns":["id","namespace_id","name","path","visibility","pulls","created","updated","description","readme"],"binary":[],"last":3}
[3,5,"app","alice/app","public",12,7,8,"An app","# Readme"]
"""


def test_rows_of_an_older_schema_are_brought_to_this_one(empty_url: str) -> None:
    total = hashlib.sha256(OLD).hexdigest()
    last = f'{{"end":{{"users":1,"namespaces":2,"repositories":1}},"sha256":"{total}"}}\n'.encode()
    assert import_rows(empty_url, io.BytesIO(OLD + last)).schema == "0001"
    assert migrations.is_current(empty_url)
    with connected(empty_url) as connection:
        assert connection.execute(select(repositories.c.path, repositories.c.pulls)).all() == [("alice/app", 12)]
        assert connection.scalar(text("SELECT text FROM readmes")) == "# Readme"
        assert connection.scalar(text("SELECT count(*) FROM search")) == 1


def test_an_older_schema_needs_a_database_of_its_own(database_url: str) -> None:
    with pytest.raises(ConfigError, match="the rows have schema 0001, the database has"):
        import_rows(database_url, io.BytesIO(OLD))


def test_a_stream_holds_one_moment(filled_url: str) -> None:
    """Rows that are committed while it is written are not in it, not even in tables that come later."""

    class Sink(io.BytesIO):
        def write(self, line: bytes) -> int:  # type: ignore[override]
            if line.startswith(b'{"table":"users"'):
                writer = threading.Thread(target=add_more, args=(filled_url,))
                writer.start()
                writer.join()
            return super().write(line)

    sink = Sink()
    summary = export_rows(filled_url, sink)
    assert summary.tables["repositories"] == ROWS
    with connected(filled_url) as connection:
        assert connection.scalar(select(func.count()).select_from(repositories)) == ROWS + 1
    sink.seek(0)
    reader = Reader(sink)
    reader.head()
    assert sum(1 for _, row in reader.rows() if row is not None) == summary.total


def add_more(url: str) -> None:
    with connected(url) as connection:
        begin(connection)
        connection.execute(
            repositories.insert().values(
                namespace_id=1, name="more", path="alice/more", visibility="public", created=1, updated=1
            )
        )
        end(connection)
