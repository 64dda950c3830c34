"""Manifests that no tag points at, as rows, and since when nothing that has a name leads to them."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from sqlalchemy import Connection, bindparam, delete, exists, func, literal_column, or_, select, union_all

from havre.metadata.schema import condemned_manifests, manifest_edges, manifests, repositories, tags
from havre.metadata.statements import insert_new
from havre.oci.digest import Digest
from havre.registry.gc_ports import Above, Untagged
from havre.registry.records import Instant

WALK = 5_000
"""Manifests that one page looks at, most of which have a tag."""

_TAGGED = exists().where(tags.c.manifest_id == manifests.c.id)
_SINCE = condemned_manifests.c.since
_BELOW = manifests.c.id < bindparam("before")
_WALKED = select(manifests.c.id).where(_BELOW).order_by(manifests.c.id.desc()).limit(WALK).subquery()
_FLOOR = select(func.min(_WALKED.c.id), func.count(_WALKED.c.id))
# Not by EXISTS: beside another condition, PostgreSQL may read all tags to answer it for a few manifests.
_NO_TAG = (
    select(tags.c.id).where(tags.c.manifest_id == manifests.c.id).limit(literal_column("1")).scalar_subquery().is_(None)
)
_PAGE = (
    select(manifests.c.id, manifests.c.repository_id, manifests.c.digest, _SINCE)
    .join_from(manifests, repositories, repositories.c.id == manifests.c.repository_id)
    .outerjoin(condemned_manifests, condemned_manifests.c.manifest_id == manifests.c.id)
    .where(
        _BELOW,
        manifests.c.id >= bindparam("floor"),
        repositories.c.deleted.is_(None),
        or_(_NO_TAG, _SINCE.is_not(None)),
    )
    .order_by(manifests.c.id.desc())
    .limit(bindparam("limit"))
)
_OTHER = manifests.alias("other")
_OTHER_TAGGED = exists().where(tags.c.manifest_id == _OTHER.c.id)
_SAME_PLACE = _OTHER.c.repository_id == manifests.c.repository_id
_LISTED = (manifest_edges.c.digest == manifests.c.digest, manifest_edges.c.kind == "manifest")
_THESE = manifests.c.id.in_(bindparam("these", expanding=True))
_ABOVE = union_all(
    select(manifests.c.id, _OTHER.c.id, _OTHER_TAGGED).where(
        _THESE, *_LISTED, manifest_edges.c.manifest_id == _OTHER.c.id, _SAME_PLACE
    ),
    select(manifests.c.id, _OTHER.c.id, _OTHER_TAGGED).where(
        _THESE, _SAME_PLACE, _OTHER.c.digest == manifests.c.subject
    ),
)
_DOOMED = (
    select(manifests.c.repository_id, manifests.c.digest)
    .join_from(manifests, condemned_manifests, condemned_manifests.c.manifest_id == manifests.c.id)
    .join(repositories, repositories.c.id == manifests.c.repository_id)
    .where(
        _THESE,
        bindparam("before") >= _SINCE,
        repositories.c.deleted.is_(None),
        ~_TAGGED,
        ~exists().where(*_LISTED, manifest_edges.c.manifest_id == _OTHER.c.id, _SAME_PLACE),
        ~exists().where(_SAME_PLACE, _OTHER.c.digest == manifests.c.subject),
    )
)
_SOME = select(condemned_manifests.c.manifest_id).limit(bindparam("limit"))
_ACQUIT = delete(condemned_manifests).where(condemned_manifests.c.manifest_id.in_(bindparam("these", expanding=True)))


class UntaggedRows:
    """Implements ``havre.registry.gc_ports.UntaggedRows``."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def page(self, before: int, limit: int) -> tuple[Sequence[Untagged], int | None]:
        """Some with an id less than ``before``, the greatest first; not of repositories that were deleted.

        And before which to go on, None at the end: a page walks no further than ``WALK`` manifests.
        """
        floor, walked = self._connection.execute(_FLOOR, {"before": before}).one()
        values = {"before": before, "floor": floor or 0, "limit": limit}
        rows = self._connection.execute(_PAGE, values).all() if walked else []
        found = [Untagged(row[0], row[1], Digest(row[2]), row[3]) for row in rows]
        if len(found) == limit:
            return found, found[-1].id
        return found, floor if walked == WALK else None

    def above(self, manifest_ids: Collection[int]) -> Sequence[Above]:
        """What stands directly above these manifests in their repositories."""
        rows = self._connection.execute(_ABOVE, {"these": sorted(manifest_ids)})
        return [Above(row[0], row[1], bool(row[2])) for row in rows]

    def condemn(self, manifest_ids: Collection[int], at: Instant) -> None:
        """Nothing that has a name leads to them since ``at``."""
        if manifest_ids:
            values = [{"manifest_id": one, "since": at} for one in sorted(manifest_ids)]
            self._connection.execute(insert_new(self._connection, condemned_manifests), values)

    def acquit(self, manifest_ids: Collection[int]) -> None:
        """Something leads to them."""
        self._connection.execute(_ACQUIT, {"these": sorted(manifest_ids)})

    def condemned(self, limit: int) -> Sequence[int]:
        """Some that are condemned."""
        return self._connection.execute(_SOME, {"limit": limit}).scalars().all()

    def doomed(self, manifest_ids: Collection[int], before: Instant) -> Sequence[tuple[int, Digest]]:
        """Those condemned ``before`` with no tag and nothing above them: (repository, digest)."""
        rows = self._connection.execute(_DOOMED, {"these": sorted(manifest_ids), "before": before})
        return [(repository_id, Digest(digest)) for repository_id, digest in rows]
