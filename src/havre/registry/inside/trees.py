"""Trees: looking at what was built, and asking for what was not."""

from __future__ import annotations

import asyncio
import fnmatch
import re
from collections import OrderedDict
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass

from havre.errors import BlobUnknown
from havre.oci.digest import Digest
from havre.oci.ranges import ByteRange
from havre.registry.inside.building import changes_key, compare_key, image_key, order_compare, order_image
from havre.registry.inside.entries import Change, Entry, Kind, split
from havre.registry.inside.pages import CHANGES, ENTRIES, Codec, Directory, R, key, key_of, unpacked
from havre.registry.inside.ports import TreeRecord, Workshop
from havre.registry.inside.stack import led
from havre.registry.job_ports import JobRecord
from havre.registry.ports import BlobStore, Clock, Metadata, Rows

PATIENCE = 1.5
"""Seconds that a caller waits for a tree: most are built by then."""

MOST_FOUND = 200
"""Names that a search finds."""

MAX_CONTENT = 4 * 1024 * 1024
"""Bytes of a file that is taken out of a layer."""

_REMEMBERED = 4 * 1024 * 1024
_LOOK_AGAIN = 0.05
_AT_ONCE = 16
_EXTRACTIONS = 2
_STEPS = 64
_DAY = 24 * 3600 * 1000


@dataclass(frozen=True, slots=True)
class Pending:
    """What was asked for is being built; ``percent`` of it is."""

    percent: int


class Inside:
    """Looks inside images. Callers have checked that whoever asks may pull every layer."""

    def __init__(
        self,
        metadata: Metadata,
        store: BlobStore,
        workshop: Workshop,
        clock: Clock,
        ordered: Callable[[], None] = lambda: None,
        patience: float = PATIENCE,
    ) -> None:
        self._metadata = metadata
        self._store = store
        self._workshop = workshop
        self._clock = clock
        self._ordered = ordered
        self._patience = patience
        self._extractions = asyncio.Semaphore(_EXTRACTIONS)
        self._remembered: OrderedDict[tuple[Digest, int, int], bytes] = OrderedDict()

    async def image(self, layers: Sequence[Digest]) -> TreeRecord | Pending:
        """The tree of an image; ordered if there is none. Raises Unavailable if too much is ordered already."""
        now, steps = self._clock(), len(set(layers)) + 1
        key = image_key(layers)
        return await self._get("image", key, lambda rows: order_image(rows, layers, now), steps)

    async def compare(self, before: Sequence[Digest], after: Sequence[Digest]) -> TreeRecord | Pending:
        """What differs between two images; ordered if nobody asked before. Raises Unavailable."""
        now, steps = self._clock(), len({*before, *after}) + 3
        key = compare_key(before, after)
        return await self._get("compare", key, lambda rows: order_compare(rows, before, after, now), steps)

    async def layer(self, digest: Digest) -> TreeRecord | None:
        """The tree of one layer, if it was read."""
        return await self._metadata.read(lambda rows: rows.trees.find("layer", digest))

    async def layers(self, digests: Sequence[Digest]) -> Sequence[TreeRecord | None]:
        """The trees of several layers, as far as they were read."""
        return await self._metadata.read(lambda rows: [rows.trees.find("layer", one) for one in digests])

    async def changes(self, layers: Sequence[Digest], number: int) -> TreeRecord | None:
        """What one layer of an image did, once the image is built."""
        key = changes_key(image_key(layers), number)
        return await self._metadata.read(lambda rows: rows.trees.find("changes", key))

    async def entries(self, tree: TreeRecord, folder: bytes, after: bytes, limit: int) -> list[Entry]:
        """What lies in a folder, folders first, then by name; ``after`` is what ``place`` said of the last one."""
        return await self._listing(tree, ENTRIES, folder, after, limit)

    async def differences(self, tree: TreeRecord, folder: bytes, after: bytes, limit: int) -> list[Change]:
        """What changed in a folder, folders first, then by name."""
        return await self._listing(tree, CHANGES, folder, after, limit)

    async def find(self, tree: TreeRecord, path: bytes) -> Entry | None:
        """What lies at a path, without following links."""
        folder, name = split(path)
        for kind in (Kind.FOLDER, Kind.FILE):
            found = await self._at(tree, key(folder, name, kind))
            if found is not None:
                return found
        return None

    async def resolve(self, tree: TreeRecord, path: bytes) -> Entry | None:
        """What lies at a path, links in its folders followed within the image."""
        found = await self.find(tree, path) if path else None
        if found is not None or not path:
            return found
        parts, done = path.split(b"/")[::-1], b""
        for _ in range(_STEPS):
            if not parts:
                break
            here = await self.find(tree, done + b"/" * bool(done) + parts[-1])
            if here is None:
                return None
            part = parts.pop()
            if here.facts.kind is Kind.SYMLINK and parts:
                parts += reversed(led(done, here.facts.target))
                done = b""
            else:
                done = done + b"/" * bool(done) + part
        return await self.find(tree, done) if not parts else None

    async def search(self, tree: TreeRecord, text: bytes) -> tuple[list[Entry], bool]:
        """Entries whose name contains ``text``, or is like it if it holds ``*`` or ``?``, whatever the case of letters;
        and whether there are more than MOST_FOUND.
        """
        found: list[Entry] = []
        pattern, pieces = _pattern(text), re.split(rb"[*?]+", text.lower())
        position = 0
        while pages := await self._read(tree.id, position):
            found += await asyncio.to_thread(_matching, pages, pattern, pieces, MOST_FOUND + 1 - len(found))
            if len(found) > MOST_FOUND:
                break
            position += len(pages)
        return found[:MOST_FOUND], len(found) > MOST_FOUND

    async def content(self, digest: Digest, entry: Entry, limit: int = MAX_CONTENT) -> bytes | None:
        """The bytes of a file that this layer brought; None if there are more than ``limit`` or they can not be had.

        Packed layers are unpacked from their beginning: gzip can not be entered in the middle. Raises InputInvalid
        when that takes too long, BlobUnknown if the layer has gone.
        """
        if entry.facts.kind is Kind.HARDLINK:
            tree = await self.layer(digest)
            linked = await self.find(tree, entry.facts.target) if tree else None
            if linked is None:
                return None
            entry = linked
        facts = entry.facts
        if facts.kind is not Kind.FILE or facts.size > limit or (facts.size and not facts.offset):
            return None
        known = (digest, facts.offset, facts.size)
        if known not in self._remembered:
            self._remembered[known] = await self._extract(digest, facts.offset, facts.size)
        self._remembered.move_to_end(known)
        content = self._remembered[known]
        while len(self._remembered) > 1 and sum(map(len, self._remembered.values())) > _REMEMBERED:
            self._remembered.popitem(last=False)
        return content

    async def _extract(self, digest: Digest, offset: int, size: int) -> bytes:
        blob = await self._metadata.read(lambda rows: rows.blobs.find(digest))
        if blob is None:
            raise BlobUnknown(f"the layer {digest} is not here any more", detail={"digest": digest})
        async with self._extractions, aclosing(self._body(blob.key, blob.size)) as body:
            return await self._workshop.extract(body, offset, size)

    async def _body(self, key: str, size: int) -> AsyncGenerator[bytes, None]:
        async for piece in self._store.read(key, ByteRange(0, size)):
            yield piece

    async def _get(
        self, kind: str, key: str, place_order: Callable[[Rows], list[JobRecord]], steps: int
    ) -> TreeRecord | Pending:
        found = await self._metadata.read(lambda rows: rows.trees.find(kind, key))
        if found is not None:
            await self._use(found)
            return found
        jobs = await self._metadata.write(place_order, durable=False)
        self._ordered()
        tries = round(self._patience / _LOOK_AGAIN)
        for _ in range(tries):
            found = await self._metadata.read(lambda rows: rows.trees.find(kind, key))
            if found is not None:
                return found
            await asyncio.sleep(_LOOK_AGAIN)
        under_way = sum(job.done / job.total for job in jobs if job.total)
        return Pending(min(99, round(100 * (max(0, steps - len(jobs)) + under_way) / steps)))

    async def _use(self, tree: TreeRecord) -> None:
        now = self._clock()
        if tree.used < now - _DAY:
            await self._metadata.write(lambda rows: rows.trees.use(tree.id, now), durable=False)

    async def _listing(self, tree: TreeRecord, codec: Codec[R], folder: bytes, after: bytes, limit: int) -> list[R]:
        prefix = folder + b"\x00"
        start = prefix + after
        found: list[R] = []
        position = Directory.unpack(tree.directory).page_of(start)
        # Most folders lie in one page; for a large one further pages come in larger bites.
        count = 1
        while pages := await self._read(tree.id, position, count):
            for content in pages:
                for record in codec.records(unpacked(content)):
                    where = key_of(record)
                    if where > start and where.startswith(prefix):
                        found.append(record)
                    elif where > start:
                        return found
                    if len(found) >= limit:
                        return found
            position += len(pages)
            count = _AT_ONCE
        return found

    async def _at(self, tree: TreeRecord, wanted: bytes) -> Entry | None:
        position = Directory.unpack(tree.directory).page_of(wanted)
        for content in await self._read(tree.id, position, 1):
            for entry in ENTRIES.records(unpacked(content)):
                if key_of(entry) == wanted and entry.facts.kind is not Kind.WHITEOUT:
                    return entry
        return None

    async def _read(self, tree_id: int, position: int, count: int = _AT_ONCE) -> Sequence[bytes]:
        return await self._metadata.read(lambda rows: rows.trees.pages(tree_id, position, count))


def place(record: Entry | Change) -> bytes:
    """Where in its folder a record lies, to go on after it."""
    return key_of(record)[len(record.folder) + 1 :]


def _pattern(text: bytes) -> re.Pattern[bytes]:
    if b"*" in text or b"?" in text:
        return re.compile(fnmatch.translate(text.decode("latin-1")).encode("latin-1"), re.IGNORECASE)
    return re.compile(b".*" + re.escape(text), re.IGNORECASE | re.DOTALL)


def _matching(pages: Sequence[bytes], pattern: re.Pattern[bytes], pieces: Sequence[bytes], limit: int) -> list[Entry]:
    found: list[Entry] = []
    for content in pages:
        raw = unpacked(content)
        folded = raw.lower()
        if not all(piece in folded for piece in pieces):
            continue  # most pages hold nothing alike, and taking one apart costs more than this look
        for entry in ENTRIES.records(raw):
            if pattern.match(entry.name):
                found.append(entry)
                if len(found) >= limit:
                    return found
    return found
