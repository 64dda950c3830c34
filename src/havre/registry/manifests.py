"""Manifests: accepted with their exact bytes once everything they need is linked here, fetched, and deleted."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass

from havre.errors import BlobUnknown, DigestInvalid, ManifestInvalid, ManifestUnknown, Unavailable
from havre.oci import mediatypes
from havre.oci.digest import Digest
from havre.oci.manifest import Manifest, load_object, parse
from havre.oci.names import RepositoryName, Tag
from havre.oci.reference import Reference
from havre.registry.audit import Author, record
from havre.registry.blobs import Blobs
from havre.registry.events import Deleted, Events, Looked, Pulled, Pushed
from havre.registry.memory import Memory
from havre.registry.naming import ensure, follow, writable
from havre.registry.policy import check_complete, needed
from havre.registry.ports import Clock, Metadata, Rows
from havre.registry.records import Instant, ManifestRecord, Repository
from havre.registry.tags import assign, described, remove

MAX_CONFIG = 1024 * 1024
"""Bytes of an image's config that are read to learn its platform; a larger one is stored but not read."""

MAX_PLATFORM = 100


@dataclass(frozen=True, slots=True)
class Accepted:
    """What a push made: the manifest's digest, its subject if it names one, and the tags that point at it now."""

    digest: Digest
    subject: Digest | None
    tags: tuple[Tag, ...]


class Manifests:
    """Takes manifests in and gives them out. Callers have checked permissions on the repository."""

    def __init__(self, metadata: Metadata, blobs: Blobs, clock: Clock, events: Events, *, sparse: bool = False) -> None:
        self._metadata = metadata
        self._blobs = blobs
        self._clock = clock
        self._events = events
        self._sparse = sparse
        self._memory: Memory[tuple[Repository, ManifestRecord | None]] = Memory(metadata)

    async def get(
        self, name: RepositoryName, reference: Reference, *, pull: bool = True, client: str = ""
    ) -> ManifestRecord:
        """The manifest's exact bytes. ``pull`` is False for a mere check.

        Raises NameUnknown, ManifestUnknown, and Unavailable for a manifest that its row does not hold as it was pushed.
        ``client`` is the family of programs that asks; empty when it is a person who looks.
        """

        def work(rows: Rows) -> tuple[Repository, ManifestRecord | None]:
            repository = follow(rows, name)
            if isinstance(reference, Digest):
                return repository, _sound(rows.manifests.get(repository.id, reference))
            return repository, _sound(rows.manifests.tagged(repository.id, reference))

        repository, manifest = await self._memory.read((name, reference), work, _weight)
        if manifest is None:
            raise _unknown(name, reference)
        tag = reference if isinstance(reference, Tag) else None
        if pull:
            self._events.publish(Pulled(repository.id, name, manifest.digest, tag, client))
        elif tag is not None and client:
            self._events.publish(Looked(repository.id, manifest.digest, tag))
        return manifest

    async def put(
        self,
        name: RepositoryName,
        reference: Reference,
        tags: Sequence[Tag],
        media_type: str,
        content: bytes,
        user_id: int | None,
        pushed: Instant | None = None,
    ) -> Accepted:
        """Accept ``content`` under ``reference`` and ``tags``: manifest, edges and tags in one unit of work.

        A manifest named by a tag gets a sha256 digest. ``pushed`` is when that was, if not now. A subject that is not
        here (yet) is always fine. Raises ManifestInvalid, DigestInvalid, ManifestBlobUnknown.
        """
        manifest = parse(media_type, content)
        digest = Digest.of(content, reference.algorithm if isinstance(reference, Digest) else "sha256")
        if isinstance(reference, Digest) and digest != reference:
            raise DigestInvalid(
                f"the manifest received has the digest {digest}, not {reference}",
                detail={"digest": str(reference), "actual": str(digest)},
            )
        names = tuple(dict.fromkeys((*([reference] if isinstance(reference, Tag) else []), *tags)))
        platform = await self._platform(name, manifest)
        now = self._clock() if pushed is None else pushed

        def work(rows: Rows) -> int:
            repository = ensure(rows, name, now)
            # First: whoever collects and wants the same rows comes before this unit of work, or after it.
            rows.blobs.acquit(repository.id, {one.digest for one in (*manifest.blobs, *manifest.manifests)})
            check_complete(manifest, rows.manifests.absent(repository.id, needed(manifest)), sparse=self._sparse)
            record = _record(rows, repository, manifest, digest, content, platform, now)
            rows.manifests.add(repository.id, record, edges(manifest))
            for tag in names:
                assign(rows, repository, tag, digest, user_id, now)
            rows.repositories.change(repository.id, updated=max(now, repository.updated), pushed_by=user_id)
            return repository.id

        repository_id = await self._metadata.write(work)
        self._events.publish(Pushed(repository_id, name, digest, names, user_id))
        return Accepted(digest, manifest.subject.digest if manifest.subject else None, names)

    async def delete(self, name: RepositoryName, digest: Digest, author: Author, address: str = "") -> None:
        """Remove a manifest and every tag that points at it; raises NameUnknown or ManifestUnknown."""
        now = self._clock()

        def work(rows: Rows) -> tuple[Repository, tuple[Tag, ...]]:
            repository = writable(rows, name)
            tags = tuple(rows.tags.of(repository.id, digest))
            for tag in tags:
                remove(rows, repository, tag, author.user_id, now)
            if not rows.manifests.delete(repository.id, digest):
                raise _unknown(name, digest)
            subject, detail = f"{repository.name}@{digest}", described(tags)
            record(
                rows,
                author,
                "manifest.delete",
                subject,
                at=now,
                repository_id=repository.id,
                address=address,
                detail=detail,
            )
            return repository, tags

        repository, tags = await self._metadata.write(work)
        self._events.publish(Deleted(repository.id, name, digest, tags, author.user_id))

    async def _platform(self, name: RepositoryName, manifest: Manifest) -> str:
        """What the image's config says that it runs on; empty when it says nothing we understand."""
        config = manifest.config
        if config is None or config.media_type not in mediatypes.CONFIGS:
            return ""
        with contextlib.suppress(BlobUnknown, ManifestInvalid):
            content = await self._blobs.read_whole(await self._blobs.stat(name, config.digest), MAX_CONFIG)
            document = load_object(content) if content else {}
            parts = [document.get(key) for key in ("os", "architecture", "variant")]
            if parts[0] and parts[1]:
                return "/".join(part for part in parts if isinstance(part, str) and part)[:MAX_PLATFORM]
        return ""


def _weight(found: tuple[Repository, ManifestRecord | None]) -> int:
    return len(found[1].content) if found[1] else 0


def _record(
    rows: Rows,
    repository: Repository,
    manifest: Manifest,
    digest: Digest,
    content: bytes,
    platform: str,
    now: Instant,
) -> ManifestRecord:
    if manifest.kind == "index":
        total = sum(rows.manifests.sizes(repository.id, [one.digest for one in manifest.manifests]).values())
    else:
        total = sum({one.digest: one.size for one in manifest.blobs}.values())
    return ManifestRecord(
        digest,
        manifest.media_type,
        content,
        now,
        len(content),
        manifest.artifact_type,
        manifest.subject.digest if manifest.subject else None,
        platform,
        min(total, (1 << 63) - 1),
        manifest.annotations,
    )


def edges(manifest: Manifest) -> list[tuple[Digest, str]]:
    """What it points at, but for its subject: digest and kind, in its own order."""
    found = [(manifest.config.digest, "config")] if manifest.config else []
    found += [(one.digest, "layer") for one in manifest.layers]
    return found + [(one.digest, "manifest") for one in manifest.manifests]


def _sound(manifest: ManifestRecord | None) -> ManifestRecord | None:
    # Only what is read from the rows is looked at, not what is remembered: some microseconds, once.
    if manifest and Digest.of(manifest.content, manifest.digest.algorithm) != manifest.digest:
        raise Unavailable(
            f"the manifest {manifest.digest} is damaged in the registry's database: its administrator can set it aside"
            " with `havre fsck --repair`, and then it can be pushed again",
            retry_after=60,
        )
    return manifest


def _unknown(name: RepositoryName, reference: Reference) -> ManifestUnknown:
    what = "manifest" if isinstance(reference, Digest) else "tag"
    return ManifestUnknown(f"repository {name} has no {what} {reference}", detail={"reference": str(reference)})
