"""What the visitor's account may hold, and what it uses of that."""

from __future__ import annotations

from datetime import UTC, datetime

from starlette.responses import Response

from havre.access.plan_ports import RepositoryUsage
from havre.access.plans import DAY, Usage
from havre.oci.names import Namespace
from havre.web.contexts.administration import UsagePage, UsageRow
from havre.web.visit import Visit


async def show(visit: Visit) -> Response:
    """``GET /settings/usage``."""
    usage = await visit.app.plans.usage(Namespace.parse(visit.actor.name))
    page = UsagePage(usage, usage_rows(usage), days(usage), usage.quota.limits.collaborators)
    return visit.page("settings_usage.html", page)


def usage_rows(usage: Usage) -> list[UsageRow]:
    """The repositories of a namespace with their pages."""
    return [UsageRow(one, repository_page(one)) for one in usage.largest]


def repository_page(usage: RepositoryUsage) -> str:
    """The public page of a repository that is known by its name."""
    return page_of(usage.name)


def page_of(path: str) -> str:
    """The public page of the repository with this path."""
    return f"/r/{path}" if "/" in path else f"/_/{path}"


def days(usage: Usage) -> list[tuple[str, int]]:
    """Each day as people write it to each other across languages, with its pulls."""
    return [(datetime.fromtimestamp(day * DAY / 1000, UTC).strftime("%m-%d"), pulls) for day, pulls in usage.pulls]
