"""Pulls by day, tag and client, as rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from sqlalchemy import Connection, bindparam, delete, func, select, update

from havre.metadata.schema import manifest_edges, manifests, pulls_daily, repositories, tags
from havre.metadata.statements import insert
from havre.oci.digest import Digest
from havre.oci.names import Tag
from havre.registry.records import Instant, PullFigure

_HERE = pulls_daily.c.repository_id == bindparam("repository_id")
_MANIFEST = manifests.c.repository_id == bindparam("repository_id")
_TAGS_OF = (
    select(tags.c.name)
    .join_from(tags, manifests, tags.c.manifest_id == manifests.c.id)
    .where(_MANIFEST, manifests.c.digest == bindparam("digest"))
    .limit(2)
)
_LISTED = (
    select(manifests.c.id)
    .join_from(manifest_edges, manifests, manifest_edges.c.manifest_id == manifests.c.id)
    .where(_MANIFEST, manifest_edges.c.digest == bindparam("digest"), manifest_edges.c.kind == "manifest")
    .limit(1)
)
_THERE = select(repositories.c.id).where(repositories.c.id.in_(bindparam("ids", expanding=True)))
_COUNT = (
    update(repositories)
    .where(repositories.c.id == bindparam("counted_id"))
    .values(pulls=repositories.c.pulls + bindparam("number"))
)
_COUNT_TAG = (
    update(tags)
    .where(tags.c.repository_id == bindparam("counted_id"), tags.c.name == bindparam("counted"))
    .values(pulls=tags.c.pulls + bindparam("number"), pulled=bindparam("at"))
)
_TOTAL = func.sum(pulls_daily.c.pulls)
_SINCE = pulls_daily.c.day >= bindparam("since")
# Along the key, in whose order the days are: what most pages show costs no sorting.
_DAILY = select(pulls_daily.c.day, _TOTAL).where(_HERE, _SINCE).group_by(pulls_daily.c.day).order_by(pulls_daily.c.day)
_BY_DAY = (
    select(pulls_daily.c.day, pulls_daily.c.client, _TOTAL)
    .where(_HERE, _SINCE)
    .group_by(pulls_daily.c.day, pulls_daily.c.client)
    .order_by(pulls_daily.c.day, pulls_daily.c.client)
)
_BY_TAG = (
    select(pulls_daily.c.tag, _TOTAL)
    .where(_HERE, _SINCE)
    .group_by(pulls_daily.c.tag)
    .order_by(_TOTAL.desc(), pulls_daily.c.tag)
    .limit(bindparam("limit"))
)
_DAY = (pulls_daily.c.repository_id, pulls_daily.c.day)
_OLD = (
    select(*_DAY, _TOTAL)
    .where(pulls_daily.c.day < bindparam("before"), pulls_daily.c.client != "")
    .group_by(*_DAY)
    .order_by(*_DAY)
    .limit(bindparam("limit"))
)
_FORGET = delete(pulls_daily).where(_HERE, pulls_daily.c.day == bindparam("old"), pulls_daily.c.client != "")


class PullRows:
    """Implements ``havre.registry.tag_ports.PullRows``."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def origins(self, repository_id: int, digest: Digest) -> tuple[Sequence[Tag], bool]:
        """The first two tags that point at a manifest; and whether an index of the repository lists it."""
        values = {"repository_id": repository_id, "digest": str(digest)}
        names = [Tag(name) for name in self._connection.execute(_TAGS_OF, values).scalars()]
        return names, self._connection.execute(_LISTED, values).first() is not None

    def add(self, figures: Sequence[PullFigure], at: Instant) -> None:
        """Add to the days, the repositories and the tags, whose last pull is ``at``. What is gone is left out."""
        asked = sorted({one.repository_id for one in figures})
        there = set(self._connection.execute(_THERE, {"ids": asked}).scalars())
        # In one order everywhere, so that two processes that count the same rows wait but never deadlock.
        known = sorted(
            (one for one in figures if one.repository_id in there),
            key=lambda one: (one.repository_id, one.day, one.tag or "", one.client),
        )
        self._add_days(known)
        whole: Counter[int] = Counter()
        by_tag: Counter[tuple[int, str]] = Counter()
        for one in known:
            whole[one.repository_id] += one.pulls
            if one.tag:
                by_tag[one.repository_id, str(one.tag)] += one.pulls
        counts = [{"counted_id": identity, "number": number} for identity, number in sorted(whole.items())]
        named = [
            {"counted_id": identity, "counted": name, "number": number, "at": at}
            for (identity, name), number in sorted(by_tag.items())
        ]
        for statement, values in ((_COUNT, counts), (_COUNT_TAG, named)):
            if values:
                self._connection.execute(statement, values)

    def daily(self, repository_id: int, since: int) -> Sequence[tuple[int, int]]:
        """Day and pulls, from the day ``since`` on."""
        rows = self._connection.execute(_DAILY, {"repository_id": repository_id, "since": since})
        return [(day, int(pulls)) for day, pulls in rows]

    def by_day(self, repository_id: int, since: int) -> Sequence[tuple[int, str, int]]:
        """Day, family of clients and pulls, from the day ``since`` on."""
        rows = self._connection.execute(_BY_DAY, {"repository_id": repository_id, "since": since})
        return [(day, client, int(pulls)) for day, client, pulls in rows]

    def by_tag(self, repository_id: int, since: int, limit: int) -> Sequence[tuple[Tag | None, int]]:
        """The tags (None: by digest) that were pulled most from the day ``since`` on."""
        rows = self._connection.execute(_BY_TAG, {"repository_id": repository_id, "since": since, "limit": limit})
        return [(Tag(name) if name else None, int(pulls)) for name, pulls in rows]

    def fold(self, before: int, limit: int) -> int:
        """Forget tags and clients of at most ``limit`` repositories' days before a day; how many days were folded."""
        found = self._connection.execute(_OLD, {"before": before, "limit": limit}).all()
        for repository_id, day, _ in found:
            self._connection.execute(_FORGET, {"repository_id": repository_id, "old": day})
        self._add_days([PullFigure(repository_id, day, None, "", int(pulls)) for repository_id, day, pulls in found])
        return len(found)

    def _add_days(self, figures: Sequence[PullFigure]) -> None:
        if figures:
            values = [
                {
                    "repository_id": one.repository_id,
                    "day": one.day,
                    "tag": str(one.tag or ""),
                    "client": one.client,
                    "pulls": one.pulls,
                }
                for one in figures
            ]
            statement = insert(self._connection, pulls_daily)
            self._connection.execute(
                statement.on_conflict_do_update(
                    index_elements=list(pulls_daily.primary_key.columns),
                    set_={"pulls": pulls_daily.c.pulls + statement.excluded.pulls},
                ),
                values,
            )
