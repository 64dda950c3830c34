"""Content: repositories and what they hold."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from havre.metadata.schema.base import Bytewise, Id, Time, identity, metadata

_PRIVATE = text("visibility = 'private' AND deleted IS NULL")
_PUBLIC = text("visibility = 'public' AND deleted IS NULL")

repositories = Table(
    "repositories",
    metadata,
    identity(),
    Column("namespace_id", Id, ForeignKey("namespaces.id"), nullable=False),
    Column("name", Bytewise, nullable=False, comment="the path within the namespace"),
    Column("path", Bytewise, nullable=False, unique=True, comment="the path on the wire"),
    Column("visibility", String, nullable=False),
    Column("pulls", BigInteger, nullable=False, default=0),
    Column("created", Time, nullable=False),
    Column("updated", Time, nullable=False),
    Column("description", Text, nullable=False, default=""),
    Column("pushed_by", Id, nullable=True, comment="the account of the last push"),
    Column("stars", Integer, nullable=False, server_default="0"),
    Column("archived", Time, nullable=True, comment="read-only since"),
    Column("deleted", Time, nullable=True, comment="hidden since; removed for good some days later"),
    Column("deleted_path", Bytewise, nullable=True, comment="its path before; path is then one that no name can have"),
    Column(
        "storage", BigInteger, nullable=False, server_default="0", comment="bytes it links, but for storage_changes"
    ),
    Column("categories", Text, nullable=False, server_default=text("''"), comment="comma-separated"),
    UniqueConstraint("namespace_id", "name"),
    Index(None, "updated"),
    Index(None, "pulls", "stars"),
    Index(None, "stars"),
    Index(None, "namespace_id", "updated"),
    Index(None, "storage"),
    Index("ix_repositories_private", "namespace_id", sqlite_where=_PRIVATE, postgresql_where=_PRIVATE),
    # To count what everybody sees, in all or in one namespace, without reading it.
    Index("ix_repositories_public", "namespace_id", sqlite_where=_PUBLIC, postgresql_where=_PUBLIC),
    # Only of those that are: otherwise SQLite would take it to find the others, and sort them all.
    Index(None, "deleted", sqlite_where=text("deleted IS NOT NULL"), postgresql_where=text("deleted IS NOT NULL")),
    CheckConstraint("visibility IN ('public', 'private')", name="visibility"),
    sqlite_autoincrement=True,
)


blobs = Table(
    "blobs",
    metadata,
    identity(),
    Column("digest", Bytewise, nullable=False, unique=True),
    Column("size", BigInteger, nullable=False),
    Column("storage_key", String, nullable=False),
    Column("created", Time, nullable=False),
    Column("condemned", Time, nullable=True, comment="nobody needs it since; see registry.gc"),
    Index(None, "storage_key"),
)


repository_blobs = Table(
    "repository_blobs",
    metadata,
    Column("repository_id", Id, ForeignKey("repositories.id", ondelete="CASCADE"), primary_key=True),
    Column("blob_id", Id, ForeignKey("blobs.id"), primary_key=True, index=True),
    Column("size", BigInteger, nullable=False, server_default="0", comment="that of the blob"),
    Column("linked", Time, nullable=False),
    Column("condemned", Time, nullable=True, comment="nobody needs it since; see registry.gc"),
)

# What the storage of a namespace is counted by; see metadata/storage_figures.
namespace_blobs = Table(
    "namespace_blobs",
    metadata,
    Column("namespace_id", Id, primary_key=True, autoincrement=False),
    Column("blob_id", Id, primary_key=True, autoincrement=False),
    Column("size", BigInteger, nullable=False),
    Column("links", Integer, nullable=False, comment="repositories of the namespace that link it; never 0"),
)

storage_changes = Table(
    "storage_changes",
    metadata,
    identity(),
    Column("namespace_id", Id, nullable=False, index=True),
    Column("repository_id", Id, nullable=False),
    Column("namespace_bytes", BigInteger, nullable=False, comment="more or less of what the namespace holds"),
    Column("repository_bytes", BigInteger, nullable=False),
)


manifests = Table(
    "manifests",
    metadata,
    identity(),
    Column("repository_id", Id, ForeignKey("repositories.id", ondelete="CASCADE"), nullable=False),
    Column("digest", Bytewise, nullable=False),
    Column("media_type", String, nullable=False),
    Column("size", Integer, nullable=False),
    Column("artifact_type", String, nullable=False, default=""),
    Column("subject", Bytewise, nullable=True),
    Column("platform", String, nullable=False, default=""),
    Column("total_size", BigInteger, nullable=False, default=0),
    Column("created", Time, nullable=False),
    Column("annotations", Text, nullable=False, default="{}", comment="JSON"),
    Column("content", LargeBinary, nullable=False),
    UniqueConstraint("repository_id", "digest"),
    Index(None, "repository_id", "subject", "digest"),
)


manifest_edges = Table(
    "manifest_edges",
    metadata,
    Column("manifest_id", Id, ForeignKey("manifests.id", ondelete="CASCADE"), primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("digest", Bytewise, nullable=False, index=True),
    Column("kind", String, nullable=False, comment="config, layer or manifest"),
)


# A table of its own: what stands behind a manifest's long content is slow to reach.
condemned_manifests = Table(
    "condemned_manifests",
    metadata,
    Column("manifest_id", Id, ForeignKey("manifests.id", ondelete="CASCADE"), primary_key=True, autoincrement=False),
    Column("since", Time, nullable=False, comment="nothing that has a name leads there; see registry.gc"),
)


tags = Table(
    "tags",
    metadata,
    identity(),
    Column("repository_id", Id, ForeignKey("repositories.id", ondelete="CASCADE"), nullable=False),
    Column("name", Bytewise, nullable=False),
    Column("manifest_id", Id, ForeignKey("manifests.id"), nullable=False, index=True),
    Column("updated", Time, nullable=False),
    Column("user_id", Id, ForeignKey("users.id", ondelete="SET NULL"), nullable=True),
    Column("pulls", BigInteger, nullable=False, server_default="0"),
    Column("pulled", Time, nullable=False, server_default="0", comment="the last pull by this tag; 0: never"),
    Column("size", BigInteger, nullable=False, server_default="0", comment="of what it points at, for sorting"),
    UniqueConstraint("repository_id", "name"),
    # The orders that lists offer, each with the name behind it: a filter reads the index alone.
    Index(None, "repository_id", "updated", "name"),
    Index(None, "repository_id", "size", "name"),
    Index(None, "repository_id", "pulled", "name"),
)


tag_events = Table(
    "tag_events",
    metadata,
    identity(),
    Column("repository_id", Id, ForeignKey("repositories.id", ondelete="CASCADE"), nullable=False),
    Column("tag", Bytewise, nullable=False),
    Column("before", Bytewise, nullable=True),
    Column("after", Bytewise, nullable=True),
    Column("user_id", Id, ForeignKey("users.id", ondelete="SET NULL"), nullable=True),
    Column("at", Time, nullable=False),
    Index(None, "repository_id", "tag", "at"),
    Index(None, "repository_id", "at"),
)


uploads = Table(
    "uploads",
    metadata,
    Column("id", String, primary_key=True),
    Column("repository", Bytewise, nullable=False, index=True, comment="the path: the repository may not exist yet"),
    Column("user_id", Id, ForeignKey("users.id", ondelete="CASCADE"), nullable=True, index=True),
    Column("algorithm", String, nullable=False, default="sha256"),
    Column("size", BigInteger, nullable=False, default=0),
    Column("received", BigInteger, nullable=False, server_default="0", comment="so far, for who watches; size counts"),
    Column("prefixes", Text, nullable=False, default="{}", comment="JSON: algorithm to digest of the bytes so far"),
    Column("created", Time, nullable=False),
    Column("updated", Time, nullable=False, index=True),
    Column("room", BigInteger, nullable=True, comment="bytes its namespace had left when it began; none: no limit"),
    Column(
        "segments", Text, nullable=False, server_default="[]", comment="JSON: keys and sizes of its bytes, in order"
    ),
)
