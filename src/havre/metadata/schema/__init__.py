"""The schema: every table, for SQLite and PostgreSQL alike.

Times are milliseconds since 1970 UTC in BIGINT. Text that is sorted or compared bytewise (names, tags, digests) uses
the ``C`` collation on PostgreSQL; SQLite compares bytes anyway. What may be long stands last in its table: SQLite
walks over it to reach the columns behind. Migrations in ``migrations/`` lead to exactly this.

Ids of users and repositories are never given again (``sqlite_autoincrement``; PostgreSQL's sequences do that anyway):
counters, tokens and caches may still hold one when the row is gone.
"""

from havre.metadata.schema.base import Bytewise, Id, Time, metadata
from havre.metadata.schema.content import (
    blobs,
    condemned_manifests,
    manifest_edges,
    manifests,
    namespace_blobs,
    repositories,
    repository_blobs,
    storage_changes,
    tag_events,
    tags,
    uploads,
)
from havre.metadata.schema.hub import (
    audit_events,
    audit_sinks,
    collaborators,
    jobs,
    pulls_daily,
    readmes,
    redirects,
    settings,
    stars,
    transfers,
)
from havre.metadata.schema.inside import tree_pages, trees
from havre.metadata.schema.people import (
    access_tokens,
    authenticators,
    login_failures,
    mailed_links,
    namespaces,
    plans,
    pull_counts,
    recovery_codes,
    sessions,
    users,
)
from havre.metadata.schema.search import repository_facets

__all__ = [
    "Bytewise",
    "Id",
    "Time",
    "access_tokens",
    "audit_events",
    "audit_sinks",
    "authenticators",
    "blobs",
    "collaborators",
    "condemned_manifests",
    "jobs",
    "login_failures",
    "mailed_links",
    "manifest_edges",
    "manifests",
    "metadata",
    "namespace_blobs",
    "namespaces",
    "plans",
    "pull_counts",
    "pulls_daily",
    "readmes",
    "recovery_codes",
    "redirects",
    "repositories",
    "repository_blobs",
    "repository_facets",
    "sessions",
    "settings",
    "stars",
    "storage_changes",
    "tag_events",
    "tags",
    "transfers",
    "tree_pages",
    "trees",
    "uploads",
    "users",
]
