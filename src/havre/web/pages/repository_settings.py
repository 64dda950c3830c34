"""A repository for those who administer it: what was pushed, its overview, people, settings."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from starlette.responses import HTMLResponse, Response

from havre.access.permissions import owns
from havre.errors import Denied, InputInvalid, NameInvalid, NameUnknown
from havre.oci.names import RepositoryName
from havre.registry.records import Repository, Role, Visibility
from havre.registry.repositories import CATEGORIES
from havre.web.contexts import Form, RepositoryHead, manage_path
from havre.web.contexts.repositories import ManagePage
from havre.web.errors import FORM_ERRORS
from havre.web.pages.pulls import pulls_chart
from havre.web.pages.repositories import category_name, newest
from havre.web.readmes import readme_html
from havre.web.visit import Visit

_TABS = ("general", "overview", "collaborators", "settings")
_OVERVIEW = 100_000


async def manage(visit: Visit) -> Response:
    """``GET /repository/docker/{namespace}/{repository}?tab=``: one of the parts."""
    tab = visit.query("tab", 20)
    return await _page(visit, tab if tab in _TABS else "general", Form(await _as_typed(visit)))


async def change(visit: Visit) -> Response:
    """``POST`` there: one of the forms, named by the field ``form``."""
    values = await visit.form()
    which = values.get("form", "")
    tab, action = _FORMS.get(which, ("settings", None))
    try:
        if action is None:
            raise InputInvalid("this is not a form of the page")
        if which in _OWNERS and not owns(visit.actor, visit.shown):
            raise Denied(f"only the owner of {visit.shown.name} may do this")
        if "preview" in values:
            return await _page(visit, tab, Form({**await _as_typed(visit), **values}), preview=True)
        answer = await action(visit, values)
    except FORM_ERRORS as error:
        form, status = visit.again(error, {**await _as_typed(visit), **values})
        return await _page(visit, tab, form, status=status)
    return answer or visit.redirect(f"{manage_path(visit.shown)}?tab={tab}&saved={which}")


async def preview(visit: Visit) -> Response:
    """``POST /repositories/preview``: an overview as the page would show it, a piece of HTML."""
    values = await visit.form()
    return HTMLResponse(await readme_html(visit, values.get("readme", "")[:_OVERVIEW]))


async def _about(visit: Visit, values: Mapping[str, str]) -> None:
    chosen = [one for one in CATEGORIES if values.get(f"category-{one}")]
    await visit.app.repositories.describe(
        visit.shown.name,
        description=values.get("description", "").strip(),
        categories=chosen,
        by=visit.actor,
        address=visit.address,
    )


async def _overview(visit: Visit, values: Mapping[str, str]) -> Response:
    await visit.app.repositories.describe(
        visit.shown.name, readme=values.get("readme", ""), by=visit.actor, address=visit.address
    )
    return visit.redirect(f"{manage_path(visit.shown)}?saved=overview")


async def _visibility(visit: Visit, values: Mapping[str, str]) -> None:
    try:
        wanted = Visibility(values.get("visibility", ""))
    except ValueError as error:
        raise InputInvalid(visit.text("Choose public or private."), field="visibility") from error
    await visit.app.repositories.set_visibility(visit.shown.name, wanted, by=visit.actor, address=visit.address)


async def _archive(visit: Visit, _values: Mapping[str, str]) -> None:
    archived = visit.shown.archived is None
    await visit.app.repositories.archive(visit.shown.name, archived, by=visit.actor, address=visit.address)


async def _rename(visit: Visit, values: Mapping[str, str]) -> Response:
    repository, leaf = visit.shown, values.get("name", "")
    new = await visit.app.renames.rename(repository.name, leaf, by=visit.actor, address=visit.address)
    return await _at(visit, new, "tab=settings&saved=rename")


async def _transfer(visit: Visit, values: Mapping[str, str]) -> Response | None:
    name, to = visit.shown.name, values.get("to", "")
    if not visit.actor.is_admin:
        await visit.app.renames.offer(name, to, by=visit.actor, address=visit.address)
        return None
    new = await visit.app.renames.give(name, to, by=visit.actor, address=visit.address)
    return await _at(visit, new, "tab=settings&saved=transfer")


async def _withdraw(visit: Visit, _values: Mapping[str, str]) -> None:
    await visit.app.renames.withdraw(visit.shown.name)


async def _free(visit: Visit, values: Mapping[str, str]) -> None:
    try:
        former = RepositoryName.parse(values.get("former", ""))
    except NameInvalid as error:
        raise InputInvalid("this is not a form of the page") from error
    moved = await visit.app.renames.leads(former)
    if moved is None or moved.repository.id != visit.shown.id:
        raise NameUnknown(f"{former} is no former name of {visit.shown.name}")
    await visit.app.renames.free(former, by=visit.actor, address=visit.address)


async def _delete(visit: Visit, values: Mapping[str, str]) -> Response:
    repository = visit.shown
    if values.get("confirm", "").strip() != repository.name:
        raise InputInvalid(
            visit.text("Type %(name)s exactly to delete the repository.", name=repository.name), field="confirm"
        )
    await visit.app.deletion.delete(repository.name, by=visit.actor, address=visit.address)
    return visit.redirect("/repositories?done=deleted")


async def _share(visit: Visit, values: Mapping[str, str]) -> None:
    try:
        role = Role(values.get("role", ""))
    except ValueError as error:
        raise InputInvalid(visit.text("Choose what they may do."), field="role") from error
    person = values.get("person", "").strip()
    await visit.app.collaborators.put(visit.shown.name, person, role, by=visit.actor, address=visit.address)


async def _unshare(visit: Visit, values: Mapping[str, str]) -> Response | None:
    person = values.get("person", "").strip()
    await visit.app.collaborators.remove(visit.shown.name, person, by=visit.actor, address=visit.address)
    # Who took their own role away may not look at this page any more.
    return visit.redirect("/repositories?done=left") if person == visit.actor.name else None


_Action = Callable[[Visit, Mapping[str, str]], Awaitable[Response | None]]

_FORMS: Mapping[str, tuple[str, _Action]] = {
    "about": ("settings", _about),
    "overview": ("overview", _overview),
    "visibility": ("settings", _visibility),
    "archive": ("settings", _archive),
    "rename": ("settings", _rename),
    "transfer": ("settings", _transfer),
    "withdraw": ("settings", _withdraw),
    "free": ("settings", _free),
    "delete": ("settings", _delete),
    "share": ("collaborators", _share),
    "unshare": ("collaborators", _unshare),
}
"""The forms of the page: on which part each is, and what it does."""

_OWNERS = {"rename", "transfer", "withdraw", "delete"}
"""What is left to owners and administrators of the registry."""


async def _at(visit: Visit, name: RepositoryName, query: str) -> Response:
    """On to the page of a repository that is called otherwise now."""
    return visit.redirect(f"{manage_path(await visit.app.repositories.get(name))}?{query}")


async def _page(visit: Visit, tab: str, form: Form, *, status: int = 200, preview: bool = False) -> Response:
    repository, app = visit.shown, visit.app
    latest, count = await newest(visit, repository) if tab in {"general", "settings"} else ([], 0)
    readme = await app.repositories.readme(repository) if tab == "general" else ""
    settings = tab == "settings"
    page = ManagePage(
        RepositoryHead(repository, may_manage=True, current="writing" if tab == "overview" else tab),
        form,
        owns(visit.actor, repository),
        app.deletion.days,
        await readme_html(visit, readme),
        latest,
        count,
        visit.query("saved", 20) if status == 200 else "",
        await readme_html(visit, form.value("readme")[:_OVERVIEW]) if preview else None,
        [(one, category_name(visit, one)) for one in CATEGORIES] if settings else (),
        _chosen(repository, form),
        await app.collaborators.of(repository) if tab == "collaborators" else (),
        await app.renames.former(repository) if settings else (),
        await app.renames.offered(repository) if settings else None,
        app.pictures is not None,
        await pulls_chart(visit, repository) if tab == "general" and repository.pulls else None,
    )
    return visit.page("manage.html", page, status)


def _chosen(repository: Repository, form: Form) -> list[str]:
    if form.value("form") == "about":
        return [one for one in CATEGORIES if form.value(f"category-{one}")]
    return list(repository.categories)


async def _as_typed(visit: Visit) -> dict[str, str]:
    repository = visit.shown
    return {
        "description": repository.description,
        "readme": await visit.app.repositories.readme(repository),
        "visibility": repository.visibility.value,
        "name": repository.name.leaf,
        "role": Role.READ.value,
    }
