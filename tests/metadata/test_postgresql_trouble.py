"""PostgreSQL in trouble: backends killed, lines cut, packets swallowed, locks held. No wait is without end."""

import asyncio
import socket
import threading
import time
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import text

from havre.errors import Unavailable
from havre.metadata import Database, Rows
from havre.metadata.engine import Limits
from havre.metadata.postgresql_connection import GRACE, NETWORK_SECONDS
from tests.support.databases import connected, migrated
from tests.support.line import Line, line_to
from tests.support.postgresql import Cluster
from tests.support.writing import upload

pytestmark = [pytest.mark.anyio, pytest.mark.postgresql]

HASTY = Limits(connections=2, wait_seconds=0.3, statement_seconds=1)


@pytest.fixture
def url(postgresql_cluster: Cluster) -> str:
    return postgresql_cluster.create(migrated(postgresql_cluster))


@pytest.fixture
async def wire(url: str) -> AsyncIterator[tuple[str, Line]]:
    """The address of the database over a line that misbehaves on order."""
    async with line_to(url) as (address, line):
        yield address, line


@pytest.fixture
async def hasty(wire: tuple[str, Line]) -> AsyncIterator[Database]:
    """A database over the line, whose patience is short."""
    database = Database.open(wire[0], HASTY)
    await database.start()
    yield database
    wire[1].heal()
    await database.close()


def end_all(url: str) -> None:
    """As an administrator does: end every connection to the database but this one."""
    with connected(url) as connection:
        connection.execute(
            text(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid != pg_backend_pid()"
            )
        )


async def number(database: Database, name: str) -> int:
    return await database.read(lambda rows: len(rows.uploads.known([name])))


async def test_connections_that_were_ended_between_two_units_are_not_noticed(hasty: Database, url: str) -> None:
    before = await hasty.version()
    for name in ("one", "two"):
        await asyncio.to_thread(end_all, url)
        assert await hasty.version() != before
        await hasty.write(upload(name))
        await asyncio.to_thread(end_all, url)
        assert await number(hasty, name) == 1


async def test_a_unit_whose_connection_ends_in_its_middle_is_run_again(hasty: Database, url: str) -> None:
    runs = []

    def work(rows: Rows) -> None:
        runs.append(1)
        upload("one")(rows)
        if len(runs) == 1:
            end_all(url)
            rows.connection.execute(text("SELECT 1"))

    await hasty.write(work)
    assert len(runs) == 2
    assert await number(hasty, "one") == 1


@pytest.mark.parametrize("heard", [True, False])
async def test_a_commit_whose_answer_is_lost_is_not_run_again(
    hasty: Database, wire: tuple[str, Line], heard: bool
) -> None:
    """Whether or not the server heard of it: the caller is told that it is not known, and what is there is whole."""
    runs = []

    def work(rows: Rows) -> None:
        runs.append(1)
        upload("one")(rows)
        if heard:
            wire[1].cut_after = b"COMMIT"
        else:
            wire[1].cut_at = b"COMMIT"

    with pytest.raises(Unavailable, match="does not answer") as refused:
        await hasty.write(work)
    assert refused.value.retry_after
    assert len(runs) == 1
    assert await number(hasty, "one") == int(heard)


async def test_packets_that_are_swallowed_are_noticed(hasty: Database, wire: tuple[str, Line]) -> None:
    await hasty.version()
    wire[1].swallow()
    began = time.monotonic()
    asked = [hasty.read(lambda rows: rows.uploads.known(["one"])), hasty.write(upload("lost")), hasty.version()]
    told = await asyncio.gather(*asked, return_exceptions=True)
    assert [type(one) for one in told] == [Unavailable] * 3
    # The bound of one statement, once more on a connection that is made anew, which takes as long at most.
    assert time.monotonic() - began < 30
    wire[1].heal()
    await hasty.version()
    await hasty.write(upload("after"))
    assert (await number(hasty, "lost"), await number(hasty, "after")) == (0, 1)


def test_the_kernel_gives_up_what_nobody_acknowledges(postgresql_cluster: Cluster) -> None:
    """Set on every connection that goes over a network; that it is kept is the kernel's business."""
    url = postgresql_cluster.create()

    async def look() -> tuple[int, int]:
        async with line_to(url) as (address, _line):
            return await asyncio.to_thread(options_of, address)

    def options_of(address: str) -> tuple[int, int]:
        with connected(address) as connection:
            driver = connection.connection.driver_connection
            assert driver is not None
            raw = socket.socket(fileno=driver.fileno())
            try:
                return (
                    raw.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT),
                    raw.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE),
                )
            finally:
                raw.detach()

    assert asyncio.run(look()) == (NETWORK_SECONDS * 1000, 1)


async def test_a_statement_that_takes_too_long_is_ended(hasty: Database) -> None:
    with pytest.raises(Unavailable, match="took too long") as refused:
        await hasty.read(lambda rows: rows.connection.execute(text("SELECT pg_sleep(20)")))
    assert refused.value.retry_after
    assert await number(hasty, "none") == 0


async def test_a_lock_that_somebody_keeps_is_waited_for_so_long(hasty: Database, url: str) -> None:
    with connected(url) as connection:
        connection.execute(text("LOCK TABLE uploads"))
        with pytest.raises(Unavailable, match=r"took too long|other changes hold"):
            await hasty.write(upload("one"))
        connection.rollback()
    await hasty.write(upload("one"))
    assert await number(hasty, "one") == 1


async def test_who_finds_all_connections_busy_waits_so_long(hasty: Database) -> None:
    free = threading.Event()
    busy = [asyncio.ensure_future(hasty.read(lambda _rows: free.wait(20))) for _ in range(HASTY.connections)]
    await asyncio.sleep(0)
    with pytest.raises(Unavailable, match=r"all 2 connections to the database were busy for 0.3 seconds") as refused:
        await number(hasty, "one")
    assert refused.value.retry_after
    # Memory is asked of another connection: what is remembered is given out all the same.
    assert await hasty.version() == await hasty.version()
    free.set()
    assert await asyncio.gather(*busy) == [True, True]
    assert await number(hasty, "one") == 0


async def test_who_leaves_gives_the_connection_back_when_the_unit_has_ended(hasty: Database) -> None:
    free = threading.Event()
    left = [asyncio.ensure_future(hasty.read(lambda _rows: free.wait(20))) for _ in range(HASTY.connections)]
    await asyncio.sleep(0)
    for one in left:
        one.cancel()
    await asyncio.wait(left)
    with pytest.raises(Unavailable, match="busy"):
        await number(hasty, "one")
    free.set()
    await asyncio.gather(*(number(hasty, "one") for _ in range(HASTY.connections)))


async def test_one_look_serves_all_who_wait_for_it(hasty: Database, wire: tuple[str, Line]) -> None:
    seen = await hasty.version()
    before = wire[1].sent
    assert set(await asyncio.gather(*(hasty.version() for _ in range(50)))) == {seen}
    assert wire[1].sent - before <= 2
    # Reading changes nothing; a commit does, also one that waits for no disk.
    assert await number(hasty, "one") == 0
    assert await hasty.version() == seen
    await hasty.write(upload("one"), durable=False)
    assert await hasty.version() != seen


async def test_the_server_knows_how_long_it_may_take(url: str) -> None:
    database = Database.open(f"{url}&options=-c%20lock_timeout%3D700", HASTY)
    await database.start()
    names = ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout")
    found = await database.read(lambda rows: [rows.connection.scalar(text(f"SHOW {name}")) for name in names])
    await database.close()
    # What the address says comes first.
    assert found == ["1s", "700ms", "1min"]
    assert GRACE >= 1
