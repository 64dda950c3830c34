"""The short form of ``make torture``: some kills on each database, and all that was acknowledged is there."""

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from torture.report import table
from torture.rounds import Result, torture
from torture.victim import Victim

pytestmark = pytest.mark.slow


@pytest.fixture
def victim_of(tmp_path: Path) -> Iterator[Callable[..., Victim]]:
    """Make a registry to be killed; it ends with the test."""
    made: list[Victim] = []

    def make(database: str, **settings: bool) -> Victim:
        made.append(Victim(tmp_path / "victim", database, **settings))
        return made[-1]

    yield make
    for victim in made:
        victim.remove()


def assert_kept(result: Result, kills: int) -> None:
    """Something was done and killed, and every promise was kept."""
    journal = result.journal
    assert not journal.faults, "\n".join([*journal.faults, table([result])])
    assert result.kills >= kills
    assert journal.counts["manifests acknowledged"] > 10
    assert journal.counts["blobs checked"] > 50
    assert journal.counts["tags checked"] > 10
    assert journal.counts["files hashed"] > 50


@pytest.mark.parametrize("seed", [11])
def test_killed_over_and_over_with_sqlite(victim_of: Callable[..., Victim], seed: int) -> None:
    assert_kept(asyncio.run(torture(victim_of("sqlite"), 6, 5, seed, print, seconds=40)), 2)


@pytest.mark.postgresql
def test_killed_over_and_over_with_postgresql(victim_of: Callable[..., Victim]) -> None:
    assert_kept(asyncio.run(torture(victim_of("postgresql", deep=True), 3, 4, 12, print, seconds=20)), 2)
