"""Building: trees are made by jobs, from layers and from other trees, and kept when the lease still holds."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from typing import Any

from havre.errors import InputInvalid
from havre.oci.digest import Digest
from havre.oci.ranges import ByteRange
from havre.registry.inside.pages import Directory, Page
from havre.registry.inside.ports import Built, Made, TreeRecord, Workshop
from havre.registry.job_ports import JobRecord
from havre.registry.jobs import Jobs, Postponed, order, prove
from havre.registry.ports import BlobStore, Clock, Metadata, Rows
from havre.registry.records import Instant

LAYER, IMAGE, COMPARE = "inside.layer", "inside.image", "inside.compare"
KINDS = (LAYER, IMAGE, COMPARE)

MAX_LAYERS = 256
"""Layers of an image that is looked into."""

MOST_KEPT = 2 * 1024**3
"""Bytes of all trees together; beyond it those that were not looked at for longest go."""

KEPT_UNUSED = 60 * 24 * 3600 * 1000
"""Milliseconds for which a tree is kept that nobody looks at."""

_UNFINISHED = 2 * 3600 * 1000
_AT_ONCE = 16
"""Pages read or written in one unit of work."""

_MOST_FORGOTTEN = 200

Progress = Callable[[int, int], None]
"""Hears how far a job is: done, of total."""


def image_key(layers: Sequence[Digest]) -> str:
    """What stands for these layers in this order."""
    return hashlib.sha256("\n".join(layers).encode()).hexdigest()


def changes_key(image: str, layer: int) -> str:
    """What stands for what one layer of an image did."""
    return f"{image}/{layer}"


def compare_key(before: Sequence[Digest], after: Sequence[Digest]) -> str:
    """What stands for the difference of two images."""
    return f"{image_key(before)}..{image_key(after)}"


def order_image(rows: Rows, layers: Sequence[Digest], at: Instant) -> list[JobRecord]:
    """Have an image built, with whatever of its layers was never read; returns the unfinished jobs. Raises Unavailable
    if too many jobs wait.
    """
    if rows.trees.find("image", image_key(layers)) is not None:
        return []
    missing = [one for one in dict.fromkeys(layers) if rows.trees.find("layer", one) is None]
    ordered = [order(rows, LAYER, one, {}, at) for one in missing]
    return [*ordered, order(rows, IMAGE, image_key(layers), {"layers": list(layers)}, at)]


def order_compare(rows: Rows, before: Sequence[Digest], after: Sequence[Digest], at: Instant) -> list[JobRecord]:
    """Have two images compared, built if need be; returns the unfinished jobs. Raises Unavailable."""
    key = compare_key(before, after)
    if rows.trees.find("compare", key) is not None:
        return []
    ordered = [*order_image(rows, before, at), *order_image(rows, after, at)]
    return [*ordered, order(rows, COMPARE, key, {"before": list(before), "after": list(after)}, at)]


class Builder:
    """Does the jobs."""

    def __init__(self, metadata: Metadata, store: BlobStore, workshop: Workshop, jobs: Jobs, clock: Clock) -> None:
        self._metadata = metadata
        self._store = store
        self._workshop = workshop
        self._jobs = jobs
        self._clock = clock

    @property
    def handlers(self) -> Mapping[str, Callable[[JobRecord, Progress], Awaitable[None]]]:
        """Who does which kind of job."""
        return {LAYER: self.layer, IMAGE: self.image, COMPARE: self.compare}

    async def layer(self, job: JobRecord, progress: Progress) -> None:
        """Read one layer. Raises Postponed if its content is not here."""
        digest = Digest.parse(job.key)
        blob = await self._metadata.read(lambda rows: rows.blobs.find(digest))
        if blob is None:
            return  # it was removed meanwhile, and with it what asked for this
        progress(0, blob.size)
        body = self._store.read(blob.key, ByteRange(0, blob.size))
        made = self._workshop.index(body, lambda done: progress(done, blob.size))
        await self._keep(job, made, lambda _name: ("layer", job.key))

    async def image(self, job: JobRecord, progress: Progress) -> None:
        """Lay the layers of an image upon each other. Raises Postponed until each of them was read."""
        layers = [Digest.parse(one) for one in job.values["layers"]]
        found = await self._metadata.read(lambda rows: {one: rows.trees.find("layer", one) for one in set(layers)})
        await self._wait_for(LAYER, [one for one, tree in found.items() if tree is None])
        trees = [tree for one in layers if (tree := found[one]) is not None]
        progress(0, len(layers) + 1)
        made = self._workshop.stack(self._trees(trees), lambda done: progress(done, len(layers) + 1))

        def place(name: str) -> tuple[str, str]:
            return ("image", job.key) if name == "image" else ("changes", changes_key(job.key, int(name)))

        await self._keep(job, made, place)

    async def compare(self, job: JobRecord, progress: Progress) -> None:
        """Compare two images. Raises Postponed until both are built."""
        keys = [image_key([Digest.parse(one) for one in job.values[side]]) for side in ("before", "after")]
        found = await self._metadata.read(lambda rows: [rows.trees.find("image", key) for key in keys])
        await self._wait_for(IMAGE, [key for key, tree in zip(keys, found, strict=True) if tree is None])
        trees = [tree for tree in found if tree is not None]
        if problem := next((tree.problem for tree in trees if tree.problem), ""):
            await self._refuse(job, "compare", problem)
            return
        await self._keep(job, self._workshop.compare(self._trees(trees)), lambda _name: ("compare", job.key))

    async def forget(self) -> int:
        """Remove trees that nobody looks at; returns how many."""
        now = self._clock()

        def work(rows: Rows) -> int:
            found = rows.trees.idle(now - _UNFINISHED, now - KEPT_UNUSED, MOST_KEPT, _MOST_FORGOTTEN)
            rows.trees.discard(found)
            return len(found)

        return await self._metadata.write(work, durable=False)

    async def _wait_for(self, kind: str, keys: Sequence[str]) -> None:
        """Go on if there is nothing to wait for. Raises Postponed, and InputInvalid if what we wait for has failed."""
        if not keys:
            return
        jobs = await self._metadata.read(lambda rows: [rows.jobs.get(kind, key) for key in keys])
        if all(job is None or job.state.ended for job in jobs):
            message = next((job.message for job in jobs if job is not None and job.message), "")
            raise InputInvalid(message or "what it needs has gone meanwhile: open the page again")
        raise Postponed

    async def _trees(self, trees: Sequence[TreeRecord]) -> AsyncIterator[AsyncIterator[bytes]]:
        for tree in trees:
            yield self._pages(tree)

    async def _pages(self, tree: TreeRecord) -> AsyncIterator[bytes]:
        position = 0
        while pages := await self._read(tree.id, position):
            for content in pages:
                yield content
            position += len(pages)

    async def _read(self, tree_id: int, position: int) -> Sequence[bytes]:
        return await self._metadata.read(lambda rows: rows.trees.pages(tree_id, position, _AT_ONCE))

    async def _keep(
        self, job: JobRecord, made: AsyncGenerator[Made, None], place: Callable[[str], tuple[str, str]]
    ) -> None:
        """Keep the trees that are made, and publish them all at once."""
        kept = _Keeping(self._metadata, self._clock)
        try:
            async with aclosing(made) as parts:
                async for part in parts:
                    if isinstance(part, Built):
                        await kept.end(*place(part.name), part.summary)
                    else:
                        await kept.add(part)
        except InputInvalid as error:
            kind = "image" if job.kind == IMAGE else "compare" if job.kind == COMPARE else "layer"
            await self._refuse(job, kind, error.message)
            return
        await self._metadata.write(lambda rows: kept.publish(rows, job, self._clock()))

    async def _refuse(self, job: JobRecord, kind: str, problem: str) -> None:
        """Remember that this can not be read, so that nobody tries it again."""
        now = self._clock()

        def work(rows: Rows) -> None:
            prove(rows, job, now)
            tree = rows.trees.begin(now)
            rows.trees.publish(TreeRecord(tree, kind, job.key, {}, Directory([]).pack(), now, problem), now)

        await self._metadata.write(work)


class _Keeping:
    """Trees on their way into the rows. A crash leaves some that nobody sees, which ``forget`` removes."""

    def __init__(self, metadata: Metadata, clock: Clock) -> None:
        self._metadata = metadata
        self._clock = clock
        self._tree = 0
        self._firsts: list[bytes] = []
        self._pages: list[Page] = []
        self._done: list[TreeRecord] = []

    async def add(self, page: Page) -> None:
        """One more page of the tree that is made now."""
        self._pages.append(page)
        if len(self._pages) >= _AT_ONCE:
            await self._write()

    async def end(self, kind: str, key: str, summary: Mapping[str, Any]) -> None:
        """The tree is complete."""
        await self._write()
        directory = Directory(self._firsts).pack()
        self._done.append(TreeRecord(self._tree, kind, key, summary, directory, self._clock()))
        self._tree, self._firsts = 0, []

    def publish(self, rows: Rows, job: JobRecord, at: Instant) -> None:
        """Let all of them be seen, if the job is still ours. Raises LeaseLost."""
        prove(rows, job, at)
        for tree in self._done:
            rows.trees.publish(tree, at)

    async def _write(self) -> None:
        pages, self._pages = self._pages, []
        tree, position, now = self._tree, len(self._firsts), self._clock()

        def work(rows: Rows) -> int:
            made = tree or rows.trees.begin(now)
            rows.trees.add(made, position, pages)
            return made

        self._tree = await self._metadata.write(work, durable=False)
        self._firsts += [page.first for page in pages]
