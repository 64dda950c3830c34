"""Personal access tokens and sessions: shown once, stored as hashes, ended by their owner, seen lazily."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from havre.access.access_tokens import MAX_GRANTS, MAX_TOKENS
from havre.access.actors import Action, Actor, Grant
from havre.access.records import AccessToken, AuditQuery
from havre.access.sessions import MAX_SESSIONS
from havre.errors import Conflict, InputInvalid, WrongCredentials
from havre.metadata.schema import access_tokens, sessions

from .conftest import ELSEWHERE, HERE, Desk

pytestmark = pytest.mark.anyio

EVERYTHING = [Grant("alice/*", frozenset(Action))]
DAY = 86_400_000


async def only_token(desk: Desk) -> AccessToken:
    (token,) = await desk.tokens.list(desk.alice.id)
    return token


# ---------------------------------------------------------------- personal access tokens


async def test_the_secret_is_shown_once_and_kept_nowhere(desk: Desk) -> None:
    token, secret = await desk.tokens.create(desk.alice.id, " laptop ", EVERYTHING)
    assert secret.startswith("hvr_pat_")
    assert len(secret) == 8 + 43
    assert (token.label, token.hint, token.last_used) == ("laptop", secret[-4:], None)
    assert await only_token(desk) == token
    rows = await desk.database.read(lambda rows: rows.connection.execute(select(access_tokens)).all())
    assert secret not in repr(rows)
    assert secret[8:] not in repr(rows)


async def test_grants_are_kept_as_they_were_made(desk: Desk) -> None:
    grants = [Grant("alice/app", frozenset({Action.PULL})), Grant("alice/x-*", frozenset({Action.PUSH, Action.DELETE}))]
    _, secret = await desk.tokens.create(desk.alice.id, "ci", grants)
    assert await desk.credentials.check_token(secret, HERE) == Actor(desk.alice.id, "alice", grants=tuple(grants))


async def test_it_expires_to_the_millisecond(desk: Desk) -> None:
    _, secret = await desk.tokens.create(desk.alice.id, "ci", EVERYTHING, desk.clock() + DAY)
    desk.clock.now += DAY - 1
    assert await desk.credentials.check_token(secret, HERE)
    desk.clock.now += 1
    with pytest.raises(WrongCredentials):
        await desk.credentials.check_token(secret, HERE)


async def test_revoked_it_is_worthless_at_once(desk: Desk) -> None:
    token, secret = await desk.tokens.create(desk.alice.id, "ci", EVERYTHING)
    assert await desk.credentials.check_token(secret, HERE)
    with pytest.raises(InputInvalid, match="no access token"):
        await desk.tokens.revoke(desk.bobby.id, token.uid)
    assert await desk.credentials.check_token(secret, HERE)
    await desk.tokens.revoke(desk.alice.id, token.uid)
    with pytest.raises(WrongCredentials):
        await desk.credentials.check_token(secret, HERE)
    with pytest.raises(InputInvalid, match="no access token"):
        await desk.tokens.revoke(desk.alice.id, token.uid)


@pytest.mark.parametrize("uid", ["", "x", "a\x00b", "0" * 400])
async def test_a_handle_that_is_none_is_refused(desk: Desk, uid: str) -> None:
    with pytest.raises(InputInvalid):
        await desk.tokens.revoke(desk.alice.id, uid)


async def test_it_goes_with_its_account(desk: Desk) -> None:
    _, secret = await desk.tokens.create(desk.alice.id, "ci", EVERYTHING)
    await desk.accounts.disable("alice")
    with pytest.raises(WrongCredentials):
        await desk.credentials.check_token(secret, HERE)


async def test_the_last_use_is_written_once_a_minute(desk: Desk) -> None:
    _, secret = await desk.tokens.create(desk.alice.id, "ci", EVERYTHING)
    await desk.credentials.check("alice", secret, HERE, "docker/28.2.2 \x1b[31m" + "x" * 500)
    first = await only_token(desk)
    assert (first.last_used, first.last_address) == (desk.clock(), HERE)
    assert first.last_client.startswith("docker/28.2.2 [31m")
    assert len(first.last_client) <= 200
    desk.clock.forward(seconds=59)
    await desk.credentials.check("alice", secret, ELSEWHERE, "podman")
    assert await only_token(desk) == first
    desk.clock.forward(seconds=1)
    await desk.credentials.check("alice", secret, ELSEWHERE, "podman")
    last = await only_token(desk)
    assert (last.last_used, last.last_address, last.last_client) == (desk.clock(), ELSEWHERE, "podman")


@pytest.mark.parametrize("label", ["", "   ", "x" * 101, "two\nlines"])
async def test_a_label_against_the_rule(desk: Desk, label: str) -> None:
    with pytest.raises(InputInvalid) as caught:
        await desk.tokens.create(desk.alice.id, label, EVERYTHING)
    assert caught.value.field == "label"


@pytest.mark.parametrize("grants", [[], EVERYTHING * (MAX_GRANTS + 1), [Grant("No Pattern", frozenset(Action))]])
async def test_grants_against_the_rule(desk: Desk, grants: list[Grant]) -> None:
    with pytest.raises(InputInvalid) as caught:
        await desk.tokens.create(desk.alice.id, "ci", grants)
    assert caught.value.field == "grants"


async def test_it_can_not_be_born_expired(desk: Desk) -> None:
    with pytest.raises(InputInvalid, match="expired already"):
        await desk.tokens.create(desk.alice.id, "ci", EVERYTHING, desk.clock())


async def test_an_account_has_so_many_and_no_more(desk: Desk) -> None:
    for number in range(MAX_TOKENS):
        await desk.tokens.create(desk.alice.id, f"ci {number}", EVERYTHING)
    with pytest.raises(Conflict, match="revoke one first"):
        await desk.tokens.create(desk.alice.id, "one more", EVERYTHING)
    assert [token.label for token in await desk.tokens.list(desk.alice.id)][:2] == ["ci 99", "ci 98"]


# ---------------------------------------------------------------- sessions


async def test_a_session_leads_to_its_account(desk: Desk) -> None:
    secret = await desk.sessions.open(desk.carol.id, HERE, "Firefox")
    found = await desk.sessions.resolve(secret)
    assert found is not None
    actor, session = found
    assert actor == Actor(desk.carol.id, "carol", is_admin=True)
    assert (session.address, session.user_agent) == (HERE, "Firefox")
    assert await desk.sessions.list(desk.carol.id) == [session]


async def test_the_cookie_has_256_bits_and_is_stored_hashed(desk: Desk) -> None:
    secret = await desk.sessions.open(desk.alice.id, HERE, "")
    assert len(secret) == 43
    rows = await desk.database.read(lambda rows: rows.connection.execute(select(sessions)).all())
    assert secret not in repr(rows)


@pytest.mark.parametrize("secret", ["", "x", "x" * 43, "x" * 100_000, "\x00\udcff"])
async def test_an_unknown_cookie_is_nobody(desk: Desk, secret: str) -> None:
    assert await desk.sessions.resolve(secret) is None


async def test_it_lives_while_it_is_used(desk: Desk) -> None:
    secret = await desk.sessions.open(desk.alice.id, HERE, "")
    for _ in range(3):
        desk.clock.forward(days=29)
        assert await desk.sessions.resolve(secret)
    desk.clock.forward(days=30)
    assert await desk.sessions.resolve(secret) is None
    assert await desk.sessions.list(desk.alice.id) == []


async def test_the_time_last_seen_is_written_lazily(desk: Desk) -> None:
    secret = await desk.sessions.open(desk.alice.id, HERE, "")
    opened = desk.clock()
    desk.clock.forward(seconds=299)
    await desk.sessions.resolve(secret)
    assert [session.last_seen for session in await desk.sessions.list(desk.alice.id)] == [opened]
    desk.clock.forward(seconds=1)
    await desk.sessions.resolve(secret)
    assert [session.last_seen for session in await desk.sessions.list(desk.alice.id)] == [desk.clock()]


async def test_signing_out_ends_it_and_no_other(desk: Desk) -> None:
    here, there = [await desk.sessions.open(desk.alice.id, address, "") for address in (HERE, ELSEWHERE)]
    await desk.sessions.close(here, HERE)
    await desk.sessions.close(here, HERE)
    await desk.sessions.close("unknown")
    last, before = await desk.database.read(lambda rows: rows.audit.page(AuditQuery(), None, 2))
    assert (last.actor, last.action, last.address) == ("alice", "account.sign_out", HERE)
    assert before.action == "account.sign_in"
    assert await desk.sessions.resolve(here) is None
    assert await desk.sessions.resolve(there)


async def test_its_owner_and_nobody_else_revokes_it(desk: Desk) -> None:
    secret = await desk.sessions.open(desk.alice.id, HERE, "")
    (session,) = await desk.sessions.list(desk.alice.id)
    with pytest.raises(InputInvalid):
        await desk.sessions.revoke(desk.bobby.id, session.id)
    assert await desk.sessions.resolve(secret)
    await desk.sessions.revoke(desk.alice.id, session.id)
    assert await desk.sessions.resolve(secret) is None


async def test_a_new_password_ends_all_but_the_one_it_was_set_in(desk: Desk) -> None:
    mine, other = [await desk.sessions.open(desk.alice.id, HERE, "") for _ in range(2)]
    bobbys = await desk.sessions.open(desk.bobby.id, HERE, "")
    found = await desk.sessions.resolve(mine)
    assert found is not None
    await desk.accounts.set_password(desk.alice.id, "battery staple 7", keep_session=found[1].id)
    assert await desk.sessions.resolve(mine)
    assert await desk.sessions.resolve(other) is None
    assert await desk.sessions.resolve(bobbys)


async def test_a_disabled_account_stays_signed_out_when_it_is_enabled(desk: Desk) -> None:
    secret = await desk.sessions.open(desk.alice.id, HERE, "")
    await desk.accounts.disable("alice")
    assert await desk.sessions.resolve(secret) is None
    await desk.accounts.enable("alice")
    assert await desk.sessions.resolve(secret) is None


async def test_the_oldest_make_room(desk: Desk) -> None:
    secrets = []
    for _ in range(MAX_SESSIONS + 1):
        secrets.append(await desk.sessions.open(desk.alice.id, HERE, ""))
        desk.clock.forward(seconds=1)
    assert await desk.sessions.resolve(secrets[0]) is None
    assert await desk.sessions.resolve(secrets[1])
    assert len(await desk.sessions.list(desk.alice.id)) == MAX_SESSIONS
