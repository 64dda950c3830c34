"""People: accounts and what they may use, how they prove who they are, and where they are signed in."""

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
    String,
    Table,
    Text,
    false,
    text,
)

from havre.metadata.schema.base import Bytewise, Id, Time, identity, metadata

users = Table(
    "users",
    metadata,
    identity(),
    Column("name", Bytewise, nullable=False, unique=True),
    Column("email", Bytewise, nullable=False, unique=True, comment="as typed, lower-cased"),
    Column("password", Text, nullable=False, comment="argon2id, in PHC form"),
    Column("is_admin", Boolean, nullable=False, default=False),
    Column("disabled", Boolean, nullable=False, default=False),
    Column("default_visibility", String, nullable=False, default="public"),
    Column("language", String, nullable=False, default=""),
    Column("created", Time, nullable=False),
    Column("bio", Text, nullable=False, server_default=text("''")),
    Column(
        "theme",
        String,
        nullable=False,
        server_default=text("''"),
        comment="light, dark, or empty: as the browser wants",
    ),
    Column("email_verified", Time, nullable=True),
    Column("plan_id", Id, nullable=True, index=True, comment="none: the default plan"),
    Column("closed", Time, nullable=True, comment="the account was deleted; its name is never given again"),
    sqlite_autoincrement=True,
)


namespaces = Table(
    "namespaces",
    metadata,
    identity(),
    Column("name", Bytewise, nullable=False, unique=True),
    Column("kind", String, nullable=False, comment="user, organisation or official"),
    Column("user_id", Id, ForeignKey("users.id"), nullable=True, index=True),
    Column("created", Time, nullable=False),
    Column(
        "storage", BigInteger, nullable=False, server_default="0", index=True, comment="bytes, but for storage_changes"
    ),
    CheckConstraint("kind IN ('user', 'organisation', 'official')", name="kind"),
)


sessions = Table(
    "sessions",
    metadata,
    identity(),
    Column("secret_hash", LargeBinary, nullable=False, unique=True, comment="SHA-256 of the cookie's secret"),
    Column("user_id", Id, ForeignKey("users.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("created", Time, nullable=False),
    Column("last_seen", Time, nullable=False),
    Column("expires", Time, nullable=False, index=True),
    Column("address", String, nullable=False, default=""),
    Column("user_agent", String, nullable=False, default=""),
    Column("pending", Boolean, nullable=False, server_default=false(), comment="the second factor is still to come"),
)


access_tokens = Table(
    "access_tokens",
    metadata,
    identity(),
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


pull_counts = Table(
    "pull_counts",
    metadata,
    Column("key", String, primary_key=True, comment="hash of an address or of an account"),
    Column("used", BigInteger, nullable=False, comment="pulls in the window, as far as workers have told"),
    Column("window_start", Time, nullable=False, index=True),
)


_DEFAULT = text("is_default")

plans = Table(
    "plans",
    metadata,
    identity(),
    Column("name", Bytewise, nullable=False, unique=True),
    Column("title", String, nullable=False),
    Column("is_default", Boolean, nullable=False, default=False, comment="of exactly one plan"),
    Column("private_repositories", Integer, nullable=True, comment="none: without limit"),
    Column("storage", BigInteger, nullable=True, comment="bytes of private and public content; none: without limit"),
    Column("collaborators", Integer, nullable=True, comment="per private repository; none: without limit"),
    Column("created", Time, nullable=False),
    Index("ix_plans_default", "is_default", unique=True, sqlite_where=_DEFAULT, postgresql_where=_DEFAULT),
)

authenticators = Table(
    "authenticators",
    metadata,
    identity(),
    Column("user_id", Id, ForeignKey("users.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("kind", String, nullable=False, comment="totp or passkey"),
    Column("label", String, nullable=False),
    Column("credential", LargeBinary, nullable=True, unique=True, comment="the id of a passkey"),
    Column("key", LargeBinary, nullable=False, comment="the shared secret, or the public key of a passkey"),
    Column("counter", BigInteger, nullable=False, comment="the last time step used, or a passkey's signature counter"),
    Column("confirmed", Time, nullable=True, comment="until then it is not asked for"),
    Column("created", Time, nullable=False),
    Column("last_used", Time, nullable=True),
    CheckConstraint("kind IN ('totp', 'passkey')", name="kind"),
)

recovery_codes = Table(
    "recovery_codes",
    metadata,
    identity(),
    Column("user_id", Id, ForeignKey("users.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("code_hash", LargeBinary, nullable=False),
    Column("used", Time, nullable=True),
)

mailed_links = Table(
    "mailed_links",
    metadata,
    identity(),
    Column("user_id", Id, ForeignKey("users.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("purpose", String, nullable=False, comment="verify or reset"),
    Column("email", Bytewise, nullable=False, comment="where it was sent"),
    Column("secret_hash", LargeBinary, nullable=False, unique=True),
    Column("created", Time, nullable=False),
    Column("expires", Time, nullable=False, index=True),
)
