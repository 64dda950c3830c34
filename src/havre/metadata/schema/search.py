"""What search looks in: an index of words that each engine keeps in its own way, and what repositories hold, counted.

The index is no table like others: a virtual one of SQLite's FTS5, columns of type tsvector in PostgreSQL. Both are
plain statements here, which run when tables are made. They hold nothing that could not be made again from the rows.
"""

from __future__ import annotations

from sqlalchemy import DDL, BigInteger, Column, ForeignKey, Index, String, Table, event

from havre.metadata.schema.base import Bytewise, Id, metadata

# Words are cut by havre.registry.words, so the tokenizer only has to leave them alone: to it, whatever is not ASCII is a
# letter. Which column holds a word is remembered, its place is not: nobody asks for phrases, and it takes a third.
SQLITE = (
    (
        "CREATE VIRTUAL TABLE search USING"
        " fts5(name, part, description, readme, tokenize='ascii', detail='column', prefix='1 2 3')"
    ),
    "CREATE TRIGGER search_forget AFTER DELETE ON repositories BEGIN DELETE FROM search WHERE rowid = old.id; END",
)

POSTGRESQL = (
    # Each column holds what the one before it has and more. One with weights would not do: the index leaves them out,
    # so that for a word of many texts all their rows would be read to learn that hardly any name has it.
    (
        "CREATE TABLE search (repository_id BIGINT PRIMARY KEY REFERENCES repositories (id) ON DELETE CASCADE,"
        " names tsvector NOT NULL, parts tsvector NOT NULL, texts tsvector NOT NULL, words tsvector NOT NULL)"
    ),
    # Beside the row, where PostgreSQL would move them, reading every row would seem cheap to it, and is not.
    (
        "ALTER TABLE search ALTER COLUMN names SET STORAGE MAIN, ALTER COLUMN parts SET STORAGE MAIN,"
        " ALTER COLUMN texts SET STORAGE MAIN, ALTER COLUMN words SET STORAGE MAIN"
    ),
    # Without a list of what is still to be sorted in, which every search would walk along.
    "CREATE INDEX ix_search_words ON search USING gin (names, parts, texts, words) WITH (fastupdate = off)",
)


def _ddl(statement: str) -> DDL:
    return DDL(statement)  # type: ignore[no-untyped-call]


for _dialect, _statements in (("sqlite", SQLITE), ("postgresql", POSTGRESQL)):
    for _statement in _statements:
        event.listen(metadata, "after_create", _ddl(_statement).execute_if(dialect=_dialect))
event.listen(metadata, "before_drop", _ddl("DROP TABLE search"))

repository_facets = Table(
    "repository_facets",
    metadata,
    Column("repository_id", Id, ForeignKey("repositories.id", ondelete="CASCADE"), primary_key=True),
    Column("facet", String, primary_key=True, comment="kind or platform"),
    Column("value", Bytewise, primary_key=True, comment="such as image, helm or linux/amd64"),
    Column("manifests", BigInteger, nullable=False, comment="how many of them have it"),
    Index(None, "facet", "value", "repository_id"),
)
