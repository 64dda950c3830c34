"""Collection: what nobody needs any more goes, while everyone goes on pushing and pulling.

Nothing is removed at first sight. What nobody needs is *condemned*; it goes once it has been condemned for the grace and
still nobody needs it, which is looked at again in the very unit of work that removes it. Whoever comes to need it
meanwhile acquits it. A client that asks for something condemned, to see whether it must send it, is told that it is not
there (``server.v2.blobs``); so whatever a client was told is there stays for at least the grace.

Four kinds of things, each a stage: manifests to which no tag leads (only if ``untagged`` says after how long), links of
repositories to content that none of their manifests names, content that no repository links, and files without a row.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import groupby
from typing import Any

from havre.registry.gc_ports import Content, Link, Untagged
from havre.registry.holds import backup_runs
from havre.registry.ports import BlobStore, Clock, Metadata, Rows
from havre.registry.records import Instant
from havre.registry.uploads import Uploads

COLLECT, COLLECT_KEY = "collect", "all"
"""Kind and key of the job."""

BATCH = 200
"""Things looked at in one unit of work."""

MAX_ABOVE = 5_000
"""Manifests that are followed upwards for one batch; beyond, all of the batch counts as reached."""

SAVE_SECONDS = 5
"""How often it is written down how far a run is. Rarely, for each commit makes pulls look again."""

STAGES = ("manifests", "links", "contents", "files", "uploads")

RUNS = 10
"""Whole runs that are remembered."""

_CURSOR, _RUNS = "gc.cursor", "gc.runs"
_HIGHEST = (1 << 63) - 1


@dataclass(frozen=True, slots=True)
class GarbageRules:
    """``grace``: milliseconds from condemned to removed. ``untagged``: those for manifests, None to keep them for ever.

    ``pace``: how long to rest after each step, as a multiple of the time that it took.
    """

    grace: int = 24 * 3600 * 1000
    untagged: int | None = None
    pace: float = 3.0


@dataclass(slots=True)
class Tally:
    """What one stage did. In a dry run: what it would do now."""

    looked: int = 0
    condemned: int = 0
    acquitted: int = 0
    removed: int = 0
    bytes: int = 0
    """Of what was removed; on the disk, of contents and files only."""


@dataclass(slots=True)
class Report:
    """What a run did. ``seconds`` are those of work, without the rests."""

    began: Instant
    ended: Instant = 0
    seconds: float = 0.0
    stages: dict[str, Tally] = field(default_factory=lambda: {stage: Tally() for stage in STAGES})

    @property
    def freed(self) -> int:
        """Bytes on the disk."""
        return self.stages["contents"].bytes + self.stages["files"].bytes

    @property
    def looked(self) -> int:
        """Things looked at."""
        return sum(tally.looked for tally in self.stages.values())

    @property
    def rate(self) -> float:
        """Things looked at in a second of work."""
        return self.looked / self.seconds if self.seconds else 0.0

    @classmethod
    def read(cls, text: str) -> Report:
        """What ``json.dumps(asdict(…))`` wrote."""
        return cls.made(json.loads(text))

    @classmethod
    def made(cls, values: Mapping[str, Any]) -> Report:
        """What ``asdict`` took apart."""
        stages = {stage: Tally(**values["stages"].get(stage, {})) for stage in STAGES}
        return cls(values["began"], values["ended"], values["seconds"], stages)


@dataclass(slots=True)
class _State:
    """How far a run is: the stage, and behind which thing of it to go on."""

    report: Report
    dry: bool
    stage: int = 0
    after: list[int | str] = field(default_factory=list)

    @property
    def tally(self) -> Tally:
        return self.report.stages[STAGES[self.stage]]

    def go_on(self, after: Sequence[int | str]) -> None:
        """The next step begins there; an empty place is the end of the stage."""
        self.after = list(after)
        self.stage += not after


class Collector:
    """Collects, step by step. Safe beside itself in other processes, though one at a time is enough."""

    def __init__(
        self, metadata: Metadata, blobs: BlobStore, uploads: Uploads, clock: Clock, rules: GarbageRules
    ) -> None:
        self._metadata = metadata
        self._blobs = blobs
        self._uploads = uploads
        self._clock = clock
        self._rules = rules

    async def last(self) -> Report | None:
        """What the last whole run did."""
        runs = await self.runs()
        return runs[0] if runs else None

    async def runs(self) -> list[Report]:
        """What the last whole runs did, newest first."""
        return [Report.made(one) for one in await self._metadata.read(_remembered)]

    async def run(
        self,
        *,
        dry: bool = False,
        anew: bool = False,
        seconds: float | None = None,
        told: Callable[[Report], None] = lambda _report: None,
    ) -> Report | None:
        """Go on with the run that was interrupted, or begin one (``anew``: in any case); returns what it did.

        After ``seconds`` it is interrupted: None. A ``dry`` run changes nothing, and says what would be done now.
        """
        state = _State(Report(self._clock()), dry) if dry or anew else await self._resumed()
        began = saved = time.monotonic()
        while state.stage < len(STAGES):
            started = time.monotonic()
            await self._step(state)
            spent = time.monotonic() - started
            state.report.seconds += spent
            told(state.report)
            over = seconds is not None and started - began > seconds
            if not dry and (over or started - saved > SAVE_SECONDS):
                saved = started
                await self._save(state)
            if over:
                return None
            await asyncio.sleep(spent * self._rules.pace)
        state.report.ended = self._clock()
        if not dry:
            await self._finish(state.report)
        return state.report

    async def _step(self, state: _State) -> None:
        match STAGES[state.stage]:
            case "manifests":
                await self._look_at_manifests(state)
            case "links":
                await self._look_at_links(state)
            case "contents":
                await self._look_at_contents(state)
            case "files":
                await self._look_at_files(state)
            case _:
                if not state.dry:
                    state.tally.removed += await self._uploads.expire()
                state.go_on([])

    # ---------------------------------------------------------------- manifests

    async def _look_at_manifests(self, state: _State) -> None:
        if self._rules.untagged is None:
            await self._forget_condemned(state)
            return
        before, tally, now = int(state.after[0]) if state.after else _HIGHEST, state.tally, self._clock()
        limit = now - self._rules.untagged

        def look(rows: Rows) -> tuple[Sequence[Untagged], int | None, set[int]]:
            page, on = rows.untagged.page(before, BATCH)
            return page, on, reached(rows, [one.id for one in page])

        page, on, held = await self._metadata.read(look)
        free = [one.id for one in page if one.id not in held and one.condemned is None]
        kept = [one.id for one in page if one.id in held and one.condemned is not None]
        due = [one.id for one in page if one.id not in held and one.condemned is not None and one.condemned <= limit]
        tally.looked += len(page)
        if state.dry:
            tally.condemned, tally.acquitted = tally.condemned + len(free), tally.acquitted + len(kept)
            tally.removed += len(due)
        elif free or kept or due:

            def settle(rows: Rows) -> tuple[int, int, int]:
                again = reached(rows, [*free, *kept])
                condemned = [one for one in free if one not in again]
                rows.untagged.condemn(condemned, now)
                acquitted = [one for one in kept if one in again]
                rows.untagged.acquit(acquitted)
                return len(condemned), len(acquitted), _remove_manifests(rows, due, limit)

            condemned, acquitted, removed = await self._metadata.write(settle)
            tally.condemned, tally.acquitted = tally.condemned + condemned, tally.acquitted + acquitted
            tally.removed += removed
        state.go_on([] if on is None else [on])

    async def _forget_condemned(self, state: _State) -> None:
        """Manifests are kept for ever: should that change again, all of them begin anew."""
        found = await self._metadata.read(lambda rows: rows.untagged.condemned(BATCH))
        if found and not state.dry:
            await self._metadata.write(lambda rows: rows.untagged.acquit(found))
            state.tally.acquitted += len(found)
        else:
            state.go_on([])

    # ---------------------------------------------------------------- links

    async def _look_at_links(self, state: _State) -> None:
        repository_id, blob_id = (int(state.after[0]), int(state.after[1])) if state.after else (0, 0)
        now, tally = self._clock(), state.tally
        before = now - self._rules.grace
        page = await self._metadata.read(lambda rows: rows.garbage.links((repository_id, blob_id), before, BATCH))
        changed = [one for one in page if one.needed is (one.condemned is not None) or _due(one, before)]
        tally.looked += len(page)
        if state.dry:
            _foresee(tally, changed, before)
        elif changed:

            def settle(rows: Rows) -> list[tuple[int, int, Sequence[int]]]:
                return [
                    rows.garbage.settle_links(here, [one.blob_id for one in links], now, before)
                    for here, links in groupby(changed, lambda one: one.repository_id)
                ]

            for condemned, acquitted, removed in await self._metadata.write(settle):
                tally.condemned, tally.acquitted = tally.condemned + condemned, tally.acquitted + acquitted
                tally.removed, tally.bytes = tally.removed + len(removed), tally.bytes + sum(removed)
        state.go_on([page[-1].repository_id, page[-1].blob_id] if len(page) == BATCH else [])

    # ---------------------------------------------------------------- contents

    async def _look_at_contents(self, state: _State) -> None:
        after = int(state.after[0]) if state.after else 0
        now, tally = self._clock(), state.tally
        before = now - self._rules.grace
        page = await self._metadata.read(lambda rows: rows.garbage.contents(after, BATCH))
        changed = [one for one in page if one.needed is (one.condemned is not None)]
        due = [one for one in page if _due(one, before)]
        tally.looked += len(page)
        if state.dry:
            _foresee(tally, [*changed, *due], before)
        else:
            if changed:
                condemned, acquitted = await self._metadata.write(
                    lambda rows: rows.garbage.settle_contents([one.id for one in changed], now)
                )
                tally.condemned, tally.acquitted = tally.condemned + condemned, tally.acquitted + acquitted
            if due:
                await self._remove_contents(due, before, tally)
        state.go_on([page[-1].id] if len(page) == BATCH else [])

    async def _remove_contents(self, due: Sequence[Content], before: Instant, tally: Tally) -> None:
        by_key = {one.key: one.id for one in due}

        async def gone(held: Collection[str]) -> Collection[str]:
            def work(rows: Rows) -> Sequence[tuple[str, int]]:
                if backup_runs(rows, self._clock()):
                    return []
                return rows.garbage.remove_contents([by_key[key] for key in held], before)

            removed = await self._metadata.write(work)
            tally.removed, tally.bytes = tally.removed + len(removed), tally.bytes + sum(size for _, size in removed)
            return {key for key, _ in removed}.intersection(held)

        await self._blobs.remove(list(by_key), gone)

    # ---------------------------------------------------------------- files

    async def _look_at_files(self, state: _State) -> None:
        async def known(keys: Collection[str]) -> Collection[str]:
            return await self._metadata.read(lambda rows: rows.garbage.known_keys(keys))

        swept = await self._blobs.strays(known, str(state.after[0]) if state.after else "", remove=not state.dry)
        tally = state.tally
        tally.looked, tally.removed = tally.looked + swept.looked, tally.removed + swept.removed
        tally.bytes += swept.bytes
        state.go_on([swept.after] if swept.after else [])

    # ---------------------------------------------------------------- how far it is

    async def _resumed(self) -> _State:
        text = await self._metadata.read(lambda rows: rows.garbage.remembered(_CURSOR))
        if not text:
            return _State(Report(self._clock()), dry=False)
        values = json.loads(text)
        return _State(Report.read(values["report"]), dry=False, stage=values["stage"], after=values["after"])

    async def _save(self, state: _State) -> None:
        text = json.dumps({"report": _text(state.report), "stage": state.stage, "after": state.after})
        await self._metadata.write(lambda rows: rows.garbage.remember(_CURSOR, text), durable=False)

    async def _finish(self, report: Report) -> None:
        def work(rows: Rows) -> None:
            rows.garbage.remember(_CURSOR, "")
            rows.garbage.remember(_RUNS, json.dumps([asdict(report), *_remembered(rows)][:RUNS]))

        await self._metadata.write(work, durable=False)


def _remembered(rows: Rows) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(rows.garbage.remembered(_RUNS) or "[]")
    return found


def reached(rows: Rows, manifest_ids: Collection[int]) -> set[int]:
    """Those of some untagged manifests to which a tag leads: through an index that lists them, or through their subject."""
    wanted, fresh = set(manifest_ids), set(manifest_ids)
    seen = set(wanted)
    below: dict[int, set[int]] = {}
    held: set[int] = set()
    while fresh:
        above = rows.untagged.above(fresh)
        for one in above:
            below.setdefault(one.id, set()).add(one.below)
            if one.tagged:
                held.add(one.id)
        fresh = {one.id for one in above if not one.tagged} - seen
        seen |= fresh
        if len(seen) > MAX_ABOVE + len(wanted):
            return wanted
    waiting = list(held)
    while waiting:
        for manifest_id in below.get(waiting.pop(), set()) - held:
            held.add(manifest_id)
            waiting.append(manifest_id)
    return held & wanted


def _remove_manifests(rows: Rows, manifest_ids: Collection[int], before: Instant) -> int:
    """Remove those that are due, from the top: what stands above another goes first, or nobody could name it whole again."""
    removed = 0
    while doomed := rows.untagged.doomed(manifest_ids, before):
        for repository_id, digest in doomed:
            rows.manifests.delete(repository_id, digest)
        removed += len(doomed)
    return removed


def _due(one: Link | Content, before: Instant) -> bool:
    return not one.needed and one.condemned is not None and one.condemned <= before


def _foresee(tally: Tally, changed: Sequence[Link | Content], before: Instant) -> None:
    for one in changed:
        if one.needed:
            tally.acquitted += 1
        elif _due(one, before):
            tally.removed, tally.bytes = tally.removed + 1, tally.bytes + one.size
        else:
            tally.condemned += 1


def _text(report: Report) -> str:
    return json.dumps(asdict(report))
