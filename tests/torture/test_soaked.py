"""The short form of ``make soak``: as much as the machine takes, twice as much, and the way back."""

import asyncio
from pathlib import Path

import pytest

from torture.soak import soak, table
from torture.victim import Victim


@pytest.mark.slow
def test_an_overload_is_told_and_leaves_nothing_behind(tmp_path: Path) -> None:
    victim = Victim(tmp_path / "victim", "sqlite")
    try:
        result = asyncio.run(soak(victim, 9, print))
    finally:
        victim.remove()
    # Within seconds caches are still being filled, so that memory says nothing yet.
    faults = [fault for fault in result.faults if not fault.startswith("memory")]
    assert not faults, "\n".join([*faults, table(result)])
    assert all(phase.done for phase in result.phases)
    assert result.recovery < 30
