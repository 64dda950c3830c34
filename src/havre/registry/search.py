"""Search: repositories by name, description and overview, and by what they hold."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence

from havre.registry.memory import Memory
from havre.registry.ports import Metadata, Rows
from havre.registry.records import Page, Repository, Viewer
from havre.registry.repositories import searchable
from havre.registry.search_ports import MAX_FOUND, SearchOrder, SearchQuery

MAX_TEXT = 200
"""Characters of a search that are looked at."""

MAX_SUGGESTED = 8

# Of one repository in the memory, text and objects together.
_WEIGHT = 1000
_MEMORY = 1024 * 1024

Found = tuple[Sequence[Repository], int]


class Search:
    """Answers searches; what everybody sees is remembered until something is committed."""

    def __init__(self, metadata: Metadata) -> None:
        self._metadata = metadata
        self._memory: Memory[Found] = Memory(metadata, _MEMORY)

    async def find(
        self, viewer: Viewer, query: SearchQuery | None = None, page: int = 1, per_page: int = 25
    ) -> Page[Repository]:
        """What ``viewer`` may see of it. By text, ``total`` counts to ``MAX_FOUND`` and no page lies beyond."""
        wanted = _bounded(query or SearchQuery())
        found, total = await self._found(viewer, wanted, (page - 1) * per_page, per_page)
        return Page(found, total, page, per_page)

    async def first(self, viewer: Viewer, query: SearchQuery, limit: int) -> Sequence[Repository]:
        """The first of it: for whoever needs not know how many there are."""
        query = _bounded(query)

        def work(rows: Rows) -> Found:
            return rows.search.first(viewer, query, limit), 0

        found, _ = await self._remembered(viewer, ("first", query, limit), work)
        return found

    async def suggest(self, viewer: Viewer, text: str) -> Sequence[Repository]:
        """The best few for a text that is still being typed."""
        return await self.first(viewer, SearchQuery(text), MAX_SUGGESTED)

    async def _found(self, viewer: Viewer, query: SearchQuery, offset: int, limit: int) -> Found:
        if query.text:
            limit = max(0, min(limit, MAX_FOUND - offset))

        def work(rows: Rows) -> Found:
            return rows.search.find(viewer, query, offset, limit)

        return await self._remembered(viewer, (query, offset, limit), work)

    async def _remembered(self, viewer: Viewer, key: Hashable, work: Callable[[Rows], Found]) -> Found:
        if viewer != Viewer():
            return await self._metadata.read(work)
        return await self._memory.read(key, work, lambda found: len(found[0]) * _WEIGHT)


def _bounded(query: SearchQuery) -> SearchQuery:
    return SearchQuery(
        searchable(query.text, MAX_TEXT),
        query.namespace,
        query.official,
        query.platform[:MAX_TEXT],
        query.kind,
        query.starred_by,
        query.order,
    )


__all__ = ["MAX_FOUND", "MAX_SUGGESTED", "MAX_TEXT", "Search", "SearchOrder", "SearchQuery"]
