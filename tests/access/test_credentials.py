"""Credentials: right ones are let in, wrong ones all hear the same, and whoever guesses is slowed down."""

from __future__ import annotations

import asyncio
import time
from statistics import median

import pytest
from argon2 import PasswordHasher
from sqlalchemy import func, select

from havre.access.actors import Action, Actor, Grant
from havre.access.credentials import CACHE_SECONDS, CACHE_SIZE, WRONG, Credentials
from havre.access.passwords import Passwords
from havre.access.throttle import PER_ACCOUNT, PER_ADDRESS, WINDOW
from havre.errors import TooManyRequests, WrongCredentials
from havre.metadata.schema import login_failures

from .conftest import ELSEWHERE, HERE, PASSWORD, Desk

pytestmark = pytest.mark.anyio


async def guess(credentials: Credentials, name: str, address: str, times: int = 1) -> None:
    for number in range(times):
        with pytest.raises(WrongCredentials):
            await credentials.check(name, f"wrong guess {number}", address)


@pytest.mark.parametrize("name", ["alice", "ALICE", " alice ", "alice@example.org", "Alice@Example.org"])
async def test_name_or_address_with_the_password(desk: Desk, name: str) -> None:
    assert await desk.credentials.check(name, PASSWORD, HERE) == Actor(desk.alice.id, "alice")


async def test_an_administrator_is_known_as_such(desk: Desk) -> None:
    assert (await desk.credentials.check("carol", PASSWORD, HERE)).is_admin


@pytest.mark.parametrize(
    ("name", "secret"),
    [
        ("alice", "wrong password"),
        ("alice", ""),
        ("", PASSWORD),
        ("nobody", PASSWORD),
        ("nobody@example.org", PASSWORD),
        ("alice", "x" * 100_000),
        ("x" * 100_000, PASSWORD),
        ("alice\x00", PASSWORD),
        ("al\udcffice", PASSWORD),
        ("alice", "\udcff wrong \x00 password"),
        ("bobby", "disabled account"),
    ],
)
async def test_every_wrong_pair_hears_the_same(desk: Desk, name: str, secret: str) -> None:
    await desk.accounts.set_password(desk.bobby.id, "disabled account")
    await desk.accounts.disable("bobby")
    with pytest.raises(WrongCredentials) as caught:
        await desk.credentials.check(name, secret, HERE)
    assert caught.value.message == WRONG


async def test_an_unknown_name_takes_as_long_as_a_wrong_password(desk: Desk) -> None:
    hasher = PasswordHasher(time_cost=2, memory_cost=4096, parallelism=1)
    credentials = Credentials(desk.database, Passwords(hasher), desk.tokens, desk.clock)
    desk.accounts._passwords = Passwords(hasher)  # so that the stored hash costs what the decoy costs
    await desk.accounts.set_password(desk.alice.id, PASSWORD)
    await guess(credentials, "alice", HERE)
    took: dict[str, list[float]] = {"alice": [], "nobody": []}
    for number in range(9):
        for name, times in took.items():
            start = time.perf_counter()
            await guess(credentials, name, f"192.0.2.{number + 10}")
            times.append(time.perf_counter() - start)
    assert 0.4 < median(took["alice"]) / median(took["nobody"]) < 2.5


# ---------------------------------------------------------------- what a changed account means for the memory


async def test_a_password_is_remembered_for_a_minute(desk: Desk) -> None:
    await desk.credentials.check("alice", PASSWORD, HERE)
    desk.credentials._passwords = Passwords(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1, hash_len=99))
    ready = desk.credentials._passwords
    await desk.credentials.check("alice", PASSWORD, HERE)
    assert ready._tools is None, "nothing was hashed"
    desk.clock.forward(seconds=CACHE_SECONDS)
    await desk.credentials.check("alice", PASSWORD, HERE)
    assert ready._tools is not None


async def test_the_memory_holds_no_password(desk: Desk) -> None:
    await desk.credentials.check("alice", PASSWORD, HERE)
    assert len(desk.credentials._remembered) == 1
    assert PASSWORD not in repr(vars(desk.credentials))


@pytest.mark.parametrize("same_worker", [True, False])
async def test_a_changed_password_counts_at_once(desk: Desk, same_worker: bool) -> None:
    checker = desk.credentials if same_worker else desk.another_worker()
    await checker.check("alice", PASSWORD, HERE)
    await desk.accounts.set_password(desk.alice.id, "battery staple 7")
    with pytest.raises(WrongCredentials):
        await checker.check("alice", PASSWORD, HERE)
    assert await checker.check("alice", "battery staple 7", HERE)


async def test_a_disabled_account_is_out_at_once_and_in_again_when_enabled(desk: Desk) -> None:
    await desk.credentials.check("alice", PASSWORD, HERE)
    await desk.accounts.disable("alice")
    with pytest.raises(WrongCredentials):
        await desk.credentials.check("alice", PASSWORD, HERE)
    await desk.accounts.enable("alice")
    assert await desk.credentials.check("alice", PASSWORD, HERE)


async def test_the_memory_is_bounded(desk: Desk) -> None:
    await desk.credentials.check("alice", PASSWORD, HERE)
    memory = desk.credentials._remembered
    known = next(iter(memory.values()))
    memory.update({number.to_bytes(4): known for number in range(CACHE_SIZE)})
    await desk.credentials.check("alice", PASSWORD, ELSEWHERE)
    assert len(memory) == CACHE_SIZE


# ---------------------------------------------------------------- throttling


async def test_after_some_wrong_passwords_even_the_right_one_waits(desk: Desk) -> None:
    await guess(desk.credentials, "alice", HERE, PER_ACCOUNT)
    with pytest.raises(TooManyRequests) as caught:
        await desk.credentials.check("alice", PASSWORD, HERE)
    assert caught.value.retry_after == WINDOW // 1000
    assert "too many wrong passwords" in caught.value.message
    desk.clock.forward(seconds=WINDOW / 1000)
    assert await desk.credentials.check("alice", PASSWORD, HERE)


async def test_the_owner_signs_in_from_elsewhere_all_the_while(desk: Desk) -> None:
    await guess(desk.credentials, "alice", HERE, PER_ACCOUNT)
    assert await desk.credentials.check("alice", PASSWORD, ELSEWHERE)
    assert await desk.credentials.check("bobby", PASSWORD, HERE), "others behind the address are not concerned"


async def test_workers_count_together_and_name_and_address_are_one_account(desk: Desk) -> None:
    await guess(desk.credentials, "alice", HERE, PER_ACCOUNT - 1)
    await guess(desk.another_worker(), "alice@example.org", HERE)
    with pytest.raises(TooManyRequests):
        await desk.credentials.check("alice", PASSWORD, HERE)


async def test_a_remembered_password_does_not_pass_the_throttle(desk: Desk) -> None:
    await desk.credentials.check("alice", PASSWORD, HERE)
    await guess(desk.credentials, "alice", HERE, PER_ACCOUNT)
    with pytest.raises(TooManyRequests):
        await desk.credentials.check("alice", PASSWORD, HERE)


async def test_a_right_password_forgives_the_wrong_ones_before(desk: Desk) -> None:
    for _ in range(3):
        await guess(desk.credentials, "alice", HERE, PER_ACCOUNT - 1)
        assert await desk.credentials.check("alice", PASSWORD, HERE)


async def test_an_address_that_tries_many_names_is_stopped(desk: Desk) -> None:
    for number in range(PER_ADDRESS):
        await guess(desk.credentials, f"victim{number}", HERE)
    with pytest.raises(TooManyRequests):
        await desk.credentials.check("alice", PASSWORD, HERE)
    assert await desk.credentials.check("alice", PASSWORD, ELSEWHERE)


async def test_an_attackers_own_account_does_not_reset_the_address(desk: Desk) -> None:
    for number in range(PER_ADDRESS):
        await guess(desk.credentials, f"victim{number}", HERE)
        if number % 25 == 0:
            await desk.credentials.check("bobby", PASSWORD, HERE)
    with pytest.raises(TooManyRequests):
        await desk.credentials.check("bobby", PASSWORD, HERE)


async def test_addresses_of_one_ipv6_network_count_as_one(desk: Desk) -> None:
    for number in range(PER_ACCOUNT):
        await guess(desk.credentials, "alice", f"2001:db8::{number:x}")
    with pytest.raises(TooManyRequests):
        await desk.credentials.check("alice", PASSWORD, "2001:db8::ffff")
    assert await desk.credentials.check("alice", PASSWORD, "2001:db8:1::1")


async def test_guesses_at_the_same_time_do_not_slip_through(desk: Desk) -> None:
    tries = [desk.credentials.check("alice", f"wrong guess {n}", HERE) for n in range(PER_ACCOUNT * 5)]
    results = await asyncio.gather(*tries, return_exceptions=True)
    assert sum(isinstance(result, WrongCredentials) for result in results) <= PER_ACCOUNT + 1
    assert sum(isinstance(result, TooManyRequests) for result in results) >= PER_ACCOUNT * 4 - 1


async def test_counters_that_ran_out_are_swept_away(desk: Desk) -> None:
    for number in range(30):
        await guess(desk.credentials, "alice", f"192.0.2.{number}")
    desk.clock.forward(seconds=WINDOW / 1000)
    await guess(desk.credentials, "alice", ELSEWHERE)
    left = await desk.database.read(
        lambda rows: rows.connection.execute(select(func.count()).select_from(login_failures)).scalar_one()
    )
    assert left == 2


async def test_rows_do_not_tell_who_was_tried_from_where(desk: Desk) -> None:
    await guess(desk.credentials, "alice", HERE)
    keys = await desk.database.read(lambda rows: rows.connection.execute(select(login_failures.c.key)).scalars().all())
    assert all(len(key) == 64 and "alice" not in key and HERE not in key for key in keys)


async def test_the_same_login_many_times_at_once_is_verified_twice_at_most(desk: Desk) -> None:
    tries = [desk.credentials.check("alice", PASSWORD, HERE) for _ in range(40)]
    assert await asyncio.gather(*tries) == [Actor(desk.alice.id, "alice")] * 40


# ---------------------------------------------------------------- personal access tokens as passwords


async def test_a_token_serves_as_password_of_its_own_account(desk: Desk) -> None:
    grants = (Grant("alice/*", frozenset({Action.PULL})),)
    _, secret = await desk.tokens.create(desk.alice.id, "laptop", grants)
    narrowed = Actor(desk.alice.id, "alice", grants=grants)
    assert await desk.credentials.check("alice", secret, HERE) == narrowed
    assert await desk.credentials.check("Alice@example.org", secret, HERE) == narrowed
    assert await desk.credentials.check_token(secret, HERE) == narrowed
    with pytest.raises(WrongCredentials):
        await desk.credentials.check("bobby", secret, HERE)
    with pytest.raises(WrongCredentials):
        await desk.credentials.check("", secret, HERE)


async def test_a_throttled_account_keeps_working_with_tokens(desk: Desk) -> None:
    _, secret = await desk.tokens.create(desk.alice.id, "robot", [Grant("alice/*", frozenset(Action))])
    await guess(desk.credentials, "alice", HERE, PER_ACCOUNT)
    assert await desk.credentials.check("alice", secret, HERE)


async def test_a_made_up_token_is_refused(desk: Desk) -> None:
    with pytest.raises(WrongCredentials, match="personal access token"):
        await desk.credentials.check("alice", "hvr_pat_" + "x" * 43, HERE)
