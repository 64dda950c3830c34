"""Accounts: names and passwords by the rules, one account per name and address, one first administrator."""

from __future__ import annotations

import asyncio

import pytest

from havre.access.accounts import RESERVED, Accounts, check_email, check_name
from havre.access.passwords import WAITING, Passwords, check_password
from havre.errors import Conflict, Denied, InputInvalid, TooManyRequests
from havre.metadata import Database
from havre.oci.names import Namespace
from havre.registry.records import Visibility

from .conftest import CHEAP, PASSWORD, Desk, MovableClock

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("name", ["abc", "a" * 31, "Alice", "al ice", "al-ice", "al_ice", "älice", "alice\n", ""])
def test_names_against_the_rule(name: str) -> None:
    with pytest.raises(InputInvalid, match="use 4 to 30 lower-case letters and digits"):
        check_name(name)


@pytest.mark.parametrize("name", ["library", "settings", "login", "signup", "search", "admin", "healthz", "metrics"])
def test_reserved_names(name: str) -> None:
    with pytest.raises(InputInvalid, match="is reserved"):
        check_name(name)
    assert name in RESERVED


@pytest.mark.parametrize(
    "email", ["alice", "@example.org", "alice@", "a b@example.org", "a@b@c", "a@b..c", "a" * 65 + "@x.y"]
)
def test_addresses_against_the_rule(email: str) -> None:
    with pytest.raises(InputInvalid, match="is not an e-mail address"):
        check_email(email)


def test_addresses_are_kept_in_lower_case() -> None:
    assert check_email(" Alice@Example.ORG ") == "alice@example.org"


@pytest.mark.parametrize(
    ("password", "why"),
    [
        ("short 7", "it has 7 characters"),
        ("x" * 257, "it has 257 characters"),
        ("Alicealice", "the account's name"),
        ("hvr_pat_something", "how personal access tokens begin"),
        ("tab\tinside", "control characters"),
        ("aaaaaaaaaaaa", "repeats"),
    ],
)
def test_passwords_against_the_rule_are_never_repeated(password: str, why: str) -> None:
    with pytest.raises(InputInvalid, match=why) as caught:
        check_password(password, "alicealice")
    assert password not in caught.value.message


async def test_an_account_brings_the_namespace_of_its_name(desk: Desk) -> None:
    user = await desk.accounts.sign_up("mallory", "Mallory@Example.org", PASSWORD)
    namespace = await desk.database.read(lambda rows: rows.repositories.namespace(Namespace("mallory")))
    assert namespace is not None
    assert namespace.owner_id == user.id
    assert (user.email, user.is_admin, user.disabled) == ("mallory@example.org", False, False)
    assert await desk.accounts.by_name("mallory") == user == await desk.accounts.get(user.id)


@pytest.mark.parametrize(
    ("name", "email", "said"),
    [("alice", "new@example.org", "name 'alice'"), ("newname", "ALICE@example.org", "alice@")],
)
async def test_a_taken_name_or_address_is_refused(desk: Desk, name: str, email: str, said: str) -> None:
    before = await desk.accounts.list()
    with pytest.raises(Conflict, match=said):
        await desk.accounts.create(name, email, PASSWORD)
    assert await desk.accounts.list() == before


async def test_of_many_who_want_one_name_one_gets_it(desk: Desk) -> None:
    tries = [desk.accounts.create("wanted", f"w{n}@example.org", PASSWORD) for n in range(5)]
    results = await asyncio.gather(*tries, return_exceptions=True)
    assert sum(isinstance(result, Conflict) for result in results) == 4
    assert await desk.accounts.by_name("wanted") in results


@pytest.mark.parametrize("signup", ["closed", "invite"])
async def test_closed_sign_up_still_lets_administrators_create(
    database: Database, clock: MovableClock, signup: str
) -> None:
    accounts = Accounts(database, Passwords(CHEAP), clock, signup=signup)
    with pytest.raises(Denied, match="ask an administrator"):
        await accounts.sign_up("alice", "alice@example.org", PASSWORD)
    assert (await accounts.create("alice", "alice@example.org", PASSWORD)).name == "alice"


async def test_of_several_first_administrators_one_wins(database: Database, clock: MovableClock) -> None:
    accounts = Accounts(database, Passwords(CHEAP), clock)
    assert await accounts.needs_first_administrator()
    tries = [accounts.create_first_administrator(f"admin{n}", f"a{n}@example.org", PASSWORD) for n in range(5)]
    results = await asyncio.gather(*tries, return_exceptions=True)
    assert sum(isinstance(result, Denied) for result in results) == 4
    assert [user.is_admin for user in await accounts.list()] == [True]
    assert not await accounts.needs_first_administrator()


async def test_a_disabled_administrator_does_not_open_the_first_run_again(desk: Desk) -> None:
    await desk.accounts.disable("carol")
    assert not await desk.accounts.needs_first_administrator()
    with pytest.raises(Denied):
        await desk.accounts.create_first_administrator("mallory", "m@example.org", PASSWORD)


async def test_preferences(desk: Desk) -> None:
    await desk.accounts.change_default_visibility(desk.alice.id, Visibility.PRIVATE)
    await desk.accounts.change_language(desk.alice.id, "fr")
    user = await desk.accounts.by_name("alice")
    assert user is not None
    assert (user.default_visibility, user.language) == (Visibility.PRIVATE, "fr")
    with pytest.raises(InputInvalid, match="choose en or fr"):
        await desk.accounts.change_language(desk.alice.id, "tlh")


async def test_lists_go_on_where_they_ended(desk: Desk) -> None:
    first = await desk.accounts.list(limit=2)
    assert [user.name for user in first] == ["alice", "bobby"]
    assert [user.name for user in await desk.accounts.list(first[-1].name)] == ["carol"]


@pytest.mark.parametrize("name", ["nobody", "alice@example.org", "a\x00b", ""])
async def test_nobody_can_be_disabled_who_is_not_there(desk: Desk, name: str) -> None:
    with pytest.raises(InputInvalid, match="there is no account"):
        await desk.accounts.disable(name)
    assert await desk.accounts.by_name(name) is None


async def test_a_new_password_must_keep_the_rule_too(desk: Desk) -> None:
    with pytest.raises(InputInvalid, match="characters"):
        await desk.accounts.set_password(desk.alice.id, "short")
    with pytest.raises(InputInvalid, match="there is no account"):
        await desk.accounts.set_password(999, PASSWORD)


async def test_a_storm_of_hashing_is_bounded() -> None:
    passwords = Passwords(CHEAP)
    async with passwords.turn(), passwords.turn():
        storm = [asyncio.create_task(passwords.hash("whatever else")) for _ in range(WAITING + 1)]
        done, waiting = await asyncio.wait(storm, return_when=asyncio.FIRST_COMPLETED)
        (refused,) = done
        assert isinstance(refused.exception(), TooManyRequests)
    assert all(text.startswith("$argon2id$") for text in await asyncio.gather(*waiting))
