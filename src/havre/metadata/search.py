"""Search, as rows: a full-text index says which repositories have the words, the rows say which may be seen.

The words weigh by where they stand, so what is found falls into tiers: the whole name, the name, parts of it, the
description, the overview; each tier holds those before. What few have is sorted as a whole. What many have (a single
letter, say) is not: then an index is walked in the order that is asked for until the page is full, tier by tier.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    case,
    cast,
    column,
    false,
    func,
    literal,
    literal_column,
    select,
    table,
    true,
)
from sqlalchemy.dialects.postgresql import TSQUERY

from havre.metadata.repositories import REPOSITORY, repository_from, visible
from havre.metadata.schema import namespaces, repositories, repository_facets, stars
from havre.oci.names import OFFICIAL
from havre.registry.facets import Facet
from havre.registry.records import Repository, Viewer
from havre.registry.search_ports import MAX_FOUND, SearchOrder, SearchQuery
from havre.registry.words import Terms, terms

_R = repositories.c
_PAGE = select(*REPOSITORY).join_from(repositories, namespaces)
_BY_PULLS = (_R.pulls.desc(), _R.stars.desc(), _R.id.desc())
_ORDERS: dict[SearchOrder, tuple[ColumnElement[Any], ...]] = {
    SearchOrder.BEST: _BY_PULLS,
    SearchOrder.PULLS: _BY_PULLS,
    SearchOrder.STARS: (_R.stars.desc(), _R.id.desc()),
    SearchOrder.RECENT: (_R.updated.desc(), _R.id.desc()),
}
_OFFICIAL = _R.namespace_id == select(namespaces.c.id).where(namespaces.c.name == OFFICIAL).scalar_subquery()
# Official images have no namespace in their path. Said so, because PostgreSQL guesses the number of those in other
# namespaces than this one badly as long as there are few namespaces.
_OWNED = _R.path != _R.name

_NAME, _ALL = 1, 4
"""Tiers, counted from 0, which is the whole name."""

_FIELDS = ("name", "name", "name part", "name part description", "name part description readme")
_WEIGHTS = ("A", "A", "AB", "ABC", "ABCD")
_INDEX = table("search", column("repository_id"), column("words"))
_SAME = _INDEX.c.repository_id == _R.id


class SearchRows:
    """Implements ``havre.registry.search_ports.SearchRows``."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._sqlite = connection.dialect.name == "sqlite"
        # The sign keeps SQLite from looking up each of many ids and sorting them all, where walking along the order
        # until enough are found is quicker. PostgreSQL knows numbers and decides for itself.
        self._any_id: ColumnElement[int] = literal_column("+repositories.id") if self._sqlite else _R.id
        self._ids = select(_R.id) if self._sqlite else select(_R.id).join_from(repositories, _INDEX, _SAME)
        self._page = _PAGE if self._sqlite else _PAGE.join(_INDEX, _SAME)

    def find(self, viewer: Viewer, query: SearchQuery, offset: int, limit: int) -> tuple[Sequence[Repository], int]:
        """What ``viewer`` may see of it, and how many there are: by text, ``MAX_FOUND`` at most."""
        wanted = self._wanted(viewer, query)
        order = _ORDERS[query.order]
        if not query.text:
            total = self._number(select(func.count()).select_from(repositories).where(*wanted))
            return self._read(_PAGE.where(*wanted).order_by(*order).offset(offset).limit(limit)), total
        words = terms(query.text)
        if words is None:
            return [], 0
        # A single letter begins a word of nearly every text: only names are looked at.
        last = _NAME if words.brief else _ALL
        some = self._ids.where(self._has(words, last, _R.id), *wanted).limit(MAX_FOUND).subquery()
        total = self._number(select(func.count()).select_from(some))
        many, best = total == MAX_FOUND, query.order is SearchOrder.BEST
        if many and best:
            return self._walk(words, last, wanted, offset + limit)[offset:], total
        if best:
            ranks = [(self._has(words, tier, _R.id), tier) for tier in range(last)]
            order = (case(*ranks, else_=last), _OFFICIAL.desc(), *order)
        found = self._seen(self._has(words, last, self._any_id)) if many else self._has(words, last, _R.id)
        return self._read(self._page.where(found, *wanted).order_by(*order).offset(offset).limit(limit)), total

    def _wanted(self, viewer: Viewer, query: SearchQuery) -> list[ColumnElement[bool]]:
        wanted = [visible(viewer)]
        if query.namespace is not None:
            named = select(namespaces.c.id).where(namespaces.c.name == query.namespace)
            wanted.append(_R.namespace_id == named.scalar_subquery())
        if query.official:
            wanted.append(_OFFICIAL)
        if query.starred_by is not None:
            wanted.append(_R.id.in_(select(stars.c.repository_id).where(stars.c.user_id == query.starred_by)))
        for facet, value in ((Facet.PLATFORM, query.platform), (Facet.KIND, query.kind.value if query.kind else "")):
            if value:
                holders = select(repository_facets.c.repository_id).where(
                    repository_facets.c.facet == facet.value, repository_facets.c.value == value
                )
                wanted.append(self._any_id.in_(holders))
        return wanted

    def _has(self, words: Terms, tier: int, identity: ColumnElement[int]) -> ColumnElement[bool]:
        """Are all words in the fields of this tier? They are letters and digits: nothing in them is syntax."""
        texts = (words.whole,) if tier == 0 else words.words
        if self._sqlite:
            phrases = [f'"{word}"' for word in texts]
            phrases[-1] += " *" if tier else ""
            match = literal(f"{{{_FIELDS[tier]}}} : ({' AND '.join(phrases)})")
            rows: Select[Any] = select(literal_column("search.rowid")).select_from(_INDEX)
            return identity.in_(rows.where(literal_column("search").op("MATCH")(match)))
        lexemes = [f"'{word}':{_WEIGHTS[tier]}" for word in texts]
        lexemes[-1] = lexemes[-1].replace("':", "':*", 1) if tier else lexemes[-1]
        return _INDEX.c.words.op("@@")(cast(literal(" & ".join(lexemes)), TSQUERY))

    def _seen(self, condition: ColumnElement[bool]) -> ColumnElement[bool]:
        """The same, looked at row by row along the order. PostgreSQL takes the beginnings of words for rare, and would
        collect and sort all that its index finds.
        """
        return condition if self._sqlite else case((condition, true()), else_=false())

    def _walk(self, words: Terms, last: int, wanted: list[ColumnElement[bool]], enough: int) -> list[Repository]:
        """The first ``enough``, best first."""
        found: list[Repository] = []
        for tier in range(last + 1):
            here = self._has(words, tier, self._any_id)
            if tier:
                here = self._seen(here & ~self._has(words, tier - 1, self._any_id))
            for official in (_OFFICIAL, _OWNED):
                page = self._page.where(here, official, *wanted).order_by(*_BY_PULLS).limit(enough - len(found))
                found += self._read(page)
                if len(found) >= enough:
                    return found
        return found

    def _read(self, page: Select[Any]) -> list[Repository]:
        return [repository_from(row) for row in self._connection.execute(page)]

    def _number(self, statement: Select[Any]) -> int:
        number: int = self._connection.execute(statement).scalar_one()
        return number
