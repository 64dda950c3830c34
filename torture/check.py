"""The check after a restart: everything that was acknowledged is there with its bytes, and nothing is there in part.

What could be either way is looked at, and from then on it must stay as it was found.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Awaitable, Iterable
from pathlib import Path

from torture.journal import Fate, Journal, Name
from torture.line import Answer, Line, Where
from torture.load import INDEX, MANIFEST, digest_of
from torture.victim import Door

AT_ONCE = 8
"""Requests of a check that are under way together."""

ATTEMPTS = 10
"""Times that a registry which says 503 is asked again, half a second later."""

PIECE = 1024 * 1024


class Check:
    """Compares the registry with the journal. Nobody may change anything meanwhile.

    ``blobs`` is the folder of finished content, where it is in one.
    """

    def __init__(self, where: Where, journal: Journal, door: Door, blobs: Path | None) -> None:
        self._journal = journal
        self._door = door
        self._blobs = blobs
        self._lines = [Line(where) for _ in range(AT_ONCE)]
        self._free: asyncio.Queue[Line] = asyncio.Queue()
        for line in self._lines:
            self._free.put_nowait(line)

    async def run(self) -> None:
        """Look at everything; broken promises go into the journal. Raises Unanswered if the registry leaves us waiting."""
        await self._files()
        await _all(self._blob(name, fate) for name, fate in list(self._journal.blobs.items()))
        await _all(self._manifest(name, fate) for name, fate in list(self._journal.manifests.items()))
        await _all(self._tag(name, targets) for name, targets in list(self._journal.tags.items()))
        await _all(self._list(repository) for repository in {name[0] for name in self._journal.tags})
        self._journal.counts["checks"] += 1

    def leave_for_good(self) -> None:
        """Hang up."""
        for line in self._lines:
            line.close()

    async def _ask(self, method: str, repository: str, rest: str) -> Answer:
        line = await self._free.get()
        try:
            headers = {**await self._door.headers(repository), "Accept": f"{MANIFEST}, {INDEX}"}
            answer = await line.ask(method, f"/v2/{repository}/{rest}", headers)
            for _ in range(ATTEMPTS):
                if answer.status != 503:
                    break
                # PostgreSQL, one of whose backends was killed, starts the others anew a moment later.
                await asyncio.sleep(0.5)
                answer = await line.ask(method, f"/v2/{repository}/{rest}", headers)
            return answer
        finally:
            self._free.put_nowait(line)

    async def _files(self) -> None:
        """No file has another digest than the one it is named by."""
        if self._blobs is None:
            return
        hashed, wrong = await asyncio.to_thread(_hash_all, self._blobs)
        self._journal.counts["files hashed"] += hashed
        for one in wrong:
            self._journal.fault(f"the file {one} holds other bytes than its name says")

    async def _blob(self, name: Name, fate: Fate) -> None:
        answer = await self._ask("GET", name[0], f"blobs/{name[1]}")
        self._journal.counts["blobs checked"] += 1
        self._journal.blobs[name] = self._settled("blob", name, fate, answer)

    async def _manifest(self, name: Name, fate: Fate) -> None:
        answer = await self._ask("GET", name[0], f"manifests/{name[1]}")
        self._journal.counts["manifests checked"] += 1
        self._journal.manifests[name] = found = self._settled("manifest", name, fate, answer)
        if fate is Fate.PERHAPS and found is Fate.THERE:
            # What was not acknowledged and is visible must be complete.
            document = self._journal.documents[name]
            for kind, needs in (("blobs", document.blobs), ("manifests", document.manifests)):
                for one in needs:
                    if not (await self._ask("GET", name[0], f"{kind}/{one}")).good:
                        self._journal.fault(f"{name[0]}@{name[1]} is there without {one}, which it needs")

    def _settled(self, kind: str, name: Name, fate: Fate, answer: Answer) -> Fate:
        where = f"the {kind} {name[0]}@{name[1]}"
        if answer.status not in {200, 404}:
            self._journal.fault(f"{where} is answered {answer.status}: {answer.body[:200]!r}")
            return fate
        if answer.good and digest_of(answer.body) != name[1]:
            self._journal.fault(f"{where} has other bytes")
        if fate is Fate.THERE and not answer.good:
            self._journal.fault(f"{where} was acknowledged, and is not there")
        if fate is Fate.GONE and answer.good:
            self._journal.fault(f"{where} was removed, and is there")
        return Fate.THERE if answer.good else Fate.GONE

    async def _tag(self, name: Name, targets: set[str | None]) -> None:
        answer = await self._ask("GET", name[0], f"manifests/{name[1]}")
        self._journal.counts["tags checked"] += 1
        found = digest_of(answer.body) if answer.good else None
        if found not in targets or answer.status not in {200, 404}:
            self._journal.fault(f"{name[0]}:{name[1]} leads to {found}, not to any of {targets} ({answer.status})")
        self._journal.tags[name] = {found}

    async def _list(self, repository: str) -> None:
        """The list of tags says the same as the tags."""
        answer = await self._ask("GET", repository, "tags/list?n=1000")
        found = set(json.loads(answer.body).get("tags") or ()) if answer.good else set()
        tags = self._journal.tags.items()
        if found != (known := {tag[1] for tag, targets in tags if tag[0] == repository and None not in targets}):
            self._journal.fault(f"the tags of {repository} are listed as {sorted(found)}, not as {sorted(known)}")


async def _all(looks: Iterable[Awaitable[None]]) -> None:
    async with asyncio.TaskGroup() as group:
        for look in looks:
            group.create_task(_wait(look))


async def _wait(look: Awaitable[None]) -> None:
    await look


def _hash_all(folder: Path) -> tuple[int, list[str]]:
    hashed, wrong = 0, []
    for path in folder.glob("sha*/*/*"):
        made = hashlib.new(path.parent.parent.name)
        try:
            with path.open("rb") as stream:
                while piece := stream.read(PIECE):
                    made.update(piece)
        except FileNotFoundError:
            continue
        hashed += 1
        # Content that was published twice at once may have a second file, named with a mark behind the digest.
        if made.hexdigest() != path.name.partition(".")[0]:
            wrong.append(str(path.relative_to(folder)))
    return hashed, wrong
