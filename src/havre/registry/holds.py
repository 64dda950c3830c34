"""Holds: why content that nobody needs must stay for a while all the same."""

from __future__ import annotations

from havre.registry.job_ports import State
from havre.registry.ports import Rows
from havre.registry.records import Instant

BACKUP, BACKUP_KEY = "backup", "all"
"""Kind and key of the job that a running backup is."""

HOLD = 60 * 1000
"""Milliseconds for which a backup that is not heard of is still waited for."""


def backup_runs(rows: Rows, at: Instant) -> bool:
    """Does a backup copy content now? Asked in the very unit of work that would remove rows of content."""
    job = rows.jobs.get(BACKUP, BACKUP_KEY)
    return job is not None and job.state is State.RUNNING and (job.lease_until or 0) > at
