"""The rows of what the instance knows about itself."""

from __future__ import annotations

from sqlalchemy import Connection, bindparam, select

from havre.metadata.schema import settings
from havre.metadata.statements import insert_new

_GET = select(settings.c.value).where(settings.c.key == bindparam("key"))


class SettingRows:
    """See ``havre.access.ports.SettingRows``."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def get(self, key: str) -> str | None:
        """The value, or None."""
        value: str | None = self._connection.execute(_GET, {"key": key}).scalar_one_or_none()
        return value

    def put_first(self, key: str, value: str) -> str:
        """Set it unless it is set already; returns the value that stands, the first one of concurrent writers."""
        self._connection.execute(insert_new(self._connection, settings).values(key=key, value=value))
        return str(self._connection.execute(_GET, {"key": key}).scalar_one())
