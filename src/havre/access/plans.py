"""Plans: what accounts may hold. Administrators define them and give them to accounts; ``registry.quotas`` asks them.

Exactly one plan is the default: that of every account which was given no other. A smaller plan never takes anything
away; whoever has more than it allows keeps that, and is refused more.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from havre.access.plan_ports import Plan, RepositoryUsage
from havre.access.ports import Metadata, Rows
from havre.errors import Conflict, InputInvalid, NameUnknown
from havre.oci.names import Namespace
from havre.registry.audit import OPERATOR, Author, record
from havre.registry.ports import Clock
from havre.registry.quota_ports import Limits, Quota

__all__ = ["OPERATOR", "Plans", "Usage"]

MAX_PLANS = 100
MAX_TITLE = 60
MAX_COUNT = 1_000_000
MAX_STORAGE = 10**18
"""Bytes that a limit can be at most."""

PULL_DAYS = 30
LARGEST = 50
"""Repositories that a usage page lists."""

DAY = 24 * 3600 * 1000

_NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,28}[a-z0-9])?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Usage:
    """What an account uses of its plan."""

    quota: Quota
    repositories: int
    largest: Sequence[RepositoryUsage]
    pulls: Sequence[tuple[int, int]]
    """Day since 1970 and pulls, of each of the last PULL_DAYS days."""


class Plans:
    """Lists, defines and assigns plans. Callers of what changes them have checked that ``actor`` administers."""

    def __init__(self, metadata: Metadata, clock: Clock) -> None:
        self._metadata = metadata
        self._clock = clock

    async def all(self) -> Sequence[Plan]:
        """Every plan, the default first."""
        return await self._metadata.read(lambda rows: rows.plans.all())

    async def get(self, name: str) -> Plan:
        """By name; raises NameUnknown."""
        return await self._metadata.read(lambda rows: _find(rows, name))

    async def of(self, user_id: int) -> Plan:
        """That of an account; raises NameUnknown if there is no such account."""
        plan = await self._metadata.read(lambda rows: rows.plans.of(user_id))
        if plan is None:
            raise NameUnknown(f"there is no account {user_id}")
        return plan

    async def create(self, actor: Author, name: str, title: str, limits: Limits, address: str = "") -> Plan:
        """Define a plan. Raises InputInvalid with ``field`` for what breaks a rule, Conflict for a name that is taken."""
        if not _NAME.fullmatch(name):
            raise InputInvalid(
                f"{name[:40]!r} can not be a plan's name: use up to 30 lower-case letters, digits and hyphens",
                field="name",
            )
        title, now = _checked(title, limits), self._clock()

        def work(rows: Rows) -> Plan:
            if len(rows.plans.all()) >= MAX_PLANS:
                raise InputInvalid(f"there are {MAX_PLANS} plans already: delete one first", field="name")
            plan = rows.plans.add(name, title, limits, now)
            if plan is None:
                raise Conflict(f"there is a plan {name!r} already: choose another name", detail={"field": "name"})
            record(rows, actor, "plan.create", name, at=now, address=address, detail=_facts(title, limits))
            return plan

        return await self._metadata.write(work)

    async def change(self, actor: Author, name: str, title: str, limits: Limits, address: str = "") -> None:
        """Change what a plan allows, for everyone who has it. Raises InputInvalid with ``field``, NameUnknown."""
        title, now = _checked(title, limits), self._clock()

        def work(rows: Rows) -> None:
            plan = _find(rows, name)
            rows.plans.change(plan.id, title, limits)
            record(rows, actor, "plan.change", name, at=now, address=address, detail=_facts(title, limits))

        await self._metadata.write(work)

    async def make_default(self, actor: Author, name: str, address: str = "") -> None:
        """Make it the plan of every account that was given no other. Raises NameUnknown."""
        now = self._clock()

        def work(rows: Rows) -> None:
            plan = _find(rows, name)
            if not plan.is_default:
                rows.plans.make_default(plan.id)
                record(rows, actor, "plan.default", name, at=now, address=address)

        await self._metadata.write(work)

    async def delete(self, actor: Author, name: str, address: str = "") -> None:
        """Remove a plan that nobody has. Raises NameUnknown, and Conflict while it is in use."""
        now = self._clock()

        def work(rows: Rows) -> None:
            plan = _find(rows, name)
            if not rows.plans.delete(plan.id):
                raise Conflict(
                    f"the plan {name!r} is in use: make another the default, and give its accounts another plan first"
                )
            record(rows, actor, "plan.delete", name, at=now, address=address)

        await self._metadata.write(work)

    async def assign(self, actor: Author, account: str, plan_name: str, address: str = "") -> None:
        """Give an account a plan; an empty name gives it the default. Raises NameUnknown."""
        now = self._clock()

        def work(rows: Rows) -> None:
            stored = rows.accounts.find(account)
            if stored is None or "@" in account:
                raise NameUnknown(f"there is no account {account[:40]!r}")
            plan = _find(rows, plan_name) if plan_name else None
            before = rows.plans.of(stored.user.id)
            rows.plans.assign(stored.user.id, plan.id if plan else None)
            after = rows.plans.of(stored.user.id)
            if before and after and before.id != after.id:
                detail = {"from": before.name, "to": after.name}
                record(rows, actor, "account.plan", stored.user.name, at=now, address=address, detail=detail)

        await self._metadata.write(work)

    async def usage(self, namespace: Namespace) -> Usage:
        """What is used of it all; raises NameUnknown if there is no such namespace."""
        today = self._clock() // DAY
        since = today - PULL_DAYS + 1

        def work(rows: Rows) -> Usage:
            quota = rows.quotas.of(namespace)
            if quota is None:
                raise NameUnknown(f"there is no account {namespace}")
            counted = dict(rows.usage.pulls(namespace, since))
            return Usage(
                quota,
                rows.usage.repositories(namespace),
                rows.usage.largest(namespace, since, LARGEST),
                [(day, counted.get(day, 0)) for day in range(since, today + 1)],
            )

        return await self._metadata.read(work)

    async def fold(self) -> int:
        """Add up what changed in storage since the last time; returns how many changes there were. Safe beside itself."""
        folded = 0
        while await self._metadata.read(lambda rows: rows.usage.waiting()):
            folded += await self._metadata.write(lambda rows: rows.usage.fold(), durable=False)
        return folded


def _find(rows: Rows, name: str) -> Plan:
    plan = rows.plans.get(name[:60])
    if plan is None:
        raise NameUnknown(f"there is no plan {name[:40]!r}")
    return plan


def _checked(title: str, limits: Limits) -> str:
    cleaned = " ".join(title.replace("\0", "").split())
    if not 0 < len(cleaned) <= MAX_TITLE:
        raise InputInvalid(f"a plan's title has 1 to {MAX_TITLE} characters", field="title")
    for field, value, most in (
        ("private_repositories", limits.private_repositories, MAX_COUNT),
        ("storage", limits.storage, MAX_STORAGE),
        ("collaborators", limits.collaborators, MAX_COUNT),
    ):
        if value is not None and not 0 <= value <= most:
            raise InputInvalid(f"a limit is a number from 0 to {most}, or empty for no limit", field=field)
    return cleaned


def _facts(title: str, limits: Limits) -> dict[str, str | int]:
    values = {
        "private_repositories": limits.private_repositories,
        "storage": limits.storage,
        "collaborators": limits.collaborators,
    }
    return {"title": title, **{key: "unlimited" if value is None else value for key, value in values.items()}}
