"""Everything, batch by batch, for who checks it; and repairs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence

from sqlalchemy import ColumnElement, Connection, Table, bindparam, delete, exists, func, select, text, update

from havre.metadata import storage_figures
from havre.metadata.schema import (
    blobs,
    manifest_edges,
    manifests,
    repositories,
    repository_blobs,
    settings,
    tags,
)
from havre.metadata.statements import insert
from havre.metadata.uploads import unfinished
from havre.oci.digest import Digest
from havre.oci.names import RepositoryName
from havre.registry.check_ports import Shelved, Stored

_STORED = select(blobs.c.id, blobs.c.digest, blobs.c.size, blobs.c.storage_key)
_MANIFESTS = (
    select(
        manifests.c.id,
        manifests.c.repository_id,
        repositories.c.path,
        manifests.c.digest,
        manifests.c.media_type,
        manifests.c.content,
    )
    .join_from(manifests, repositories, repositories.c.id == manifests.c.repository_id)
    .where(manifests.c.id > bindparam("after"))
    .order_by(manifests.c.id)
    .limit(bindparam("most"))
)
_EDGES = (
    select(manifest_edges.c.manifest_id, manifest_edges.c.digest, manifest_edges.c.kind)
    .where(manifest_edges.c.manifest_id.in_(bindparam("ids", expanding=True)))
    .order_by(manifest_edges.c.manifest_id, manifest_edges.c.position)
)
_CHILD = manifests.alias("child")
_IS_LINKED = exists().where(
    blobs.c.digest == manifest_edges.c.digest,
    repository_blobs.c.blob_id == blobs.c.id,
    repository_blobs.c.repository_id == manifests.c.repository_id,
)
_IS_HELD = exists().where(
    _CHILD.c.repository_id == manifests.c.repository_id, _CHILD.c.digest == manifest_edges.c.digest
)
_LACKING = (
    select(manifests.c.id, manifest_edges.c.digest)
    .join_from(manifests, manifest_edges, manifest_edges.c.manifest_id == manifests.c.id)
    .where(manifests.c.id.in_(bindparam("ids", expanding=True)), ~_IS_LINKED, ~_IS_HELD)
    .order_by(manifests.c.id, manifest_edges.c.position)
)
_NAMING = (
    select(manifests.c.repository_id, manifests.c.digest, manifests.c.id)
    .join_from(manifest_edges, manifests, manifest_edges.c.manifest_id == manifests.c.id)
    .where(manifest_edges.c.digest == bindparam("digest"))
)
_TAGS = (
    select(repositories.c.path, tags.c.name)
    .join_from(tags, repositories, repositories.c.id == tags.c.repository_id)
    .where(tags.c.manifest_id.in_(bindparam("ids", expanding=True)))
    .order_by(repositories.c.path, tags.c.name)
    .limit(bindparam("most"))
)


def _orphans(table: Table, column: ColumnElement[int], other: Table) -> ColumnElement[bool]:
    return ~exists().where(other.c.id == column).correlate(table)


_DANGLING: tuple[tuple[str, Table, ColumnElement[bool]], ...] = (
    ("tags to no manifest", tags, _orphans(tags, tags.c.manifest_id, manifests)),
    (
        "edges of no manifest",
        manifest_edges,
        _orphans(manifest_edges, manifest_edges.c.manifest_id, manifests),
    ),
    ("links to no content", repository_blobs, _orphans(repository_blobs, repository_blobs.c.blob_id, blobs)),
    (
        "links of no repository",
        repository_blobs,
        _orphans(repository_blobs, repository_blobs.c.repository_id, repositories),
    ),
    ("tags of no repository", tags, _orphans(tags, tags.c.repository_id, repositories)),
    ("manifests of no repository", manifests, _orphans(manifests, manifests.c.repository_id, repositories)),
)
_MISCOUNTED = (
    """SELECT count(*) FROM repositories WHERE storage
    + (SELECT coalesce(sum(repository_bytes), 0) FROM storage_changes WHERE repository_id = repositories.id)
    <> (SELECT coalesce(sum(blobs.size), 0) FROM repository_blobs JOIN blobs ON blobs.id = blob_id
        WHERE repository_id = repositories.id)""",
    """SELECT count(*) FROM namespaces WHERE storage
    + (SELECT coalesce(sum(namespace_bytes), 0) FROM storage_changes WHERE namespace_id = namespaces.id)
    <> (SELECT coalesce(sum(size), 0) FROM blobs WHERE id IN (SELECT blob_id FROM repository_blobs
        JOIN repositories ON repositories.id = repository_id
        WHERE repositories.namespace_id = namespaces.id AND deleted IS NULL))""",
    """SELECT count(*) FROM repository_blobs JOIN blobs ON blobs.id = blob_id
    WHERE repository_blobs.size <> blobs.size""",
)
_RIGHT_SIZES = text(
    """UPDATE repository_blobs SET size = (SELECT size FROM blobs WHERE id = blob_id)
    WHERE size <> (SELECT size FROM blobs WHERE id = blob_id)"""
)
_ID_OF = select(blobs.c.id).where(blobs.c.digest == bindparam("digest"), blobs.c.storage_key == bindparam("key"))

_MOST_ABOVE = 10_000


class CheckRows:
    """Implements ``CheckRows`` and ``RepairRows`` of ``havre.registry.check_ports``."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def contents(self, after: int, limit: int) -> Sequence[Stored]:
        """Content by id greater than ``after``."""
        found = self._connection.execute(_STORED.where(blobs.c.id > after).order_by(blobs.c.id).limit(limit))
        return [Stored(row[0], Digest(row[1]), row[2], row[3]) for row in found]

    def content(self, digest: Digest) -> Stored | None:
        """Content as it is described now."""
        row = self._connection.execute(_STORED.where(blobs.c.digest == digest)).first()
        return Stored(row[0], Digest(row[1]), row[2], row[3]) if row else None

    def manifests(self, after: int, limit: int) -> Sequence[Shelved]:
        """Manifests by id greater than ``after``."""
        found = self._connection.execute(_MANIFESTS, {"after": after, "most": limit}).all()
        edges: dict[int, list[tuple[Digest, str]]] = defaultdict(list)
        for manifest_id, digest, kind in self._connection.execute(_EDGES, {"ids": [row[0] for row in found]}):
            edges[manifest_id].append((Digest(digest), kind))
        return [
            Shelved(row[0], row[1], RepositoryName(row[2]), Digest(row[3]), row[4], bytes(row[5]), tuple(edges[row[0]]))
            for row in found
        ]

    def lacking(self, manifest_ids: Collection[int]) -> Sequence[tuple[int, Digest]]:
        """What those manifests name and their repositories do not hold: id of the manifest, digest."""
        found = self._connection.execute(_LACKING, {"ids": list(manifest_ids)})
        return [(row[0], Digest(row[1])) for row in found]

    def tags_hurt(self, digest: Digest, limit: int) -> Sequence[str]:
        """Tags whose images need this content or manifest, directly or through an index."""
        above: set[int] = set(self._connection.scalars(select(manifests.c.id).where(manifests.c.digest == digest)))
        waiting, seen = {digest}, {digest}
        while waiting and len(above) < _MOST_ABOVE:
            for _, upper, manifest_id in self._connection.execute(_NAMING, {"digest": waiting.pop()}):
                above.add(manifest_id)
                if upper not in seen:
                    seen.add(upper)
                    waiting.add(upper)
        found = self._connection.execute(_TAGS, {"ids": sorted(above)[:_MOST_ABOVE], "most": limit})
        return [f"{path}:{tag}" for path, tag in found]

    def known_keys(self, keys: Collection[str]) -> Collection[str]:
        """Those of ``keys`` that a row names, or that an upload under way may."""
        found = self._connection.scalars(select(blobs.c.storage_key).where(blobs.c.storage_key.in_(sorted(keys))))
        return set(found) | unfinished(self._connection, keys)

    def dangling(self) -> Sequence[tuple[str, int]]:
        """Rows that refer to rows that are not there: what they are, how many."""
        counted = [
            (what, int(self._connection.scalar(select(func.count()).select_from(table).where(where)) or 0))
            for what, table, where in _DANGLING
        ]
        return [(what, number) for what, number in counted if number]

    def miscounted(self) -> int:
        """Figures of storage that are not what the links add up to."""
        return sum(int(self._connection.scalar(text(one)) or 0) for one in _MISCOUNTED)

    def lose(self, digest: Digest, key: str) -> bool:
        """Remove content's row and its links if it still has this key; False if it has not."""
        blob_id = self._connection.scalar(_ID_OF, {"digest": digest, "key": key})
        if blob_id is None:
            return False
        self._connection.execute(delete(repository_blobs).where(repository_blobs.c.blob_id == blob_id))
        self._connection.execute(delete(blobs).where(blobs.c.id == blob_id))
        return True

    def find_again(self, digest: Digest, lost: str, key: str) -> bool:
        """Content lies under another key than its row says; False if that says something else by now."""
        statement = update(blobs).where(blobs.c.digest == digest, blobs.c.storage_key == lost).values(storage_key=key)
        return self._connection.execute(statement).rowcount > 0

    def mend_edges(self, manifest_id: int, edges: Sequence[tuple[Digest, str]]) -> None:
        """Have a manifest's edges be these."""
        if self._connection.scalar(select(manifests.c.id).where(manifests.c.id == manifest_id)) is None:
            return
        self._connection.execute(delete(manifest_edges).where(manifest_edges.c.manifest_id == manifest_id))
        values = [
            {"manifest_id": manifest_id, "position": position, "digest": digest, "kind": kind}
            for position, (digest, kind) in enumerate(edges)
        ]
        if values:
            self._connection.execute(manifest_edges.insert(), values)

    def sweep(self) -> int:
        """Remove rows that refer to nothing; returns how many."""
        return sum(self._connection.execute(delete(table).where(where)).rowcount for _, table, where in _DANGLING)

    def recount(self) -> None:
        """Add all figures of storage up again."""
        self._connection.execute(_RIGHT_SIZES)
        storage_figures.count_again(self._connection)

    def recall(self, key: str) -> str | None:
        """What was remembered under this name."""
        value: str | None = self._connection.scalar(select(settings.c.value).where(settings.c.key == key))
        return value

    def remember(self, key: str, value: str) -> None:
        """Remember how far a check is."""
        statement = insert(self._connection, settings).values(key=key, value=value)
        self._connection.execute(
            statement.on_conflict_do_update(index_elements=[settings.c.key], set_={"value": value})
        )
