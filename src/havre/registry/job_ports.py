"""Jobs as records, and the port of their rows. ``jobs`` says what they mean."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol

from havre.registry.records import Instant


class State(StrEnum):
    """Where a job stands."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"

    @property
    def ended(self) -> bool:
        """Will nothing more happen?"""
        return self in {State.DONE, State.FAILED}


@dataclass(frozen=True, slots=True)
class JobRecord:
    """A job. ``done`` of ``total`` is how far it is, 0 of 0 if nobody can tell."""

    id: int
    kind: str
    key: str
    payload: str
    """JSON."""
    state: State
    attempts: int
    not_before: Instant
    lease: str
    lease_until: Instant | None
    done: int
    total: int
    message: str
    created: Instant
    updated: Instant

    @property
    def values(self) -> dict[str, Any]:
        """The payload."""
        found: dict[str, Any] = json.loads(self.payload)
        return found


class JobRows(Protocol):
    """Jobs as rows."""

    def get(self, kind: str, key: str) -> JobRecord | None:
        """The latest job of this kind and key, ended or not."""

    def add(self, kind: str, key: str, payload: str, at: Instant) -> None:
        """A new job that may begin at once. The caller has seen that none of its kind and key is unfinished."""

    def claim(self, kinds: Collection[str], lease: str, at: Instant, until: Instant) -> JobRecord | None:
        """Take the job that has waited longest, or whose lease ran out; None if there is none."""

    def renew(self, job_id: int, lease: str, until: Instant, done: int, total: int) -> bool:
        """Hold on to a job and say how far it is; False if the lease was lost."""

    def settle(self, job_id: int, lease: str, state: State, message: str, not_before: Instant, attempts: int) -> bool:
        """Give a job back in a state; False, and nothing changed, if the lease was lost. One that is done keeps no
        payload.
        """

    def counts(self, kind: str = "") -> Mapping[str, int]:
        """How many jobs there are, of one kind or of all, by state."""

    def page(self, states: Collection[str], offset: int, limit: int) -> Sequence[JobRecord]:
        """Jobs of these states, the newest first."""

    def forget(self, before: Instant) -> int:
        """Remove jobs that ended before; returns how many."""


class HasJobs(Protocol):
    """Rows with jobs among them, whatever else there is."""

    @property
    def jobs(self) -> JobRows: ...
