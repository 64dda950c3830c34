"""Fixtures: a Havre in this process, and callers who have tokens for alice/app and alice/other."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.inprocess import Caller, InProcess, prepare


@pytest.fixture(scope="session")
def people() -> None:
    """The accounts, made once."""
    prepare()


@pytest.fixture
async def inside(people: None, tmp_path: Path) -> AsyncIterator[InProcess]:
    """A Havre of one's own, with the default settings."""
    async with InProcess(tmp_path) as havre:
        yield havre


@pytest.fixture
async def alice(inside: InProcess) -> Caller:
    """The owner of alice/app and alice/other, neither of which exists yet."""
    return await inside.caller("alice", "alice/app", "alice/other")


@pytest.fixture
async def bobby(inside: InProcess) -> Caller:
    """A stranger to alice, with rights in bobby/app alone."""
    return await inside.caller("bobby", "bobby/app", "alice/app")


@pytest.fixture
async def anyone(inside: InProcess) -> Caller:
    """A client that brings no token."""
    return Caller(inside)
