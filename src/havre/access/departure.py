"""Departure: people take along all that is held about them, and leave for good."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from havre.access.actors import Actor
from havre.access.audit import record
from havre.access.ports import Metadata, Rows
from havre.access.records import User
from havre.errors import Conflict, InputInvalid
from havre.oci.names import Namespace
from havre.registry.ports import Clock
from havre.registry.records import Viewer
from havre.registry.search_ports import SearchQuery

MAX_ROWS = 10_000
"""Of each kind in an export: the newest ones."""

_BATCH = 20
"""Repositories removed in one unit of work."""


class Departure:
    """Exports and closes accounts. Callers have checked that it is the owner who asks."""

    def __init__(self, metadata: Metadata, clock: Clock) -> None:
        self._metadata = metadata
        self._clock = clock

    async def export(self, user: User, address: str) -> Mapping[str, Sequence[Mapping[str, object]]]:
        """All that is held about an account, by kind; no secret is in it. Times are milliseconds since 1970, UTC."""
        now = self._clock()

        def work(rows: Rows) -> Mapping[str, Sequence[Mapping[str, object]]]:
            record(rows, _actor(user), "account.export", user.name, at=now, address=address)
            return rows.belongings.export(user.id, MAX_ROWS)

        return await self._metadata.write(work)

    async def repositories(self, user: User) -> int:
        """How many repositories would go with the account."""
        return await self._metadata.read(lambda rows: _owned(rows, user, 1)[1])

    async def close(self, user: User, typed: str, address: str) -> None:
        """Delete an account with its repositories, sessions and tokens. Its name is never given to anyone again.

        ``typed`` must be that name. Raises InputInvalid if it is not, and Conflict for the only administrator. Large
        accounts go in several steps; whoever is interrupted can simply ask again.
        """
        if typed.strip() != user.name:
            raise InputInvalid(f"type {user.name} exactly to delete the account", field="confirm")
        while not await self._metadata.write(lambda rows: self._step(rows, user, address)):
            pass

    def _step(self, rows: Rows, user: User, address: str) -> bool:
        """Remove some repositories, or the account once there are none; is it done?"""
        if user.is_admin and not rows.accounts.administered(besides=user.id):
            raise Conflict("you are the only administrator: make someone else one first")
        found, _ = _owned(rows, user, _BATCH)
        for repository_id in found:
            rows.repositories.delete(repository_id)
        if found:
            return False
        now = self._clock()
        record(rows, _actor(user), "account.close", user.name, at=now, address=address)
        rows.belongings.close(user.id, now)
        return True


def _owned(rows: Rows, user: User, limit: int) -> tuple[Sequence[int], int]:
    query = SearchQuery(namespace=Namespace.parse(user.name))
    mine, total = rows.search.find(Viewer(user.id, is_admin=True), query, 0, limit)
    return [one.id for one in mine], total


def _actor(user: User) -> Actor:
    return Actor(user.id, user.name, user.is_admin)
