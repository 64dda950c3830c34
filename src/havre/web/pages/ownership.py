"""One's own repositories, what others share or offer, what was deleted, and former names."""

from __future__ import annotations

from starlette.responses import Response

from havre.access.permissions import stand
from havre.errors import InputInvalid, NameInvalid, NameUnknown
from havre.oci.names import OFFICIAL, Namespace, RepositoryName
from havre.registry.records import DeletedRepository, Redirect, Repository, Role
from havre.registry.search import SearchOrder, SearchQuery
from havre.web.contexts import RepositoryCard, manage_path
from havre.web.contexts.repositories import Deleted, MinePage, Shared
from havre.web.errors import FORM_ERRORS, sentence, status_of
from havre.web.visit import Visit, pager

_PER_PAGE = 20


async def mine(visit: Visit) -> Response:
    """``/repositories``: the visitor's own, private ones included, and all that needs their attention."""
    return await _page(visit, done=_done(visit))


async def accept(visit: Visit) -> Response:
    """``POST /repositories/offers/{id}/accept``: take what is offered."""
    try:
        name = await visit.app.renames.accept(_id(visit), by=visit.actor, address=visit.address)
    except FORM_ERRORS as error:
        return await _page(visit, problem=sentence(visit, error), status=status_of(error))
    return visit.redirect(manage_path(await visit.app.repositories.get(name)))


async def decline(visit: Visit) -> Response:
    """``POST /repositories/offers/{id}/decline``."""
    await visit.app.renames.decline(_id(visit), by=visit.actor)
    return visit.redirect("/repositories?done=declined")


async def restore(visit: Visit) -> Response:
    """``POST /repositories/deleted/{id}/restore``."""
    one = await _own_deleted(visit)
    try:
        name = await visit.app.deletion.restore(one.id, by=visit.actor, address=visit.address)
    except FORM_ERRORS as error:
        return await _page(visit, problem=sentence(visit, error), status=status_of(error))
    return visit.redirect(manage_path(await visit.app.repositories.get(name)))


async def purge(visit: Visit) -> Response:
    """``POST /repositories/deleted/{id}/purge``: for good."""
    one = await _own_deleted(visit)
    await visit.app.deletion.purge(one.id, by=visit.actor, address=visit.address)
    return visit.redirect("/repositories?done=purged")


async def leave(visit: Visit) -> Response:
    """``POST /repositories/leave``: give up the role in ``repository``."""
    name = await _named(visit)
    try:
        await visit.app.collaborators.remove(name, visit.actor.name, by=visit.actor, address=visit.address)
    except FORM_ERRORS as error:
        return await _page(visit, problem=sentence(visit, error), status=status_of(error))
    return visit.redirect("/repositories?done=left")


async def free(visit: Visit) -> Response:
    """``POST /repositories/free``: forget that ``repository``, a former name in the visitor's namespace, leads elsewhere."""
    name = await _named(visit)
    if name.namespace != visit.actor.name and not visit.actor.is_admin:
        raise NameUnknown(f"{name} is no former name")
    await visit.app.renames.free(name, by=visit.actor, address=visit.address)
    return visit.redirect("/repositories?done=freed")


async def _named(visit: Visit) -> RepositoryName:
    try:
        return RepositoryName.parse((await visit.form()).get("repository", ""))
    except NameInvalid as error:
        raise InputInvalid("this is not a form of the page") from error


def _id(visit: Visit) -> int:
    text = visit.request.path_params["id"]
    if not (text.isascii() and text.isdigit() and len(text) <= 15):
        raise NameUnknown("there is nothing here")
    return int(text)


async def _own_deleted(visit: Visit) -> DeletedRepository:
    one = await visit.app.deletion.get(_id(visit))
    if not visit.actor.is_admin and one.owner_id != visit.user_id:
        raise NameUnknown("there is no such deleted repository")
    return one


async def _page(visit: Visit, *, done: str = "", problem: str = "", status: int = 200) -> Response:
    app, text, own = visit.app, visit.query("q"), Namespace.parse(visit.actor.name)
    query = SearchQuery(text, own, order=SearchOrder.RECENT)
    found = await app.search.find(visit.actor.viewer, query, visit.page_number(), _PER_PAGE)
    deleted = list(await app.deletion.deleted(own))
    if visit.actor.is_admin:
        deleted += await app.deletion.deleted(Namespace(OFFICIAL))
    roles = role_names(visit)
    page = MinePage(
        text,
        [RepositoryCard(one) for one in found.items],
        pager(found, q=text),
        [Shared(RepositoryCard(one), role, roles[role]) for one, role in await app.collaborators.shared(visit.user_id)],
        await app.renames.offers(visit.user_id),
        [Deleted(one, app.deletion.until(one)) for one in deleted],
        await _former(visit, own),
        problem,
        done,
    )
    return visit.page("mine.html", page, status)


async def _former(visit: Visit, own: Namespace) -> list[tuple[Redirect, Repository | None]]:
    """Former names in one's namespace, each with where it leads, if the visitor may see that."""
    found = await visit.app.renames.former_within(own)

    def work(rows: object) -> list[tuple[Redirect, Repository | None]]:
        return [(one, stand(rows, visit.actor, one.path).repository) for one in found]  # type: ignore[arg-type]

    return await visit.app.database.read(work) if found else []


def role_names(visit: Visit) -> dict[Role, str]:
    """What people read for each role."""
    return {
        Role.READ: visit.text("may pull"),
        Role.WRITE: visit.text("may push"),
        Role.ADMIN: visit.text("may administer"),
    }


def _done(visit: Visit) -> str:
    days = visit.app.deletion.days
    return {
        "deleted": visit.text("Deleted. It can be restored below for %(days)s days.", days=days),
        "purged": visit.text("Deleted for good."),
        "left": visit.text("You left the repository."),
        "declined": visit.text("Declined."),
        "freed": visit.text("The name is free again."),
    }.get(visit.query("done", 20), "")
