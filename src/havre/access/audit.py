"""The audit trail for those who may read it: pages and exports, newest first, kept for some time.

Rules write it with ``record``, which lives in ``havre.registry.audit`` so that the registry may use it too.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime

from havre.access.ports import Metadata
from havre.access.records import AuditQuery
from havre.registry.audit import ITSELF, OPERATOR, record
from havre.registry.ports import Clock
from havre.registry.records import AuditEvent, Instant

__all__ = ["ITSELF", "OPERATOR", "Audit", "document", "record"]

MAX_PAGE = 500
SWEEP_BATCH = 1_000
DAY = 24 * 3600 * 1000


def document(event: AuditEvent) -> dict[str, object]:
    """An event as others read it, whose times are RFC 3339."""
    return {
        "id": event.id,
        "at": datetime.fromtimestamp(event.at / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "actor": event.actor,
        "actor_id": event.actor_id,
        "action": event.action,
        "subject": event.subject,
        "repository_id": event.repository_id,
        "address": event.address,
        "detail": dict(event.detail),
    }


class Audit:
    """Reads the trail. Callers have checked that they speak for an administrator. ``days`` is how long it is kept."""

    def __init__(self, metadata: Metadata, clock: Clock, days: int = 365) -> None:
        self._metadata = metadata
        self._clock = clock
        self._kept = days * DAY

    async def page(
        self, query: AuditQuery, before: tuple[Instant, int] | None = None, limit: int = 50
    ) -> Sequence[AuditEvent]:
        """At most ``limit`` events that match, newest first; ``before`` is the last event of the page before this."""
        return await self._metadata.read(lambda rows: rows.audit.page(query, before, max(1, min(limit, MAX_PAGE))))

    async def export(self, query: AuditQuery) -> AsyncIterator[AuditEvent]:
        """All events that match, newest first, read in pages: nothing is held meanwhile."""
        before: tuple[Instant, int] | None = None
        while found := await self.page(query, before, MAX_PAGE):
            for event in found:
                yield event
            before = (found[-1].at, found[-1].id)

    async def sweep(self) -> int:
        """Forget what is older than the setting allows; returns how many events. Safe beside itself."""
        removed, before = 0, self._clock() - self._kept
        while True:
            gone = await self._metadata.write(lambda rows: rows.audit.sweep(before, SWEEP_BATCH), durable=False)
            removed += gone
            if gone < SWEEP_BATCH:
                return removed
