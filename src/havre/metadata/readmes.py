"""Overviews of repositories, as rows of their own: nobody who lists repositories walks over them."""

from __future__ import annotations

from sqlalchemy import Connection, bindparam, delete, insert, select

from havre.metadata import search_index
from havre.metadata.schema import readmes

_OF = readmes.c.repository_id == bindparam("repository")
_GET = select(readmes.c.text).where(_OF)
_DELETE = delete(readmes).where(_OF)


class ReadmeRows:
    """Implements ``havre.registry.ports.ReadmeRows``."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def get(self, repository_id: int) -> str:
        """The overview, in Markdown; empty if none was written."""
        return self._connection.execute(_GET, {"repository": repository_id}).scalar() or ""

    def put(self, repository_id: int, text: str) -> None:
        """Write it anew; an empty ``text`` removes it."""
        self._connection.execute(_DELETE, {"repository": repository_id})
        if text:
            self._connection.execute(insert(readmes), {"repository_id": repository_id, "text": text})
        search_index.refresh(self._connection, repository_id)
