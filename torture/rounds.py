"""Rounds: load, a kill in the middle of it, a restart, a check of everything, and whatever was interrupted done again."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from torture.check import Check
from torture.journal import Journal
from torture.line import Unanswered
from torture.load import Client, Refused
from torture.victim import DATABASE_KILLS, Door, Victim

LONGEST_LOAD = 0.8
"""Seconds between the start of the load and a kill, at most."""

ENDING = 90.0
"""Seconds that clients may take to end what they do when they are asked to pause."""

ATTEMPTS = 5


@dataclass(slots=True)
class Result:
    """What a run found."""

    database: str
    journal: Journal
    seconds: float = 0.0
    killed: dict[str, int] = field(default_factory=dict)
    slowest_return: float = 0.0
    """Seconds that the registry took until it served again, at most."""

    @property
    def kills(self) -> int:
        """How often SIGKILL was sent to something."""
        return sum(self.killed.values())

    def add(self, other: Result) -> None:
        """What another registry on the same kind of database went through as well."""
        self.journal.counts.update(other.journal.counts)
        self.journal.faults.extend(other.journal.faults)
        self.seconds += other.seconds
        self.slowest_return = max(self.slowest_return, other.slowest_return)
        for kind, number in other.killed.items():
            self.killed[kind] = self.killed.get(kind, 0) + number


async def torture(
    victim: Victim, kills: int, clients: int, seed: int, tell: Callable[[str], None], seconds: float = 1e9
) -> Result:
    """Kill ``victim`` so many times, or for so many seconds, while ``clients`` work."""
    dice, journal, started = random.Random(seed), Journal(), time.monotonic()
    result = Result(victim.database, journal)
    await victim.start()
    door = Door(victim.port)
    crowd = [Client(number, victim.port, journal, door) for number in range(clients)]
    check = Check(victim.port, journal, door, victim.blobs)
    while result.kills < kills and time.monotonic() - started < seconds and not journal.faults:
        await _round(victim, crowd, dice, result)
        await check.run()
        await _heal(crowd, journal)
        tell(
            f"{victim.database}: {result.kills} kills, {journal.counts['manifests acknowledged']} images acknowledged,"
            f" {journal.counts['broken promises']} promises broken, {time.monotonic() - started:.0f} s"
        )
    await check.run()
    check.leave_for_good()
    for client in crowd:
        client.leave_for_good()
    # Sockets are closed by the loop, in its next turn.
    await asyncio.sleep(0)
    result.seconds = time.monotonic() - started
    return result


async def _round(victim: Victim, crowd: list[Client], dice: random.Random, result: Result) -> None:
    going = asyncio.Event()
    going.set()
    tasks = [asyncio.create_task(_work(client, going)) for client in crowd]
    await asyncio.sleep(dice.uniform(0.05, LONGEST_LOAD))
    kind, number = victim.kill(dice)
    if number > 1:
        await asyncio.to_thread(victim.kill_starting, dice)
    result.killed[kind] = result.killed.get(kind, 0) + number
    result.journal.counts["kills of PostgreSQL"] += kind in DATABASE_KILLS
    # Some go on, to meet the registry as it comes back; others are asked to end first.
    overlap = dice.random() < 0.5
    if not overlap:
        going.clear()
    result.slowest_return = max(result.slowest_return, await victim.back())
    if overlap:
        await asyncio.sleep(dice.uniform(0.0, 0.3))
    going.clear()
    await asyncio.wait_for(asyncio.gather(*tasks), ENDING)


async def _work(client: Client, going: asyncio.Event) -> None:
    while going.is_set():
        before = client.journal.counts["unanswered"]
        await client.act()
        if client.journal.counts["unanswered"] > before:
            # As clients do, and so that those who find nobody do not keep the machine busy.
            await asyncio.sleep(0.02)


async def _heal(crowd: list[Client], journal: Journal) -> None:
    """Whatever was interrupted succeeds now, at once or, while PostgreSQL orders itself, a moment later."""

    async def heal(client: Client) -> None:
        for attempt in range(ATTEMPTS):
            try:
                return await client.heal()
            except (Unanswered, Refused) as error:
                await asyncio.sleep(0.1 * 2**attempt)
                last = error
        journal.fault(f"pushing again does not succeed: {last!r}")
        return None

    await asyncio.gather(*(heal(client) for client in crowd))
