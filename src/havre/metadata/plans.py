"""Plans and who has which, as rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, bindparam, case, delete, exists, func, select, update

from havre.access.plan_ports import Plan
from havre.metadata.quotas import DEFAULT_PLAN
from havre.metadata.schema import plans, users
from havre.metadata.statements import insert_new
from havre.registry.quota_ports import Limits
from havre.registry.records import Instant

_COLUMNS = (
    plans.c.id,
    plans.c.name,
    plans.c.title,
    plans.c.is_default,
    plans.c.private_repositories,
    plans.c.storage,
    plans.c.collaborators,
    plans.c.created,
)
_GIVEN = select(func.count()).select_from(users).where(users.c.plan_id == plans.c.id).correlate(plans).scalar_subquery()
_NOT_GIVEN = select(func.count()).select_from(users).where(users.c.plan_id.is_(None)).scalar_subquery()
_COUNTED = select(*_COLUMNS, _GIVEN + case((plans.c.is_default, _NOT_GIVEN), else_=0))
_ALL = _COUNTED.order_by(plans.c.is_default.desc(), plans.c.name)
_BY_NAME = _COUNTED.where(plans.c.name == bindparam("name"))
_OF = (
    select(*_COLUMNS)
    .join_from(users, plans, plans.c.id == func.coalesce(users.c.plan_id, DEFAULT_PLAN))
    .where(users.c.id == bindparam("user_id"))
)
_DELETE = delete(plans).where(
    plans.c.id == bindparam("plan_id"),
    plans.c.is_default.is_(False),
    ~exists().where(users.c.plan_id == bindparam("plan_id")),
)


def _plan(row: Sequence[Any]) -> Plan:
    identity, name, title, is_default, private, storage, collaborators, created, *accounts = row
    limits = Limits(private, storage, collaborators)
    return Plan(identity, name, title, bool(is_default), limits, created, *accounts)


def _values(title: str, limits: Limits) -> dict[str, object]:
    return {
        "title": title,
        "private_repositories": limits.private_repositories,
        "storage": limits.storage,
        "collaborators": limits.collaborators,
    }


class PlanRows:
    """See ``havre.access.plan_ports.PlanRows``."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def all(self) -> Sequence[Plan]:
        """Every plan, the default first, then by name."""
        return [_plan(row) for row in self._connection.execute(_ALL)]

    def get(self, name: str) -> Plan | None:
        """By name."""
        row = self._connection.execute(_BY_NAME, {"name": name}).first()
        return _plan(row) if row else None

    def of(self, user_id: int) -> Plan | None:
        """The plan of an account; None if there is no such account."""
        row = self._connection.execute(_OF, {"user_id": user_id}).first()
        return _plan(row) if row else None

    def add(self, name: str, title: str, limits: Limits, at: Instant) -> Plan | None:
        """A new plan; None if the name is taken."""
        values = {"name": name, "is_default": False, "created": at, **_values(title, limits)}
        made = self._connection.execute(insert_new(self._connection, plans).values(values).returning(plans.c.id))
        return self.get(name) if made.first() else None

    def change(self, plan_id: int, title: str, limits: Limits) -> None:
        """Another title, other limits."""
        self._connection.execute(update(plans).where(plans.c.id == plan_id).values(_values(title, limits)))

    def make_default(self, plan_id: int) -> None:
        """From now on the plan of every account that was given no other."""
        self._connection.execute(update(plans).where(plans.c.is_default).values(is_default=False))
        self._connection.execute(update(plans).where(plans.c.id == plan_id).values(is_default=True))

    def delete(self, plan_id: int) -> bool:
        """Remove it; False, and nothing removed, if it is the default or an account has it."""
        return self._connection.execute(_DELETE, {"plan_id": plan_id}).rowcount > 0

    def assign(self, user_id: int, plan_id: int | None) -> bool:
        """Give an account a plan, or with None the default; False if there is no such account."""
        statement = update(users).where(users.c.id == user_id).values(plan_id=plan_id)
        return self._connection.execute(statement).rowcount > 0
