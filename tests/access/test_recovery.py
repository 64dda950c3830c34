"""Mailed links: good once, for a while, and silent about who has an account."""

from __future__ import annotations

import asyncio

import pytest
from sqlalchemy import select

from havre.access.letters import HOUR, LETTER, PATIENCE, Letters
from havre.access.records import Letter, Purpose, Subject
from havre.access.recovery import Recovery
from havre.access.throttle import MAILS_PER_ACCOUNT, MAILS_PER_ADDRESS
from havre.errors import Conflict, InputInvalid, TooManyRequests, WrongCredentials
from havre.metadata.schema import jobs, mailed_links
from havre.registry.jobs import Jobs
from havre.server.work import Work

from .conftest import HERE, PASSWORD, Desk

pytestmark = pytest.mark.anyio

NEW = "battery staple 7"


class Pigeonholes:
    """A post that keeps letters where a test can read them."""

    def __init__(self, desk: Desk) -> None:
        self._jobs = Jobs(desk.database, desk.clock, {LETTER: PATIENCE})
        self._work = Work(self._jobs, {LETTER: Letters(desk.database, self, desk.clock).work})
        self.letters: list[Letter] = []

    async def send(self, letter: Letter) -> None:
        self.letters.append(letter)

    async def deliver(self) -> list[Letter]:
        """Write what was asked for; returns the letters of this time."""
        before = len(self.letters)
        while await self._work.once():
            pass
        return self.letters[before:]


def link(secret: str) -> str:
    return f"https://hub.example.org/here?code={secret}"


def secret_of(letter: Letter) -> str:
    return letter.link.partition("code=")[2]


@pytest.fixture
def post(desk: Desk) -> Pigeonholes:
    return Pigeonholes(desk)


@pytest.fixture
def recovery(desk: Desk) -> Recovery:
    return Recovery(desk.database, desk.passwords, desk.clock)


async def test_a_new_password_by_link(desk: Desk, recovery: Recovery, post: Pigeonholes) -> None:
    session = await desk.sessions.open(desk.alice.id, HERE, "")
    await recovery.ask_reset(" Alice@Example.org ", HERE, link)
    (letter,) = await post.deliver()
    assert (letter.subject, letter.to, letter.name) == (Subject.RESET, "alice@example.org", "alice")
    user, email = await recovery.holder(secret_of(letter), Purpose.RESET)
    assert (user.name, email) == ("alice", "alice@example.org")
    await recovery.reset(secret_of(letter), NEW, HERE)
    assert await desk.credentials.check("alice", NEW, HERE)
    with pytest.raises(WrongCredentials):
        await desk.credentials.check("alice", PASSWORD, HERE)
    assert await desk.sessions.resolve(session) is None
    (told,) = await post.deliver()
    assert told.subject is Subject.PASSWORD_CHANGED
    verified = await desk.accounts.get(desk.alice.id)
    assert verified is not None
    assert verified.email_verified == desk.clock(), "who follows the link reads that mailbox"


async def test_a_link_is_good_once(desk: Desk, recovery: Recovery, post: Pigeonholes) -> None:
    await recovery.ask_reset("alice", HERE, link)
    await recovery.ask_reset("alice", HERE, link)
    first, second = await post.deliver()
    await recovery.reset(secret_of(first), NEW, HERE)
    for letter in (first, second):
        with pytest.raises(InputInvalid, match="used before"):
            await recovery.reset(secret_of(letter), "another one 8", HERE)
    assert await desk.credentials.check("alice", NEW, HERE)


async def test_of_two_at_once_one_wins(desk: Desk, recovery: Recovery, post: Pigeonholes) -> None:
    await recovery.ask_reset("alice", HERE, link)
    (letter,) = await post.deliver()
    passwords = (NEW, "another one 8")
    outcomes = await asyncio.gather(
        *(recovery.reset(secret_of(letter), one, HERE) for one in passwords), return_exceptions=True
    )
    winners = [one for one, outcome in zip(passwords, outcomes, strict=True) if not isinstance(outcome, Exception)]
    assert len(winners) == 1
    assert await desk.credentials.check("alice", winners[0], HERE)


async def test_it_is_too_old_after_an_hour(desk: Desk, recovery: Recovery, post: Pigeonholes) -> None:
    await recovery.ask_reset("alice", HERE, link)
    (letter,) = await post.deliver()
    desk.clock.now += HOUR - 1
    assert await recovery.holder(secret_of(letter), Purpose.RESET)
    desk.clock.now += 1
    with pytest.raises(InputInvalid, match="too old"):
        await recovery.reset(secret_of(letter), NEW, HERE)


async def test_a_bad_password_leaves_the_link_good(desk: Desk, recovery: Recovery, post: Pigeonholes) -> None:
    await recovery.ask_reset("alice", HERE, link)
    (letter,) = await post.deliver()
    with pytest.raises(InputInvalid, match="8 to 256"):
        await recovery.reset(secret_of(letter), "short", HERE)
    await recovery.reset(secret_of(letter), NEW, HERE)


async def test_a_link_is_for_one_purpose(desk: Desk, recovery: Recovery, post: Pigeonholes) -> None:
    await recovery.ask_verification(desk.alice, desk.alice.email, HERE, link)
    (letter,) = await post.deliver()
    with pytest.raises(InputInvalid):
        await recovery.reset(secret_of(letter), NEW, HERE)


@pytest.mark.parametrize("secret", ["", "x", "x" * 43, "x" * 100_000, "\x00\udcff"])
async def test_an_unknown_link_is_nobodys(recovery: Recovery, secret: str) -> None:
    with pytest.raises(InputInvalid):
        await recovery.holder(secret, Purpose.RESET)


async def test_it_is_stored_hashed(desk: Desk, recovery: Recovery, post: Pigeonholes) -> None:
    await recovery.ask_reset("alice", HERE, link)
    (letter,) = await post.deliver()
    for table in (mailed_links, jobs):
        rows = await desk.database.read(lambda rows, table=table: rows.connection.execute(select(table)).all())
        assert rows
        assert secret_of(letter) not in repr(rows)
    assert len(secret_of(letter)) == 43


async def test_an_order_holds_no_link_that_anyone_could_follow(
    desk: Desk, recovery: Recovery, post: Pigeonholes
) -> None:
    await recovery.ask_reset("alice", HERE, link)
    await recovery.ask_reset("a secret typed into the wrong field", HERE, link)
    ordered = await desk.database.read(lambda rows: rows.jobs.page(["waiting"], 0, 9))
    base = {"to": "", "link": "https://hub.example.org/here?code=", "detail": ""}
    assert [one.values for one in ordered] == [{"user": 0, **base}, {"user": desk.alice.id, **base}]
    assert not any("alice" in f"{one.key} {one.message}" for one in ordered)
    await post.deliver()
    done = await desk.database.read(lambda rows: rows.jobs.page(["done"], 0, 9))
    assert [one.values for one in done] == [{}, {}]


async def test_a_letter_is_ordered_with_the_change_or_not_at_all(
    desk: Desk, recovery: Recovery, post: Pigeonholes
) -> None:
    await recovery.ask_reset("alice", HERE, link)
    (letter,) = await post.deliver()
    await recovery.reset(secret_of(letter), NEW, HERE)
    with pytest.raises(InputInvalid):
        await recovery.reset(secret_of(letter), NEW, HERE)
    assert [one.subject for one in await post.deliver()] == [Subject.PASSWORD_CHANGED]


async def test_who_was_shut_out_meanwhile_gets_no_letter(desk: Desk, recovery: Recovery, post: Pigeonholes) -> None:
    await recovery.ask_reset("alice", HERE, link)
    await desk.accounts.disable("alice")
    assert await post.deliver() == []


async def test_nobody_learns_who_has_an_account(desk: Desk, recovery: Recovery, post: Pigeonholes) -> None:
    await desk.accounts.disable("bobby")
    for login in ("alice", "nobody", "nobody@example.org", "bobby"):
        await recovery.ask_reset(login, HERE, link)
    ordered = await desk.database.read(lambda rows: rows.jobs.counts(LETTER))
    assert ordered == {"waiting": 4}, "the same is put off for each"
    assert [letter.name for letter in await post.deliver()] == ["alice"]
    for login in ("nobody", "alice"):
        for _ in range(MAILS_PER_ACCOUNT - 1):
            await recovery.ask_reset(login, HERE, link)
        with pytest.raises(TooManyRequests) as refused:
            await recovery.ask_reset(login, HERE, link)
        assert "several mails were asked for already" in refused.value.message


async def test_one_address_asks_for_so_many_letters(recovery: Recovery) -> None:
    for number in range(MAILS_PER_ADDRESS):
        await recovery.ask_reset(f"nobody{number}", HERE, link)
    with pytest.raises(TooManyRequests):
        await recovery.ask_reset("one more", HERE, link)
    await recovery.ask_reset("nobody", "203.0.113.4", link)


@pytest.mark.parametrize("login", ["", "  ", "a\x00b"])
async def test_a_login_that_is_none_is_refused(recovery: Recovery, login: str) -> None:
    with pytest.raises(InputInvalid) as caught:
        await recovery.ask_reset(login, HERE, link)
    assert caught.value.field == "name"


# ---------------------------------------------------------------- e-mail addresses


async def test_a_new_address_counts_once_its_link_is_followed(
    desk: Desk, recovery: Recovery, post: Pigeonholes
) -> None:
    await recovery.ask_verification(desk.alice, "Marin@Example.org", HERE, link)
    (letter,) = await post.deliver()
    assert (letter.subject, letter.to) == (Subject.VERIFY, "marin@example.org")
    assert await recovery.waiting(desk.alice.id) == "marin@example.org"
    before = await desk.accounts.get(desk.alice.id)
    assert before is not None
    assert (before.email, before.email_verified) == ("alice@example.org", None)
    after = await recovery.confirm(secret_of(letter), HERE)
    assert (after.email, after.email_verified) == ("marin@example.org", desk.clock())
    assert await recovery.waiting(desk.alice.id) == ""
    (told,) = await post.deliver()
    assert (told.subject, told.to, told.detail) == (Subject.EMAIL_CHANGED, "alice@example.org", "marin@example.org")
    with pytest.raises(InputInvalid):
        await recovery.confirm(secret_of(letter), HERE)


async def test_confirming_the_present_address_tells_nobody(desk: Desk, recovery: Recovery, post: Pigeonholes) -> None:
    await recovery.ask_verification(desk.alice, desk.alice.email, HERE, link)
    (letter,) = await post.deliver()
    assert (await recovery.confirm(secret_of(letter), HERE)).email_verified == desk.clock()
    assert await post.deliver() == []


async def test_an_address_belongs_to_one_account(desk: Desk, recovery: Recovery, post: Pigeonholes) -> None:
    with pytest.raises(Conflict, match="already"):
        await recovery.ask_verification(desk.alice, "bobby@example.org", HERE, link)
    await recovery.ask_verification(desk.alice, "marin@example.org", HERE, link)
    (letter,) = await post.deliver()
    await desk.accounts.create("marin", "marin@example.org", PASSWORD)
    with pytest.raises(Conflict, match="already"):
        await recovery.confirm(secret_of(letter), HERE)
    kept = await desk.accounts.get(desk.alice.id)
    assert kept is not None
    assert kept.email == "alice@example.org"


@pytest.mark.parametrize("email", ["", "nobody", "a b@example.org", "a,b@example.org", "<a@example.org>", "a@b@c.org"])
async def test_what_is_no_address_is_refused(desk: Desk, recovery: Recovery, email: str) -> None:
    with pytest.raises(InputInvalid) as caught:
        await recovery.ask_verification(desk.alice, email, HERE, link)
    assert caught.value.field == "email"


async def test_a_new_password_makes_links_worthless(desk: Desk, recovery: Recovery, post: Pigeonholes) -> None:
    await recovery.ask_reset("alice", HERE, link)
    (letter,) = await post.deliver()
    await desk.accounts.set_password(desk.alice.id, NEW)
    with pytest.raises(InputInvalid):
        await recovery.reset(secret_of(letter), "another one 8", HERE)
