"""What the tests of SQLite's own means share."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from havre.metadata import Database, upgrade


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A migrated SQLite file."""
    upgrade(f"sqlite:///{tmp_path}/havre.db")
    return tmp_path / "havre.db"


@pytest.fixture
async def sqlite(path: Path) -> AsyncIterator[Database]:
    """A database that was started on ``path``."""
    database = Database.open(f"sqlite:///{path}")
    await database.start()
    yield database
    await database.close()
