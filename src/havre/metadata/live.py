"""Uploads in flight as those see them who watch, as rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy import Connection, bindparam, select, update

from havre.metadata.schema import uploads, users
from havre.oci.names import RepositoryName
from havre.registry.records import UploadInFlight

_UPLOADS = (
    select(uploads.c.id, users.c.name, uploads.c.size, uploads.c.received, uploads.c.created)
    .outerjoin_from(uploads, users, uploads.c.user_id == users.c.id)
    .where(uploads.c.repository == bindparam("repository"))
    .order_by(uploads.c.created, uploads.c.id)
    .limit(bindparam("limit"))
)
_REPORT = update(uploads).where(uploads.c.id == bindparam("upload_id")).values(received=bindparam("so_far"))


class LiveRows:
    """Implements ``havre.registry.live_ports.LiveRows``."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def uploads(self, name: RepositoryName, limit: int) -> Sequence[UploadInFlight]:
        """At most ``limit`` uploads to this repository, in the order they began."""
        rows = self._connection.execute(_UPLOADS, {"repository": str(name), "limit": limit})
        return [
            UploadInFlight(identity, pusher or "", max(size, received), created)
            for identity, pusher, size, received, created in rows
        ]

    def report(self, sizes: Mapping[str, int]) -> None:
        """Note how many bytes of these uploads have arrived so far; uploads that ended meanwhile are left out."""
        if sizes:
            values = [{"upload_id": identity, "so_far": size} for identity, size in sorted(sizes.items())]
            self._connection.execute(_REPORT, values)
