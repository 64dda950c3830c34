"""What hangs on tags that may go: manifests that nothing else leads to, and bytes that nothing else needs."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from sqlalchemy import Connection, bindparam, delete, exists, func, or_, select, union

from havre.metadata import search_index
from havre.metadata.schema import blobs, manifest_edges, manifests, repositories, tag_events, tags
from havre.oci.digest import Digest
from havre.oci.names import Tag
from havre.registry.records import Instant

_HERE = manifests.c.repository_id == bindparam("repository_id")
_AMONG = manifests.c.digest.in_(bindparam("digests", expanding=True))
_TAGS_HERE = tags.c.repository_id == bindparam("repository_id")
_TAGS_AMONG = tags.c.name.in_(bindparam("tags", expanding=True))

_TARGETS = (
    select(tags.c.name, manifests.c.digest)
    .join_from(tags, manifests, tags.c.manifest_id == manifests.c.id)
    .where(_TAGS_HERE, _TAGS_AMONG)
)
_OTHER = manifests.alias("other")
_AROUND = union(
    # Listed by them, if they are here; and what says that it is about them.
    select(_OTHER.c.digest)
    .join_from(manifests, manifest_edges, manifest_edges.c.manifest_id == manifests.c.id)
    .join(_OTHER, (_OTHER.c.repository_id == manifests.c.repository_id) & (_OTHER.c.digest == manifest_edges.c.digest))
    .where(_HERE, _AMONG, manifest_edges.c.kind == "manifest"),
    select(manifests.c.digest).where(_HERE, manifests.c.subject.in_(bindparam("digests", expanding=True))),
).limit(bindparam("limit"))
_OUTSIDE = _OTHER.c.digest.not_in(bindparam("digests", expanding=True))
_HELD = select(manifests.c.digest).where(
    _HERE,
    _AMONG,
    or_(
        exists().where(tags.c.manifest_id == manifests.c.id, tags.c.name.not_in(bindparam("tags", expanding=True))),
        exists().where(
            manifest_edges.c.digest == manifests.c.digest,
            manifest_edges.c.kind == "manifest",
            manifest_edges.c.manifest_id == _OTHER.c.id,
            _OTHER.c.repository_id == manifests.c.repository_id,
            _OUTSIDE,
        ),
        exists().where(
            _OTHER.c.repository_id == manifests.c.repository_id, _OTHER.c.digest == manifests.c.subject, _OUTSIDE
        ),
    ),
)
_NEEDED = (
    select(manifest_edges.c.digest)
    .join_from(manifest_edges, manifests, manifest_edges.c.manifest_id == manifests.c.id)
    .where(_HERE, _AMONG, manifest_edges.c.kind != "manifest")
    .distinct()
)
_ALSO = manifest_edges.alias("also")
_FREED = select(func.count(), func.coalesce(func.sum(blobs.c.size), 0)).where(
    blobs.c.digest.in_(bindparam("blobs", expanding=True)),
    ~exists().where(
        _ALSO.c.digest == blobs.c.digest,
        _ALSO.c.kind != "manifest",
        _ALSO.c.manifest_id == manifests.c.id,
        or_(
            manifests.c.repository_id != bindparam("repository_id"),
            manifests.c.digest.not_in(bindparam("digests", expanding=True)),
        ),
        manifests.c.repository_id == repositories.c.id,
        repositories.c.deleted.is_(None),
    ),
)
_REMOVE_TAGS = delete(tags).where(_TAGS_HERE, _TAGS_AMONG)
_REMOVE_MANIFESTS = delete(manifests).where(_HERE, _AMONG)


class RemovalRows:
    """Implements ``havre.registry.tag_ports.RemovalRows``."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def targets(self, repository_id: int, tags: Collection[Tag]) -> dict[Tag, Digest]:
        """What those tags point at that exist."""
        values = {"repository_id": repository_id, "tags": _texts(tags)}
        return {Tag(name): Digest(target) for name, target in self._connection.execute(_TARGETS, values)}

    def around(self, repository_id: int, digests: Collection[Digest], limit: int) -> set[Digest]:
        """Manifests here that these list, or whose subject is one of these; at most ``limit``."""
        values = {"repository_id": repository_id, "digests": _texts(digests), "limit": limit}
        return {Digest(one) for one in self._connection.execute(_AROUND, values).scalars()}

    def held(self, repository_id: int, digests: Collection[Digest], tags: Collection[Tag]) -> set[Digest]:
        """Those of the manifests that something else needs: another tag than ``tags``, an index that is not among
        them, or a subject that is here and not among them.
        """
        values = {"repository_id": repository_id, "digests": _texts(digests), "tags": _texts(tags)}
        return {Digest(one) for one in self._connection.execute(_HELD, values).scalars()}

    def needed(self, repository_id: int, digests: Collection[Digest]) -> set[Digest]:
        """Configs and layers that these manifests refer to."""
        values = {"repository_id": repository_id, "digests": _texts(digests)}
        return {Digest(one) for one in self._connection.execute(_NEEDED, values).scalars()}

    def freed(self, repository_id: int, blobs: Collection[Digest], digests: Collection[Digest]) -> tuple[int, int]:
        """How many of the blobs only these manifests of all that anyone can still pull refer to, and their bytes."""
        values = {"repository_id": repository_id, "blobs": _texts(blobs), "digests": _texts(digests)}
        number, size = self._connection.execute(_FREED, values).one()
        return number, int(size)

    def remove_tags(self, repository_id: int, tags: Mapping[Tag, Digest], user_id: int | None, at: Instant) -> None:
        """Remove these tags, which exist, and remember that."""
        if tags:
            self._connection.execute(_REMOVE_TAGS, {"repository_id": repository_id, "tags": _texts(tags)})
            moves = [
                {"repository_id": repository_id, "tag": tag, "before": before, "after": None}
                | {"user_id": user_id, "at": at}
                for tag, before in tags.items()
            ]
            self._connection.execute(tag_events.insert(), moves)

    def remove_manifests(self, repository_id: int, digests: Collection[Digest]) -> None:
        """Remove these manifests, to which no tag leads."""
        search_index.discount(self._connection, repository_id, digests)
        self._connection.execute(_REMOVE_MANIFESTS, {"repository_id": repository_id, "digests": _texts(digests)})


def _texts(values: Collection[str]) -> list[str]:
    return sorted(map(str, values))
