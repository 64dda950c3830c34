"""The schema: every table, for SQLite and PostgreSQL alike.

Times are milliseconds since 1970 UTC in BIGINT. Text that is sorted or compared bytewise (names, tags, digests) uses
the ``C`` collation on PostgreSQL; SQLite compares bytes anyway. What may be long stands last in its table: SQLite
walks over it to reach the columns behind. Migrations in ``migrations/`` lead to exactly this.

Ids of users and repositories are never given again (``sqlite_autoincrement``; PostgreSQL's sequences do that anyway):
counters, tokens and caches may still hold one when the row is gone.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

# SQLite only gives its fast rowid keys to INTEGER, PostgreSQL needs BIGINT to outgrow two thousand million rows.
Id = BigInteger().with_variant(Integer, "sqlite")
Time = BigInteger
Bytewise = String().with_variant(String(collation="C"), "postgresql")


def _id() -> Column[int]:
    return Column("id", Id, primary_key=True, autoincrement=True)


users = Table(
    "users",
    metadata,
    _id(),
    Column("name", Bytewise, nullable=False, unique=True),
    Column("email", Bytewise, nullable=False, unique=True, comment="as typed, lower-cased"),
    Column("password", Text, nullable=False, comment="argon2id, in PHC form"),
    Column("is_admin", Boolean, nullable=False, default=False),
    Column("disabled", Boolean, nullable=False, default=False),
    Column("default_visibility", String, nullable=False, default="public"),
    Column("language", String, nullable=False, default=""),
    Column("created", Time, nullable=False),
    sqlite_autoincrement=True,
)

namespaces = Table(
    "namespaces",
    metadata,
    _id(),
    Column("name", Bytewise, nullable=False, unique=True),
    Column("kind", String, nullable=False, comment="user, organisation or official"),
    Column("user_id", Id, ForeignKey("users.id"), nullable=True, index=True),
    Column("created", Time, nullable=False),
    CheckConstraint("kind IN ('user', 'organisation', 'official')", name="kind"),
)

sessions = Table(
    "sessions",
    metadata,
    _id(),
    Column("secret_hash", LargeBinary, nullable=False, unique=True, comment="SHA-256 of the cookie's secret"),
    Column("user_id", Id, ForeignKey("users.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("created", Time, nullable=False),
    Column("last_seen", Time, nullable=False),
    Column("expires", Time, nullable=False, index=True),
    Column("address", String, nullable=False, default=""),
    Column("user_agent", String, nullable=False, default=""),
)

access_tokens = Table(
    "access_tokens",
    metadata,
    _id(),
    Column("uid", String, nullable=False, unique=True, comment="public handle, a UUID"),
    Column("user_id", Id, ForeignKey("users.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("label", String, nullable=False),
    Column("secret_hash", LargeBinary, nullable=False, unique=True, comment="SHA-256; the secret has 192 random bits"),
    Column("hint", String, nullable=False, comment="the secret's last four characters"),
    Column("grants", Text, nullable=False, comment="JSON: [{pattern, actions}]"),
    Column("created", Time, nullable=False),
    Column("expires", Time, nullable=True),
    Column("last_used", Time, nullable=True),
    Column("last_address", String, nullable=False, default=""),
    Column("last_client", String, nullable=False, default=""),
)

login_failures = Table(
    "login_failures",
    metadata,
    Column("key", String, primary_key=True, comment="hash of account and address, or of the address alone"),
    Column("failures", Integer, nullable=False),
    Column("window_start", Time, nullable=False, index=True),
)

settings = Table(
    "settings",
    metadata,
    Column("key", String, primary_key=True, comment="instance_id, token_key, …"),
    Column("value", Text, nullable=False),
)

repositories = Table(
    "repositories",
    metadata,
    _id(),
    Column("namespace_id", Id, ForeignKey("namespaces.id"), nullable=False),
    Column("name", Bytewise, nullable=False, comment="the path within the namespace"),
    Column("path", Bytewise, nullable=False, unique=True, comment="the path on the wire"),
    Column("visibility", String, nullable=False),
    Column("pulls", BigInteger, nullable=False, default=0),
    Column("created", Time, nullable=False),
    Column("updated", Time, nullable=False),
    Column("description", Text, nullable=False, default=""),
    Column("readme", Text, nullable=False, default=""),
    UniqueConstraint("namespace_id", "name"),
    CheckConstraint("visibility IN ('public', 'private')", name="visibility"),
    sqlite_autoincrement=True,
)

blobs = Table(
    "blobs",
    metadata,
    _id(),
    Column("digest", Bytewise, nullable=False, unique=True),
    Column("size", BigInteger, nullable=False),
    Column("storage_key", String, nullable=False),
    Column("created", Time, nullable=False),
)

repository_blobs = Table(
    "repository_blobs",
    metadata,
    Column("repository_id", Id, ForeignKey("repositories.id", ondelete="CASCADE"), primary_key=True),
    Column("blob_id", Id, ForeignKey("blobs.id"), primary_key=True, index=True),
    Column("linked", Time, nullable=False),
)

manifests = Table(
    "manifests",
    metadata,
    _id(),
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

tags = Table(
    "tags",
    metadata,
    _id(),
    Column("repository_id", Id, ForeignKey("repositories.id", ondelete="CASCADE"), nullable=False),
    Column("name", Bytewise, nullable=False),
    Column("manifest_id", Id, ForeignKey("manifests.id"), nullable=False, index=True),
    Column("updated", Time, nullable=False),
    Column("user_id", Id, ForeignKey("users.id", ondelete="SET NULL"), nullable=True),
    UniqueConstraint("repository_id", "name"),
    Index(None, "repository_id", "updated"),
)

tag_events = Table(
    "tag_events",
    metadata,
    _id(),
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
    Column("repository", Bytewise, nullable=False, comment="the path: the repository may not exist yet"),
    Column("user_id", Id, ForeignKey("users.id", ondelete="CASCADE"), nullable=True, index=True),
    Column("algorithm", String, nullable=False, default="sha256"),
    Column("size", BigInteger, nullable=False, default=0),
    Column("prefixes", Text, nullable=False, default="{}", comment="JSON: algorithm to digest of the bytes so far"),
    Column("created", Time, nullable=False),
    Column("updated", Time, nullable=False, index=True),
)
