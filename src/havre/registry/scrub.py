"""The scrub: the check of all content now and then, slowly, by whichever worker has nothing else to do.

It remembers how far it is, so that a restart goes on from there. It sets aside what is damaged, changes no row, and ends
as a failed job that says how many were hurt.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from havre.errors import InputInvalid
from havre.registry.check import Check, Report, pace_of
from havre.registry.check_ports import BlobChecks
from havre.registry.job_ports import JobRecord
from havre.registry.jobs import order
from havre.registry.ports import Clock, Metadata, Rows
from havre.registry.records import Instant

KIND, KEY = "fsck", "all"
_REMEMBERED = "fsck"
_DAY = 24 * 3600 * 1000
_STEPS = ("contents", "manifests")


class Scrub:
    """Has everything read again every ``days`` (0: never), ``rate`` bytes each second."""

    def __init__(self, metadata: Metadata, store: BlobChecks, clock: Clock, days: int, rate: float) -> None:
        self._metadata = metadata
        self._store = store
        self._clock = clock
        self._days = days
        self._rate = rate

    async def order_if_due(self) -> bool:
        """Order it if the last one ended long ago; True if one was ordered. A new registry counts from now."""
        if not self._days:
            return False
        now = self._clock()
        state = await self._metadata.read(_state)
        if state and (not state["ended"] or state["ended"] + self._days * _DAY > now):
            return False
        return await self._metadata.write(lambda rows: self._order(rows, now))

    def _order(self, rows: Rows, now: Instant) -> bool:
        state = _state(rows)
        if not state:
            rows.checks.remember(_REMEMBERED, json.dumps({"ended": now}))
            return False
        if not state["ended"] or state["ended"] + self._days * _DAY > now:
            return False
        rows.checks.remember(_REMEMBERED, json.dumps({"ended": 0, "step": 0, "after": 0, "blobs": 0, "damage": 0}))
        order(rows, KIND, KEY, {}, now)
        return True

    async def work(self, job: JobRecord, progress: Callable[[int, int], None]) -> None:
        """Do the job, from where the last worker left it. Raises InputInvalid at the end if something is damaged."""
        check = Check(self._metadata, self._store, self._clock, pace_of(self._rate), sparse=True)
        state = await self._metadata.read(_state) or {}
        begun = {"step": 0, "after": 0, "blobs": 0, "damage": 0, **state, "ended": 0}
        now = dict(begun)
        while now["step"] < len(_STEPS):
            step = (check.contents, check.manifests)[now["step"]]
            after = await step(now["after"])
            now = {**now, **_sum(begun, check.report)}
            now |= {"step": now["step"] + 1, "after": 0} if after is None else {"after": after}
            progress(now["blobs"], 0)
            await self._remember(now)
        await self._remember({**now, "ended": self._clock()})
        if now["damage"]:
            raise InputInvalid(
                f"{now['damage']} damaged or missing, of {now['blobs']} blobs and all manifests: see the log, then run"
                " havre fsck --repair, and push what it names again"
            )

    async def _remember(self, state: dict[str, Any]) -> None:
        text = json.dumps(state)
        await self._metadata.write(lambda rows: rows.checks.remember(_REMEMBERED, text), durable=False)


def _sum(begun: dict[str, Any], report: Report) -> dict[str, int]:
    return {"blobs": begun["blobs"] + report.blobs, "damage": begun["damage"] + report.damage}


def _state(rows: Rows) -> dict[str, Any] | None:
    text = rows.checks.recall(_REMEMBERED)
    found: dict[str, Any] | None = json.loads(text) if text else None
    return found
