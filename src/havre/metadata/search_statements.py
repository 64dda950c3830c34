"""Statements of search, put together once for each kind of question: that takes longer than to run one.

What is asked for is left open in them: ``viewer``, ``namespace``, ``starred_by``, ``platform`` and ``kind``, the words
as ``tier0`` to ``tier4``, and ``most``, ``limit`` and ``offset``.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from sqlalchemy import (
    ColumnElement,
    FromClause,
    Select,
    String,
    and_,
    bindparam,
    case,
    cast,
    column,
    exists,
    false,
    func,
    literal_column,
    select,
    table,
    true,
)
from sqlalchemy.dialects.postgresql import TSQUERY

from havre.metadata.repositories import REPOSITORY, visible_to
from havre.metadata.schema import namespaces, repositories, repository_facets, stars
from havre.oci.names import OFFICIAL
from havre.registry.facets import Facet
from havre.registry.search_ports import SearchOrder
from havre.registry.words import Terms

NAME, ALL = 1, 4
"""Tiers, counted from 0, which is the whole name."""

_KEPT = 256
"""Statements of each kind; there are more kinds of questions, of which nobody asks most."""

_R = repositories.c
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

_FIELDS = ("name", "name", "name part", "name part description", "name part description readme")
_COLUMNS = ("names", "names", "parts", "texts", "words")
_INDEX = table("search", column("repository_id"), *map(column, dict.fromkeys(_COLUMNS)))

_FACETS = {"platform": Facet.PLATFORM, "kind": Facet.KIND}


@dataclass(frozen=True, slots=True)
class Shape:
    """A kind of question: who asks on which engine, and what by."""

    sqlite: bool
    is_admin: bool
    account: bool
    """Is it asked by someone with an account?"""
    namespace: bool
    official: bool
    starred: bool
    facets: tuple[str, ...]
    """Of ``platform`` and ``kind``."""


def values(words: Terms, *, sqlite: bool) -> dict[str, str]:
    """The words as each tier looks for them. They are letters and digits: nothing in them is syntax."""
    found = {}
    for tier, fields in enumerate(_FIELDS):
        texts = words.words if tier else (words.whole,)
        if sqlite:
            phrases = " AND ".join(f'"{word}"' for word in texts) + (" *" if tier else "")
            found[f"tier{tier}"] = f"{{{fields}}} : ({phrases})"
        else:
            found[f"tier{tier}"] = " & ".join(f"'{word}'" for word in texts) + (":*" if tier else "")
    return found


@lru_cache(_KEPT)
def total(shape: Shape) -> Select[Any]:
    """How many there are, whatever their words."""
    return select(func.count()).select_from(repositories).where(*_wanted(shape, few=True))


@lru_cache(_KEPT)
def every(shape: Shape, order: SearchOrder, few: bool) -> Select[Any]:
    """A page of them, whatever their words: ``few`` are sorted, many walked along the order."""
    page = select(*REPOSITORY).join_from(repositories, namespaces).where(*_wanted(shape, few=few))
    return _stretch(page.order_by(*_ORDERS[order]))


@lru_cache(_KEPT)
def number(shape: Shape, tier: int) -> Select[Any]:
    """How many there are in a tier with those before it, counted to ``most``."""
    some = select(_R.id).select_from(_found(shape)).where(_matches(shape, tier), *_wanted(shape))
    return select(func.count()).select_from(some.limit(bindparam("most")).subquery())


@lru_cache(_KEPT)
def in_order(shape: Shape, order: SearchOrder, tier: int) -> Select[Any]:
    """A page of what is in a tier or before it, all of which is sorted."""
    keys = _ORDERS[order]
    if order is SearchOrder.BEST:
        ranks = [(_has(shape, one), one) for one in range(tier)]
        rank: tuple[ColumnElement[Any], ...] = (case(*ranks, else_=tier),) if ranks else ()
        keys = (*rank, _OFFICIAL.desc(), *keys)
    page = select(*REPOSITORY).select_from(_found(shape).join(namespaces, _R.namespace_id == namespaces.c.id))
    return _stretch(page.where(_matches(shape, tier), *_wanted(shape)).order_by(*keys))


@lru_cache(_KEPT)
def walk(
    shape: Shape, order: SearchOrder, tier: int, *, alone: bool = False, official: bool | None = None
) -> Select[Any]:
    """A page of what is in a tier or before it (``alone``: not before it), looked for along the order.

    ``official`` leaves those of one kind.
    """
    conditions = [_has(shape, tier, walking=True)]
    if alone and tier:
        conditions.append(~_has(shape, tier - 1, walking=True))
    # PostgreSQL takes the beginnings of words for rare, and would collect and sort all that its index finds.
    here = and_(*conditions) if shape.sqlite else case((and_(*conditions), true()), else_=false())
    sides = [] if official is None else [_OFFICIAL if official else _OWNED]
    page = select(*REPOSITORY).join_from(repositories, namespaces)
    if not shape.sqlite:
        page = page.join(_INDEX, _INDEX.c.repository_id == _R.id)
    return _stretch(page.where(here, *sides, *_wanted(shape)).order_by(*_ORDERS[order]))


def _stretch(page: Select[Any]) -> Select[Any]:
    return page.offset(bindparam("offset")).limit(bindparam("limit"))


def _found(shape: Shape) -> FromClause:
    """The index of words with what it finds. The sign has SQLite begin with the index, whatever else is asked: to look
    into it for each of many repositories takes a hundred times longer.
    """
    identity = literal_column("+search.rowid") if shape.sqlite else _INDEX.c.repository_id
    return _INDEX.join(repositories, identity == _R.id)


def _matches(shape: Shape, tier: int) -> ColumnElement[bool]:
    """Does a row of the index of words have them all in the fields of this tier?"""
    words = bindparam(f"tier{tier}", type_=String())
    if shape.sqlite:
        return literal_column("search").op("MATCH")(words)
    return _INDEX.c[_COLUMNS[tier]].op("@@")(cast(words, TSQUERY))


def _has(shape: Shape, tier: int, *, walking: bool = False) -> ColumnElement[bool]:
    """The same, of a repository. The sign keeps SQLite from looking up each of many ids and sorting them all, where
    walking along the order until enough are found is quicker.
    """
    if not shape.sqlite:
        return _matches(shape, tier)
    identity: ColumnElement[int] = literal_column("+repositories.id") if walking else _R.id
    return identity.in_(select(literal_column("search.rowid")).select_from(_INDEX).where(_matches(shape, tier)))


def _wanted(shape: Shape, *, few: bool = False) -> list[ColumnElement[bool]]:
    """What is asked but for words. With ``few``, SQLite begins with what has the first facet."""
    wanted = [visible_to(bindparam("viewer") if shape.account else None, is_admin=shape.is_admin)]
    if shape.namespace:
        named = select(namespaces.c.id).where(namespaces.c.name == bindparam("namespace"))
        wanted.append(_R.namespace_id == named.scalar_subquery())
    if shape.official:
        wanted.append(_OFFICIAL)
    if shape.starred:
        wanted.append(_R.id.in_(select(stars.c.repository_id).where(stars.c.user_id == bindparam("starred_by"))))
    for place, name in enumerate(shape.facets):
        facet = repository_facets.c
        holds = and_(facet.facet == _FACETS[name].value, facet.value == bindparam(name))
        if few and not place:
            wanted.append(_R.id.in_(select(facet.repository_id).where(holds)))
        else:
            wanted.append(exists().where(facet.repository_id == _R.id, holds))
    return wanted
