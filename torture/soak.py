"""``make soak``: pulls and pushes for half an hour, first as many as the machine takes, then twice as many.

Half of the time a hundred connections ask as fast as they are answered. Then requests arrive at twice that pace whether or
not the earlier ones are answered, as a crowd does: what the registry can not do it must say, with 429 or 503 and when to
come back. In the end it must answer as before, within seconds, and hold no more memory or descriptors than it did.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import resource
import shutil
import statistics
import sys
import tempfile
import time
from collections import Counter, deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

from bench.servers import memory
from torture import report
from torture.line import Answer, Line, Unanswered
from torture.load import MANIFEST, Image, image_of
from torture.victim import ACCOUNT, Door, Victim

CONNECTIONS = 100
MOST = 4_000
"""Connections of the crowd that does not wait, at most."""

NAME = f"{ACCOUNT}/soak"
IMAGES = 50
LAYERS = (2_000, 20_000, 200_000)
PUSHED = 8_000
PUSHES = 0.2
"""Part of what is done; the rest are pulls."""

GROWTH = 1.10
SPARE = 16_000_000
OVERLOAD_SPARE = 64_000_000
"""Bytes of memory that may come on top of ``GROWTH``, of caches that fill, and of what thousands of connections took."""

DESCRIPTORS = 20

QUICK = 3.0
"""A request that takes at most so many times the median of before the overload is answered as before."""

RECOVERED = 50
"""Answers in a row that are."""


@dataclass(slots=True)
class Phase:
    """What was seen in one part of the run."""

    name: str
    seconds: float = 0.0
    times: list[float] = field(default_factory=list)
    """Of good answers, in seconds."""
    answers: Counter[int] = field(default_factory=Counter)
    done: int = 0
    """Pulls and pushes that were answered to the end."""
    withheld: int = 0
    """Arrivals that found all of the crowd's connections waiting."""
    faults: Counter[str] = field(default_factory=Counter)

    def quantile(self, part: float) -> float:
        """Milliseconds within which this part of the good answers came."""
        ordered = sorted(self.times) or [0.0]
        return ordered[min(len(ordered) - 1, int(len(ordered) * part))] * 1000


@dataclass(slots=True)
class Sample:
    """Memory of all processes in bytes, and open descriptors of the workers."""

    memory: int
    descriptors: int


class Crowd:
    """Those who ask."""

    def __init__(self, victim: Victim, seed: int = 1) -> None:
        self._victim = victim
        self._dice = random.Random(seed)
        self._door = Door(victim.port)
        self._images: list[Image] = []
        self._free: deque[Line] = deque()
        self._turn = 0
        self.phase = Phase("")

    async def prepare(self) -> None:
        """Push the images that are pulled later."""
        for number in range(IMAGES):
            image = image_of(NAME, f"soak {number}", [self._dice.randbytes(size) for size in LAYERS], f"tag{number}")
            for digest, content in image.blobs.items():
                await self._push_blob(digest, content)
            await self._put(image)
            self._images.append(image)

    async def as_fast_as_answered(self, seconds: float) -> None:
        """A hundred connections, each of which asks as soon as it was answered."""
        end = time.monotonic() + seconds

        async def one() -> None:
            while time.monotonic() < end:
                await self._do()

        await asyncio.gather(*(one() for _ in range(CONNECTIONS)))

    async def whether_answered_or_not(self, seconds: float, pace: float) -> None:
        """``pace`` pulls and pushes a second begin, whatever becomes of them."""
        started, begun = time.monotonic(), 0
        under_way: set[asyncio.Task[None]] = set()
        while (passed := time.monotonic() - started) < seconds:
            for _ in range(int(passed * pace) - begun):
                begun += 1
                if len(under_way) >= MOST:
                    self.phase.withheld += 1
                    continue
                task = asyncio.create_task(self._do())
                under_way.add(task)
                task.add_done_callback(under_way.discard)
            await asyncio.sleep(0.01)
        for task in under_way:
            # They lose patience, and leave.
            task.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)

    async def until_as_before(self, median: float, patience: float) -> float:
        """Seconds until answers come as quickly as they did, one after the other; ``patience`` if they do not."""
        started, row = time.monotonic(), 0
        while row < RECOVERED and time.monotonic() - started < patience:
            asked = time.monotonic()
            await self._do()
            quick = time.monotonic() - asked <= max(0.05, QUICK * median * (len(LAYERS) + 2))
            row = row + 1 if quick and self.phase.done else 0
        return time.monotonic() - started

    def hang_up(self) -> None:
        """Close all connections."""
        while self._free:
            self._free.pop().close()

    async def _do(self) -> None:
        try:
            done = await (self._push() if self._dice.random() < PUSHES else self._pull())
            self.phase.done += done
        except Unanswered as error:
            self.phase.faults[f"unanswered: {str(error)[-120:]}"] += 1

    async def _pull(self) -> bool:
        image = self._dice.choice(self._images)
        targets = [f"manifests/{image.tag}", *(f"blobs/{digest}" for digest in image.blobs)]
        return all([(await self._ask("GET", f"/v2/{NAME}/{target}")).good for target in targets])

    async def _push(self) -> bool:
        self._turn += 1
        image = image_of(NAME, f"pushed {self._turn}", [self._dice.randbytes(PUSHED)], f"pushed{self._turn % 200}")
        for digest, content in image.blobs.items():
            if not (await self._push_blob(digest, content)).good:
                return False
        return (await self._put(image)).good

    async def _push_blob(self, digest: str, content: bytes) -> Answer:
        return await self._ask("POST", f"/v2/{NAME}/blobs/uploads/?digest={digest}", content)

    async def _put(self, image: Image) -> Answer:
        target = f"/v2/{NAME}/manifests/{image.tag}"
        return await self._ask("PUT", target, image.document.content, {"Content-Type": MANIFEST})

    async def _ask(self, method: str, target: str, body: bytes = b"", headers: dict[str, str] | None = None) -> Answer:
        bearer = await self._door.headers(NAME)
        line = self._free.pop() if self._free else Line(self._victim.port)
        asked = time.monotonic()
        try:
            answer = await line.ask(method, target, {**bearer, **(headers or {})}, body)
        finally:
            self._free.append(line)
        self.phase.answers[answer.status] += 1
        if answer.good:
            self.phase.times.append(time.monotonic() - asked)
        elif answer.status not in {429, 503}:
            self.phase.faults[f"{method} was answered {answer.status}: {answer.body[:200]!r}"] += 1
        elif not answer.headers.get("retry-after", "").isdigit():
            self.phase.faults[f"{answer.status} without Retry-After: {answer.body[:200]!r}"] += 1
        return answer


@dataclass(slots=True)
class Soaked:
    """The result."""

    phases: list[Phase]
    samples: list[Sample]
    recovery: float = 0.0
    after: Sample = field(default_factory=lambda: Sample(0, 0))

    @property
    def faults(self) -> list[str]:
        """Broken promises, as sentences."""
        found = [f"{one.name}: {text} ({count} times)" for one in self.phases for text, count in one.faults.items()]
        # Caches fill in the first minutes, and what an overload took comes back to the allocator, not to the system.
        early, late, spare = self.span(0.2, 0.3), self.span(0.4, 0.5), SPARE
        for name, now in (("while it did what it can", late), ("in the end", self.after)):
            if now.memory > early.memory * GROWTH + spare:
                found.append(f"memory grew from {early.memory / 1e6:.0f} to {now.memory / 1e6:.0f} MB {name}")
            spare = OVERLOAD_SPARE
        late = self.after
        if late.descriptors > early.descriptors + DESCRIPTORS:
            found.append(f"descriptors grew from {early.descriptors} to {late.descriptors}")
        return found

    def span(self, begin: float, end: float) -> Sample:
        """The middle of what was sampled in this part of the run."""
        part = self.samples[int(len(self.samples) * begin) : max(1, int(len(self.samples) * end))] or [self.after]
        memories, descriptors = [one.memory for one in part], [one.descriptors for one in part]
        return Sample(int(statistics.median(memories)), int(statistics.median(descriptors)))


async def soak(victim: Victim, seconds: float, tell: Callable[[str], None]) -> Soaked:
    """Half of ``seconds`` at the pace that the machine takes, half at twice that, and the way back."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    await victim.start()
    crowd = Crowd(victim)
    await crowd.prepare()
    result = Soaked([], [])
    ended = asyncio.Event()
    sampling = asyncio.create_task(_sample(victim, result.samples, ended))

    async def play(name: str, work: Awaitable[object]) -> Phase:
        crowd.phase = phase = Phase(name)
        result.phases.append(phase)
        started = time.monotonic()
        await work
        phase.seconds = time.monotonic() - started
        tell(
            f"{name}: {phase.done / phase.seconds:.0f} a second, p50 {phase.quantile(0.5):.0f} ms,"
            f" p99 {phase.quantile(0.99):.0f} ms, answers {dict(sorted(phase.answers.items()))}"
        )
        return phase

    steady = await play("what it takes", crowd.as_fast_as_answered(seconds / 2))
    pace = 2 * steady.done / steady.seconds
    await play("twice that", crowd.whether_answered_or_not(seconds / 2, pace))
    started = time.monotonic()
    await play("afterwards", crowd.until_as_before(steady.quantile(0.5) / 1000, 60))
    result.recovery = max(0.0, time.monotonic() - started)
    crowd.phase = Phase("at rest")
    crowd.hang_up()
    await _quiet(victim, result)
    ended.set()
    await sampling
    crowd.hang_up()
    await asyncio.sleep(0)
    return result


async def _sample(victim: Victim, samples: list[Sample], ended: asyncio.Event) -> None:
    while not ended.is_set():
        samples.append(_look(victim))
        try:
            await asyncio.wait_for(ended.wait(), 1)
        except TimeoutError:
            continue


async def _quiet(victim: Victim, result: Soaked) -> None:
    """Wait until the connections of the crowd are gone on the other side as well, but not for ever."""
    for _ in range(60):
        result.after = _look(victim)
        if result.after.descriptors <= result.samples[0].descriptors + DESCRIPTORS:
            return
        await asyncio.sleep(0.5)


def _look(victim: Victim) -> Sample:
    processes = victim.processes()
    descriptors = 0
    for pid in processes:
        try:
            descriptors += sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir())
        except OSError:
            continue
    return Sample(memory([victim.server.pid, *processes]), descriptors)


def table(result: Soaked) -> str:
    """The figures."""
    lines = [
        f"Made by `make soak`: {report.machine()}; the crowd ran on the same cores.",
        "",
        "| | pulls and pushes a second | p50 ms | p99 ms | good answers | 429 and 503 | other errors | seconds |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for one in result.phases:
        good = sum(count for status, count in one.answers.items() if status < 400)
        told = one.answers[429] + one.answers[503]
        lines.append(
            f"| {one.name} | {one.done / one.seconds:.0f} | {one.quantile(0.5):.0f} | {one.quantile(0.99):.0f} |"
            f" {good:,} | {told:,} | {sum(one.faults.values())} | {one.seconds:.0f} |"
        )
    early, late = result.span(0.2, 0.3), result.span(0.4, 0.5)
    lines += [
        "",
        f"- answers were as before the overload {result.recovery:.1f} s after its end, {RECOVERED} in a row counted",
        (
            f"- memory of all processes: {early.memory / 1e6:.0f} MB early on, {late.memory / 1e6:.0f} MB before the"
            f" overload, {result.after.memory / 1e6:.0f} MB in the end"
        ),
        f"- descriptors of the workers: {early.descriptors} early on, {result.after.descriptors} in the end",
    ]
    return "\n".join(lines) + "\n"


def main() -> int:
    """Run; 1 if a promise was broken."""
    parser = argparse.ArgumentParser(prog="make soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--database", choices=("sqlite", "postgresql"), default="sqlite")
    parser.add_argument("--keep", type=Path, help="page to keep the figures on")
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="havre-soak-", dir="/var/tmp"))
    victim = Victim(folder, options.database)
    try:
        result = asyncio.run(soak(victim, options.minutes * 60, lambda line: print(line, file=sys.stderr, flush=True)))
    finally:
        victim.remove()
        shutil.rmtree(folder, ignore_errors=True)
    text = table(result)
    print(text)
    for fault in result.faults:
        print(fault, file=sys.stderr)
    if options.keep and not result.faults:
        report.keep(options.keep, "soak", text)
    return 1 if result.faults else 0


if __name__ == "__main__":
    sys.exit(main())
