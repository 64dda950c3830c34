"""Sorted lists of tags, as rows: each order has an index with the names in it, and a page begins at a place in it.

Nothing is skipped over to reach a page, and a filter reads names from the index alone. Whoever asks says how far a
statement may walk, so that none takes longer than some milliseconds however many tags there are.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, bindparam, func, select, tuple_

from havre.metadata.manifests import SUMMARY, manifest_from
from havre.metadata.schema import manifest_edges, manifests, tags, users
from havre.metadata.statements import pattern
from havre.oci.names import Tag
from havre.registry.records import ManifestRecord, TagOrder, TagPlace, TagRecord
from havre.registry.tag_ports import TAG_BETWEEN

_HERE = tags.c.repository_id == bindparam("repository_id")
_COLUMNS = {TagOrder.NEWEST: tags.c.updated, TagOrder.SIZE: tags.c.size, TagOrder.PULLED: tags.c.pulled}

_COUNT = select(func.count()).select_from(select(tags.c.id).where(_HERE).limit(bindparam("at_most")).subquery())
# Not a join: names that most repositories have, such as "latest", make PostgreSQL expect so many tags that it would read
# all accounts.
_PUSHER = select(users.c.name).where(users.c.id == tags.c.user_id).scalar_subquery()
_VIEWS = (
    select(tags.c.name, tags.c.updated, _PUSHER, tags.c.pulls, tags.c.pulled, manifests.c.id, *SUMMARY)
    .join_from(tags, manifests, tags.c.manifest_id == manifests.c.id)
    .where(_HERE, tags.c.name.in_(bindparam("names", expanding=True)))
)
_PARENT = manifests.alias("parent")
_CHILD = manifests.alias("child")
_PLATFORMS = (
    select(_PARENT.c.id, _CHILD.c.platform)
    .select_from(_PARENT)
    .join(manifest_edges, (manifest_edges.c.manifest_id == _PARENT.c.id) & (manifest_edges.c.kind == "manifest"))
    .join(
        _CHILD,
        (_CHILD.c.repository_id == _PARENT.c.repository_id) & (_CHILD.c.digest == manifest_edges.c.digest),
    )
    .where(_PARENT.c.id.in_(bindparam("ids", expanding=True)))
    .limit(bindparam("limit"))
)

_NEXT = (
    select(tags.c.name)
    .where(_HERE, tags.c.name > bindparam("after"))
    .order_by(tags.c.name)
    .limit(bindparam("limit"))
    .subquery()
)
_JOINED = select(func.aggregate_strings(_NEXT.c.name, TAG_BETWEEN), func.max(_NEXT.c.name))
_LAST_ID = select(func.max(tags.c.id))
_BY_ID = (
    select(tags.c.repository_id, tags.c.name)
    .where(tags.c.id > bindparam("after"))
    .order_by(tags.c.id)
    .limit(bindparam("limit"))
    .subquery()
)
_MADE_HERE = select(_BY_ID.c.name).where(_BY_ID.c.repository_id == bindparam("repository_id"))
_MADE = {
    "LIKE": _MADE_HERE.where(_BY_ID.c.name.like(bindparam("pattern"), escape="\\")),
    "ILIKE": _MADE_HERE.where(_BY_ID.c.name.ilike(bindparam("pattern"), escape="\\")),
}

MAX_CHILDREN = 2_000
"""Children of the indexes of one page that are looked at for their platforms."""


@cache
def _places(order: TagOrder, backwards: bool, text: str, after: bool, until: bool) -> Select[Any]:
    """The statement for a walk; built once for each kind. ``text`` is the operator that looks for one, if any."""
    column = _COLUMNS.get(order)
    # By name the list goes up, by anything else down; names break ties in the same direction.
    up = (column is None) is not backwards
    keys: list[ColumnElement[Any]] = [tags.c.name] if column is None else [column, tags.c.name]
    statement = select(*keys).where(_HERE)
    for asked, edge in ((after, "after"), (until, "until")):
        if asked:
            statement = statement.where(_beyond(keys, edge, up=up if edge == "after" else not up, on=edge == "until"))
    if text:
        like = tags.c.name.like if text == "LIKE" else tags.c.name.ilike
        statement = statement.where(like(bindparam("pattern"), escape="\\"))
    ordered = [key.asc() if up else key.desc() for key in keys]
    return statement.order_by(*ordered).limit(bindparam("limit")).offset(bindparam("offset"))


@cache
def _named(order: TagOrder) -> Select[Any]:
    column = _COLUMNS.get(order)
    statement = select(tags.c.name) if column is None else select(column, tags.c.name)
    ordered = [tags.c.name.asc()] if column is None else [column.desc(), tags.c.name.desc()]
    return statement.where(_HERE, tags.c.name.in_(bindparam("names", expanding=True))).order_by(*ordered)


def _beyond(keys: list[ColumnElement[Any]], edge: str, *, up: bool, on: bool) -> ColumnElement[bool]:
    """Is a row above (``up``) or below an edge, or ``on`` it?"""
    name: Any = bindparam(f"{edge}_name")
    here: Any = keys[0] if len(keys) == 1 else tuple_(*keys)
    there: Any = name if len(keys) == 1 else tuple_(bindparam(f"{edge}_value"), name)
    if up:
        found: ColumnElement[bool] = here >= there if on else here > there
    else:
        found = here <= there if on else here < there
    return found


class TagListRows:
    """Implements ``havre.registry.tag_ports.TagListRows``."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        # SQLite's LIKE disregards the case of ASCII letters, and names of tags have no others.
        self._like = "LIKE" if connection.dialect.name == "sqlite" else "ILIKE"

    def count(self, repository_id: int, at_most: int) -> int:
        """How many tags there are, counted no further than ``at_most``."""
        return self._connection.execute(_COUNT, {"repository_id": repository_id, "at_most": at_most}).scalar_one()

    def reach(
        self, repository_id: int, order: TagOrder, after: TagPlace | None, backwards: bool, steps: int
    ) -> TagPlace | None:
        """The place ``steps`` tags further; None if the list ends before."""
        values = {"repository_id": repository_id, "limit": 1, "offset": steps - 1, **_edge("after", after)}
        row = self._connection.execute(_places(order, backwards, "", after is not None, False), values).first()
        return _place(row) if row else None

    def places(
        self,
        repository_id: int,
        order: TagOrder,
        text: str,
        after: TagPlace | None,
        until: TagPlace | None,
        backwards: bool,
        limit: int,
    ) -> Sequence[TagPlace]:
        """The next ``limit`` tags whose name contains ``text``, beyond ``after`` and no further than ``until``."""
        if not text.isascii():
            return []
        values = {"repository_id": repository_id, "limit": limit, "offset": 0, "pattern": pattern(text)}
        values |= _edge("after", after) | _edge("until", until)
        like = self._like if text else ""
        statement = _places(order, backwards, like, after is not None, until is not None)
        return [_place(row) for row in self._connection.execute(statement, values)]

    def named(self, repository_id: int, order: TagOrder, names: Collection[Tag]) -> Sequence[TagPlace]:
        """Where those of some thousand tags stand that exist, in that order."""
        if not names:
            # To look for none of them, SQLite walks through all that there are.
            return []
        values = {"repository_id": repository_id, "names": [str(name) for name in names]}
        return [_place(row) for row in self._connection.execute(_named(order), values)]

    def joined(self, repository_id: int, after: str, limit: int) -> tuple[str, str]:
        """The next ``limit`` names greater than ``after``, in one text with TAG_BETWEEN between them; and the greatest."""
        values = {"repository_id": repository_id, "after": after, "limit": limit}
        text, last = self._connection.execute(_JOINED, values).one()
        return text or "", last or ""

    def made(self, repository_id: int, text: str, after: int, limit: int) -> tuple[int, Sequence[Tag]]:
        """The highest id of a tag anywhere; and names here that contain ``text``, which is ASCII, among the ``limit``
        tags with the lowest ids above ``after``.
        """
        last = self._connection.execute(_LAST_ID).scalar() or 0
        if not limit:
            return last, []
        values = {"repository_id": repository_id, "pattern": pattern(text), "after": after, "limit": limit}
        return last, [Tag(name) for (name,) in self._connection.execute(_MADE[self._like], values)]

    def views(
        self, repository_id: int, names: Sequence[Tag]
    ) -> Sequence[tuple[TagRecord, ManifestRecord, Sequence[str]]]:
        """Those of the tags that exist, in the order given, with their manifests (contents left out) and platforms."""
        values = {"repository_id": repository_id, "names": [str(name) for name in names]}
        found: dict[str, tuple[int, TagRecord, ManifestRecord]] = {}
        for name, updated, pusher, pulls, pulled, manifest_id, *summary in self._connection.execute(_VIEWS, values):
            manifest = manifest_from(summary)
            record = TagRecord(Tag(name), manifest.digest, updated, pusher or "", pulls, pulled)
            found[name] = manifest_id, record, manifest
        indexes = {identity for identity, _, manifest in found.values() if not manifest.platform}
        platforms = self._platforms(indexes)
        views = []
        for name in names:
            if name in found:
                identity, record, manifest = found[name]
                own = [manifest.platform] if manifest.platform else sorted(platforms.get(identity, ()))
                views.append((record, manifest, own))
        return views

    def _platforms(self, manifest_ids: set[int]) -> dict[int, set[str]]:
        found: dict[int, set[str]] = {}
        if manifest_ids:
            values = {"ids": sorted(manifest_ids), "limit": MAX_CHILDREN}
            for identity, platform in self._connection.execute(_PLATFORMS, values):
                if platform and not platform.startswith("unknown/"):
                    found.setdefault(identity, set()).add(platform)
        return found


def _edge(edge: str, place: TagPlace | None) -> dict[str, Any]:
    return {f"{edge}_value": place.value, f"{edge}_name": str(place.name)} if place else {}


def _place(row: Sequence[Any]) -> TagPlace:
    return TagPlace(0, Tag(row[0])) if len(row) == 1 else TagPlace(row[0], Tag(row[1]))
