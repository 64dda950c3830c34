"""Departure: everything is handed over, nothing secret with it; and what goes, goes for good."""

from __future__ import annotations

import json

import pytest
from sqlalchemy import select

from havre.access import totp
from havre.access.actors import Action, Grant
from havre.access.departure import Departure
from havre.access.passkeys import Passkeys
from havre.access.second_factor import SecondFactors
from havre.errors import Conflict, InputInvalid, WrongCredentials
from havre.metadata import Rows
from havre.metadata.belongings import OWNERS, SECRETS
from havre.metadata.schema import metadata, sessions, users
from havre.oci.names import RepositoryName
from havre.registry.records import Visibility

from .conftest import HERE, PASSWORD, Desk

pytestmark = pytest.mark.anyio

ELSEWHERE = {
    "namespaces": "its name, which the profile has",
    "uploads": "content on its way, gone in hours",
    "tags": "whose moves are the tag events",
}
"""Tables that name accounts and are not in an export, and why."""


async def settled(desk: Desk) -> list[str]:
    """Alice has two repositories, a token, a session and an app; returns all her secrets."""

    def work(rows: Rows) -> None:
        for name in ("alice/app", "alice/tools/deep"):
            rows.repositories.add(RepositoryName.parse(name), Visibility.PUBLIC, desk.clock())

    await desk.database.write(work)
    _, token = await desk.tokens.create(desk.alice.id, "laptop", [Grant("alice/*", frozenset({Action.PULL}))])
    session = await desk.sessions.open(desk.alice.id, HERE, "Firefox")
    factors = SecondFactors(desk.database, Passkeys(desk.database, desk.clock), desk.clock)
    await factors.begin_app(desk.alice.id)
    secret = await factors.begun_app(desk.alice.id)
    assert secret is not None
    codes = await factors.confirm_app(desk.alice, totp.code(secret, totp.step_at(desk.clock())), HERE)
    return [token, session, totp.shown(secret).replace(" ", ""), secret.hex(), *codes]


async def test_an_export_holds_all_and_no_secret(desk: Desk) -> None:
    secrets = await settled(desk)
    found = await Departure(desk.database, desk.clock).export(desk.alice, HERE)
    (profile,) = found["profile"]
    assert (profile["name"], profile["email"]) == ("alice", "alice@example.org")
    assert [one["path"] for one in found["repositories"]] == ["alice/app", "alice/tools/deep"]
    (token,) = found["access_tokens"]
    assert (token["label"], token["grants"]) == ("laptop", [{"pattern": "alice/*", "actions": ["pull"]}])
    assert [one["user_agent"] for one in found["sessions"]] == ["Firefox"]
    assert [one["kind"] for one in found["authenticators"]] == ["totp"]
    assert len(found["recovery_codes"]) == 10
    assert "account.export" in [one["action"] for one in found["audit_events"]]
    text = json.dumps(found)
    assert "argon2" not in text
    for secret in secrets:
        assert secret not in text
    assert "bobby" not in text


def test_every_table_that_names_an_account_is_exported_or_has_a_reason() -> None:
    naming = {
        table.name
        for table in metadata.tables.values()
        for column in table.c
        if any(key.column.table is users for key in column.foreign_keys)
    }
    assert naming - {column.table.name for column in OWNERS.values()} == set(ELSEWHERE)


def test_what_is_binary_is_secret() -> None:
    """A new column that holds a key must not slip into an export."""
    for column in OWNERS.values():
        for one in column.table.c:
            assert "hash" not in one.name or one.name in SECRETS, one


async def test_leaving_takes_everything_but_the_name(desk: Desk) -> None:
    _, token = await desk.tokens.create(desk.alice.id, "x", [Grant("*", frozenset(Action))])
    session = await desk.sessions.open(desk.alice.id, HERE, "")
    await settled(desk)
    departure = Departure(desk.database, desk.clock)
    assert await departure.repositories(desk.alice) == 2
    with pytest.raises(InputInvalid, match="type alice exactly"):
        await departure.close(desk.alice, "alicia", HERE)
    await departure.close(desk.alice, " alice ", HERE)

    assert await desk.sessions.resolve(session) is None
    for secret in (PASSWORD, token):
        with pytest.raises(WrongCredentials):
            await desk.credentials.check("alice", secret, HERE)
    assert await desk.database.read(lambda rows: rows.repositories.get(RepositoryName("alice/app"))) is None
    assert await desk.database.read(lambda rows: rows.connection.execute(select(sessions)).all()) == []
    with pytest.raises(Conflict, match="is taken"):
        await desk.accounts.create("alice", "alice2@example.org", PASSWORD)
    with pytest.raises(Conflict, match="nobody gets that name again"):
        await desk.accounts.enable("alice")
    # The address is free again, for another name.
    assert (await desk.accounts.create("marin", "alice@example.org", PASSWORD)).name == "marin"
    left = await desk.accounts.by_name("alice")
    assert left is not None
    assert left.disabled
    assert left.closed == desk.clock()
    assert left.email.endswith("@closed.invalid")


async def test_the_only_administrator_stays(desk: Desk) -> None:
    departure = Departure(desk.database, desk.clock)
    with pytest.raises(Conflict, match="only administrator"):
        await departure.close(desk.carol, "carol", HERE)
    await desk.accounts.create("david", "david@example.org", PASSWORD, is_admin=True)
    await departure.close(desk.carol, "carol", HERE)


async def test_others_keep_what_is_theirs(desk: Desk) -> None:
    name = RepositoryName.parse("bobby/app")
    await desk.database.write(lambda rows: rows.repositories.add(name, Visibility.PUBLIC, desk.clock()))
    await Departure(desk.database, desk.clock).close(desk.alice, "alice", HERE)
    assert await desk.database.read(lambda rows: rows.repositories.get(name))
    assert await desk.credentials.check("bobby", PASSWORD, HERE)
