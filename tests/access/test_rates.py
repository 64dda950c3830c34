"""Buckets of requests and counts of pulls: how far they go, when they fill again, and that their memory is bounded."""

import pytest

from havre.access import rates
from havre.access.rates import MINUTE, PULL_WINDOW, SETTLE, PullLimits, Rate, RequestRates
from havre.access.throttle import hashed
from havre.errors import TooManyRequests, Unavailable
from havre.metadata import Database
from tests.support.inprocess import TestClock

ADDRESS = "198.51.100.7"


def test_a_minutes_worth_at_once_and_then_one_by_one():
    clock = TestClock()
    rate = Rate(60, clock)
    assert [rate.take("a") for _ in range(60)] == [0] * 60
    assert rate.take("a") == 1
    assert rate.take("b") == 0
    clock.forward(seconds=1)
    assert rate.take("a") == 0
    assert rate.take("a") == 1
    clock.forward(seconds=60)
    assert [rate.take("a") for _ in range(60)] == [0] * 60


def test_the_wait_is_told_in_whole_seconds():
    rate = Rate(1, TestClock())
    assert rate.take("a") == 0
    assert rate.take("a") == 60


def test_a_clock_that_is_set_back_locks_nobody_out():
    clock = TestClock()
    rate = Rate(10, clock)
    while not rate.take("a"):
        pass
    clock.forward(hours=-5)
    assert rate.take("a") == 0


def test_no_limit_remembers_nobody():
    rate = Rate(0, TestClock())
    assert not any(rate.take(number) for number in range(100))
    assert not rate._full


def test_memory_is_bounded():
    clock = TestClock()
    rate = Rate(2, clock)
    for number in range(rates.MAX_KEYS + 10):
        rate.take(number)
    assert len(rate._full) <= rates.MAX_KEYS
    clock.forward(hours=7)
    for number in range(rates.MAX_KEYS):
        rate.take(-number)
    assert len(rate._full) <= rates.MAX_KEYS


def test_who_is_counted_as_one():
    limits = RequestRates(1, 1, TestClock())
    limits.check_address("2001:db8:1:2::1")
    with pytest.raises(TooManyRequests, match="your address: go on in a minute"):
        limits.check_address("2001:db8:1:2:ffff::9")
    limits.check_address("2001:db8:1:3::1")
    limits.check_address(ADDRESS)
    with pytest.raises(TooManyRequests):
        limits.check_address(f"::ffff:{ADDRESS}")
    limits.check_account(None)
    limits.check_account(None)
    limits.check_account(7)
    with pytest.raises(TooManyRequests) as failure:
        limits.check_account(7)
    assert failure.value.retry_after == MINUTE // 1000


@pytest.fixture
def clock() -> TestClock:
    return TestClock()


@pytest.fixture
def workers(database: Database, clock: TestClock) -> list[PullLimits]:
    """Three of them, with two pulls for who is not signed in and ten for accounts."""
    return [PullLimits(2, 10, clock, database) for _ in range(3)]


async def left_of(pulls: PullLimits, user_id: int | None = None) -> int:
    allowance = await pulls.allowance(user_id, "alice" if user_id else "", ADDRESS)
    assert allowance
    return allowance.remaining


async def pull(pulls: PullLimits, user_id: int | None = None) -> int:
    """One pull; what is left after it. Raises TooManyRequests."""
    allowance = await pulls.allowance(user_id, "alice" if user_id else "", ADDRESS)
    assert allowance
    pulls.check(allowance)
    return pulls.take(allowance).remaining


@pytest.mark.anyio
async def test_pulls_of_six_hours(workers: list[PullLimits], clock: TestClock, database: Database):
    assert await PullLimits(2, 0, clock, database).allowance(1, "alice", ADDRESS) is None
    pulls = workers[0]
    for left in (1, 0):
        assert await pull(pulls) == left
        await pulls.settle()
        clock.forward(hours=2)
    with pytest.raises(
        TooManyRequests, match=r"198.51.100.7 has made the 2 pulls .* sign in .* wait 2 hours"
    ) as failure:
        await pull(pulls)
    assert failure.value.retry_after == PULL_WINDOW - 4 * 3600
    clock.forward(hours=2)
    assert await left_of(pulls) == 2


@pytest.mark.anyio
async def test_pulls_of_all_workers_count_together(workers: list[PullLimits], clock: TestClock):
    first, second, third = workers
    # Within the time in which nothing is settled, each worker knows its own: that is as far as it can go over.
    for _ in range(4):
        await pull(first, 7)
    for _ in range(3):
        await pull(second, 7)
    assert (await left_of(first, 7), await left_of(second, 7)) == (6, 7)
    # A worker that sees somebody for the first time asks the rows.
    await first.settle()
    assert await left_of(third, 7) == 6
    await second.settle()
    assert await left_of(second, 7) == 3
    assert await left_of(first, 7) == 6
    clock.forward(seconds=SETTLE / 1000)
    assert [await left_of(one, 7) for one in workers] == [3, 3, 3]
    for left in (2, 1, 0):
        assert await pull(third, 7) == left
    await third.settle()
    clock.forward(seconds=SETTLE / 1000)
    for one in workers:
        with pytest.raises(TooManyRequests):
            await pull(one, 7)
        await one.settle()
    assert await left_of(first) == 2, "others are counted for themselves"
    clock.forward(hours=6)
    assert [await left_of(one, 7) for one in workers] == [10, 10, 10]


@pytest.mark.anyio
async def test_a_database_that_is_away_loses_no_count(workers: list[PullLimits], database: Database):
    await pull(workers[0], 7)
    await database.close()
    with pytest.raises(Unavailable):
        await workers[0].settle()
    await database.start()
    assert await pull(workers[0], 7) == 8
    await workers[0].settle()
    assert await left_of(workers[1], 7) == 8


@pytest.mark.anyio
async def test_pulls_of_a_crowd(workers: list[PullLimits], clock: TestClock, database: Database):
    """What the rows know need not be remembered; what has run out is swept away."""
    for number in range(1, 601):
        await pull(workers[0], number)
    await workers[0].settle()
    assert [await left_of(workers[1], number) for number in (1, 501, 600)] == [9, 9, 9]
    workers[0]._forget()
    assert not workers[0]._counts
    keys = [hashed("pulls", "account", str(number)) for number in range(1, 51)]
    assert await database.read(lambda rows: len(rows.pull_counts.of(keys, 0))) == 50
    clock.forward(hours=7)
    for _ in range(6):
        await pull(workers[1], 1000)
        await workers[1].settle()
    assert await database.read(lambda rows: len(rows.pull_counts.of(keys, 0))) == 0
