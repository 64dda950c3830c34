"""The history of tags: who moved which, when, from where to where; and the way back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from starlette.responses import Response

from havre.access.actors import Action
from havre.errors import Denied, ManifestUnknown
from havre.oci.digest import Digest
from havre.oci.names import Tag
from havre.registry.records import Instant, TagEvent
from havre.web.contexts import RepositoryHead
from havre.web.contexts.tags import HistoryPage, MoveRow, address, tag_path
from havre.web.errors import sentence, status_of
from havre.web.visit import Visit

if TYPE_CHECKING:
    from havre.metadata.rows import Rows

_PER_PAGE = 25


async def of_all(visit: Visit) -> Response:
    """``…/-/history?before=``: the moves of all tags, newest first."""
    return await _show(visit, None)


async def of_tag(visit: Visit) -> Response:
    """``…/tags/{tag}/history?before=``: the moves of one tag, which may be gone."""
    return await _show(visit, Tag.parse(visit.request.path_params["tag"]))


async def restore(visit: Visit) -> Response:
    """``POST`` there: point the tag at the ``digest`` that it had before."""
    tag = Tag.parse(visit.request.path_params["tag"])
    values = await visit.form()
    try:
        digest = Digest.parse(values.get("digest", ""))
        await visit.app.tags.restore(visit.shown.name, tag, digest, visit.actor, visit.address)
    except ManifestUnknown:
        return await _show(visit, tag, problem=visit.text("That image is no longer here."), status=404)
    except Denied as error:
        return await _show(visit, tag, problem=sentence(visit, error), status=status_of(error))
    head = RepositoryHead(visit.shown, visit.may_manage, "tags")
    return visit.redirect(address(f"{tag_path(head, tag)}/history", restored=1))


async def _show(visit: Visit, tag: Tag | None, problem: str = "", status: int = 200) -> Response:
    repository = visit.shown
    head = RepositoryHead(repository, visit.may_manage, "tags")
    found = await visit.app.tags.history(repository, tag, _PER_PAGE + 1, _before(visit.query("before", 40)))
    if tag is not None and not found and not visit.query("before"):
        raise ManifestUnknown(f"repository {repository.name} never had a tag {tag}")
    moves = found[:_PER_PAGE]
    ends = {digest for move in moves for digest in (move.before, move.after) if digest is not None}
    here = await visit.app.tags.present(repository, ends)
    now = await _targets(visit, {move.tag for move in moves})
    last = moves[-1] if len(found) > _PER_PAGE else None
    base = f"{tag_path(head, tag)}/history" if tag else f"{head.path}/-/history"
    page = HistoryPage(
        head,
        str(tag or ""),
        [_row(head, move, here, now) for move in moves],
        address(base, before=f"{last.at}.{last.id}") if last else "",
        Action.PUSH in visit.actions and repository.archived is None,
        restored=visit.query("restored", 1) == "1",
        problem=problem,
    )
    return visit.page("tag_history.html", page, status)


async def _targets(visit: Visit, tags: set[Tag]) -> dict[Tag, Digest]:
    def work(rows: Rows) -> dict[Tag, Digest]:
        return rows.removal.targets(visit.shown.id, tags)

    return await visit.app.database.read(work)


def _row(head: RepositoryHead, move: TagEvent, here: Mapping[Digest, int], now: Mapping[Tag, Digest]) -> MoveRow:
    wanted = move.after if move.after is not None else move.before
    target = wanted if wanted in here and now.get(move.tag) != wanted else None
    return MoveRow(
        str(move.tag),
        _kind(move),
        move.before,
        move.after,
        move.before in here,
        move.after in here,
        move.actor,
        move.at,
        target,
        move.after is not None and now.get(move.tag) == move.after,
        f"{tag_path(head, move.tag)}/history",
    )


def _kind(move: TagEvent) -> str:
    if move.after is None:
        return "removed"
    if move.before is None:
        return "made"
    return "again" if move.before == move.after else "moved"


def _before(text: str) -> tuple[Instant, int] | None:
    at, _, identity = text.partition(".")
    numbers = all(one.isascii() and one.isdigit() and len(one) < 19 for one in (at, identity))
    return (int(at), int(identity)) if numbers else None
