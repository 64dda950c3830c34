"""The second factor: what turns it on, what proves it, how often one may guess, and what clients must use then."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from havre.access import totp
from havre.access.actors import Action, Actor, Grant
from havre.access.passkeys import Browser, Passkeys
from havre.access.second_factor import CODES, MAX_AUTHENTICATORS, Proof, SecondFactors
from havre.access.throttle import CODES_PER_ACCOUNT, CODES_PER_ADDRESS
from havre.errors import Conflict, InputInvalid, TooManyRequests, WrongCredentials
from havre.metadata.schema import authenticators, recovery_codes

from .conftest import ELSEWHERE, HERE, PASSWORD, Desk

pytestmark = pytest.mark.anyio

BROWSER = Browser("https://hub.example.org", "hub.example.org", "a session")


def factors(desk: Desk) -> SecondFactors:
    return SecondFactors(desk.database, Passkeys(desk.database, desk.clock), desk.clock)


async def with_app(desk: Desk) -> tuple[SecondFactors, bytes, list[str]]:
    """Alice has an app; returns its secret and the recovery codes. The clock moves on to the next code."""
    found = factors(desk)
    await found.begin_app(desk.alice.id)
    secret = await found.begun_app(desk.alice.id)
    assert secret is not None
    codes = await found.confirm_app(desk.alice, now_code(desk, secret), HERE)
    desk.clock.forward(seconds=30)
    return found, secret, list(codes)


def now_code(desk: Desk, secret: bytes) -> str:
    return totp.code(secret, totp.step_at(desk.clock()))


def wrong_code(desk: Desk, secret: bytes) -> str:
    good = {totp.code(secret, totp.step_at(desk.clock()) + drift) for drift in (-1, 0, 1)}
    return next(code for code in ("000000", "111111", "222222", "333333") if code not in good)


async def test_an_app_counts_from_its_first_code(desk: Desk) -> None:
    found = factors(desk)
    await found.begin_app(desk.alice.id)
    assert not (await found.of(desk.alice.id)).required
    assert await desk.credentials.check("alice", PASSWORD, HERE)
    secret = await found.begun_app(desk.alice.id)
    assert secret is not None
    with pytest.raises(InputInvalid, match="not right"):
        await found.confirm_app(desk.alice, wrong_code(desk, secret), HERE)
    assert not (await found.of(desk.alice.id)).required
    codes = await found.confirm_app(desk.alice, f" {now_code(desk, secret)[:3]} {now_code(desk, secret)[3:]}", HERE)
    has = await found.of(desk.alice.id)
    assert has.required
    assert has.app
    assert has.codes_left == CODES == len(set(codes))
    assert await found.begun_app(desk.alice.id) is None


async def test_beginning_again_forgets_the_first_secret(desk: Desk) -> None:
    found = factors(desk)
    await found.begin_app(desk.alice.id)
    first = await found.begun_app(desk.alice.id)
    await found.begin_app(desk.alice.id)
    assert first is not None
    assert await found.begun_app(desk.alice.id) != first
    assert len((await found.of(desk.alice.id)).keys) == 1
    with pytest.raises(InputInvalid):
        await found.confirm_app(desk.alice, now_code(desk, first), HERE)


async def test_a_code_is_good_once(desk: Desk) -> None:
    found, secret, _ = await with_app(desk)
    code = now_code(desk, secret)
    await found.prove(desk.alice, Proof(code), BROWSER, HERE)
    with pytest.raises(InputInvalid, match="was used before"):
        await found.prove(desk.alice, Proof(code), BROWSER, HERE)
    desk.clock.forward(seconds=30)
    await found.prove(desk.alice, Proof(now_code(desk, secret)), BROWSER, HERE)


async def test_the_code_that_turned_it_on_signs_nobody_in(desk: Desk) -> None:
    found = factors(desk)
    await found.begin_app(desk.alice.id)
    secret = await found.begun_app(desk.alice.id)
    assert secret is not None
    code = now_code(desk, secret)
    await found.confirm_app(desk.alice, code, HERE)
    with pytest.raises(InputInvalid):
        await found.prove(desk.alice, Proof(code), BROWSER, HERE)


async def test_guesses_run_out_here_and_for_the_account_as_a_whole(desk: Desk) -> None:
    found, secret, codes = await with_app(desk)
    for _ in range(CODES_PER_ADDRESS):
        with pytest.raises(InputInvalid):
            await found.prove(desk.alice, Proof(wrong_code(desk, secret)), BROWSER, HERE)
    with pytest.raises(TooManyRequests, match="recovery code"):
        await found.prove(desk.alice, Proof(now_code(desk, secret)), BROWSER, HERE)
    refused, tries = False, CODES_PER_ADDRESS
    for number in range(CODES_PER_ACCOUNT):
        try:
            await found.prove(desk.alice, Proof(wrong_code(desk, secret)), BROWSER, f"203.0.113.{number}")
        except InputInvalid:
            tries += 1
        except TooManyRequests:
            refused = True
            break
    assert refused
    assert tries == CODES_PER_ACCOUNT
    # What can not be guessed is never throttled, so nobody locks the owner out.
    await found.prove(desk.alice, Proof(codes[0]), BROWSER, HERE)
    desk.clock.forward(seconds=16 * 60)
    await found.prove(desk.alice, Proof(now_code(desk, secret)), BROWSER, HERE)


async def test_a_recovery_code_is_good_once_however_it_is_typed(desk: Desk) -> None:
    found, _, codes = await with_app(desk)
    await found.prove(desk.alice, Proof(codes[3].upper().replace("-", " ")), BROWSER, HERE)
    assert (await found.of(desk.alice.id)).codes_left == CODES - 1
    with pytest.raises(InputInvalid):
        await found.prove(desk.alice, Proof(codes[3]), BROWSER, HERE)
    with pytest.raises(InputInvalid):
        await found.prove(desk.bobby, Proof(codes[4]), BROWSER, HERE)


async def test_new_codes_replace_the_old_ones(desk: Desk) -> None:
    found, _, codes = await with_app(desk)
    fresh = await found.new_codes(desk.alice, HERE)
    assert not set(fresh) & set(codes)
    with pytest.raises(InputInvalid):
        await found.prove(desk.alice, Proof(codes[0]), BROWSER, HERE)
    await found.prove(desk.alice, Proof(fresh[0]), BROWSER, HERE)
    with pytest.raises(Conflict, match="add an app or a passkey first"):
        await found.new_codes(desk.bobby, HERE)


async def test_codes_are_stored_hashed(desk: Desk) -> None:
    _, _, codes = await with_app(desk)
    rows = await desk.database.read(lambda rows: rows.connection.execute(select(recovery_codes)).all())
    assert len(rows) == CODES
    for code in codes:
        assert code not in repr(rows)
        assert code.replace("-", "") not in repr(rows)


async def test_clients_need_a_token_then_and_are_told(desk: Desk) -> None:
    found, _, _ = await with_app(desk)
    with pytest.raises(WrongCredentials, match=r"personal access token .* /settings/tokens|/settings/tokens"):
        await desk.credentials.check("alice", PASSWORD, HERE)
    with pytest.raises(WrongCredentials) as wrong:
        await desk.credentials.check("alice", "wrong horse 9", HERE)
    assert "token" not in wrong.value.message, "who does not know the password learns nothing"
    _, secret = await desk.tokens.create(desk.alice.id, "docker", [Grant("alice/*", frozenset({Action.PULL}))])
    assert (await desk.credentials.check("alice", secret, HERE)).name == "alice"
    assert (await desk.credentials.check_password("alice", PASSWORD, HERE)).second_factor
    for one in (await found.of(desk.alice.id)).authenticators:
        await found.remove(desk.alice, one.id, HERE)
    assert await desk.credentials.check("alice", PASSWORD, HERE) == Actor(desk.alice.id, "alice")


async def test_a_password_that_was_remembered_is_refused_at_once(desk: Desk) -> None:
    await desk.credentials.check("alice", PASSWORD, HERE)
    await with_app(desk)
    with pytest.raises(WrongCredentials, match="access token"):
        await desk.credentials.check("alice", PASSWORD, HERE)


async def test_pages_take_no_token_for_a_password(desk: Desk) -> None:
    _, secret = await desk.tokens.create(desk.alice.id, "docker", [Grant("*", frozenset(Action))])
    with pytest.raises(WrongCredentials):
        await desk.credentials.check_password("alice", secret, HERE)


async def test_with_the_last_one_go_the_recovery_codes(desk: Desk) -> None:
    found, _, _ = await with_app(desk)
    (app,) = (await found.of(desk.alice.id)).authenticators
    with pytest.raises(InputInvalid, match="no such second factor"):
        await found.remove(desk.bobby, app.id, HERE)
    await found.remove(desk.alice, app.id, HERE)
    has = await found.of(desk.alice.id)
    assert (has.required, has.codes_left) == (False, 0)


async def test_reset_takes_all_and_ends_sessions(desk: Desk) -> None:
    found, _, _ = await with_app(desk)
    secret = await desk.sessions.open(desk.alice.id, HERE, "")
    assert await found.reset(desk.alice)
    assert not (await found.of(desk.alice.id)).keys
    assert await desk.sessions.resolve(secret) is None
    assert not await found.reset(desk.alice)


async def test_an_account_has_so_many_and_no_more(desk: Desk) -> None:
    found = factors(desk)
    for _ in range(MAX_AUTHENTICATORS):
        await found.begin_app(desk.alice.id)
        secret = await found.begun_app(desk.alice.id)
        assert secret is not None
        await found.confirm_app(desk.alice, now_code(desk, secret), HERE)
    with pytest.raises(Conflict, match="remove one first"):
        await found.begin_app(desk.alice.id)


@pytest.mark.parametrize(
    "answer", ["{}", "[]", "x", '{"response": {"clientDataJSON": "e30"}}', "[" * 9000, "x" * 20_000]
)
async def test_an_answer_that_is_none_is_refused(desk: Desk, answer: str) -> None:
    found, _, _ = await with_app(desk)
    with pytest.raises(InputInvalid, match="this passkey did not answer"):
        await found.prove(desk.alice, Proof(passkey=answer), BROWSER, HERE)
    with pytest.raises(InputInvalid, match="this passkey did not answer"):
        await found.add_passkey(desk.alice, BROWSER, "key", answer, HERE)


async def test_challenges_differ_by_browser_and_hold_the_known_passkeys(desk: Desk) -> None:
    passkeys = Passkeys(desk.database, desk.clock)
    mine = await passkeys.creation(BROWSER, desk.alice.id, "alice", [])
    other = await passkeys.creation(Browser(BROWSER.origin, BROWSER.host, "another"), desk.alice.id, "alice", [])
    assert mine["challenge"] != other["challenge"]
    assert mine["rp"] == {"id": "hub.example.org", "name": "Havre"}
    again = await Passkeys(desk.database, desk.clock).creation(BROWSER, desk.alice.id, "alice", [])
    assert again["challenge"] == mine["challenge"], "every worker knows the challenges of the others"
    assert (await passkeys.request(BROWSER, []))["challenge"] != mine["challenge"]


# ---------------------------------------------------------------- the session between password and second factor


async def test_a_pending_session_signs_nobody_in(desk: Desk) -> None:
    secret = await desk.sessions.open_pending(desk.alice.id, HERE, "Firefox")
    assert await desk.sessions.resolve(secret) is None
    assert await desk.sessions.list(desk.alice.id) == []
    user = await desk.sessions.resolve_pending(secret)
    assert user is not None
    assert user.name == "alice"
    desk.clock.forward(seconds=600)
    assert await desk.sessions.resolve_pending(secret) is None


async def test_a_session_is_no_pending_one(desk: Desk) -> None:
    secret = await desk.sessions.open(desk.alice.id, HERE, "")
    assert await desk.sessions.resolve_pending(secret) is None
    assert await desk.sessions.resolve_pending("unknown") is None


async def test_who_knows_only_the_password_pushes_nobody_out(desk: Desk) -> None:
    mine = await desk.sessions.open(desk.alice.id, HERE, "")
    for _ in range(60):
        await desk.sessions.open_pending(desk.alice.id, ELSEWHERE, "")
    assert await desk.sessions.resolve(mine)


async def test_all_others_are_signed_out(desk: Desk) -> None:
    mine, other = [await desk.sessions.open(desk.alice.id, HERE, "") for _ in range(2)]
    found = await desk.sessions.resolve(mine)
    assert found is not None
    assert await desk.sessions.revoke_others(desk.alice.id, found[1].id) == 1
    assert await desk.sessions.resolve(mine)
    assert await desk.sessions.resolve(other) is None


async def test_secrets_of_apps_go_with_them(desk: Desk) -> None:
    found, _, _ = await with_app(desk)
    await found.reset(desk.alice)
    assert await desk.database.read(lambda rows: rows.connection.execute(select(authenticators)).all()) == []
