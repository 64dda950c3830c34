"""The contract of JobRows, on each engine; and of the jobs over them, by many workers at once."""

import asyncio
from collections import Counter

import pytest

from havre.errors import Unavailable
from havre.metadata import Database, Rows
from havre.registry.job_ports import JobRecord, State
from havre.registry.jobs import FAILED_FOR, KEPT, LEASE, MAX_ATTEMPTS, Jobs, LeaseLost, order, prove
from tests.support.inprocess import TestClock


def add(rows: Rows, *keys: str, kind: str = "test", at: int = 100) -> None:
    for key in keys:
        rows.jobs.add(kind, key, '{"a": 1}', at)


def claim(rows: Rows, worker: str = "one", at: int = 200) -> JobRecord | None:
    return rows.jobs.claim(["test"], worker, at, at + 50)


def test_a_job_is_remembered(rows: Rows) -> None:
    assert rows.jobs.get("test", "a") is None
    add(rows, "a")
    job = rows.jobs.get("test", "a")
    assert job is not None
    assert (job.state, job.attempts, job.values, job.created, job.lease_until) == (
        State.WAITING,
        0,
        {"a": 1},
        100,
        None,
    )
    assert rows.jobs.get("other", "a") is None


def test_jobs_are_claimed_in_order_and_once(rows: Rows) -> None:
    add(rows, "a", "b")
    add(rows, "c", kind="other")
    first, second = claim(rows), claim(rows, "two")
    assert first is not None
    assert second is not None
    assert (first.key, first.lease, first.attempts, first.state) == ("a", "one", 1, State.RUNNING)
    assert (second.key, second.lease_until) == ("b", 250)
    assert claim(rows) is None


def test_one_that_is_put_off_changed_when_it_was_tried(rows: Rows) -> None:
    add(rows, "a", "b")
    for key, state in (("a", State.WAITING), ("b", State.DONE)):
        job = claim(rows)
        assert job is not None
        rows.jobs.settle(job.id, "one", state, "", 9000, 1)
        after = rows.jobs.get("test", key)
        assert after is not None
        assert (after.not_before, after.updated) == (9000, 200 if state is State.WAITING else 9000)
        assert after.values == ({"a": 1} if state is State.WAITING else {})
    assert rows.jobs.counts("test") == {"waiting": 1, "done": 1}
    assert rows.jobs.counts("other") == {}


def test_a_job_waits_for_its_time(rows: Rows) -> None:
    add(rows, "a", at=300)
    assert claim(rows, at=299) is None
    assert claim(rows, at=300) is not None


def test_a_lease_that_ran_out_is_anyones_and_the_first_holder_has_lost_it(rows: Rows) -> None:
    add(rows, "a")
    first = claim(rows)
    assert first is not None
    assert claim(rows, "two", at=250) is None
    second = claim(rows, "two", at=251)
    assert second is not None
    assert (second.id, second.attempts) == (first.id, 2)
    assert not rows.jobs.renew(first.id, "one", 999, 1, 2)
    assert not rows.jobs.settle(first.id, "one", State.DONE, "", 0, 1)
    assert rows.jobs.renew(second.id, "two", 999, 1, 2)
    assert rows.jobs.settle(second.id, "two", State.DONE, "well", 300, 2)
    done = rows.jobs.get("test", "a")
    assert done is not None
    assert (done.state, done.message, done.done, done.total, done.lease) == (State.DONE, "well", 1, 2, "")


def test_counts_pages_and_forgetting(rows: Rows) -> None:
    add(rows, "a", "b", "c")
    job = claim(rows)
    assert job is not None
    rows.jobs.settle(job.id, "one", State.FAILED, "no", 300, 1)
    assert rows.jobs.counts() == {"waiting": 2, "failed": 1}
    assert [one.key for one in rows.jobs.page([State.WAITING], 0, 10)] == ["c", "b"]
    assert [one.key for one in rows.jobs.page(list(State), 1, 1)] == ["b"]
    assert rows.jobs.forget(300) == 0
    assert rows.jobs.forget(301) == 1
    assert rows.jobs.get("test", "a") is None


def test_the_same_work_is_ordered_once_until_it_ended(rows: Rows) -> None:
    first = order(rows, "test", "a", {}, 100)
    assert order(rows, "test", "a", {}, 101).id == first.id
    claim(rows)
    assert order(rows, "test", "a", {}, 102).id == first.id
    rows.jobs.settle(first.id, "one", State.FAILED, "it broke", 300, 1)
    with pytest.raises(Unavailable, match="failed: it broke"):
        order(rows, "test", "a", {}, 300 + FAILED_FOR - 1)
    assert order(rows, "test", "a", {}, 300 + FAILED_FOR).id > first.id


@pytest.fixture
def clock() -> TestClock:
    return TestClock()


@pytest.mark.anyio
async def test_nothing_is_done_twice_by_many_workers(database: Database, clock: TestClock) -> None:
    jobs, keys = Jobs(database, clock), [f"job {number}" for number in range(12)]
    await database.write(lambda rows: add(rows, *keys, at=clock()))
    taken: Counter[str] = Counter()

    async def worker(name: str) -> None:
        while (job := await jobs.take(["test"], name)) is not None:
            taken[job.key] += 1
            await jobs.finish(job)

    await asyncio.gather(*(worker(f"worker {number}") for number in range(4)))
    assert taken == Counter(keys)


@pytest.mark.anyio
async def test_a_job_whose_workers_die_is_given_up(database: Database, clock: TestClock) -> None:
    jobs = Jobs(database, clock)
    await database.write(lambda rows: add(rows, "deadly", at=clock()))
    for number in range(MAX_ATTEMPTS):
        job = await jobs.take(["test"], f"worker {number}")
        assert job is not None
        assert job.attempts == number + 1
        assert await jobs.take(["test"], "another") is None
        clock.now += LEASE + 1
    assert await jobs.take(["test"], "the last") is None
    given_up = await database.read(lambda rows: rows.jobs.get("test", "deadly"))
    assert given_up is not None
    assert given_up.state is State.FAILED
    clock.now += KEPT + 1
    assert await jobs.forget() == 1


@pytest.mark.anyio
async def test_who_lost_the_lease_can_keep_nothing(database: Database, clock: TestClock) -> None:
    jobs = Jobs(database, clock)
    await database.write(lambda rows: add(rows, "a", at=clock()))
    slow = await jobs.take(["test"], "slow")
    assert slow is not None
    clock.now += LEASE + 1
    fast = await jobs.take(["test"], "fast")
    assert fast is not None
    with pytest.raises(LeaseLost):
        await jobs.renew(slow, 1, 2)
    with pytest.raises(LeaseLost):
        await database.write(lambda rows: prove(rows, slow, clock()))
    await jobs.finish(slow)
    await jobs.again(fast, "the store is away")
    again = await database.read(lambda rows: rows.jobs.get("test", "a"))
    assert again is not None
    assert (again.state, again.message) == (State.WAITING, "the store is away")
    assert again.not_before > clock()
