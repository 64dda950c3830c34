"""The check: every byte read again and compared with its digest, every row with what it refers to.

It runs beside everything else. Whatever looks wrong is looked at again before anything is done about it, for a push, a
delete or the collector may have been in between; whatever is done is done in a unit of work that sees for itself.

What can not be trusted is set aside at once, never deleted: then nobody is served it, clients are told that it is not
there, and a push brings it back. Only ``repair`` changes rows.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from havre.errors import HavreError, ManifestInvalid
from havre.oci.digest import Digest
from havre.oci.manifest import parse
from havre.registry.byte_ports import SEGMENTS
from havre.registry.check_ports import BlobChecks, Examined, Pace, Shelved, Stored
from havre.registry.manifests import edges
from havre.registry.ports import Clock, Metadata, Rows
from havre.registry.tags import remove

BATCH = 100
"""Rows read at a time."""

MAX_FINDINGS = 10_000
"""What a report names one by one; beyond, it only counts."""

MAX_TAGS = 100
"""Tags named for one finding."""

_LOOKS = 3


class Problem(StrEnum):
    """What may be wrong."""

    MISSING = "missing"
    CORRUPT = "corrupt"
    MANIFEST = "manifest"
    EDGES = "edges"
    DANGLING = "dangling"
    FIGURES = "figures"
    STRAY = "stray"
    INCOMPLETE = "incomplete"

    @property
    def harmless(self) -> bool:
        """Can it come about without any damage: by a crash in the middle of a push, or a delete that was asked for?"""
        return self in {Problem.STRAY, Problem.INCOMPLETE}


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is wrong: what it is about, what was done, and which tags it hurts."""

    problem: Problem
    subject: str
    repaired: bool
    done: str
    tags: tuple[str, ...] = ()


@dataclass(slots=True)
class Report:
    """What a check found so far."""

    blobs: int = 0
    bytes: int = 0
    manifests: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    unrepaired: int = 0
    """Findings that are damage, and still are."""
    findings: list[Finding] = field(default_factory=list)

    def add(self, finding: Finding) -> None:
        """Note it."""
        self.counts[finding.problem] += 1
        if not finding.repaired and not finding.problem.harmless:
            self.unrepaired += 1
        if len(self.findings) < MAX_FINDINGS:
            self.findings.append(finding)

    @property
    def damage(self) -> int:
        """Findings that are no mere leftovers."""
        return sum(number for problem, number in self.counts.items() if not Problem(problem).harmless)


def pace_of(rate: float) -> Pace:
    """At most ``rate`` bytes each second; 0 for any number."""
    free_at = time.monotonic()

    async def pace(number: int) -> None:
        nonlocal free_at
        # What was not used in the past is not made up for.
        free_at = max(free_at, time.monotonic()) + (number / rate if rate > 0 else 0)
        await asyncio.sleep(max(0.0, free_at - time.monotonic()))

    return pace


class Check:
    """Goes through everything. With ``touch`` off nothing is set aside either; ``repair`` changes rows."""

    def __init__(
        self,
        metadata: Metadata,
        store: BlobChecks,
        clock: Clock,
        pace: Pace,
        *,
        sparse: bool = False,
        repair: bool = False,
        touch: bool = True,
    ) -> None:
        self._metadata = metadata
        self._store = store
        self._clock = clock
        self._pace = pace
        self._sparse = sparse
        self._repair = repair and touch
        self._touch = touch
        self.report = Report()

    async def everything(self, tell: Callable[[Report], None] = lambda _report: None) -> Report:
        """Check all there is; ``tell`` hears of each batch."""
        await self.references()
        for step in (self.contents, self.manifests):
            after: int | None = 0
            while after is not None:
                after = await step(after)
                tell(self.report)
        await self.strays()
        await self.figures()
        return self.report

    async def contents(self, after: int) -> int | None:
        """Check the next batch of content; returns where it ended, None if that was all."""
        batch = await self._metadata.read(lambda rows: rows.checks.contents(after, BATCH))
        for stored in batch:
            await self._content(stored)
        return batch[-1].id if batch else None

    async def manifests(self, after: int) -> int | None:
        """Check the next batch of manifests; returns where it ended, None if that was all."""
        batch = await self._metadata.read(lambda rows: rows.checks.manifests(after, BATCH))
        for one in batch:
            self.report.manifests += 1
            await self._pace(len(one.content))
            if Digest.of(one.content, one.digest.algorithm) != one.digest:
                await self._bad_manifest(one)
            else:
                await self._edges(one)
        if batch and not self._sparse:
            await self._lacking(batch)
        return batch[-1].id if batch else None

    # ------------------------------------------------------------ content

    async def _content(self, stored: Stored) -> None:
        found: Examined | None = None
        for _ in range(_LOOKS):
            before = found
            found = await self._store.examine(stored.key, stored.digest.algorithm, self._pace)
            if _good(found, stored):
                self.report.blobs += 1
                self.report.bytes += stored.size
                return
            digest = stored.digest
            now = await self._metadata.read(lambda rows, digest=digest: rows.checks.content(digest))  # type: ignore[misc]
            if now is None:
                # Collected meanwhile.
                return
            if now == stored and found is not None and before == found:
                break
            if now == stored and found is None and self._store.absent(stored.key):
                break
            stored = now
        self.report.blobs += 1
        await self._bad_content(stored, found)

    async def _bad_content(self, stored: Stored, found: Examined | None) -> None:
        problem, done = Problem.MISSING, []
        if found is not None:
            problem = Problem.CORRUPT
            if self._touch and await self._store.quarantine(stored.key, found.mark):
                done.append("set aside")
        copy = await self._good_copy(stored)
        if copy is not None and self._repair and not await self._store.renew(copy):
            copy = None  # collected as a stray meanwhile
        tags = await self._hurt(stored.digest) if copy is None else ()
        repaired = False
        if self._repair and copy is not None:
            repaired = await self._metadata.write(lambda rows: rows.checks.find_again(stored.digest, stored.key, copy))
            done.append("found a good copy")
        elif self._repair:
            repaired = await self._metadata.write(lambda rows: self._lose(rows, stored))
            done.append("its row and links were removed: push it again" if repaired else "healed meanwhile")
            repaired = True
        self.report.add(Finding(problem, str(stored.digest), repaired, ", ".join(done), tags))

    def _lose(self, rows: Rows, stored: Stored) -> bool:
        # A push that heals it brings the bytes before its own unit of work: seen here, or ordered behind this one,
        # whose row it then finds missing and makes again.
        return self._store.absent(stored.key) and rows.checks.lose(stored.digest, stored.key)

    async def _good_copy(self, stored: Stored) -> str | None:
        for key in await self._store.copies(stored.digest):
            if key != stored.key and _good(await self._store.examine(key, stored.digest.algorithm, self._pace), stored):
                return key
        return None

    async def _hurt(self, digest: Digest) -> tuple[str, ...]:
        return tuple(await self._metadata.read(lambda rows: rows.checks.tags_hurt(digest, MAX_TAGS)))

    # ------------------------------------------------------------ manifests

    async def _bad_manifest(self, one: Shelved) -> None:
        tags = await self._hurt(one.digest)
        if self._touch:
            await self._store.keep(f"manifest-{one.digest.algorithm}-{one.digest.encoded}", one.content)
        repaired = False
        if self._repair:
            repaired = await self._metadata.write(lambda rows: self._drop(rows, one))
        done = "a copy was set aside" if self._touch else ""
        done += ", the manifest and its tags were removed: push it again" if repaired else ""
        subject = f"{one.repository}@{one.digest}"
        self.report.add(Finding(Problem.MANIFEST, subject, repaired, done, tags))

    def _drop(self, rows: Rows, one: Shelved) -> bool:
        repository = rows.repositories.get(one.repository)
        found = rows.manifests.get(one.repository_id, one.digest)
        if repository is None or found is None or Digest.of(found.content, one.digest.algorithm) == one.digest:
            return False
        for tag in tuple(rows.tags.of(repository.id, one.digest)):
            remove(rows, repository, tag, None, self._clock())
        return rows.manifests.delete(repository.id, one.digest)

    async def _edges(self, one: Shelved) -> None:
        try:
            wanted = edges(parse(one.media_type, one.content))
        except (ManifestInvalid, HavreError):
            # Accepted by an older version, by other rules.
            return
        if list(one.edges) == wanted:
            return
        if self._repair:
            await self._metadata.write(lambda rows: rows.checks.mend_edges(one.id, wanted))
        done = "written again" if self._repair else ""
        self.report.add(Finding(Problem.EDGES, f"{one.repository}@{one.digest}", self._repair, done))

    async def _lacking(self, batch: Sequence[Shelved]) -> None:
        by_id = {one.id: one for one in batch}
        lacking = await self._metadata.read(lambda rows: rows.checks.lacking(list(by_id)))
        for manifest_id in dict.fromkeys(one for one, _ in lacking):
            one = by_id[manifest_id]
            digests = [digest for owner, digest in lacking if owner == manifest_id]
            more = f" and {len(digests) - 1} more" if len(digests) > 1 else ""
            tags = await self._hurt(one.digest)
            done = f"it lacks {digests[0]}{more}"
            self.report.add(
                Finding(Problem.INCOMPLETE, f"{one.repository}@{one.digest}", repaired=False, done=done, tags=tags)
            )

    # ------------------------------------------------------------ the rest

    async def strays(self) -> None:
        """Look for files that no row names."""
        async for batch in self._store.files():
            old = {key: size for key, size, is_old in batch if is_old}
            keys = [key for key in old if self._is_key(key)]
            known = set(await self._metadata.read(lambda rows, keys=keys: rows.checks.known_keys(keys)))  # type: ignore[misc]
            for key, size in old.items():
                if key not in known:
                    done = f"{size} bytes, for the collector to remove" if self._is_key(key) else "no name of ours"
                    self.report.add(Finding(Problem.STRAY, key, repaired=False, done=done))

    def _is_key(self, key: str) -> bool:
        parts = key.partition(".")[0].split("/")
        if key.startswith(SEGMENTS):
            return len(parts) == 3
        try:
            return len(parts) == 3 and bool(Digest.parse(f"{parts[0]}:{parts[2]}"))
        except HavreError:
            return False

    async def references(self) -> None:
        """Look for rows that refer to nothing."""
        dangling = await self._metadata.read(lambda rows: rows.checks.dangling())
        if dangling and self._repair:
            await self._metadata.write(lambda rows: rows.checks.sweep())
        for what, number in dangling:
            done = "removed" if self._repair else ""
            self.report.add(Finding(Problem.DANGLING, f"{number} {what}", self._repair, done))

    async def figures(self) -> None:
        """Compare the running figures of storage with what the links add up to."""
        wrong = await self._metadata.read(lambda rows: rows.checks.miscounted())
        if not wrong:
            return
        if self._repair:
            await self._metadata.write(lambda rows: rows.checks.recount())
        done = "added up again" if self._repair else ""
        self.report.add(Finding(Problem.FIGURES, f"{wrong} figures of storage", self._repair, done))


def _good(found: Examined | None, stored: Stored) -> bool:
    return found is not None and found.size == stored.size and found.digest == stored.digest
