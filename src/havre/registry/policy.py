"""Policy: pure rules asked before a write, each a question with a sentence as the answer.

A refusal is ``Denied``: its sentence is what ``docker push`` prints after ``denied:``.
"""

from __future__ import annotations

from collections.abc import Collection

from havre.errors import Denied, ManifestBlobUnknown, TooManyRequests, UploadsFull
from havre.oci.digest import Digest
from havre.oci.manifest import Manifest
from havre.oci.mediatypes import may_be_elsewhere
from havre.registry.records import Repository


def needed(manifest: Manifest) -> set[Digest]:
    """The content a manifest needs in its own repository: all but the subject, and layers that lie elsewhere by right."""
    blobs = {one.digest for one in manifest.blobs if not may_be_elsewhere(one.media_type)}
    return blobs | {one.digest for one in manifest.manifests}


def check_complete(manifest: Manifest, absent: Collection[Digest], *, sparse: bool) -> None:
    """Refuse a manifest whose children are not linked here (raises ManifestBlobUnknown), unless ``sparse`` is accepted."""
    if not absent or sparse:
        return
    first = min(absent)
    more = f" and {len(absent) - 1} more" if len(absent) > 1 else ""
    what = "manifests or blobs" if manifest.kind == "index" else "blobs"
    raise ManifestBlobUnknown(
        f"the manifest refers to {what} that this repository does not have: {first}{more}; push them first",
        detail=[{"digest": str(one)} for one in sorted(absent)[:20]],
    )


def check_writable(repository: Repository) -> None:
    """Refuse a change of what an archived repository holds; raises Denied."""
    if repository.archived is not None:
        raise Denied(
            f"{repository.name} is archived: it can be pulled, not changed; its owner can end that in its settings"
        )


def check_uploads(running: int, limit: int) -> None:
    """Refuse one more upload for an account that has ``limit`` in flight; raises TooManyRequests."""
    if running >= limit:
        raise TooManyRequests(
            f"{running} uploads of this account are unfinished, at most {limit} may be;"
            " finish or cancel some, or wait until they expire",
            retry_after=30,
        )


def check_in_flight(size: int, others: int, limit: int) -> None:
    """Refuse an upload that would have ``size`` bytes beside the account's other unfinished ones; raises UploadsFull."""
    if size + others > limit:
        raise UploadsFull(
            f"unfinished uploads of one account may have {limit} bytes together, and this one would make it"
            f" {size + others}; finish or cancel others first, or ask an administrator to raise that limit",
            retry_after=30,
        )
