"""The first schema: accounts, repositories, content, manifests, tags, uploads.

A migration is history: it repeats the tables as they were, and never imports the schema as it is.
"""

from __future__ import annotations

import time

from alembic import op
from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Text,
    UniqueConstraint,
)

revision = "0001"
down_revision = None

Id = BigInteger().with_variant(Integer, "sqlite")
Time = BigInteger
Bytewise = String().with_variant(String(collation="C"), "postgresql")


def upgrade() -> None:
    """Create everything, and the namespace of official images."""
    _people()
    _repositories()
    _manifests()
    _rest()


def _id() -> Column[int]:
    return Column("id", Id, primary_key=True, autoincrement=True)


def _people() -> None:
    op.create_table(
        "users",
        _id(),
        Column("name", Bytewise, nullable=False, unique=True),
        Column("email", Bytewise, nullable=False, unique=True, comment="as typed, lower-cased"),
        Column("password", Text, nullable=False, comment="argon2id, in PHC form"),
        Column("is_admin", Boolean, nullable=False),
        Column("disabled", Boolean, nullable=False),
        Column("default_visibility", String, nullable=False),
        Column("language", String, nullable=False),
        Column("created", Time, nullable=False),
        sqlite_autoincrement=True,
    )
    namespaces = op.create_table(
        "namespaces",
        _id(),
        Column("name", Bytewise, nullable=False, unique=True),
        Column("kind", String, nullable=False, comment="user, organisation or official"),
        Column("user_id", Id, ForeignKey("users.id"), nullable=True, index=True),
        Column("created", Time, nullable=False),
        CheckConstraint("kind IN ('user', 'organisation', 'official')", name="kind"),
    )
    op.bulk_insert(
        namespaces, [{"name": "library", "kind": "official", "user_id": None, "created": int(time.time() * 1000)}]
    )
    op.create_table(
        "sessions",
        _id(),
        Column("secret_hash", LargeBinary, nullable=False, unique=True, comment="SHA-256 of the cookie's secret"),
        Column("user_id", Id, ForeignKey("users.id", ondelete="CASCADE"), nullable=False, index=True),
        Column("created", Time, nullable=False),
        Column("last_seen", Time, nullable=False),
        Column("expires", Time, nullable=False, index=True),
        Column("address", String, nullable=False),
        Column("user_agent", String, nullable=False),
    )
    op.create_table(
        "access_tokens",
        _id(),
        Column("uid", String, nullable=False, unique=True, comment="public handle, a UUID"),
        Column("user_id", Id, ForeignKey("users.id", ondelete="CASCADE"), nullable=False, index=True),
        Column("label", String, nullable=False),
        Column(
            "secret_hash", LargeBinary, nullable=False, unique=True, comment="SHA-256; the secret has 192 random bits"
        ),
        Column("hint", String, nullable=False, comment="the secret's last four characters"),
        Column("grants", Text, nullable=False, comment="JSON: [{pattern, actions}]"),
        Column("created", Time, nullable=False),
        Column("expires", Time, nullable=True),
        Column("last_used", Time, nullable=True),
        Column("last_address", String, nullable=False),
        Column("last_client", String, nullable=False),
    )
    op.create_table(
        "login_failures",
        Column("key", String, primary_key=True, comment="hash of account and address, or of the address alone"),
        Column("failures", Integer, nullable=False),
        Column("window_start", Time, nullable=False, index=True),
    )


def _repositories() -> None:
    op.create_table(
        "repositories",
        _id(),
        Column("namespace_id", Id, ForeignKey("namespaces.id"), nullable=False),
        Column("name", Bytewise, nullable=False, comment="the path within the namespace"),
        Column("path", Bytewise, nullable=False, unique=True, comment="the path on the wire"),
        Column("visibility", String, nullable=False),
        Column("pulls", BigInteger, nullable=False),
        Column("created", Time, nullable=False),
        Column("updated", Time, nullable=False),
        Column("description", Text, nullable=False),
        Column("readme", Text, nullable=False),
        UniqueConstraint("namespace_id", "name"),
        CheckConstraint("visibility IN ('public', 'private')", name="visibility"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "blobs",
        _id(),
        Column("digest", Bytewise, nullable=False, unique=True),
        Column("size", BigInteger, nullable=False),
        Column("storage_key", String, nullable=False),
        Column("created", Time, nullable=False),
    )
    op.create_table(
        "repository_blobs",
        Column("repository_id", Id, ForeignKey("repositories.id", ondelete="CASCADE"), primary_key=True),
        Column("blob_id", Id, ForeignKey("blobs.id"), primary_key=True, index=True),
        Column("linked", Time, nullable=False),
    )


def _manifests() -> None:
    op.create_table(
        "manifests",
        _id(),
        Column("repository_id", Id, ForeignKey("repositories.id", ondelete="CASCADE"), nullable=False),
        Column("digest", Bytewise, nullable=False),
        Column("media_type", String, nullable=False),
        Column("size", Integer, nullable=False),
        Column("artifact_type", String, nullable=False),
        Column("subject", Bytewise, nullable=True),
        Column("platform", String, nullable=False),
        Column("total_size", BigInteger, nullable=False),
        Column("created", Time, nullable=False),
        Column("annotations", Text, nullable=False, comment="JSON"),
        Column("content", LargeBinary, nullable=False),
        UniqueConstraint("repository_id", "digest"),
        Index(None, "repository_id", "subject", "digest"),
    )
    op.create_table(
        "manifest_edges",
        Column("manifest_id", Id, ForeignKey("manifests.id", ondelete="CASCADE"), primary_key=True),
        Column("position", Integer, primary_key=True),
        Column("digest", Bytewise, nullable=False, index=True),
        Column("kind", String, nullable=False, comment="config, layer or manifest"),
    )
    op.create_table(
        "tags",
        _id(),
        Column("repository_id", Id, ForeignKey("repositories.id", ondelete="CASCADE"), nullable=False),
        Column("name", Bytewise, nullable=False),
        Column("manifest_id", Id, ForeignKey("manifests.id"), nullable=False, index=True),
        Column("updated", Time, nullable=False),
        Column("user_id", Id, ForeignKey("users.id", ondelete="SET NULL"), nullable=True),
        UniqueConstraint("repository_id", "name"),
        Index(None, "repository_id", "updated"),
    )
    op.create_table(
        "tag_events",
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


def _rest() -> None:
    op.create_table(
        "uploads",
        Column("id", String, primary_key=True),
        Column("repository", Bytewise, nullable=False, comment="the path: the repository may not exist yet"),
        Column("user_id", Id, ForeignKey("users.id", ondelete="CASCADE"), nullable=True, index=True),
        Column("algorithm", String, nullable=False),
        Column("size", BigInteger, nullable=False),
        Column("prefixes", Text, nullable=False, comment="JSON: algorithm to digest of the bytes so far"),
        Column("created", Time, nullable=False),
        Column("updated", Time, nullable=False, index=True),
    )
    op.create_table(
        "settings",
        Column("key", String, primary_key=True, comment="instance_id, token_key, …"),
        Column("value", Text, nullable=False),
    )
