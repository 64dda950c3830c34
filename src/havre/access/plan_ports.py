"""Plans and what accounts use, as records, and the ports of their rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from havre.oci.names import Namespace, RepositoryName
from havre.registry.quota_ports import Limits
from havre.registry.records import Instant, Visibility


@dataclass(frozen=True, slots=True)
class Plan:
    """What accounts that have it may hold."""

    id: int
    name: str
    """For commands and addresses; never changes."""
    title: str
    is_default: bool
    """Is it the plan of every account that was given no other?"""
    limits: Limits
    created: Instant
    accounts: int = 0
    """How many have it."""


@dataclass(frozen=True, slots=True)
class RepositoryUsage:
    """A repository of someone who looks at what they use."""

    name: RepositoryName
    visibility: Visibility
    storage: int
    """Bytes that it links; some seconds old."""
    pulls: int
    """Within the days that were asked for."""


class PlanRows(Protocol):
    """Plans, and who has which."""

    def all(self) -> Sequence[Plan]:
        """Every plan, the default first, then by name."""

    def get(self, name: str) -> Plan | None:
        """By name."""

    def of(self, user_id: int) -> Plan | None:
        """The plan of an account; None if there is no such account."""

    def add(self, name: str, title: str, limits: Limits, at: Instant) -> Plan | None:
        """A new plan; None if the name is taken."""

    def change(self, plan_id: int, title: str, limits: Limits) -> None:
        """Another title, other limits."""

    def make_default(self, plan_id: int) -> None:
        """From now on the plan of every account that was given no other."""

    def delete(self, plan_id: int) -> bool:
        """Remove it; False, and nothing removed, if it is the default or an account has it."""

    def assign(self, user_id: int, plan_id: int | None) -> bool:
        """Give an account a plan, or with None the default; False if there is no such account."""


class UsageRows(Protocol):
    """What namespaces use."""

    def largest(self, namespace: Namespace, since_day: int, limit: int) -> Sequence[RepositoryUsage]:
        """Repositories by what they store, the largest first, with their pulls from ``since_day`` on."""

    def repositories(self, namespace: Namespace) -> int:
        """How many there are, deleted ones aside."""

    def pulls(self, namespace: Namespace, since_day: int) -> Sequence[tuple[int, int]]:
        """Day and pulls of all repositories together, for days with any, in order."""

    def fold(self) -> int:
        """Add up a batch of what changed in storage; returns how many changes there were."""

    def waiting(self) -> bool:
        """Is there anything to fold?"""
