"""Migrations lead to the schema, once, whoever starts first, and never backwards."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from havre.errors import ConfigError, StorageFull, Unavailable
from havre.metadata import migrations, upgrade, upgrade_in_child
from havre.metadata.schema import metadata
from tests.support.databases import connected
from tests.support.requirements import require, require_root

_SQLITE_TABLES = """SELECT name, sql LIKE '%AUTOINCREMENT%', sql LIKE '%WITHOUT ROWID%' FROM sqlite_master
                    WHERE type = 'table' AND name != 'alembic_version' AND name NOT LIKE 'sqlite_%' ORDER BY 1"""
_SQLITE_DETAILS = (
    "SELECT name, type, \"notnull\", coalesce(dflt_value, 'NULL'), pk FROM pragma_table_info('{}') ORDER BY 1",
    'SELECT "from", "table", "to", on_delete FROM pragma_foreign_key_list(\'{}\') ORDER BY 1',
    """SELECT one.name, one."unique", part.seqno, part.name
       FROM pragma_index_list('{}') AS one, pragma_index_info(one.name) AS part ORDER BY 1, 3""",
)
_POSTGRESQL = (
    """SELECT table_name, column_name, data_type, collation_name, is_nullable, column_default,
              col_description(table_name::regclass, ordinal_position)
       FROM information_schema.columns
       WHERE table_schema = 'public' AND table_name != 'alembic_version' ORDER BY 1, 2""",
    """SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid)
       FROM pg_constraint WHERE conrelid != 0 AND conname NOT LIKE 'alembic%' ORDER BY 1, 2""",
    """SELECT indexname, indexdef FROM pg_indexes
       WHERE schemaname = 'public' AND tablename != 'alembic_version' ORDER BY 1""",
)


def described(connection: Connection) -> list[object]:
    """Everything the engine knows of the schema, but for the order of columns."""
    if connection.dialect.name == "sqlite":
        tables = [tuple(row) for row in connection.execute(text(_SQLITE_TABLES))]
        queries = [query.format(name) for name, *_ in tables for query in _SQLITE_DETAILS]
        return [*tables, *((query, *row) for query in queries for row in connection.execute(text(query)))]
    return [tuple(row) for query in _POSTGRESQL for row in connection.execute(text(query))]


def seeds(connection: Connection) -> list[tuple[str, str, int | None]]:
    found = connection.execute(text("SELECT name, kind, user_id FROM namespaces"))
    return [(name, kind, user_id) for name, kind, user_id in found]


def test_they_lead_to_exactly_the_schema(empty_url: str) -> None:
    with connected(empty_url) as connection, connection.begin():
        metadata.create_all(connection)
        wanted = described(connection)
        metadata.drop_all(connection)
    upgrade(empty_url)
    with connected(empty_url) as connection:
        assert described(connection) == wanted
    assert len(wanted) > len(metadata.tables)


def no_search_index(name: str | None, kind: str, _parents: object) -> bool:
    """Alembic can not know the index of words, which is made by plain statements: see schema/search.py."""
    return kind != "table" or not str(name).startswith("search")


def test_alembic_finds_nothing_to_add(database_url: str) -> None:
    with connected(database_url) as connection:
        options = {
            "compare_type": True,
            "compare_server_default": True,
            "target_metadata": metadata,
            "include_name": no_search_index,
        }
        assert compare_metadata(MigrationContext.configure(connection, opts=options), metadata) == []


def test_revisions_are_numbered_up_to_head() -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    scripts = ScriptDirectory.from_config(config)
    assert scripts.get_heads() == [migrations.HEAD]
    revisions = [script.revision for script in scripts.walk_revisions()][::-1]
    assert revisions == [f"{number:04}" for number in range(1, len(revisions) + 1)]


def test_the_namespace_of_official_images_is_there(empty_url: str) -> None:
    upgrade(empty_url)
    upgrade(empty_url)
    with connected(empty_url) as connection:
        assert seeds(connection) == [("library", "official", None)]


@pytest.mark.parametrize("function", [upgrade, upgrade_in_child])
def test_a_newer_schema_is_refused(database_url: str, function: Callable[[str], None]) -> None:
    with connected(database_url) as connection, connection.begin():
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(ConfigError, match=f"schema 9999, this version of Havre knows schemas up to {migrations.HEAD}"):
        function(database_url)


def test_several_processes_may_start_at_once(empty_url: str) -> None:
    program = "import sys; from havre.metadata import upgrade; upgrade(sys.argv[1])"
    started = [subprocess.Popen([sys.executable, "-c", program, empty_url]) for _ in range(4)]
    assert [process.wait() for process in started] == [0] * 4
    with connected(empty_url) as connection:
        assert seeds(connection) == [("library", "official", None)]


def test_a_server_keeps_no_alembic_in_memory(empty_url: str) -> None:
    program = (
        "import json, sys; from havre.metadata import upgrade_in_child; upgrade_in_child(sys.argv[1]);"
        "upgrade_in_child(sys.argv[1]); print(json.dumps([name for name in sys.modules if name.startswith('alembic')]))"
    )
    done = subprocess.run([sys.executable, "-c", program, empty_url], check=True, capture_output=True)
    assert json.loads(done.stdout) == []
    with connected(empty_url) as connection:
        assert seeds(connection) == [("library", "official", None)]


def test_folders_are_made_on_the_way(tmp_path: Path) -> None:
    upgrade(f"sqlite:///{tmp_path}/100%/new folder/havre.db")
    assert (tmp_path / "100%" / "new folder" / "havre.db").stat().st_mode & 0o777 == 0o600


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system too small for the schema."""
    require_root()
    folder = tmp_path / "disk"
    folder.mkdir()
    subprocess.run([require("mount"), "-t", "tmpfs", "-o", "size=100k", "none", folder], check=True)
    yield folder
    subprocess.run([require("umount"), "--lazy", folder], check=True)


def test_a_full_disk_is_told_by_the_child(tiny_disk: Path) -> None:
    with pytest.raises(StorageFull):
        upgrade_in_child(f"sqlite:///{tiny_disk}/havre.db")
    assert not migrations.is_current(f"sqlite:///{tiny_disk}/havre.db")


def test_a_path_that_is_no_folder_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Unavailable, match="can not be opened"):
        upgrade_in_child(f"sqlite:///{tmp_path}/file/havre.db")
