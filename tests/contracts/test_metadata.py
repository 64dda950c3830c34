"""The contract of Metadata, the unit of work, on each engine."""

import asyncio
import multiprocessing
import threading
from collections.abc import Callable, Coroutine
from pathlib import Path

import pytest
from sqlalchemy import func, select
from sqlalchemy.exc import DBAPIError

from havre.errors import Conflict, Unavailable
from havre.metadata import Database, Rows
from havre.metadata.schema import uploads
from havre.oci.names import RepositoryName
from tests.support.content import repository
from tests.support.databases import connected
from tests.support.writing import counted, upload, writer_process

pytestmark = pytest.mark.anyio

PYTHON = RepositoryName("python")


def number_of_uploads(rows: Rows) -> int:
    return rows.connection.execute(select(func.count()).select_from(uploads)).scalar_one()


def in_a_loop_of_its_own(function: Callable[[str], Coroutine[None, None, None]], name: str) -> None:
    asyncio.new_event_loop().run_until_complete(function(name))


async def test_a_result_comes_back_and_the_rows_stand(database: Database) -> None:
    made = await database.write(lambda rows: repository(rows, "python"))
    assert await database.read(lambda rows: rows.repositories.get(PYTHON)) == made


async def test_rows_that_need_not_survive_a_power_failure_stand_too(database: Database, database_url: str) -> None:
    await database.write(upload("one"), durable=False)
    assert await database.read(number_of_uploads) == 1
    await database.close()
    with connected(database_url) as connection:
        assert number_of_uploads(Rows(connection)) == 1


@pytest.mark.parametrize("durable", [True, False])
async def test_an_exception_undoes_everything_and_reaches_the_caller(database: Database, durable: bool) -> None:
    def fail(rows: Rows) -> None:
        upload("one")(rows)
        raise Conflict("the name is taken")

    with pytest.raises(Conflict, match="the name is taken"):
        await database.write(fail, durable=durable)
    assert await database.read(number_of_uploads) == 0


async def test_a_broken_constraint_is_left_as_it_is(database: Database) -> None:
    await database.write(upload("one"))
    with pytest.raises(DBAPIError, match=r"(?i)unique"):
        await database.write(upload("one"))
    await database.write(upload("two"))
    assert await database.read(number_of_uploads) == 2


async def test_one_failure_among_many_writes_undoes_only_itself(database: Database) -> None:
    def fail(rows: Rows) -> None:
        upload("failed")(rows)
        raise Conflict("no")

    units = [fail if number % 5 == 0 else upload(str(number)) for number in range(50)]
    ends = await asyncio.gather(*(database.write(unit) for unit in units), return_exceptions=True)
    assert [isinstance(end, Conflict) for end in ends] == [number % 5 == 0 for number in range(50)]
    assert await database.read(number_of_uploads) == 40


async def test_stop_iteration_does_not_leave_the_caller_waiting(database: Database) -> None:
    with pytest.raises(RuntimeError):
        await database.write(lambda rows: next(iter([])))


async def test_a_read_can_not_write(database: Database) -> None:
    with pytest.raises(DBAPIError, match=r"(?i)read-?only"):
        await database.read(upload("one"))
    assert await database.read(number_of_uploads) == 0


async def test_a_read_sees_one_state_whatever_others_commit(database: Database, database_url: str) -> None:
    def look_twice(rows: Rows) -> tuple[int, int]:
        before = number_of_uploads(rows)
        with connected(database_url) as other, other.begin():
            upload("meanwhile")(Rows(other))
        return before, number_of_uploads(rows)

    assert await database.read(look_twice) == (0, 0)
    assert await database.read(number_of_uploads) == 1


async def test_a_read_that_failed_does_not_hold_on_to_its_state(database: Database) -> None:
    def fail(rows: Rows) -> None:
        number_of_uploads(rows)
        raise Conflict("no")

    with pytest.raises(Conflict):
        await database.read(fail)
    await database.write(upload("one"))
    assert await database.read(number_of_uploads) == 1


async def test_units_of_work_behave_as_if_run_one_by_one(database: Database) -> None:
    await database.write(lambda rows: repository(rows, "python"))
    await asyncio.gather(*(database.write(counted, durable=number % 2 == 0) for number in range(60)))
    python = await database.read(lambda rows: rows.repositories.get(PYTHON))
    assert python is not None
    assert python.description == "60"


async def test_several_processes_write_at_once(database: Database, database_url: str) -> None:
    await database.write(lambda rows: repository(rows, "python"))
    processes = [writer_process(database_url, name, writers=4, count=10) for name in ("a", "b", "c")]
    outputs = [await asyncio.to_thread(process.communicate) for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0], outputs
    assert sum(len(output.splitlines()) for output, _ in outputs) == 120
    assert await database.read(number_of_uploads) == 120
    python = await database.read(lambda rows: rows.repositories.get(PYTHON))
    assert python is not None
    assert python.description == "120"


async def test_a_cancelled_caller_leaves_the_database_working(database: Database) -> None:
    waiting = asyncio.ensure_future(database.write(upload("one")))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    await database.write(upload("two"))
    assert await database.read(lambda rows: "two" in rows.uploads.known(["one", "two"]))


async def test_close_finishes_what_was_asked_for_and_refuses_the_rest(database: Database, database_url: str) -> None:
    asked = [asyncio.ensure_future(database.write(upload(str(number)))) for number in range(40)]
    await asyncio.sleep(0)
    await database.close()
    await asyncio.gather(*asked)
    with pytest.raises(Unavailable):
        await database.write(upload("late"))
    with pytest.raises(Unavailable):
        await database.read(number_of_uploads)
    await database.close()
    with connected(database_url) as connection:
        assert number_of_uploads(Rows(connection)) == 40


async def test_open_connects_to_nothing(database_url: str) -> None:
    def resources() -> tuple[int, int]:
        return threading.active_count(), len(list(Path("/proc/self/fd").iterdir()))

    before = resources()
    database = Database.open(database_url)
    assert resources() == before
    with pytest.raises(Unavailable):
        await database.read(number_of_uploads)
    await database.close()


async def test_it_may_be_opened_before_a_fork(database_url: str) -> None:
    database = Database.open(database_url)

    async def write_one(name: str) -> None:
        await database.start()
        await database.write(upload(name))
        await database.close()

    context = multiprocessing.get_context("fork")
    workers = [context.Process(target=in_a_loop_of_its_own, args=(write_one, name)) for name in ("one", "two")]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0, 0]
    await database.start()
    assert await database.read(lambda rows: set(rows.uploads.known(["one", "two"]))) == {"one", "two"}
    await database.close()
