"""How PostgreSQL keeps the promises of Metadata: conflicts run again, and a server that goes away and comes back."""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator

import pytest
from sqlalchemy import text

from havre.errors import Unavailable
from havre.metadata import Database, Rows, upgrade
from havre.metadata.engine import Limits
from havre.oci.names import Namespace
from tests.support.content import linked_blob, person, repository
from tests.support.databases import connected
from tests.support.postgresql import Cluster
from tests.support.writing import counted, upload

THREADS = Limits().connections

pytestmark = [pytest.mark.anyio, pytest.mark.postgresql]


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """A server of these tests alone: they stop it."""
    cluster = Cluster()
    cluster.start()
    yield cluster
    cluster.remove()


@pytest.fixture
def url(cluster: Cluster) -> str:
    made = cluster.create()
    upgrade(made)
    return made


@pytest.fixture
async def postgresql(url: str) -> AsyncIterator[Database]:
    database = Database.open(url)
    await database.start()
    yield database
    await database.close()


async def test_a_conflict_is_run_again(postgresql: Database) -> None:
    await postgresql.write(lambda rows: repository(rows, "python"))
    both = threading.Barrier(2)
    runs = []

    def meet_then_count(rows: Rows) -> None:
        runs.append(threading.get_ident())
        rows.connection.execute(text("SELECT count(*) FROM repositories"))
        if len(runs) <= 2:
            both.wait(timeout=20)
        counted(rows)

    await asyncio.gather(postgresql.write(meet_then_count), postgresql.write(meet_then_count))
    assert len(runs) > 2
    description = await postgresql.read(
        lambda rows: rows.connection.scalar(text("SELECT description FROM repositories"))
    )
    assert description == "2"


async def test_a_write_that_does_not_wait_for_the_disk_says_so(postgresql: Database) -> None:
    def synchronous(rows: Rows) -> object:
        return rows.connection.scalar(text("SHOW synchronous_commit"))

    assert await postgresql.write(synchronous) == "on"
    assert await postgresql.write(synchronous, durable=False) == "off"
    assert await postgresql.write(synchronous) == "on"


async def test_more_units_than_connections(postgresql: Database) -> None:
    await asyncio.gather(*(postgresql.write(upload(str(number))) for number in range(THREADS * 5)))
    known = await postgresql.read(lambda rows: rows.uploads.known([str(number) for number in range(THREADS * 5)]))
    assert len(known) == THREADS * 5


async def test_what_was_acknowledged_survives_a_crash_of_the_server(postgresql: Database, cluster: Cluster) -> None:
    await postgresql.write(upload("before"))
    await asyncio.to_thread(cluster.stop, "immediate")
    with pytest.raises(Unavailable):
        await postgresql.read(lambda rows: rows.uploads.get("before"))
    with pytest.raises(Unavailable):
        await postgresql.write(upload("lost"))
    await asyncio.to_thread(cluster.start)
    assert await postgresql.read(lambda rows: rows.uploads.get("before")) is not None
    assert await postgresql.read(lambda rows: rows.uploads.get("lost")) is None
    await postgresql.write(upload("after"))


async def test_a_restart_between_two_units_is_not_noticed(postgresql: Database, cluster: Cluster) -> None:
    await asyncio.gather(*(postgresql.write(upload(str(number))) for number in range(THREADS)))
    await asyncio.to_thread(cluster.stop)
    await asyncio.to_thread(cluster.start)
    await postgresql.write(upload("after"))
    await asyncio.to_thread(cluster.stop)
    await asyncio.to_thread(cluster.start)
    assert await postgresql.read(lambda rows: rows.uploads.get("after")) is not None


async def test_a_server_that_is_not_there_is_told_at_the_start() -> None:
    database = Database.open("postgresql://havre:secret@/db?host=/nowhere")
    with pytest.raises(Unavailable) as told:
        await database.start()
    assert "secret" not in f"{told.value.message}{told.value.__cause__}"
    with pytest.raises(Unavailable):
        await database.write(upload("one"))
    with pytest.raises(Unavailable):
        upgrade("postgresql://havre:secret@/db?host=/nowhere")


async def test_visitors_see_which_program_is_connected(postgresql: Database, url: str) -> None:
    with connected(url) as connection:
        names = connection.execute(
            text("SELECT application_name FROM pg_stat_activity WHERE datname = current_database()")
        )
        assert set(names.scalars()) == {"havre"}


async def test_pushes_to_one_namespace_do_not_wait_for_each_others_figures(postgresql: Database) -> None:
    """Many links at once, each a unit of work of its own: all are counted, none starts anew often enough to fail."""
    await postgresql.write(lambda rows: person(rows, "alice"))
    made = [await postgresql.write(lambda rows, n=n: repository(rows, f"alice/r{n}").id) for n in range(4)]  # type: ignore[misc]

    async def push(number: int) -> None:
        await postgresql.write(lambda rows: linked_blob(rows, made[number % 4], f"{number:03}"))

    await asyncio.gather(*(push(number) for number in range(80)))
    quota = await postgresql.read(lambda rows: rows.quotas.of(Namespace("alice")))
    assert quota is not None
    assert quota.stored == 80 * 3
    while await postgresql.write(lambda rows: rows.usage.fold()):
        pass
    quota = await postgresql.read(lambda rows: rows.quotas.of(Namespace("alice")))
    assert quota is not None
    assert quota.stored == 80 * 3
