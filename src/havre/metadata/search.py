"""Search, as rows: a full-text index says which repositories have the words, the rows say which may be seen.

The words weigh by where they stand, so what is found falls into tiers: the whole name, the name, parts of it, the
description, the overview; each tier holds those before. What few have is sorted as a whole. What many have (a single
letter, say) is not: then an index is walked in the order that is asked for until the page is full. The tiers before
it, which few are in, are sorted all the same: a walk looking for what is rare would be a long one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Select

from havre.metadata import search_statements
from havre.metadata.repositories import repository_from
from havre.metadata.search_statements import ALL, NAME, Shape
from havre.registry.records import Repository, Viewer
from havre.registry.search_ports import MAX_FOUND, SearchOrder, SearchQuery
from havre.registry.words import terms

_BEST = SearchOrder.BEST


class SearchRows:
    """Implements ``havre.registry.search_ports.SearchRows``."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._sqlite = connection.dialect.name == "sqlite"

    def find(self, viewer: Viewer, query: SearchQuery, offset: int, limit: int) -> tuple[Sequence[Repository], int]:
        """What ``viewer`` may see of it, and how many there are: by text, ``MAX_FOUND`` at most."""
        shape, asked = self._shape(viewer, query), _asked(viewer, query)
        page = asked | {"offset": offset, "limit": limit}
        if not query.text:
            total = self._number(search_statements.total(shape), asked)
            return self._read(search_statements.every(shape, query.order, total < MAX_FOUND), page), total
        words = terms(query.text)
        if words is None:
            return [], 0
        values = search_statements.values(words, sqlite=self._sqlite)
        # A single letter begins a word of nearly every text: only names are looked at.
        last = NAME if words.brief else ALL
        total = self._number(search_statements.number(shape, last), asked | values | {"most": MAX_FOUND})
        if total < MAX_FOUND:
            return self._read(search_statements.in_order(shape, query.order, last), page | values), total
        if query.order is not _BEST:
            return self._read(search_statements.walk(shape, query.order, last), page | values), total
        sides = _sides(query)
        return self._best(shape, last, sides, asked | values, offset + limit)[offset:], total

    def first(self, viewer: Viewer, query: SearchQuery, limit: int) -> Sequence[Repository]:
        """The first of it, without counting what needs not be counted."""
        if query.text:
            return self.find(viewer, query, 0, limit)[0]
        page = _asked(viewer, query) | {"offset": 0, "limit": limit}
        return self._read(search_statements.every(self._shape(viewer, query), query.order, False), page)

    def _best(
        self, shape: Shape, last: int, sides: Sequence[bool | None], values: Mapping[str, Any], enough: int
    ) -> list[Repository]:
        """The first ``enough`` of what many have, best first."""
        found: list[Repository] = []
        few, tier = 0, 0
        while tier < last and few < enough:
            counted = self._number(search_statements.number(shape, tier), {**values, "most": MAX_FOUND})
            if counted == MAX_FOUND:
                break
            few, tier = counted, tier + 1
        if few:
            sort = search_statements.in_order(shape, _BEST, tier - 1)
            found += self._read(sort, {**values, "offset": 0, "limit": enough})
        for one in range(tier, last + 1):
            for official in sides:
                if len(found) >= enough:
                    return found
                page = search_statements.walk(shape, _BEST, one, alone=True, official=official)
                found += self._read(page, {**values, "offset": 0, "limit": enough - len(found)})
        return found

    def _shape(self, viewer: Viewer, query: SearchQuery) -> Shape:
        facets = (("platform", query.platform), ("kind", query.kind))
        return Shape(
            self._sqlite,
            viewer.is_admin,
            viewer.user_id is not None and not viewer.is_admin,
            query.namespace is not None,
            query.official,
            query.starred_by is not None,
            tuple(name for name, value in facets if value),
        )

    def _read(self, page: Select[Any], values: Mapping[str, Any]) -> list[Repository]:
        return [repository_from(row) for row in self._connection.execute(page, values)]

    def _number(self, statement: Select[Any], values: Mapping[str, Any]) -> int:
        number: int = self._connection.execute(statement, values).scalar_one()
        return number


def _asked(viewer: Viewer, query: SearchQuery) -> dict[str, Any]:
    """What the statements leave open but for the words and the page."""
    return {
        "viewer": viewer.user_id,
        "namespace": query.namespace,
        "starred_by": query.starred_by,
        "platform": query.platform,
        "kind": query.kind.value if query.kind else "",
    }


def _sides(query: SearchQuery) -> Sequence[bool | None]:
    """Official ones come first in each tier, unless there are none among what is asked for, or no others."""
    if query.official or query.namespace is not None:
        return (None,)
    return (True, False)
