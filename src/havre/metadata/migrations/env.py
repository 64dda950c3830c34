"""What Alembic runs for every command: our connection, already in a transaction that ``migrations.upgrade`` ends."""

from __future__ import annotations

from alembic import context

from havre.metadata.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    # SQLite has transactional DDL too; tables are altered there by copying them.
    transactional_ddl=True,
    render_as_batch=True,
    compare_server_default=True,
)
context.run_migrations()
