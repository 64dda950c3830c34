"""Search: repositories by name, description and overview, and by what they hold."""

from __future__ import annotations

from collections.abc import Sequence

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

    async def suggest(self, viewer: Viewer, text: str) -> Sequence[Repository]:
        """The best few for a text that is still being typed."""
        found, _ = await self._found(viewer, _bounded(SearchQuery(text)), 0, MAX_SUGGESTED)
        return found

    async def _found(self, viewer: Viewer, query: SearchQuery, offset: int, limit: int) -> Found:
        if query.text:
            limit = max(0, min(limit, MAX_FOUND - offset))

        def work(rows: Rows) -> Found:
            return rows.search.find(viewer, query, offset, limit)

        if viewer != Viewer():
            return await self._metadata.read(work)
        return await self._memory.read((query, offset, limit), work, lambda found: len(found[0]) * _WEIGHT)


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
