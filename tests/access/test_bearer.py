"""Bearer tokens: ours are read, all others refused; one key for all workers; five minutes and no more."""

from __future__ import annotations

import asyncio
import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey

from havre.access.actors import ANONYMOUS, EVERYTHING, Action, Actor, Grant
from havre.access.bearer import CACHE_SIZE, LIFE, MAX_LENGTH, BearerTokens
from havre.access.scopes import Access, parse_scopes
from havre.errors import Unauthorized
from havre.metadata import Database
from havre.oci.names import RepositoryName

from .conftest import Desk, MovableClock

pytestmark = pytest.mark.anyio

ALICE = Actor(1, "alice")
APP = RepositoryName("alice/app")
PULL_PUSH = parse_scopes(["repository:alice/app:pull,push"])


@pytest.fixture
async def bearer(database: Database, clock: MovableClock) -> BearerTokens:
    tokens = BearerTokens(database, clock)
    await tokens.start()
    return tokens


NARROWED = Actor(
    3,
    "carol",
    is_admin=True,
    grants=(Grant(EVERYTHING, frozenset({Action.PULL})), Grant("carol/*", frozenset(Action))),
)


@pytest.mark.parametrize(
    "actor", [ALICE, ANONYMOUS, Actor(3, "carol", is_admin=True), NARROWED, Actor(1, "alice", grants=())]
)
@pytest.mark.parametrize("access", [Access(), PULL_PUSH, Access(catalog=True), parse_scopes(["repository:python:*"])])
async def test_what_is_minted_is_read_again(
    bearer: BearerTokens, clock: MovableClock, actor: Actor, access: Access
) -> None:
    read = bearer.verify(bearer.mint(actor, access, clock()))
    assert (read.actor, read.access, read.catalog) == (actor, access.repositories, access.catalog)
    assert read.actor.viewer == actor.viewer


async def test_it_allows_what_it_says(bearer: BearerTokens, clock: MovableClock) -> None:
    read = bearer.verify(bearer.mint(ALICE, PULL_PUSH, clock()))
    assert read.allows(Action.PUSH, APP)
    assert not read.allows(Action.DELETE, APP)
    assert not read.allows(Action.PULL, RepositoryName("alice/other"))


@pytest.mark.parametrize("seen_before", [True, False])
async def test_it_ends_after_five_minutes(bearer: BearerTokens, clock: MovableClock, seen_before: bool) -> None:
    text = bearer.mint(ALICE, PULL_PUSH, clock())
    clock.forward(seconds=LIFE - 1)
    if seen_before:
        bearer.verify(text)
    clock.forward(seconds=1)
    with pytest.raises(Unauthorized, match="expired"):
        bearer.verify(text)
    assert text not in bearer._verified


async def test_clocks_may_differ_a_little(bearer: BearerTokens, clock: MovableClock) -> None:
    assert bearer.verify(bearer.mint(ALICE, PULL_PUSH, clock() + 60_000))
    with pytest.raises(Unauthorized, match="clocks"):
        bearer.verify(bearer.mint(ALICE, PULL_PUSH, clock() + 62_000))


async def test_other_workers_read_it_and_other_instances_do_not(
    desk: Desk, tmp_path_factory: pytest.TempPathFactory, clock: MovableClock
) -> None:
    from havre.metadata import upgrade

    text = desk.bearer.mint(ALICE, PULL_PUSH, clock())
    worker = BearerTokens(desk.database, clock)
    await worker.start()
    assert worker.verify(text).actor == ALICE
    url = f"sqlite:///{tmp_path_factory.mktemp('other')}/havre.db"
    upgrade(url)
    other = Database.open(url)
    await other.start()
    stranger = BearerTokens(other, clock)
    await stranger.start()
    await other.close()
    assert stranger.instance_id != desk.bearer.instance_id
    with pytest.raises(Unauthorized):
        stranger.verify(text)


async def test_many_first_starts_at_once_agree_on_one_key(database: Database, clock: MovableClock) -> None:
    workers = [BearerTokens(database, clock) for _ in range(8)]
    await asyncio.gather(*(worker.start() for worker in workers))
    assert len({worker.instance_id for worker in workers}) == 1
    text = workers[0].mint(ALICE, PULL_PUSH, clock())
    assert all(worker.verify(text).actor == ALICE for worker in workers)


def part(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


async def test_forgeries(bearer: BearerTokens, clock: MovableClock) -> None:
    good = bearer.mint(ALICE, PULL_PUSH, clock())
    header, claims, signature = good.split(".")
    now = clock() // 1000
    ours = {"iss": bearer.instance_id, "aud": bearer.instance_id, "sub": "carol", "uid": 3, "adm": True}
    ours |= {"iat": now, "exp": now + LIFE}
    public = bearer._key.as_pem(private=False) if bearer._key else b""
    forged = [
        f"{part({'alg': 'none', 'typ': 'JWT'})}.{part(ours)}.",
        f"{header}.{part(ours)}.{signature}",
        f"{header}.{claims}.{signature[:-4]}AAAA",
        f"{header}.{claims}",
        f"{header}.{claims}.{signature}.{signature}",
        jwt.encode({"alg": "ES256"}, ours, ECKey.generate_key("P-256")),
        jwt.encode({"alg": "HS256"}, ours, OctKey.import_key(base64.urlsafe_b64encode(public)), algorithms=["HS256"]),
        jwt.encode({"alg": "ES256"}, {**ours, "iss": "another"}, bearer._key),
        jwt.encode({"alg": "ES256"}, {**ours, "aud": "another"}, bearer._key),
        good + "A" * MAX_LENGTH,
        "",
        "Bearer",
        "a.b.c",
        "\udcff.é.x",
    ]
    for text in forged:
        with pytest.raises(Unauthorized):
            bearer.verify(text)
    assert bearer.verify(good)


async def test_the_memory_of_verified_tokens_is_bounded(bearer: BearerTokens, clock: MovableClock) -> None:
    text = bearer.mint(ALICE, PULL_PUSH, clock())
    seen = bearer.verify(text)
    bearer._verified.update({str(number): seen for number in range(CACHE_SIZE)})
    bearer.verify(bearer.mint(ANONYMOUS, Access(), clock()))
    assert len(bearer._verified) == CACHE_SIZE
    assert text not in bearer._verified
    clock.forward(seconds=LIFE)
    bearer.verify(bearer.mint(ANONYMOUS, Access(), clock()))
    assert len(bearer._verified) == 1, "what has expired makes room first"


async def test_the_largest_token_that_is_minted_can_be_read(bearer: BearerTokens, clock: MovableClock) -> None:
    everything = frozenset({Action.PULL, Action.PUSH, Action.DELETE})
    names = {RepositoryName.parse(f"a/{number:03}" + "x" * 250): everything for number in range(64)}
    grants = tuple(Grant.parse(f"{number:03}" + "y" * 252, frozenset(Action)) for number in range(32))
    actor = Actor(1, "a" * 30, grants=grants)
    assert bearer.verify(bearer.mint(actor, Access(names, catalog=True), clock())).actor == actor


async def test_before_the_start_nothing_is_minted(database: Database, clock: MovableClock) -> None:
    with pytest.raises(AssertionError):
        BearerTokens(database, clock).mint(ALICE, PULL_PUSH, clock())


@given(st.text(max_size=200))
def test_any_text_is_refused_with_a_sentence(text: str) -> None:
    tokens = BearerTokens(None, lambda: 1_800_000_000_000)  # type: ignore[arg-type]
    tokens._key = KEY
    with pytest.raises(Unauthorized):
        tokens.verify(text)


KEY = ECKey.generate_key("P-256")
