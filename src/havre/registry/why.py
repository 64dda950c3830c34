"""Why something is still there: who has it, what needs it, up to a tag; or since when nobody does, and when it goes."""

from __future__ import annotations

from dataclasses import dataclass, field

from havre.errors import BlobUnknown
from havre.oci.digest import Digest
from havre.registry.gc import GarbageRules
from havre.registry.ports import Metadata, Rows
from havre.registry.records import Instant
from havre.registry.why_ports import Holder, Place

SHOWN = 20
"""Repositories, and manifests of each, that are named."""

DEPTH = 8
"""Steps that are followed upwards from a manifest."""


@dataclass(frozen=True, slots=True)
class Step:
    """A manifest on the way from what is asked about up to a tag."""

    holder: Holder
    above: tuple[Step, ...] = ()


@dataclass(frozen=True, slots=True)
class Kept:
    """A repository that has it, and the manifests there that need it."""

    place: Place
    steps: tuple[Step, ...]
    goes: Instant | None
    """When it leaves this repository, if nothing comes to need it."""


@dataclass(frozen=True, slots=True)
class Why:
    """The answer."""

    digest: Digest
    size: int | None
    """Of content; None if there is none of that digest."""
    kept: tuple[Kept, ...]
    """As content."""
    manifests: tuple[Kept, ...]
    """As a manifest."""
    uploads: tuple[str, ...]
    condemned: Instant | None = None
    """No repository has the content since."""
    goes: Instant | None = field(default=None)
    """When the content leaves the disk, if nobody comes to need it."""


async def why(metadata: Metadata, digest: Digest, rules: GarbageRules) -> Why:
    """Explain; raises BlobUnknown if nothing of that digest is known."""

    def work(rows: Rows) -> Why:
        content = rows.holders.content(digest)
        kept = tuple(
            Kept(place, _up(rows, place.repository_id, digest, set()), _after(place.condemned, rules.grace))
            for place in rows.holders.links(digest, SHOWN)
        )
        manifests = tuple(
            Kept(
                place,
                (Step(holder, _up(rows, place.repository_id, digest, set())),),
                _after(holder.condemned, rules.untagged),
            )
            for place, holder in rows.holders.manifests(digest, SHOWN)
        )
        uploads = tuple(rows.holders.uploads(digest, SHOWN))
        if content is None and not manifests and not uploads:
            raise BlobUnknown(f"nothing here has the digest {digest}", detail={"digest": str(digest)})
        since = content.condemned if content else None
        size = content.size if content else None
        return Why(digest, size, kept, manifests, uploads, since, _after(since, rules.grace))

    return await metadata.read(work)


def _up(rows: Rows, repository_id: int, digest: Digest, seen: set[int], depth: int = DEPTH) -> tuple[Step, ...]:
    if not depth:
        return ()
    steps = []
    for holder in rows.holders.needing(repository_id, digest, SHOWN):
        if holder.id in seen:
            continue
        seen.add(holder.id)
        # A tag is an answer; further up there are only more of them.
        above = () if holder.tags else _up(rows, repository_id, holder.digest, seen, depth - 1)
        steps.append(Step(holder, above))
    return tuple(steps)


def _after(since: Instant | None, grace: int | None) -> Instant | None:
    return None if since is None or grace is None else since + grace
