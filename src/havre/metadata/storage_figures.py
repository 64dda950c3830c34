"""How much each namespace and each repository stores: running figures that triggers keep, so that nobody scans.

Content that several repositories of a namespace link counts once there: ``namespace_blobs`` says how many do. Every
link and unlink leaves a line in ``storage_changes``, in its own transaction; ``fold`` adds the lines up into
``namespaces.storage`` and ``repositories.storage`` now and then. What is stored is therefore the figure plus the lines
that wait. Pushes at the same time write lines of their own and never the same row, which on PostgreSQL would have them
wait for each other, and start anew.

A repository that is deleted leaves its namespace at once, and comes back if it is restored. Triggers see every way that
leads there: links, cascades, moves to another namespace. A migration that rebuilds one of the two tables that have
them must call ``begin_counting`` again.
"""

from __future__ import annotations

from collections import Counter

from sqlalchemy import Connection, bindparam, delete, select, text, update

from havre.metadata.schema import namespaces, repositories, storage_changes

FOLD_BATCH = 2_000
"""Lines added up in one unit of work."""

_CHANGE = storage_changes.c
_WAITING = select(_CHANGE.id).order_by(_CHANGE.id).limit(FOLD_BATCH)
_TAKE = (
    delete(storage_changes)
    .where(_CHANGE.id.in_(_WAITING))
    .returning(_CHANGE.namespace_id, _CHANGE.repository_id, _CHANGE.namespace_bytes, _CHANGE.repository_bytes)
)
_ANY = select(_CHANGE.id).limit(1)
_NAMESPACE = (
    update(namespaces)
    .where(namespaces.c.id == bindparam("this"))
    .values(storage=namespaces.c.storage + bindparam("more"))
)
_REPOSITORY = (
    update(repositories)
    .where(repositories.c.id == bindparam("this"))
    .values(storage=repositories.c.storage + bindparam("more"))
)


def waiting(connection: Connection) -> bool:
    """Is there anything to fold?"""
    return connection.execute(_ANY).first() is not None


def fold(connection: Connection) -> int:
    """Add a batch of lines up; returns how many there were."""
    of_namespaces: Counter[int] = Counter()
    of_repositories: Counter[int] = Counter()
    taken = connection.execute(_TAKE).all()
    for namespace_id, repository_id, namespace_bytes, repository_bytes in taken:
        of_namespaces[namespace_id] += namespace_bytes
        of_repositories[repository_id] += repository_bytes
    for statement, sums in ((_NAMESPACE, of_namespaces), (_REPOSITORY, of_repositories)):
        # In one order everywhere, so that two processes wait for each other but never deadlock.
        values = [{"this": identity, "more": more} for identity, more in sorted(sums.items()) if more]
        if values:
            connection.execute(statement, values)
    return len(taken)


def count_again(connection: Connection) -> None:
    """Count everything that is there, under the triggers that are set."""
    for statement in _COUNT:
        connection.execute(text(statement))


def begin_counting(connection: Connection) -> None:
    """Count everything that is there, and set the triggers that count from now on."""
    for statement in (*_COUNT, *(_SQLITE if connection.dialect.name == "sqlite" else _POSTGRESQL)):
        connection.execute(text(statement.replace(":", "\\:")))


_COUNT = (
    "DELETE FROM storage_changes",
    "DELETE FROM namespace_blobs",
    """INSERT INTO namespace_blobs (namespace_id, blob_id, size, links)
    SELECT repositories.namespace_id, repository_blobs.blob_id, max(repository_blobs.size), count(*)
    FROM repository_blobs JOIN repositories ON repositories.id = repository_blobs.repository_id
    WHERE repositories.deleted IS NULL GROUP BY repositories.namespace_id, repository_blobs.blob_id""",
    """UPDATE namespaces SET storage =
    (SELECT coalesce(sum(size), 0) FROM namespace_blobs WHERE namespace_id = namespaces.id)""",
    """UPDATE repositories SET storage =
    (SELECT coalesce(sum(size), 0) FROM repository_blobs WHERE repository_id = repositories.id)""",
)

# What both engines do: a line of the change, and the number of links that makes the next line right.
_LINK = """
INSERT INTO storage_changes (namespace_id, repository_id, namespace_bytes, repository_bytes)
SELECT namespace_id, id, CASE WHEN deleted IS NOT NULL OR EXISTS (
    SELECT 1 FROM namespace_blobs
    WHERE namespace_blobs.namespace_id = repositories.namespace_id AND namespace_blobs.blob_id = NEW.blob_id
) THEN 0 ELSE NEW.size END, NEW.size
FROM repositories WHERE id = NEW.repository_id;
INSERT INTO namespace_blobs (namespace_id, blob_id, size, links)
SELECT namespace_id, NEW.blob_id, NEW.size, 1 FROM repositories WHERE id = NEW.repository_id AND deleted IS NULL
ON CONFLICT (namespace_id, blob_id) DO UPDATE SET links = namespace_blobs.links + 1;
"""
_UNLINK = """
UPDATE namespace_blobs SET links = links - 1 WHERE blob_id = OLD.blob_id AND namespace_id =
    (SELECT namespace_id FROM repositories WHERE id = OLD.repository_id AND deleted IS NULL);
INSERT INTO storage_changes (namespace_id, repository_id, namespace_bytes, repository_bytes)
SELECT namespace_id, id, CASE WHEN EXISTS (
    SELECT 1 FROM namespace_blobs WHERE namespace_blobs.namespace_id = repositories.namespace_id
    AND namespace_blobs.blob_id = OLD.blob_id AND namespace_blobs.links = 0
) THEN -OLD.size ELSE 0 END, -OLD.size
FROM repositories WHERE id = OLD.repository_id;
DELETE FROM namespace_blobs WHERE blob_id = OLD.blob_id AND links = 0 AND namespace_id =
    (SELECT namespace_id FROM repositories WHERE id = OLD.repository_id AND deleted IS NULL);
"""
_LEAVE = """
UPDATE namespace_blobs SET links = links - 1 WHERE namespace_id = OLD.namespace_id
    AND blob_id IN (SELECT blob_id FROM repository_blobs WHERE repository_id = OLD.id);
INSERT INTO storage_changes (namespace_id, repository_id, namespace_bytes, repository_bytes)
SELECT OLD.namespace_id, OLD.id, -coalesce(sum(size), 0), 0 FROM namespace_blobs
WHERE namespace_id = OLD.namespace_id AND links = 0
    AND blob_id IN (SELECT blob_id FROM repository_blobs WHERE repository_id = OLD.id);
DELETE FROM namespace_blobs WHERE namespace_id = OLD.namespace_id AND links = 0
    AND blob_id IN (SELECT blob_id FROM repository_blobs WHERE repository_id = OLD.id);
"""
_ENTER = """
INSERT INTO storage_changes (namespace_id, repository_id, namespace_bytes, repository_bytes)
SELECT NEW.namespace_id, NEW.id, coalesce(sum(size), 0), 0 FROM repository_blobs AS mine
WHERE repository_id = NEW.id AND NOT EXISTS
    (SELECT 1 FROM namespace_blobs WHERE namespace_id = NEW.namespace_id AND blob_id = mine.blob_id);
INSERT INTO namespace_blobs (namespace_id, blob_id, size, links)
SELECT NEW.namespace_id, blob_id, size, 1 FROM repository_blobs WHERE repository_id = NEW.id
ON CONFLICT (namespace_id, blob_id) DO UPDATE SET links = namespace_blobs.links + 1;
"""
_MOVED = "(OLD.namespace_id <> NEW.namespace_id OR (OLD.deleted IS NULL) <> (NEW.deleted IS NULL))"
_WHEN = {
    "storage_link": ("AFTER INSERT ON repository_blobs", "true", _LINK),
    "storage_unlink": ("AFTER DELETE ON repository_blobs", "true", _UNLINK),
    # Before: the cascade that follows finds no repository any more, and counts nothing.
    "storage_remove": ("BEFORE DELETE ON repositories", "OLD.deleted IS NULL", _LEAVE),
    "storage_leave": (
        "AFTER UPDATE OF namespace_id, deleted ON repositories",
        f"OLD.deleted IS NULL AND {_MOVED}",
        _LEAVE,
    ),
    "storage_return": (
        "AFTER UPDATE OF namespace_id, deleted ON repositories",
        f"NEW.deleted IS NULL AND {_MOVED}",
        _ENTER,
    ),
}
_SQLITE = tuple(
    statement
    for name, (event, condition, body) in _WHEN.items()
    for statement in (
        f"DROP TRIGGER IF EXISTS {name}",
        f"CREATE TRIGGER {name} {event} FOR EACH ROW WHEN ({condition}) BEGIN {body} END",
    )
)
_POSTGRESQL = tuple(
    statement
    for name, (event, condition, body) in _WHEN.items()
    for statement in (
        f"CREATE OR REPLACE FUNCTION havre_{name}() RETURNS trigger LANGUAGE plpgsql AS $body$ BEGIN {body}"
        + ("RETURN OLD; END $body$" if event.startswith("BEFORE") else "RETURN NULL; END $body$"),
        f"DROP TRIGGER IF EXISTS {name} ON {event.split()[-1]}",
        f"CREATE TRIGGER {name} {event} FOR EACH ROW WHEN ({condition}) EXECUTE FUNCTION havre_{name}()",
    )
)
