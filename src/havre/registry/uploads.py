"""Uploads: a blob on its way, as a state machine: start, append, finish or cancel; left alone, it expires.

The row says how many bytes are acknowledged and what their digest is, so that any worker can go on where another
stopped: a closing PUT without a body compares two digests and reads nothing again.
"""

from __future__ import annotations

import contextlib
import re
import uuid
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from dataclasses import dataclass, replace
from functools import partial

from havre.errors import (
    ClientGone,
    DigestInvalid,
    OverPlan,
    SizeInvalid,
    Unavailable,
    UploadBusy,
    UploadInvalid,
    UploadRangeInvalid,
    UploadsFull,
    UploadUnknown,
)
from havre.oci.digest import ALGORITHMS, Digest, Hasher
from havre.oci.names import RepositoryName
from havre.oci.ranges import ByteRange
from havre.registry.byte_ports import SEGMENTS
from havre.registry.naming import ensure, pushable
from havre.registry.policy import check_in_flight, check_uploads
from havre.registry.ports import BlobStore, Body, Clock, HeldUpload, LocalFile, Metadata, Rows, UploadStore
from havre.registry.quotas import bounded, check_finish, check_size, check_start
from havre.registry.records import BlobRecord, Segments, UploadRecord

MAX_HASHERS = 1_000
"""Running digests kept in memory for the next chunk; a lost one only costs reading its bytes again."""

EXPIRY_BATCH = 100

ROW_WITHIN = 30 * 60 * 1000
"""Milliseconds within which stored content must have its row: half of those after which it would be a stray."""

Publish = Callable[[Digest, int], Awaitable[str]]
"""Makes an upload's bytes content, and returns its key."""

_ID = re.compile(r"[0-9a-f-]{36}", re.ASCII)


@dataclass(frozen=True, slots=True)
class UploadLimits:
    """How many uploads an account may have in flight, for how many milliseconds one may rest, and how many bytes all of
    an account may have together.
    """

    per_account: int = 100
    expiry: int = 24 * 3600 * 1000
    in_flight: int = 2**40
    plans: bool = True
    """Do plans bound what comes in? Not what an administrator brings from another registry."""

    @property
    def share(self) -> int:
        """Bytes that each upload may have without a look at the others."""
        return max(1, self.in_flight // self.per_account)


class Uploads:
    """Takes blobs in. Callers have checked that they may push to the repository."""

    def __init__(
        self, metadata: Metadata, store: UploadStore, blobs: BlobStore, clock: Clock, limits: UploadLimits
    ) -> None:
        self._metadata = metadata
        self._store = store
        self._blobs = blobs
        self._clock = clock
        self._limits = limits
        self._hashers: OrderedDict[str, Hasher] = OrderedDict()
        self._arriving: dict[str, Hasher] = {}
        self._reported: dict[str, int] = {}

    async def start(
        self, name: RepositoryName, user_id: int | None, algorithm: str = "sha256", announced: int = 0
    ) -> UploadRecord:
        """Begin an upload whose blob will be named by ``algorithm`` and have ``announced`` bytes (0: not told yet).

        Raises DigestInvalid for an algorithm we do not have, TooManyRequests beyond the account's limit, and what
        ``naming.pushable`` and ``quotas.check_start`` raise, before any byte is sent.
        """
        if algorithm not in ALGORITHMS:
            raise DigestInvalid(f"unsupported digest algorithm {algorithm[:40]!r}: use one of {', '.join(ALGORITHMS)}")
        now = self._clock()
        upload = UploadRecord(str(uuid.uuid4()), name, user_id, now, now, algorithm=algorithm)

        def work(rows: Rows) -> UploadRecord:
            check_uploads(rows.uploads.count(user_id), self._limits.per_account)
            pushable(rows, name)
            room = check_start(rows.quotas, name, announced) if self._limits.plans else None
            begun = replace(upload, room=room)
            rows.uploads.add(begun)
            return begun

        return await self._metadata.write(work, durable=False)

    async def get(self, name: RepositoryName, upload_id: str) -> UploadRecord:
        """The upload, if it belongs to this repository; raises UploadUnknown."""
        if not _ID.fullmatch(upload_id):
            raise _unknown(upload_id)
        upload = await self._metadata.read(lambda rows: rows.uploads.get(upload_id))
        if upload is None or upload.repository != name:
            raise _unknown(upload_id)
        return upload

    async def append(
        self, upload: UploadRecord, body: Body, span: ByteRange | None = None, announced: int = 0
    ) -> UploadRecord:
        """Take the next bytes, and return the upload as it stands after them.

        ``span`` is where the client says that they lie, ``announced`` how many come (0: not told). Raises
        UploadRangeInvalid if that is not where the upload ends, SizeInvalid if there are more or fewer bytes than it
        says (none of them count then), UploadBusy when another request is appending, ClientGone if the client leaves
        (the bytes that came are kept for a resume), OverPlan if the plan has no room for so much, UploadsFull if the
        account has too much in flight: the upload is gone.
        """
        _check_start(upload, span)
        hasher = await self._hasher(upload, upload.algorithm)
        async with self._hold(upload) as held:
            try:
                await self._append(held, upload, body, hasher, announced)
            except ClientGone:
                await self._advance(upload, hasher, held.keep())
                raise
            _check_length(upload, span, hasher)
            return await self._advance(upload, hasher, held.keep())

    async def finish(
        self,
        upload: UploadRecord,
        digest: Digest,
        body: Body | None = None,
        span: ByteRange | None = None,
        announced: int = 0,
    ) -> BlobRecord:
        """Take the last bytes if there are any, verify the whole, and link the blob to the repository.

        On return bytes and rows survive a power failure. Raises as ``append``, and DigestInvalid if the content has
        another digest: the upload is then as it was before this call.
        """
        _check_start(upload, span)
        if body is not None:
            hasher = await self._hasher(upload, digest.algorithm)
            async with self._hold(upload) as held:
                size = await self._append(held, upload, body, hasher, announced)
                _check_length(upload, span, hasher)
                return await self._finish(upload, digest, size, hasher.digest(digest.algorithm), held.finish)
        actual = upload.prefixes.get(digest.algorithm)
        if actual is None or upload.size == 0:
            actual = (await self._hasher(upload, digest.algorithm)).digest(digest.algorithm)
        # What is acknowledged never changes: nobody needs to be kept out.
        publish = partial(self._store.finish, upload.id, segments=upload.segments)
        return await self._finish(upload, digest, upload.size, actual, publish)

    async def _finish(
        self, upload: UploadRecord, digest: Digest, size: int, actual: Digest, publish: Publish
    ) -> BlobRecord:
        if actual != digest:
            raise DigestInvalid(
                f"the {size} bytes received have the digest {actual}, not {digest}",
                detail={"digest": str(digest), "actual": str(actual)},
            )
        if upload.room is not None:
            async with self._within_plan(upload):
                await self._metadata.read(lambda rows: check_finish(rows.quotas, upload.repository, digest, size))
        return await self._keep(upload, digest, size, publish)

    async def adopt(self, upload: UploadRecord, digest: Digest, file: LocalFile, size: int, *, link: bool) -> str:
        """Finish a new upload with the ``size`` bytes of a file of this machine, if they need not be written again.

        They are hashed as any others. Returns how, as `UploadStore.adopt` says, or nothing: then nothing was done.
        Raises as ``finish``.
        """
        how = await self._store.adopt(upload.id, file, size, link=link) if size else ""
        if how:
            await self.finish(replace(upload, size=size), digest)
        return how

    async def cancel(self, upload: UploadRecord) -> None:
        """Forget the upload; its bytes go at once. Raises UploadUnknown if another request ended it first."""
        self._hashers.pop(upload.id, None)
        if await self._forget(upload.id) is None:
            raise _unknown(upload.id)

    async def expire(self) -> int:
        """Remove uploads that rested too long, and bytes that no row knows; returns how many. Safe beside running ones."""
        before, removed = self._clock() - self._limits.expiry, 0
        while True:
            stale = await self._metadata.read(lambda rows: rows.uploads.expired(before, EXPIRY_BATCH))
            for upload_id in stale:
                await self._forget(upload_id)
            removed += len(stale)
            if len(stale) < EXPIRY_BATCH:
                return removed + await self._store.stale(self._known)

    @contextlib.asynccontextmanager
    async def _hold(self, upload: UploadRecord) -> AsyncIterator[HeldUpload]:
        """Keep others from writing to it. Raises UploadBusy if one has done so since its row was read, UploadUnknown."""
        async with self._store.hold(upload.id, upload.size, upload.segments) as held:
            now = await self._metadata.read(lambda rows: rows.uploads.get(upload.id))
            if now is None:
                raise _unknown(upload.id)
            if now.size != upload.size:
                raise _changed(upload.id)
            yield held

    async def _append(self, held: HeldUpload, upload: UploadRecord, body: Body, hasher: Hasher, announced: int) -> int:
        """Have the store take the body, as far as there is room for it; returns the upload's size."""
        self._arriving[upload.id] = hasher
        modest = bool(announced) and upload.size + announced <= self._limits.share
        try:
            if upload.room is None and modest:
                return await held.append(body, hasher)
            async with self._within_plan(upload):
                if not modest:
                    body = self._watched(upload, body, announced)
                if upload.room is None:
                    return await held.append(body, hasher)
                check_size(upload.repository, upload.room, upload.size + announced)
                within = bounded(body, upload.repository, upload.room, upload.size)
                return await held.append(within, hasher)
        finally:
            self._arriving.pop(upload.id, None)

    async def _watched(self, upload: UploadRecord, body: Body, announced: int) -> AsyncIterator[bytes]:
        """The body, with a look at the account's other uploads each time that it outgrows its share once more."""
        limits, size = self._limits, upload.size
        looked = 0 if size + announced > limits.share else limits.share
        if not looked:
            await self._check_in_flight(upload, size + announced)
            looked = size + max(announced, limits.share)
        async for piece in body:
            size += len(piece)
            if size > looked:
                await self._check_in_flight(upload, size)
                looked = size + limits.share
            yield piece

    async def _check_in_flight(self, upload: UploadRecord, size: int) -> None:
        others = await self._metadata.read(lambda rows: rows.uploads.weigh(upload.user_id, upload.id))
        check_in_flight(size, others, self._limits.in_flight)

    def arriving(self) -> dict[str, int]:
        """Uploads whose bytes come in here and now, and how many there are so far."""
        return {upload_id: hasher.size for upload_id, hasher in self._arriving.items()}

    async def report(self) -> None:
        """Tell other processes how far the uploads are whose bytes come in here, if they got further."""
        further = {one: size for one, size in self.arriving().items() if self._reported.get(one, 0) < size}
        self._reported = {one: self._reported.get(one, 0) for one in self._arriving} | further
        if further:
            await self._metadata.write(lambda rows: rows.live.report(further), durable=False)

    @contextlib.asynccontextmanager
    async def _within_plan(self, upload: UploadRecord) -> AsyncIterator[None]:
        """What outgrows the plan can never be finished: its bytes go at once."""
        try:
            yield
        except (OverPlan, UploadsFull):
            self._hashers.pop(upload.id, None)
            await self._forget(upload.id)
            raise

    async def _forget(self, upload_id: str) -> Segments | None:
        """Remove row and bytes; None if another request removed the row before."""
        segments = await self._metadata.write(lambda rows: rows.uploads.delete(upload_id), durable=False)
        await self._store.discard(upload_id, segments or ())
        return segments

    async def _keep(self, upload: UploadRecord, digest: Digest, size: int, publish: Publish) -> BlobRecord:
        stored = await self._metadata.read(lambda rows: rows.blobs.find(digest))
        whole = stored is not None and await self._blobs.size(stored.key) == stored.size == size
        blob = await self._link(upload, stored) if whole and stored else None
        if blob is None:
            lost = "" if whole or stored is None else stored.key
            try:
                blob = await self._publish(upload, digest, size, lost, publish)
            except UploadBusy:
                raise
            except UploadInvalid as error:
                # Another request has closed it meanwhile, or died of it: then its status must not say that it goes on.
                await self._forget(upload.id)
                raise _unknown(upload.id) from error
        self._hashers.pop(upload.id, None)
        return blob

    async def _link(self, upload: UploadRecord, stored: BlobRecord) -> BlobRecord | None:
        """Link content that is here already; None if it was collected since it was looked for."""

        def work(rows: Rows) -> tuple[BlobRecord | None, Segments | None]:
            found = rows.blobs.find(stored.digest)
            return found, self._settle(rows, upload, found) if found is not None else None

        found, segments = await self._metadata.write(work)
        if found is not None:
            await self._store.discard(upload.id, segments or ())
        return found

    async def _publish(
        self, upload: UploadRecord, digest: Digest, size: int, lost: str, publish: Publish
    ) -> BlobRecord:
        """Store the upload's bytes as content, and link that; ``lost`` is a key that has lost its content."""
        key, since = await publish(digest, size), self._clock()

        def work(rows: Rows) -> tuple[BlobRecord, Segments | None]:
            if self._clock() - since > ROW_WITHIN:
                # By now it may be taken for a stray.
                raise Unavailable("storing this content took too long: push it again", retry_after=5)
            blob = rows.blobs.add(BlobRecord(digest, size, key), since, instead_of=lost)
            segments = self._settle(rows, upload, blob)
            if segments is None and blob.key == key and key.startswith(SEGMENTS):
                # Whoever removed the upload's row has the segments now, to discard them.
                raise _unknown(upload.id)
            return blob, segments

        blob, segments = await self._metadata.write(work)
        if blob.key != key and key not in {one.key for one in upload.segments}:
            # Another push of the same content was quicker.
            await self._blobs.delete(key)
        if rest := tuple(one for one in segments or () if one.key != blob.key):
            await self._store.discard(upload.id, rest)
        return blob

    def _settle(self, rows: Rows, upload: UploadRecord, blob: BlobRecord) -> Segments | None:
        """Within a unit of work: the upload is a blob of its repository now. Returns what ``UploadRows.delete`` does."""
        now = self._clock()
        repository = ensure(rows, upload.repository, now, begun=upload.created)
        rows.blobs.link(repository.id, blob.digest, now)
        return rows.uploads.delete(upload.id)

    async def _advance(self, upload: UploadRecord, hasher: Hasher, segments: Segments) -> UploadRecord:
        prefixes = {name: hasher.digest(name) for name in hasher.algorithms}
        after = replace(upload, size=hasher.size, prefixes=prefixes, updated=self._clock(), segments=segments)
        if not await self._metadata.write(lambda rows: rows.uploads.advance(after, upload.size), durable=False):
            raise _changed(upload.id)
        self._hashers[upload.id] = hasher
        while len(self._hashers) > MAX_HASHERS:
            self._hashers.popitem(last=False)
        return after

    async def _hasher(self, upload: UploadRecord, algorithm: str) -> Hasher:
        """A hasher fed with the acknowledged bytes: the one this process still has, else by reading them again.

        It leaves the memory meanwhile: should this request fail half-way, its state would not match the row.
        """
        kept = self._hashers.pop(upload.id, None)
        if kept is not None and kept.size == upload.size and algorithm in kept.algorithms:
            return kept
        hasher = Hasher(algorithm)
        if upload.size:
            async for piece in self._prefix(upload):
                hasher.update(piece)
        return hasher

    async def _known(self, upload_ids: Collection[str]) -> Collection[str]:
        return await self._metadata.read(lambda rows: rows.uploads.known(upload_ids))

    def _prefix(self, upload: UploadRecord) -> AsyncIterator[bytes]:
        return self._store.read(upload.id, upload.size, upload.segments)


def _check_start(upload: UploadRecord, span: ByteRange | None) -> None:
    if span is not None and span.start != upload.size:
        raise UploadRangeInvalid(
            f"the chunk begins at byte {span.start}, but the upload has {upload.size} bytes: send from there",
            size=upload.size,
        )


def _check_length(upload: UploadRecord, span: ByteRange | None, hasher: Hasher) -> None:
    got = hasher.size - upload.size
    if span is not None and got != span.length:
        raise SizeInvalid(f"the chunk has {got} bytes, its Content-Range announces {span.length}")


def _changed(upload_id: str) -> UploadBusy:
    return UploadBusy(f"upload {upload_id} was changed by another request; ask for its status and go on from there")


def _unknown(upload_id: str) -> UploadUnknown:
    return UploadUnknown(
        f"there is no upload {upload_id[:64]} in this repository: it was finished, cancelled or has expired; start again"
    )
