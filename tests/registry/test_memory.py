"""What is remembered is never older than the last commit, whoever made it."""

import pytest

from havre.errors import ManifestUnknown
from havre.metadata import Database
from havre.oci.digest import Digest
from havre.oci.names import RepositoryName
from havre.registry.memory import OVERHEAD, Memory
from havre.registry.ports import Rows
from havre.registry.records import Visibility

pytestmark = pytest.mark.anyio

NAME = RepositoryName("python")


class Counted:
    """Reads the repository, and counts how often it was really asked."""

    def __init__(self) -> None:
        self.reads = 0

    def __call__(self, rows: Rows) -> str:
        self.reads += 1
        repository = rows.repositories.get(NAME)
        if repository is None:
            raise ManifestUnknown("not yet")
        return repository.description


def weigh(text: str) -> int:
    return len(text)


@pytest.fixture
async def known(database: Database) -> Database:
    await database.write(lambda rows: rows.repositories.add(NAME, Visibility.PUBLIC, 1))
    return database


async def describe(database: Database, text: str) -> None:
    def work(rows: Rows) -> None:
        repository = rows.repositories.get(NAME)
        assert repository is not None
        rows.repositories.change(repository.id, description=text)

    await database.write(work)


async def test_a_second_read_does_not_ask_the_rows(known: Database) -> None:
    memory, work = Memory[str](known), Counted()
    for _ in range(5):
        assert await memory.read("key", work, weigh) == ""
    assert work.reads == 1


async def test_a_commit_of_this_process_is_seen(known: Database) -> None:
    memory, work = Memory[str](known), Counted()
    for text in ("one", "two", "three"):
        await describe(known, text)
        assert await memory.read("key", work, weigh) == text


async def test_a_commit_of_another_process_is_seen(known: Database, database_url: str) -> None:
    memory, work = Memory[str](known), Counted()
    other = Database.open(database_url)
    await other.start()
    try:
        for text in ("one", "two", "three"):
            await memory.read("key", work, weigh)
            await describe(other, text)
            assert await memory.read("key", work, weigh) == text
    finally:
        await other.close()


async def test_a_failure_is_not_remembered(database: Database) -> None:
    memory, work = Memory[str](database), Counted()
    for _ in range(2):
        with pytest.raises(ManifestUnknown):
            await memory.read("key", work, weigh)
    assert work.reads == 2


async def test_it_holds_no_more_than_its_limit(known: Database) -> None:
    memory = Memory[bytes](known, limit=100 * OVERHEAD)
    for number in range(1000):
        await memory.read(number, lambda _rows: b"x" * OVERHEAD, len)
        assert memory._bytes <= 100 * OVERHEAD
        assert len(memory._kept) <= 50
    await memory.read("huge", lambda _rows: b"x" * 60 * OVERHEAD, len)
    assert "huge" not in memory._kept


async def test_different_digests_are_different_keys(known: Database) -> None:
    memory = Memory[str](known)
    one, two = Digest.of(b"1"), Digest.of(b"2")
    assert await memory.read((NAME, one), lambda _rows: "one", weigh) == "one"
    assert await memory.read((NAME, two), lambda _rows: "two", weigh) == "two"
