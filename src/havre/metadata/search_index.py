"""What search looks in, kept in step with the rows: whoever changes a name, a text or a manifest calls this as well.

All of it is derived, so that ``create`` can make it from what is there.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import Connection, bindparam, delete, func, select, text

from havre.metadata.schema import manifests, readmes, repositories, repository_facets
from havre.metadata.schema.search import POSTGRESQL, SQLITE
from havre.metadata.statements import insert
from havre.oci.digest import Digest
from havre.oci.mediatypes import INDEXES
from havre.oci.names import RepositoryName
from havre.registry.facets import facets
from havre.registry.records import ManifestRecord
from havre.registry.words import Indexed, indexed

_TEXTS = (
    select(
        func.coalesce(repositories.c.deleted_path, repositories.c.path),
        repositories.c.description,
        repositories.c.categories,
        func.coalesce(readmes.c.text, ""),
    )
    .outerjoin_from(repositories, readmes)
    .where(repositories.c.id == bindparam("id"))
)
_FORGET = text("DELETE FROM search WHERE rowid = :id")
_REMEMBER = text(
    "INSERT INTO search (rowid, name, part, description, readme) VALUES (:id, :name, :part, :description, :readme)"
)
_PUT = text(
    "INSERT INTO search (repository_id, names, parts, texts, words) VALUES (:id, CAST(:names AS tsvector),"
    " CAST(:parts AS tsvector), CAST(:texts AS tsvector), CAST(:words AS tsvector))"
    " ON CONFLICT (repository_id) DO UPDATE SET"
    " names = excluded.names, parts = excluded.parts, texts = excluded.texts, words = excluded.words"
)
_ITEM = (
    (repository_facets.c.repository_id == bindparam("repository"))
    & (repository_facets.c.facet == bindparam("name"))
    & (repository_facets.c.value == bindparam("is"))
)
_LESS = repository_facets.update().where(_ITEM).values(manifests=repository_facets.c.manifests - bindparam("number"))
_NONE = delete(repository_facets).where(_ITEM, repository_facets.c.manifests <= 0)
_M = manifests.c
# Indexes are left out: their children speak for them.
_STORED = select(
    _M.id, _M.repository_id, _M.digest, _M.media_type, _M.content, _M.artifact_type, _M.subject, _M.platform
).where(_M.media_type.not_in(sorted(INDEXES)))
_SLICE = 200


def refresh(connection: Connection, repository_id: int) -> None:
    """Read the name and the texts of a repository again; does nothing if there is none."""
    row = connection.execute(_TEXTS, {"id": repository_id}).first()
    if row is None:
        return
    path, description, categories, readme = row
    words = indexed(RepositoryName(path), f"{description} {categories}", readme)
    if connection.dialect.name == "sqlite":
        connection.execute(_FORGET, {"id": repository_id})
        values: dict[str, Any] = {
            field: " ".join(getattr(words, field)) for field in ("name", "part", "description", "readme")
        }
        connection.execute(_REMEMBER, {"id": repository_id, **values})
    else:
        connection.execute(_PUT, {"id": repository_id, **_vectors(words)})


def count(connection: Connection, repository_id: int, manifest: ManifestRecord) -> None:
    """Count a manifest that was just stored, and was not there before."""
    for facet, value in facets(manifest):
        values = {"repository_id": repository_id, "facet": facet.value, "value": value, "manifests": 1}
        statement = insert(connection, repository_facets).values(values)
        connection.execute(
            statement.on_conflict_do_update(
                index_elements=["repository_id", "facet", "value"],
                set_={"manifests": repository_facets.c.manifests + 1},
            )
        )


def discount(connection: Connection, repository_id: int, digests: Collection[str]) -> None:
    """Take back what ``count`` did for these manifests, before they are removed."""
    gone: Counter[tuple[str, str]] = Counter()
    every = sorted(digests)
    for start in range(0, len(every), _SLICE):
        some = _STORED.where(_M.repository_id == repository_id, _M.digest.in_(every[start : start + _SLICE]))
        gone.update(found for row in connection.execute(some) for found in facets(_record(row)))
    for (facet, value), number in sorted(gone.items()):
        item = {"repository": repository_id, "name": str(facet), "is": value}
        connection.execute(_LESS, {**item, "number": number})
        connection.execute(_NONE, item)


def create(connection: Connection) -> None:
    """Make the index and fill it, and count what is there: for migrations."""
    for statement in SQLITE if connection.dialect.name == "sqlite" else POSTGRESQL:
        connection.exec_driver_sql(statement)
    _fill(connection)


def rebuild(connection: Connection) -> None:
    """Forget everything and make it again from the rows."""
    connection.exec_driver_sql("DELETE FROM search")
    connection.execute(delete(repository_facets))
    _fill(connection)


def _fill(connection: Connection) -> None:
    for repository_id in connection.scalars(select(repositories.c.id)).all():
        refresh(connection, repository_id)
    last = 0
    while found := connection.execute(_STORED.where(_M.id > last).order_by(_M.id).limit(_SLICE)).all():
        for row in found:
            last = row[0]
            count(connection, row[1], _record(row))


def _record(row: Sequence[Any]) -> ManifestRecord:
    """As much of a manifest as ``facets`` looks at, from the columns of ``_STORED``."""
    _, _, digest, media_type, content, artifact_type, subject, platform = row
    about = Digest(subject) if subject else None
    size = len(content)
    return ManifestRecord(Digest(digest), media_type, bytes(content), 0, size, artifact_type, about, platform)


def _vectors(words: Indexed) -> dict[str, str]:
    """The text form of a tsvector for each column, which holds the fields of those before it as well."""
    columns = (("names", words.name), ("parts", words.part), ("texts", words.description), ("words", words.readme))
    found, vectors = "", {}
    for column, field in columns:
        found += "".join(f"'{word}' " for word in field)
        vectors[column] = found
    return vectors
