"""What the page about collection shows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from havre.access.administration_ports import ContentCount
from havre.registry.gc import Report
from havre.registry.job_ports import JobRecord
from havre.registry.why import Why
from havre.web.contexts import Form


@dataclass(frozen=True, slots=True)
class Schedule:
    """When it happens: ``every`` and ``grace`` in hours, ``untagged`` in days; 0: never."""

    every: int
    grace: int
    untagged: int


@dataclass(frozen=True, slots=True)
class CollectionPage:
    """``/admin/collection``."""

    content: ContentCount | None
    schedule: Schedule
    under_way: JobRecord | None
    """The collection that waits or runs."""
    failed: str
    """Why the last one failed, as a sentence."""
    previewing: bool
    previewed: Report | None
    runs: Sequence[Report]
    """The last whole ones, newest first."""
    form: Form
    found: Why | None
    ordered: bool = False
