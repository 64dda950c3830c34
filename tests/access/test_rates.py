"""Buckets of requests and counts of pulls: how far they go, when they fill again, and that their memory is bounded."""

import pytest

from havre.access import rates
from havre.access.rates import MINUTE, PULL_WINDOW, PullLimits, Rate, RequestRates
from havre.errors import TooManyRequests
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
    rate, pulls = Rate(2, clock), PullLimits(5, 5, clock)
    for number in range(rates.MAX_KEYS + 10):
        rate.take(number)
        allowance = pulls.allowance(number, "", "")
        assert allowance
        pulls.take(allowance)
    assert len(rate._full) <= rates.MAX_KEYS
    assert len(pulls._counts) <= rates.MAX_KEYS
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


def test_pulls_of_six_hours():
    clock = TestClock()
    pulls = PullLimits(2, 0, clock)
    assert pulls.allowance(1, "alice", ADDRESS) is None
    for left in (1, 0):
        allowance = pulls.allowance(None, "", ADDRESS)
        assert allowance
        pulls.check(allowance)
        assert pulls.take(allowance).remaining == left
        clock.forward(hours=2)
    used_up = pulls.allowance(None, "", ADDRESS)
    assert used_up
    with pytest.raises(
        TooManyRequests, match=r"198.51.100.7 has made the 2 pulls .* sign in .* wait 2 hours"
    ) as failure:
        pulls.check(used_up)
    assert failure.value.retry_after == PULL_WINDOW - 4 * 3600
    clock.forward(hours=2)
    again = pulls.allowance(None, "", ADDRESS)
    assert again
    assert again.remaining == 2
