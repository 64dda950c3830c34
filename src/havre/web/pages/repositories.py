"""Repositories: the public view, the owner's view with its settings, and the list of one's own."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.responses import Response

from havre.errors import InputInvalid
from havre.oci.names import Namespace, Tag
from havre.registry.records import Repository, Visibility
from havre.web.contexts import (
    Form,
    ManagePage,
    MinePage,
    RepositoryCard,
    RepositoryHead,
    RepositoryPage,
    TagRow,
    manage_path,
)
from havre.web.errors import FORM_ERRORS
from havre.web.markdown import to_html
from havre.web.pages.tags import rows_of
from havre.web.visit import Visit, pager

_LATEST = 5
_PER_PAGE = 20


async def show(visit: Visit) -> Response:
    """``/r/{namespace}/{repository}`` and ``/_/{repository}``: what it is and how to pull it."""
    repository = visit.shown
    latest, count = await _latest(visit, repository)
    readme = await visit.app.repositories.readme(repository)
    page = RepositoryPage(
        RepositoryHead(repository, visit.may_manage, "overview"),
        to_html(readme) if readme else "",
        await _pull_reference(visit, repository, latest),
        latest,
        count,
    )
    return visit.page("repository.html", page)


async def mine(visit: Visit) -> Response:
    """``/repositories``: the visitor's own, private ones included."""
    text = visit.query("q")
    found = await visit.app.repositories.search(
        visit.actor.viewer,
        text,
        visit.page_number(),
        _PER_PAGE,
        namespace=Namespace.parse(visit.actor.name),
        newest_first=True,
    )
    return visit.page("mine.html", MinePage(text, [RepositoryCard(one) for one in found.items], pager(found, q=text)))


async def manage(visit: Visit) -> Response:
    """``GET /repository/docker/{namespace}/{repository}?tab=``: for its owner."""
    return await _manage(visit, Form(await _as_typed(visit)), saved=visit.query("saved", 20))


async def change(visit: Visit) -> Response:
    """``POST`` there: one of the forms ``about``, ``visibility`` and ``delete``, named by the field ``form``."""
    repository, values = visit.shown, await visit.form()
    which = values.get("form", "")
    try:
        if which == "about":
            await visit.app.repositories.describe(
                repository.name, description=values.get("description", "").strip(), readme=values.get("readme", "")
            )
        elif which == "visibility":
            await visit.app.repositories.set_visibility(repository.name, _visibility(visit, values))
        elif which == "delete":
            return await _delete(visit, repository, values)
        else:
            raise InputInvalid("this is not a form of the page")
    except FORM_ERRORS as error:
        form, status = visit.again(error, {**await _as_typed(visit), **values})
        return await _manage(visit, form, status=status, tab="settings")
    return visit.redirect(f"{manage_path(repository)}?tab=settings&saved={which}")


async def _delete(visit: Visit, repository: Repository, values: Mapping[str, str]) -> Response:
    if values.get("confirm", "").strip() != repository.name:
        raise InputInvalid(
            visit.text("Type %(name)s exactly to delete the repository.", name=repository.name), field="confirm"
        )
    await visit.app.deletion.delete(repository.name, by=visit.actor, address=visit.address)
    return visit.redirect("/repositories")


async def _manage(visit: Visit, form: Form, *, status: int = 200, tab: str = "", saved: str = "") -> Response:
    repository = visit.shown
    tab = tab or ("settings" if visit.query("tab", 20) == "settings" else "general")
    latest, count = await _latest(visit, repository)
    readme = await visit.app.repositories.readme(repository) if tab == "general" else ""
    page = ManagePage(
        RepositoryHead(repository, may_manage=True, current=tab),
        to_html(readme) if readme else "",
        latest,
        count,
        form,
        saved,
    )
    return visit.page("manage.html", page, status)


async def _latest(visit: Visit, repository: Repository) -> tuple[list[TagRow], int]:
    found = await visit.app.tags.page(repository, per_page=_LATEST)
    return rows_of(found.items), found.total


async def _pull_reference(visit: Visit, repository: Repository, latest: list[TagRow]) -> str:
    """What to pull when nothing else is said: ``latest`` if there is such a tag, else the newest."""
    if not latest:
        return ""
    if any(row.name == "latest" for row in latest):
        return str(repository.name)
    named = await visit.app.database.read(lambda rows: rows.tags.get(repository.id, Tag("latest")))
    if named is not None:
        return str(repository.name)
    return f"{repository.name}:{latest[0].name}"


def _visibility(visit: Visit, values: Mapping[str, str]) -> Visibility:
    try:
        return Visibility(values.get("visibility", ""))
    except ValueError as error:
        raise InputInvalid(visit.text("Choose public or private."), field="visibility") from error


async def _as_typed(visit: Visit) -> dict[str, str]:
    repository = visit.shown
    return {
        "description": repository.description,
        "readme": await visit.app.repositories.readme(repository),
        "visibility": repository.visibility.value,
    }
