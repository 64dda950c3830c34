"""The hub around the content: texts, former names, helpers, stars, figures, jobs, the audit trail, settings."""

from __future__ import annotations

from sqlalchemy import BigInteger, CheckConstraint, Column, ForeignKey, Index, Integer, String, Table, Text

from havre.metadata.schema.base import Bytewise, Id, Time, identity, metadata

settings = Table(
    "settings",
    metadata,
    Column("key", String, primary_key=True, comment="instance_id, token_key, …"),
    Column("value", Text, nullable=False),
)


readmes = Table(
    "readmes",
    metadata,
    Column(
        "repository_id", Id, ForeignKey("repositories.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    ),
    Column("text", Text, nullable=False),
)

redirects = Table(
    "redirects",
    metadata,
    Column("path", Bytewise, primary_key=True, comment="the former path of a repository that was renamed"),
    Column("repository_id", Id, ForeignKey("repositories.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("created", Time, nullable=False),
)

transfers = Table(
    "transfers",
    metadata,
    Column(
        "repository_id", Id, ForeignKey("repositories.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    ),
    Column("from_id", Id, ForeignKey("users.id", ondelete="CASCADE"), nullable=False, comment="who offers it"),
    Column("to_id", Id, ForeignKey("users.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("created", Time, nullable=False),
)

collaborators = Table(
    "collaborators",
    metadata,
    Column("repository_id", Id, ForeignKey("repositories.id", ondelete="CASCADE"), primary_key=True),
    Column("user_id", Id, ForeignKey("users.id", ondelete="CASCADE"), primary_key=True, index=True),
    Column("role", String, nullable=False),
    Column("created", Time, nullable=False),
    CheckConstraint("role IN ('read', 'write', 'admin')", name="role"),
)

stars = Table(
    "stars",
    metadata,
    Column("user_id", Id, ForeignKey("users.id", ondelete="CASCADE"), primary_key=True),
    Column("repository_id", Id, ForeignKey("repositories.id", ondelete="CASCADE"), primary_key=True, index=True),
    Column("at", Time, nullable=False),
)

pulls_daily = Table(
    "pulls_daily",
    metadata,
    Column("repository_id", Id, ForeignKey("repositories.id", ondelete="CASCADE"), primary_key=True),
    Column("day", Integer, primary_key=True, autoincrement=False, comment="since 1970-01-01, UTC"),
    Column("tag", Bytewise, primary_key=True, comment="empty: by digest"),
    Column("client", String, primary_key=True, comment="family of programs, such as docker or containerd"),
    Column("pulls", BigInteger, nullable=False, default=0),
)

jobs = Table(
    "jobs",
    metadata,
    identity(),
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

audit_sinks = Table(
    "audit_sinks",
    metadata,
    Column("kind", Bytewise, primary_key=True, comment="of the jobs that tell it: stands for its address"),
    Column("position", BigInteger, nullable=False, comment="the id of the last event that it was told of"),
    Column("told", Time, nullable=True),
)

audit_events = Table(
    "audit_events",
    metadata,
    identity(),
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
