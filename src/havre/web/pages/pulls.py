"""Pulls over time: by day, by tag, and for who manages the repository by client."""

from __future__ import annotations

from datetime import UTC, datetime

from starlette.responses import Response

from havre.registry.records import Repository
from havre.registry.statistics import DAY
from havre.web.contexts import RepositoryHead, repository_path
from havre.web.contexts.tags import PullsChart, PullsPage, address
from havre.web.visit import Visit

RANGES = (30, 90)
"""Days that can be looked at."""


async def show(visit: Visit) -> Response:
    """``…/-/pulls?days=``."""
    days = RANGES[1] if visit.query("days", 3) == str(RANGES[1]) else RANGES[0]
    chart = await pulls_chart(visit, visit.shown, days, details=True)
    shown = ((one, visit.text("%(days)s days", days=one)) for one in RANGES)
    ranges = [(address(chart.path, days=one if one != RANGES[0] else ""), text, one == days) for one, text in shown]
    return visit.page("pulls.html", PullsPage(RepositoryHead(visit.shown, visit.may_manage, "overview"), chart, ranges))


async def pulls_chart(
    visit: Visit, repository: Repository, days: int = RANGES[0], *, details: bool = False
) -> PullsChart:
    """What ``pulls_chart.html`` shows, for the pages of a repository; ``details`` are tags and clients."""
    found = await visit.app.statistics.pulls(repository, days, details=details)
    dates = [
        datetime.fromtimestamp((found.first_day + number) * DAY / 1000, UTC).strftime("%Y-%m-%d")
        for number in range(days)
    ]
    return PullsChart(
        found,
        list(zip(dates, found.by_day, strict=True)),
        [(str(tag or ""), number) for tag, number in found.by_tag],
        found.by_client if visit.may_manage else (),
        f"{repository_path(repository)}/-/pulls",
    )
