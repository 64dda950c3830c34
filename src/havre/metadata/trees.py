"""Trees of files as rows."""

from __future__ import annotations

import json
from collections.abc import Sequence

from sqlalchemy import Connection, bindparam, delete, func, or_, select, update

from havre.metadata.schema import tree_pages, trees
from havre.registry.inside.pages import FORMAT, Page
from havre.registry.inside.ports import TreeRecord
from havre.registry.records import Instant

_FIND = (
    select(trees.c.id, trees.c.kind, trees.c.key, trees.c.summary, trees.c.directory, trees.c.used, trees.c.problem)
    .where(
        trees.c.kind == bindparam("kind"),
        trees.c.key == bindparam("key"),
        trees.c.format == FORMAT,
        trees.c.published.is_not(None),
    )
    .order_by(trees.c.id.desc())
    .limit(1)
)
_PAGES = (
    select(tree_pages.c.content)
    .where(tree_pages.c.tree_id == bindparam("tree"), tree_pages.c.position >= bindparam("from"))
    .order_by(tree_pages.c.position)
    .limit(bindparam("limit"))
)


class TreeRows:
    """Implements ``havre.registry.inside.ports.TreeRows``."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def find(self, kind: str, key: str) -> TreeRecord | None:
        """The published tree of the format of today."""
        row = self._connection.execute(_FIND, {"kind": kind, "key": key}).first()
        return TreeRecord(row[0], row[1], row[2], json.loads(row[3]), row[4], row[5], row[6]) if row else None

    def begin(self, at: Instant) -> int:
        """A new tree, seen by nobody; returns its id."""
        made = self._connection.execute(
            trees.insert().returning(trees.c.id), {"kind": "layer", "key": "", "format": FORMAT, "used": at}
        )
        return int(made.scalar_one())

    def add(self, tree_id: int, position: int, pages: Sequence[Page]) -> None:
        """Add pages, the first of which is at ``position``."""
        if pages:
            self._connection.execute(
                tree_pages.insert(),
                [
                    {"tree_id": tree_id, "position": position + number, "content": page.content}
                    for number, page in enumerate(pages)
                ],
            )
            more = sum(len(page.content) for page in pages)
            self._connection.execute(update(trees).where(trees.c.id == tree_id).values(size=trees.c.size + more))

    def publish(self, tree: TreeRecord, at: Instant) -> None:
        """Let it be seen as what ``tree`` says, in place of others of its kind and key, which are removed."""
        older = select(trees.c.id).where(trees.c.kind == tree.kind, trees.c.key == tree.key, trees.c.id != tree.id)
        self.discard([found for (found,) in self._connection.execute(older)])
        self._connection.execute(
            update(trees)
            .where(trees.c.id == tree.id)
            .values(
                kind=tree.kind,
                key=tree.key,
                summary=json.dumps(tree.summary),
                directory=tree.directory,
                problem=tree.problem,
                published=at,
                used=at,
                size=trees.c.size + len(tree.directory),
            )
        )

    def pages(self, tree_id: int, position: int, limit: int) -> Sequence[bytes]:
        """Contents of pages in order."""
        found = self._connection.execute(_PAGES, {"tree": tree_id, "from": position, "limit": limit})
        return [content for (content,) in found]

    def use(self, tree_id: int, at: Instant) -> None:
        """Remember that it was looked at."""
        self._connection.execute(update(trees).where(trees.c.id == tree_id).values(used=at))

    def discard(self, tree_ids: Sequence[int]) -> None:
        """Remove trees with their pages."""
        if tree_ids:
            self._connection.execute(delete(trees).where(trees.c.id.in_(list(tree_ids))))

    def idle(self, unpublished_before: Instant, used_before: Instant, most: int, limit: int) -> Sequence[int]:
        """Trees to remove: never finished, long unused, and the longest unused beyond ``most`` bytes in all."""
        old = select(trees.c.id).where(
            or_(
                trees.c.used < used_before,
                trees.c.published.is_(None) & (trees.c.used < unpublished_before),
            )
        )
        found = [tree_id for (tree_id,) in self._connection.execute(old.limit(limit))]
        total = self._connection.execute(select(func.coalesce(func.sum(trees.c.size), 0))).scalar_one()
        over = int(total) - most
        by_use = select(trees.c.id, trees.c.size).order_by(trees.c.used, trees.c.id).limit(limit)
        for tree_id, size in self._connection.execute(by_use) if over > 0 else ():
            if over <= 0:
                break
            over -= size
            if tree_id not in found:
                found.append(tree_id)
        return found
