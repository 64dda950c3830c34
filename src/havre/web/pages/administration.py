"""Administration: the overview, repositories, jobs, and the settings in force."""

from __future__ import annotations

import platform
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from starlette.responses import Response

from havre import __version__
from havre.access.administration_ports import RepositoryOrder, Shown
from havre.config import DEFAULTS, SETTINGS
from havre.errors import NameUnknown
from havre.registry.job_ports import JobRecord, State
from havre.web.contexts.administration import (
    AnyRepositoryRow,
    JobsPage,
    OverviewPage,
    RepositoriesPage,
    SettingRow,
    SettingsPage,
)
from havre.web.pages.usage import page_of
from havre.web.visit import Visit, pager

_STORAGES = {"file": "folder", "s3": "S3", "gs": "Google Cloud Storage", "az": "Azure Blob Storage"}


async def show(visit: Visit) -> Response:
    """``GET /admin``."""
    app = visit.app
    counts, content = await app.administration.counts()
    content = content or await app.administration.count_content()
    _, jobs = await app.administration.jobs((State.FAILED,), 1)
    scheme = urlsplit(app.config.storage_url).scheme
    versions = [
        ("Havre", __version__),
        ("Python", platform.python_version()),
        ("database", f"{counts.engine}, schema {counts.schema}"),
    ]
    page = OverviewPage(counts, content, _STORAGES.get(scheme, scheme), app.config.workers, versions, jobs)
    return visit.page("admin_overview.html", page)


async def count(visit: Visit) -> Response:
    """``POST /admin/count``: count what is stored now."""
    await visit.app.administration.count_content(fresh=True)
    return visit.redirect("/admin")


async def repositories(visit: Visit) -> Response:
    """``GET /admin/repositories``."""
    text, shown = visit.query("q"), visit.query("shown", 20)
    order = chosen(RepositoryOrder, visit.query("sort", 20), RepositoryOrder.NAME)
    shown = chosen(Shown, shown, Shown.ALL)
    found = await visit.app.administration.repositories(text, shown, order, visit.page_number())
    rows = [
        AnyRepositoryRow(one, "" if one.deleted else page_of(one.path), one.path.rpartition("/")[0].partition("/")[0])
        for one in found.items
    ]
    fields = {"q": text, "shown": shown.value, "sort": order.value}
    return visit.page("admin_repositories.html", RepositoriesPage(text, shown, order, rows, pager(found, **fields)))


async def jobs(visit: Visit) -> Response:
    """``GET /admin/jobs``."""
    state = visit.query("state", 20)
    states = (State(state),) if state in set(State) else tuple(State)
    number = visit.page_number()
    found, counts = await visit.app.administration.jobs(states, number)
    per_page = 50
    shown: list[JobRecord] = found[:per_page]
    page = JobsPage(state if len(states) == 1 else "", shown, counts, number, more=len(found) > per_page)
    return visit.page("admin_jobs.html", page)


async def retry(visit: Visit) -> Response:
    """``POST /admin/jobs``: order a failed job anew."""
    values = await visit.form()
    kind, key = values.get("kind", ""), values.get("key", "")
    if not kind or not key:
        raise NameUnknown("no job was named")
    await visit.app.administration.retry(visit.actor, kind, key, visit.address)
    return visit.redirect("/admin/jobs")


async def settings(visit: Visit) -> Response:
    """``GET /admin/settings``: what is in force; secrets are never shown."""
    config, sources = visit.app.config, visit.app.sources
    rows = []
    for name, setting in SETTINGS.items():
        value = getattr(config, name)
        source = sources.get(name) or ("default" if value == DEFAULTS[name] else "")
        hidden = setting.secret and source != "default"
        words, origin = visit.speech.lookup(setting.help), visit.speech.sentence(source)
        rows.append(SettingRow(name, words, "" if hidden else _plain(value), hidden, origin))
    return visit.page("admin_settings.html", SettingsPage(rows))


def chosen(options: Any, text: str, default: Any) -> Any:
    """The option that is called ``text``, or the default."""
    return options(text) if text in set(options) else default


def _plain(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, tuple):
        return ", ".join(str(one) for one in value)
    return str(value) if not isinstance(value, Path) else value.as_posix()
