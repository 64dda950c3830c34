"""Inside images: trees of files, in pages. All of it can be built again from the layers."""

from __future__ import annotations

from sqlalchemy import BigInteger, CheckConstraint, Column, ForeignKey, Index, Integer, LargeBinary, String, Table, Text

from havre.metadata.schema.base import Bytewise, Id, Time, identity, metadata

trees = Table(
    "trees",
    metadata,
    identity(),
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

tree_pages = Table(
    "tree_pages",
    metadata,
    Column("tree_id", Id, ForeignKey("trees.id", ondelete="CASCADE"), primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("content", LargeBinary, nullable=False),
)
