"""What the pages of plans, usage and administration show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote, urlencode

from havre.access.administration_ports import Account, AnyRepository, ContentCount, Counts
from havre.access.plan_ports import Plan, RepositoryUsage
from havre.access.plans import Usage
from havre.access.records import AuditQuery
from havre.registry.job_ports import JobRecord
from havre.registry.records import AuditEvent
from havre.web.contexts import Form, Pager


@dataclass(frozen=True, slots=True)
class UsageRow:
    """A repository and what it uses."""

    usage: RepositoryUsage
    path: str


@dataclass(frozen=True, slots=True)
class UsagePage:
    """``/settings/usage``."""

    usage: Usage
    rows: Sequence[UsageRow]
    days: Sequence[tuple[str, int]]
    """Day and pulls."""
    collaborators: int | None

    @property
    def pulls(self) -> int:
        """Of all these days."""
        return sum(number for _, number in self.days)


@dataclass(frozen=True, slots=True)
class OverviewPage:
    """``/admin``."""

    counts: Counts
    content: ContentCount | None
    storage: str
    """Kind and place of the bytes."""
    workers: int
    versions: Sequence[tuple[str, str]]
    jobs: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class UsersPage:
    """``/admin/users``."""

    text: str
    order: str
    users: Sequence[Account]
    pager: Pager


@dataclass(frozen=True, slots=True)
class UserPage:
    """``/admin/users/{name}``."""

    account: Account
    usage: Usage
    rows: Sequence[UsageRow]
    plans: Sequence[Plan]
    plan: str
    """Name of the plan that was given; empty for the default."""
    factors: int
    """Authenticators and passkeys."""
    form: Form
    saved: bool = False


@dataclass(frozen=True, slots=True)
class AnyRepositoryRow:
    """A repository in the list of all."""

    repository: AnyRepository
    path: str
    """Its page; empty for a deleted one."""
    owner: str


@dataclass(frozen=True, slots=True)
class RepositoriesPage:
    """``/admin/repositories``."""

    text: str
    shown: str
    order: str
    rows: Sequence[AnyRepositoryRow]
    pager: Pager


@dataclass(frozen=True, slots=True)
class PlansPage:
    """``/admin/plans``."""

    plans: Sequence[Plan]
    form: Form
    saved: bool = False


@dataclass(frozen=True, slots=True)
class PlanPage:
    """``/admin/plans/{name}``."""

    plan: Plan
    form: Form
    saved: bool = False


@dataclass(frozen=True, slots=True)
class JobsPage:
    """``/admin/jobs``."""

    state: str
    jobs: Sequence[JobRecord]
    counts: Mapping[str, int]
    number: int
    more: bool

    def link(self, number: int) -> str:
        """The query for another page of the list."""
        return "?" + urlencode({**({"state": self.state} if self.state else {}), "page": number})


@dataclass(frozen=True, slots=True)
class SettingRow:
    """A setting in force."""

    name: str
    help: str
    value: str
    """Empty for what may hold a secret, and for what is not set."""
    secret: bool
    source: str


@dataclass(frozen=True, slots=True)
class SettingsPage:
    """``/admin/settings``."""

    settings: Sequence[SettingRow]


@dataclass(frozen=True, slots=True)
class AuditPage:
    """``/admin/audit``."""

    query: AuditQuery
    form: Form
    events: Sequence[AuditEvent]
    older: str
    """The query for what is older; empty at the end."""
    export: str
    """The query that exports what is shown here."""
    first: bool


def admin_user_path(name: str) -> str:
    """The page about one account."""
    return f"/admin/users/{quote(name)}"
