"""Who owns what, what is linked where and what a tag points at: the rows, on SQLite or PostgreSQL.

``Database`` runs functions over ``Rows`` in transactions; ``upgrade`` brings a database to the schema of this version.
"""

from havre.metadata.engine import Database
from havre.metadata.migrations import upgrade, upgrade_in_child
from havre.metadata.rows import Rows

__all__ = ["Database", "Rows", "upgrade", "upgrade_in_child"]
