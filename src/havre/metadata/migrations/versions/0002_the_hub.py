"""The hub: texts and former names of repositories, helpers, stars, figures by day, plans, second factors, jobs, audit.

A README moves to a table of its own, so that reading a repository never walks over it.
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
    false,
    text,
)

from havre.metadata import search_index
from havre.metadata.storage_figures import begin_counting

revision = "0002"
down_revision = "0001"

Id = BigInteger().with_variant(Integer, "sqlite")
Time = BigInteger
Bytewise = String().with_variant(String(collation="C"), "postgresql")


def upgrade() -> None:
    """Create what is new, and add to what is there."""
    _plans()
    _people()
    _repositories()
    _work()
    _pull_counts()
    _inside()
    _columns()
    _storage()
    op.execute("INSERT INTO readmes (repository_id, text) SELECT id, readme FROM repositories WHERE readme != ''")
    op.drop_column("repositories", "readme")
    _search()


def _id() -> Column[int]:
    return Column("id", Id, primary_key=True, autoincrement=True)


def _pull_counts() -> None:
    op.create_table(
        "pull_counts",
        Column("key", String, primary_key=True, comment="hash of an address or of an account"),
        Column("used", BigInteger, nullable=False, comment="pulls in the window, as far as workers have told"),
        Column("window_start", Time, nullable=False, index=True),
    )


def _plans() -> None:
    op.create_table(
        "plans",
        _id(),
        Column("name", Bytewise, nullable=False, unique=True),
        Column("title", String, nullable=False),
        Column("is_default", Boolean, nullable=False, default=False, comment="of exactly one plan"),
        Column("private_repositories", Integer, nullable=True, comment="none: without limit"),
        Column(
            "storage", BigInteger, nullable=True, comment="bytes of private and public content; none: without limit"
        ),
        Column("collaborators", Integer, nullable=True, comment="per private repository; none: without limit"),
        Column("created", Time, nullable=False),
        Index(
            "ix_plans_default",
            "is_default",
            unique=True,
            sqlite_where=text("is_default"),
            postgresql_where=text("is_default"),
        ),
    )
    # One private repository for everyone, as on Docker Hub; administrators define others.
    op.execute(
        "INSERT INTO plans (name, title, is_default, private_repositories, created)"  # noqa: S608 - a number of ours
        f" VALUES ('free', 'Free', true, 1, {int(time.time() * 1000)})"
    )


def _people() -> None:
    op.create_table(
        "authenticators",
        _id(),
        Column("user_id", Id, ForeignKey("users.id", ondelete="CASCADE"), nullable=False, index=True),
        Column("kind", String, nullable=False, comment="totp or passkey"),
        Column("label", String, nullable=False),
        Column("credential", LargeBinary, nullable=True, unique=True, comment="the id of a passkey"),
        Column("key", LargeBinary, nullable=False, comment="the shared secret, or the public key of a passkey"),
        Column(
            "counter", BigInteger, nullable=False, comment="the last time step used, or a passkey's signature counter"
        ),
        Column("confirmed", Time, nullable=True, comment="until then it is not asked for"),
        Column("created", Time, nullable=False),
        Column("last_used", Time, nullable=True),
        CheckConstraint("kind IN ('totp', 'passkey')", name="kind"),
    )
    op.create_table(
        "recovery_codes",
        _id(),
        Column("user_id", Id, ForeignKey("users.id", ondelete="CASCADE"), nullable=False, index=True),
        Column("code_hash", LargeBinary, nullable=False),
        Column("used", Time, nullable=True),
    )
    op.create_table(
        "mailed_links",
        _id(),
        Column("user_id", Id, ForeignKey("users.id", ondelete="CASCADE"), nullable=False, index=True),
        Column("purpose", String, nullable=False, comment="verify or reset"),
        Column("email", Bytewise, nullable=False, comment="where it was sent"),
        Column("secret_hash", LargeBinary, nullable=False, unique=True),
        Column("created", Time, nullable=False),
        Column("expires", Time, nullable=False, index=True),
    )


def _repositories() -> None:
    op.create_table(
        "readmes",
        Column(
            "repository_id",
            Id,
            ForeignKey("repositories.id", ondelete="CASCADE"),
            primary_key=True,
            autoincrement=False,
        ),
        Column("text", Text, nullable=False),
    )
    op.create_table(
        "redirects",
        Column("path", Bytewise, primary_key=True, comment="the former path of a repository that was renamed"),
        Column("repository_id", Id, ForeignKey("repositories.id", ondelete="CASCADE"), nullable=False, index=True),
        Column("created", Time, nullable=False),
    )
    op.create_table(
        "transfers",
        Column(
            "repository_id",
            Id,
            ForeignKey("repositories.id", ondelete="CASCADE"),
            primary_key=True,
            autoincrement=False,
        ),
        Column("from_id", Id, ForeignKey("users.id", ondelete="CASCADE"), nullable=False, comment="who offers it"),
        Column("to_id", Id, ForeignKey("users.id", ondelete="CASCADE"), nullable=False, index=True),
        Column("created", Time, nullable=False),
    )
    op.create_table(
        "collaborators",
        Column("repository_id", Id, ForeignKey("repositories.id", ondelete="CASCADE"), primary_key=True),
        Column("user_id", Id, ForeignKey("users.id", ondelete="CASCADE"), primary_key=True, index=True),
        Column("role", String, nullable=False),
        Column("created", Time, nullable=False),
        CheckConstraint("role IN ('read', 'write', 'admin')", name="role"),
    )
    op.create_table(
        "stars",
        Column("user_id", Id, ForeignKey("users.id", ondelete="CASCADE"), primary_key=True),
        Column("repository_id", Id, ForeignKey("repositories.id", ondelete="CASCADE"), primary_key=True, index=True),
        Column("at", Time, nullable=False),
    )
    op.create_table(
        "pulls_daily",
        Column("repository_id", Id, ForeignKey("repositories.id", ondelete="CASCADE"), primary_key=True),
        Column("day", Integer, primary_key=True, autoincrement=False, comment="since 1970-01-01, UTC"),
        Column("tag", Bytewise, primary_key=True, comment="empty: by digest"),
        Column("client", String, primary_key=True, comment="family of programs, such as docker or containerd"),
        Column("pulls", BigInteger, nullable=False, default=0),
    )


def _work() -> None:
    op.create_table(
        "jobs",
        _id(),
        Column("kind", String, nullable=False),
        Column("key", Bytewise, nullable=False, comment="what it is about; one unfinished job per kind and key"),
        Column("payload", Text, nullable=False, default="{}", comment="JSON"),
        Column("state", String, nullable=False, comment="waiting, running, done or failed"),
        Column("attempts", Integer, nullable=False, default=0),
        Column("not_before", Time, nullable=False),
        Column("lease", String, nullable=False, default="", comment="the worker that runs it"),
        Column("lease_until", Time, nullable=True),
        Column("done", BigInteger, nullable=False, default=0, comment="of total, for the progress bar"),
        Column("total", BigInteger, nullable=False, default=0),
        Column("message", Text, nullable=False, default=""),
        Column("created", Time, nullable=False),
        Column("updated", Time, nullable=False),
        Index(None, "state", "not_before"),
        Index(None, "kind", "key"),
        CheckConstraint("state IN ('waiting', 'running', 'done', 'failed')", name="state"),
    )
    op.create_table(
        "audit_events",
        _id(),
        Column("at", Time, nullable=False),
        Column("actor_id", Id, nullable=True, comment="kept when the account is gone"),
        Column("actor", Bytewise, nullable=False),
        Column("action", Bytewise, nullable=False, comment="such as repository.rename"),
        Column("subject", Bytewise, nullable=False, comment="the name it was done to"),
        Column("repository_id", Id, nullable=True),
        Column("address", String, nullable=False, default=""),
        Column("detail", Text, nullable=False, default="{}", comment="JSON"),
        Index(None, "at", "id"),
        Index(None, "actor", "at", "id"),
        Index(None, "action", "at", "id"),
        Index(None, "subject", "at", "id"),
        Index(None, "repository_id", "at", "id"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "audit_sinks",
        Column("kind", Bytewise, primary_key=True, comment="of the jobs that tell it: stands for its address"),
        Column("position", BigInteger, nullable=False, comment="the id of the last event that it was told of"),
        Column("told", Time, nullable=True),
    )


def _inside() -> None:
    op.create_table(
        "trees",
        _id(),
        Column("kind", String, nullable=False, comment="layer, changes, image or compare"),
        Column("key", Bytewise, nullable=False, comment="the digest of the layer, or what stands for several"),
        Column("format", Integer, nullable=False),
        Column("published", Time, nullable=True, comment="until then nobody sees it"),
        Column("used", Time, nullable=False),
        Column("size", BigInteger, nullable=False, default=0, comment="of its pages"),
        Column("problem", Text, nullable=False, default="", comment="why it can not be read; it has no pages then"),
        Column("summary", Text, nullable=False, default="{}", comment="JSON"),
        Column("directory", LargeBinary, nullable=False, default=b""),
        Index(None, "kind", "key"),
        Index(None, "used"),
        CheckConstraint("kind IN ('layer', 'changes', 'image', 'compare')", name="kind"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "condemned_manifests",
        Column(
            "manifest_id", Id, ForeignKey("manifests.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
        ),
        Column("since", Time, nullable=False, comment="nothing that has a name leads there; see registry.gc"),
    )
    op.create_index(op.f("ix_blobs_storage_key"), "blobs", ["storage_key"])
    op.create_table(
        "tree_pages",
        Column("tree_id", Id, ForeignKey("trees.id", ondelete="CASCADE"), primary_key=True),
        Column("position", Integer, primary_key=True),
        Column("content", LargeBinary, nullable=False),
    )


def _columns() -> None:
    added: dict[str, list[Column[object]]] = {
        "users": [
            Column("bio", Text, nullable=False, server_default=text("''")),
            Column(
                "theme",
                String,
                nullable=False,
                server_default=text("''"),
                comment="light, dark, or empty: as the browser wants",
            ),
            Column("email_verified", Time, nullable=True),
            Column("plan_id", Id, nullable=True, comment="none: the default plan"),
            Column("closed", Time, nullable=True, comment="the account was deleted; its name is never given again"),
        ],
        "sessions": [
            Column(
                "pending",
                Boolean,
                nullable=False,
                server_default=false(),
                comment="the second factor is still to come",
            ),
        ],
        "repositories": [
            Column("pushed_by", Id, nullable=True, comment="the account of the last push"),
            Column("stars", Integer, nullable=False, server_default="0"),
            Column("archived", Time, nullable=True, comment="read-only since"),
            Column("deleted", Time, nullable=True, comment="hidden since; removed for good some days later"),
            Column(
                "deleted_path",
                Bytewise,
                nullable=True,
                comment="its path before; path is then one that no name can have",
            ),
            Column("categories", Text, nullable=False, server_default=text("''"), comment="comma-separated"),
        ],
        "blobs": [Column("condemned", Time, nullable=True, comment="nobody needs it since; see registry.gc")],
        "repository_blobs": [
            Column("condemned", Time, nullable=True, comment="nobody needs it since; see registry.gc")
        ],
        "tags": [
            Column("pulls", BigInteger, nullable=False, server_default="0"),
            Column("pulled", Time, nullable=False, server_default="0", comment="the last pull by this tag; 0: never"),
            Column("size", BigInteger, nullable=False, server_default="0", comment="of what it points at, for sorting"),
        ],
        "uploads": [
            Column(
                "received",
                BigInteger,
                nullable=False,
                server_default="0",
                comment="so far, for who watches; size counts",
            ),
        ],
    }
    for table, columns in added.items():
        for column in columns:
            op.add_column(table, column)
    op.create_index(op.f("ix_repositories_updated"), "repositories", ["updated"])
    for names in (["pulls", "stars"], ["stars"], ["namespace_id", "updated"]):
        op.create_index(op.f(f"ix_repositories_{'_'.join(names)}"), "repositories", names)
    there = text("deleted IS NOT NULL")
    op.create_index(
        op.f("ix_repositories_deleted"), "repositories", ["deleted"], sqlite_where=there, postgresql_where=there
    )
    op.execute("UPDATE tags SET size = (SELECT total_size FROM manifests WHERE manifests.id = tags.manifest_id)")
    op.drop_index(op.f("ix_tags_repository_id_updated"), "tags")
    for order in ("updated", "size", "pulled"):
        op.create_index(op.f(f"ix_tags_repository_id_{order}_name"), "tags", ["repository_id", order, "name"])
    op.create_index(op.f("ix_uploads_repository"), "uploads", ["repository"])
    op.create_index(op.f("ix_users_plan_id"), "users", ["plan_id"])


def _storage() -> None:
    """Who stores how much: tables that triggers keep, begun with what is there."""
    op.create_table(
        "namespace_blobs",
        Column("namespace_id", Id, primary_key=True, autoincrement=False),
        Column("blob_id", Id, primary_key=True, autoincrement=False),
        Column("size", BigInteger, nullable=False),
        Column("links", Integer, nullable=False, comment="repositories of the namespace that link it; never 0"),
    )
    op.create_table(
        "storage_changes",
        _id(),
        Column("namespace_id", Id, nullable=False, index=True),
        Column("repository_id", Id, nullable=False),
        Column("namespace_bytes", BigInteger, nullable=False, comment="more or less of what the namespace holds"),
        Column("repository_bytes", BigInteger, nullable=False),
    )
    counted = "bytes, but for storage_changes"
    op.add_column("namespaces", Column("storage", BigInteger, nullable=False, server_default="0", comment=counted))
    counted = "bytes it links, but for storage_changes"
    op.add_column("repositories", Column("storage", BigInteger, nullable=False, server_default="0", comment=counted))
    op.add_column(
        "repository_blobs",
        Column("size", BigInteger, nullable=False, server_default="0", comment="that of the blob"),
    )
    room = "bytes its namespace had left when it began; none: no limit"
    op.add_column("uploads", Column("room", BigInteger, nullable=True, comment=room))
    lie = "JSON: keys and sizes of its bytes, in order"
    op.add_column("uploads", Column("segments", Text, nullable=False, server_default="[]", comment=lie))
    op.create_index(op.f("ix_namespaces_storage"), "namespaces", ["storage"])
    op.create_index(op.f("ix_repositories_storage"), "repositories", ["storage"])
    for one in ("private", "public"):
        seen = text(f"visibility = '{one}' AND deleted IS NULL")
        op.create_index(
            f"ix_repositories_{one}", "repositories", ["namespace_id"], sqlite_where=seen, postgresql_where=seen
        )
    op.execute("UPDATE repository_blobs SET size = (SELECT size FROM blobs WHERE id = repository_blobs.blob_id)")
    begin_counting(op.get_bind())


def _search() -> None:
    op.create_table(
        "repository_facets",
        Column("repository_id", Id, ForeignKey("repositories.id", ondelete="CASCADE"), primary_key=True),
        Column("facet", String, primary_key=True, comment="kind or platform"),
        Column("value", Bytewise, primary_key=True, comment="such as image, helm or linux/amd64"),
        Column("manifests", BigInteger, nullable=False, comment="how many of them have it"),
        Index(None, "facet", "value", "repository_id"),
    )
    search_index.create(op.get_bind())
