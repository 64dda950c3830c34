"""The rows of links that were mailed."""

from __future__ import annotations

from sqlalchemy import Connection, delete, insert, select

from havre.access.records import MailedLink, Purpose
from havre.metadata.schema import mailed_links
from havre.registry.records import Instant

_SWEEP = 100
_COLUMNS = (mailed_links.c.user_id, mailed_links.c.purpose, mailed_links.c.email, mailed_links.c.expires)


class MailedLinkRows:
    """See ``havre.access.ports.MailedLinkRows``."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, secret_hash: bytes, link: MailedLink, at: Instant) -> None:
        """Remember a link, and forget some that expired before ``at``."""
        old = select(mailed_links.c.id).where(mailed_links.c.expires < at).limit(_SWEEP)
        self._connection.execute(delete(mailed_links).where(mailed_links.c.id.in_(old)))
        values = {
            "user_id": link.user_id,
            "purpose": link.purpose.value,
            "email": link.email,
            "secret_hash": secret_hash,
            "created": at,
            "expires": link.expires,
        }
        self._connection.execute(insert(mailed_links), values)

    def find(self, secret_hash: bytes, purpose: Purpose) -> MailedLink | None:
        """The link, expired or not."""
        found = select(*_COLUMNS).where(
            mailed_links.c.secret_hash == secret_hash, mailed_links.c.purpose == purpose.value
        )
        row = self._connection.execute(found).one_or_none()
        return MailedLink(row[0], Purpose(row[1]), row[2], row[3]) if row else None

    def delete_all(self, user_id: int) -> int:
        """Make all links of an account worthless; returns how many there were."""
        return self._connection.execute(delete(mailed_links).where(mailed_links.c.user_id == user_id)).rowcount

    def waiting(self, user_id: int, purpose: Purpose, at: Instant) -> MailedLink | None:
        """The last link of an account that has not expired at ``at``."""
        table = mailed_links.c
        found = (
            select(*_COLUMNS)
            .where(table.user_id == user_id, table.purpose == purpose.value, table.expires > at)
            .order_by(table.id.desc())
            .limit(1)
        )
        row = self._connection.execute(found).one_or_none()
        return MailedLink(row[0], Purpose(row[1]), row[2], row[3]) if row else None
