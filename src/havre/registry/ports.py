"""Ports: what the registry needs from outside, each small and with its promises written down.

Bytes (``BlobStore``, ``UploadStore``) are asynchronous because they stream. Rows are plain functions inside a unit of
work: ``await metadata.write(lambda rows: …)`` runs the function in one transaction, all or nothing, and may run it
again after a conflict, so it must have no other effect. No unit of work is open while bytes flow.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Sequence
from typing import Protocol, TypeVar

from havre.oci.digest import Digest
from havre.oci.names import Namespace, RepositoryName, Tag
from havre.registry.byte_ports import (
    BlobStore,
    Body,
    Clock,
    Elsewhere,
    HeldUpload,
    LocalFile,
    Swept,
    UploadStore,
)
from havre.registry.check_ports import CheckingRows
from havre.registry.gc_ports import GarbageRows, UntaggedRows
from havre.registry.inside.ports import TreeRows
from havre.registry.job_ports import JobRows
from havre.registry.live_ports import LiveRows
from havre.registry.quota_ports import QuotaRows
from havre.registry.records import (
    AuditEvent,
    BlobRecord,
    Instant,
    ManifestRecord,
    NamespaceRecord,
    Repository,
    Segments,
    UploadRecord,
    Viewer,
    Visibility,
)
from havre.registry.repository_ports import CollaboratorRows, MoveRows, RedirectRows, TransferRows
from havre.registry.search_ports import SearchRows, StarRows
from havre.registry.tag_ports import PullRows, RemovalRows, TagListRows, TagRows
from havre.registry.why_ports import HolderRows

__all__ = ["BlobStore", "Body", "Clock", "Elsewhere", "HeldUpload", "LocalFile", "Swept", "UploadStore"]
"""Defined in ``byte_ports``, and imported from here with the others."""

T = TypeVar("T")

# ---------------------------------------------------------------- rows


class RepositoryRows(Protocol):
    """Repositories and the namespaces they live in."""

    def namespace(self, name: Namespace) -> NamespaceRecord | None:
        """The namespace, or None."""

    def get(self, name: RepositoryName) -> Repository | None:
        """By name, without regard to who asks."""

    def add(self, name: RepositoryName, visibility: Visibility, at: Instant) -> Repository:
        """Create it, or return the one that exists. Raises NameUnknown if the namespace does not exist.

        A new one takes its name over from the repository that had it before, if a redirect remembers it.
        """

    def change(
        self,
        repository_id: int,
        *,
        visibility: Visibility | None = None,
        description: str | None = None,
        updated: Instant | None = None,
        pushed_by: int | None = None,
        archived: Instant | None = None,
        categories: Sequence[str] | None = None,
    ) -> None:
        """Change what is not None; ``archived`` of 0 takes it out of the archive."""

    def delete(self, repository_id: int) -> None:
        """Remove it with its tags, manifests and blob links, deleted before or not. Blobs stay for the collector."""

    def names(self, viewer: Viewer, after: str, limit: int) -> Sequence[RepositoryName]:
        """Names that ``viewer`` may see, in byte order, greater than ``after``."""

    def count_pulls(self, pulls: Sequence[tuple[int, int]]) -> None:
        """Add to the pull counters: (repository id, number)."""


class ReadmeRows(Protocol):
    """Overviews of repositories, which may be long and are read alone."""

    def get(self, repository_id: int) -> str:
        """The overview, in Markdown; empty if none was written."""

    def put(self, repository_id: int, text: str) -> None:
        """Write it anew; an empty ``text`` removes it."""


class BlobRows(Protocol):
    """Which content exists, and which repository links it."""

    def find(self, digest: Digest) -> BlobRecord | None:
        """Content by digest, in whatever repository."""

    def linked(self, repository_id: int, digest: Digest) -> BlobRecord | None:
        """Content that this repository links."""

    def add(self, blob: BlobRecord, at: Instant, instead_of: str = "") -> BlobRecord:
        """Remember content; returns the record that stands.

        The first one wins, unless its key is ``instead_of``, under which nothing whole is stored any more.
        """

    def link(self, repository_id: int, digest: Digest, at: Instant) -> None:
        """Link known content to a repository; linking again only acquits it (see ``gc``).

        Raises BlobUnknown for unknown content.
        """

    def acquit(self, repository_id: int, digests: Collection[Digest]) -> None:
        """Somebody needs these: those that the repository links and that were condemned are so no more."""

    def unlink(self, repository_id: int, digest: Digest) -> bool:
        """Remove the link; False if there was none."""

    def mountable(self, viewer: Viewer, digest: Digest) -> BlobRecord | None:
        """Content that some repository links which ``viewer`` may pull."""


class ManifestRows(Protocol):
    """Manifests of a repository."""

    def get(self, repository_id: int, digest: Digest) -> ManifestRecord | None:
        """By digest."""

    def tagged(self, repository_id: int, tag: Tag) -> ManifestRecord | None:
        """What a tag points at now."""

    def add(self, repository_id: int, manifest: ManifestRecord, children: Sequence[tuple[Digest, str]]) -> None:
        """Store it with its edges: (digest, kind), kind being ``config``, ``layer`` or ``manifest``.

        Storing the same digest again does nothing.
        """

    def delete(self, repository_id: int, digest: Digest) -> bool:
        """Remove it and its edges; False if there was none. Tags must have gone first."""

    def absent(self, repository_id: int, digests: Collection[Digest]) -> set[Digest]:
        """Those of ``digests`` that are neither a linked blob nor a manifest of the repository."""

    def children(self, repository_id: int, digest: Digest) -> Sequence[ManifestRecord]:
        """The manifests an index lists and this repository holds, in its order; contents included."""

    def referrers(
        self, repository_id: int, subject: Digest, artifact_types: Collection[str], after: str, limit: int
    ) -> Sequence[ManifestRecord]:
        """Manifests with that subject, by digest greater than ``after``; of any type if ``artifact_types`` is empty.

        Their ``content`` is left empty.
        """

    def sizes(self, repository_id: int, digests: Collection[Digest]) -> dict[Digest, int]:
        """``total_size`` of those manifests that are here."""


class UploadRows(Protocol):
    """Uploads in flight."""

    def get(self, upload_id: str) -> UploadRecord | None:
        """The upload, or None."""

    def add(self, upload: UploadRecord) -> None:
        """Remember a new upload."""

    def advance(self, upload: UploadRecord, before: int) -> bool:
        """Store size, prefixes, segments and time, if the stored size is still ``before``; else False."""

    def delete(self, upload_id: str) -> Segments | None:
        """Forget it; returns its segments, which are the caller's from then on, None if there was none."""

    def expired(self, before: Instant, limit: int) -> Sequence[str]:
        """Ids of uploads not touched since ``before``."""

    def known(self, upload_ids: Collection[str]) -> Collection[str]:
        """Those of ``upload_ids`` that exist."""

    def count(self, user_id: int | None) -> int:
        """How many uploads this account has in flight."""

    def weigh(self, user_id: int | None, but: str) -> int:
        """Bytes that this account's uploads have, as far as is known, without the upload ``but``."""


class AuditRows(Protocol):
    """The audit trail, as far as rules write it; ``havre.access.ports`` reads it."""

    def add(self, event: AuditEvent) -> None:
        """Remember what was done, together with the change itself."""


class Rows(Protocol):
    """One unit of work: a small store per noun, all in one transaction."""

    @property
    def repositories(self) -> RepositoryRows: ...
    @property
    def readmes(self) -> ReadmeRows: ...
    @property
    def moves(self) -> MoveRows: ...
    @property
    def redirects(self) -> RedirectRows: ...
    @property
    def transfers(self) -> TransferRows: ...
    @property
    def collaborators(self) -> CollaboratorRows: ...
    @property
    def blobs(self) -> BlobRows: ...
    @property
    def manifests(self) -> ManifestRows: ...
    @property
    def tags(self) -> TagRows: ...
    @property
    def tag_lists(self) -> TagListRows: ...
    @property
    def removal(self) -> RemovalRows: ...
    @property
    def pulls(self) -> PullRows: ...
    @property
    def live(self) -> LiveRows: ...
    @property
    def uploads(self) -> UploadRows: ...
    @property
    def search(self) -> SearchRows: ...
    @property
    def stars(self) -> StarRows: ...
    @property
    def quotas(self) -> QuotaRows: ...
    @property
    def audit(self) -> AuditRows: ...
    @property
    def jobs(self) -> JobRows: ...
    @property
    def checks(self) -> CheckingRows: ...
    @property
    def trees(self) -> TreeRows: ...
    @property
    def garbage(self) -> GarbageRows: ...
    @property
    def untagged(self) -> UntaggedRows: ...
    @property
    def holders(self) -> HolderRows: ...


class Metadata(Protocol):
    """Where rows are. Every function given to it sees one consistent state."""

    async def version(self) -> Hashable:
        """What differs once anything was committed, by whomever, and is never an earlier one again. Asked cheaply."""

    async def read(self, work: Callable[[Rows], T]) -> T:
        """Run ``work`` and return what it returns; it must not write."""

    async def write(self, work: Callable[[Rows], T], *, durable: bool = True) -> T:
        """Run ``work`` in a transaction and commit; an exception undoes all of it and goes on to the caller.

        With ``durable`` the rows survive a power failure once this returns. Without, a power failure (not a crash of
        the process) may take back the last moments: right for uploads in flight, whose loss only costs a retry.
        """
