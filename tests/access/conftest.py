"""What access tests share: a clock they move, a database of their own on each engine, and people with accounts."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from argon2 import PasswordHasher

from havre.access.access_tokens import AccessTokens
from havre.access.accounts import Accounts
from havre.access.bearer import BearerTokens
from havre.access.credentials import Credentials
from havre.access.passwords import Passwords
from havre.access.records import User
from havre.access.sessions import Sessions
from havre.metadata import Database
from tests.support.databases import database, database_url, postgresql_cluster

__all__ = ["database", "database_url", "postgresql_cluster"]

PASSWORD = "correct horse 9"
HERE = "192.0.2.1"
ELSEWHERE = "198.51.100.7"

CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
"""argon2id all the same, at a cost that suits a thousand logins in a test."""


class MovableClock:
    """Tells the time it was set to."""

    def __init__(self) -> None:
        self.now = 1_800_000_000_000

    def __call__(self) -> int:
        return self.now

    def forward(self, *, seconds: float = 0, days: float = 0) -> None:
        self.now += int(seconds * 1000 + days * 86_400_000)


@dataclass
class Desk:
    """All of access over one database."""

    database: Database
    clock: MovableClock
    passwords: Passwords
    accounts: Accounts
    tokens: AccessTokens
    credentials: Credentials
    sessions: Sessions
    bearer: BearerTokens
    alice: User
    bobby: User
    carol: User

    def another_worker(self) -> Credentials:
        """Credentials as another process has them: the same rows, a memory of its own."""
        return Credentials(self.database, Passwords(CHEAP), AccessTokens(self.database, self.clock), self.clock)


@pytest.fixture
def clock() -> MovableClock:
    return MovableClock()


@pytest.fixture
async def desk(
    database: Database,
    clock: MovableClock,
) -> Desk:
    """With accounts for alice, bobby and carol, who administers."""
    passwords = Passwords(CHEAP)
    accounts = Accounts(database, passwords, clock)
    tokens = AccessTokens(database, clock)
    bearer = BearerTokens(database, clock)
    await bearer.start()
    return Desk(
        database,
        clock,
        passwords,
        accounts,
        tokens,
        Credentials(database, passwords, tokens, clock),
        Sessions(database, clock),
        bearer,
        await accounts.create("alice", "alice@example.org", PASSWORD),
        await accounts.create("bobby", "bobby@example.org", PASSWORD),
        await accounts.create("carol", "carol@example.org", PASSWORD, is_admin=True),
    )
