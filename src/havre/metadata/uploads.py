"""Uploads in flight, as rows."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import orjson
from sqlalchemy import Connection, bindparam, case, delete, func, select, update

from havre.metadata.schema import uploads
from havre.oci.digest import Digest
from havre.oci.names import RepositoryName
from havre.registry.byte_ports import SEGMENTS
from havre.registry.records import Instant, Segment, Segments, UploadRecord

_THIS = uploads.c.id == bindparam("upload_id")
_GET = select(
    uploads.c.id,
    uploads.c.repository,
    uploads.c.user_id,
    uploads.c.created,
    uploads.c.updated,
    uploads.c.size,
    uploads.c.prefixes,
    uploads.c.algorithm,
    uploads.c.room,
    uploads.c.segments,
).where(_THIS)
_ADVANCE = (
    update(uploads)
    .where(_THIS, uploads.c.size == bindparam("before"))
    .values(
        size=bindparam("new_size"),
        prefixes=bindparam("new_prefixes"),
        segments=bindparam("new_segments"),
        updated=bindparam("now"),
    )
)
_DELETE = delete(uploads).where(_THIS).returning(uploads.c.segments)
_EXPIRED = (
    select(uploads.c.id)
    .where(uploads.c.updated < bindparam("before"))
    .order_by(uploads.c.updated)
    .limit(bindparam("limit"))
)
_KNOWN = select(uploads.c.id).where(uploads.c.id.in_(bindparam("upload_ids", expanding=True)))
_SIZE = case((uploads.c.received > uploads.c.size, uploads.c.received), else_=uploads.c.size)
_WEIGH = select(func.coalesce(func.sum(_SIZE), 0))
_ADD = uploads.insert()
_COUNT = select(func.count()).select_from(uploads).where(uploads.c.user_id == bindparam("user_id"))
_COUNT_NOBODYS = select(func.count()).select_from(uploads).where(uploads.c.user_id.is_(None))

# Ids in one statement; both engines allow more.
_SLICE = 500


class UploadRows:
    """Implements ``havre.registry.ports.UploadRows``."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def get(self, upload_id: str) -> UploadRecord | None:
        """The upload, or None."""
        row = self._connection.execute(_GET, {"upload_id": upload_id}).first()
        if row is None:
            return None
        identity, repository, user_id, created, updated, size, prefixes, algorithm, room, segments = row
        return UploadRecord(
            identity,
            RepositoryName(repository),
            user_id,
            created,
            updated,
            size,
            {name: Digest(digest) for name, digest in orjson.loads(prefixes).items()},
            algorithm,
            room,
            _segments(segments),
        )

    def add(self, upload: UploadRecord) -> None:
        """Remember a new upload."""
        self._connection.execute(
            _ADD,
            {
                "id": upload.id,
                "repository": upload.repository,
                "user_id": upload.user_id,
                "algorithm": upload.algorithm,
                "size": upload.size,
                "prefixes": _prefixes(upload),
                "created": upload.created,
                "updated": upload.updated,
                "room": upload.room,
                "segments": _listed(upload.segments),
            },
        )

    def advance(self, upload: UploadRecord, before: int) -> bool:
        """Store size, prefixes, segments and time, if the stored size is still ``before``; else False."""
        values = {
            "upload_id": upload.id,
            "before": before,
            "new_size": upload.size,
            "new_prefixes": _prefixes(upload),
            "new_segments": _listed(upload.segments),
            "now": upload.updated,
        }
        return self._connection.execute(_ADVANCE, values).rowcount > 0

    def delete(self, upload_id: str) -> Segments | None:
        """Forget it; returns its segments, None if there was none."""
        found = self._connection.execute(_DELETE, {"upload_id": upload_id}).scalar_one_or_none()
        return None if found is None else _segments(found)

    def expired(self, before: Instant, limit: int) -> Sequence[str]:
        """Ids of uploads not touched since ``before``, the oldest first."""
        return self._connection.execute(_EXPIRED, {"before": before, "limit": limit}).scalars().all()

    def known(self, upload_ids: Collection[str]) -> Collection[str]:
        """Those of ``upload_ids`` that exist."""
        every = list(upload_ids)
        found: set[str] = set()
        for start in range(0, len(every), _SLICE):
            some = every[start : start + _SLICE]
            found.update(self._connection.execute(_KNOWN, {"upload_ids": some}).scalars())
        return found

    def count(self, user_id: int | None) -> int:
        """How many uploads this account has in flight; None counts those of nobody."""
        if user_id is None:
            return self._connection.execute(_COUNT_NOBODYS).scalar_one()
        return self._connection.execute(_COUNT, {"user_id": user_id}).scalar_one()

    def weigh(self, user_id: int | None, but: str) -> int:
        """Bytes that this account's uploads have, as far as is known, without the upload ``but``."""
        statement = _WEIGH.where(uploads.c.user_id == user_id, uploads.c.id != but)
        return int(self._connection.execute(statement).scalar_one())


def unfinished(connection: Connection, keys: Collection[str]) -> set[str]:
    """Those of ``keys`` that are segments of uploads that have a row."""
    owners = {key: key.split("/")[1] for key in keys if key.startswith(SEGMENTS)}
    if not owners:
        return set()
    there = set(UploadRows(connection).known(set(owners.values())))
    return {key for key, owner in owners.items() if owner in there}


def _prefixes(upload: UploadRecord) -> str:
    # orjson refuses subclasses of str, and a digest is one.
    return orjson.dumps({name: str(digest) for name, digest in upload.prefixes.items()}).decode()


def _segments(text: str) -> Segments:
    # Most have none, or one.
    return () if text == "[]" else tuple(Segment(key, size) for key, size in orjson.loads(text))


def _listed(segments: Segments) -> str:
    return orjson.dumps([(one.key, one.size) for one in segments]).decode() if segments else "[]"
