"""Tags of a repository: the list, and the removal of several."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping

from starlette.responses import Response

from havre.errors import InputInvalid, NameInvalid
from havre.oci.names import Tag
from havre.registry.records import TagOrder, TagPlace
from havre.registry.removal import Removal
from havre.registry.tags import TagView
from havre.web.contexts import RepositoryHead, TagRow
from havre.web.contexts.tags import RemovalPage, TagsPage, address
from havre.web.errors import sentence, status_of
from havre.web.visit import Visit

_BOX = "tag:"
"""What the names of the boxes beside tags begin with."""

_MOST_NAMED = 100_000
"""Characters of the names that a form sends."""


def rows_of(views: Iterable[TagView]) -> list[TagRow]:
    """Tags as lists show them."""
    return [
        TagRow(
            view.tag.name,
            view.tag.digest,
            view.platforms,
            view.size,
            view.tag.updated,
            view.tag.pusher,
            view.tag.pulls,
            view.tag.pulled,
        )
        for view in views
    ]


async def list_tags(visit: Visit) -> Response:
    """``…/tags?q=&sort=&after=&before=``: the tags, newest push first or in another order."""
    removed = visit.query("removed", 4)
    return await _list(visit, removed=int(removed) if removed.isascii() and removed.isdigit() else 0)


async def remove(visit: Visit) -> Response:
    """``POST …/tags``: show what removing the chosen tags does (``step=preview``), then do it (``step=remove``)."""
    values = await visit.form()
    try:
        tags = _chosen(values)
        if values.get("step") != "remove":
            return _preview(visit, await visit.app.removals.preview(visit.shown.name, tags))
        removal = await visit.app.removals.remove(
            visit.shown.name, tags, visit.actor, images=values.get("images") == "yes", address=visit.address
        )
    except (InputInvalid, NameInvalid) as error:
        return await _list(visit, problem=sentence(visit, error), status=status_of(InputInvalid("")))
    head = RepositoryHead(visit.shown, visit.may_manage, "tags")
    return visit.redirect(address(f"{head.path}/tags", removed=len(removal.tags)))


async def _list(visit: Visit, *, removed: int = 0, problem: str = "", status: int = 200) -> Response:
    text, order = visit.query("q", 128), _order(visit)
    after, before = _place(visit, "after"), _place(visit, "before")
    found = await visit.app.tags.page(visit.shown, text, order, after=after, before=before)
    head = RepositoryHead(visit.shown, visit.may_manage, "tags")
    kept = {"q": text, "sort": "" if order is TagOrder.NEWEST else order.value}
    here = f"{head.path}/tags"
    page = TagsPage(
        head,
        text,
        order,
        rows_of(found.items),
        found.total,
        found.exact,
        counted=not text or (after is None and before is None),
        previous=address(here, **kept, before=found.previous) if found.previous else "",
        next=address(here, **kept, after=found.next) if found.next else "",
        removed=removed,
        problem=problem,
    )
    return visit.page("tags.html", page, status)


def _order(visit: Visit) -> TagOrder:
    try:
        return TagOrder(visit.query("sort", 10))
    except ValueError:
        return TagOrder.NEWEST


def _place(visit: Visit, name: str) -> TagPlace | None:
    with contextlib.suppress(InputInvalid, NameInvalid):
        return TagPlace.parse(visit.query(name, 160))
    return None


def _chosen(values: Mapping[str, str]) -> list[Tag]:
    """The tags of the boxes that are ticked, and those named line by line; raises NameInvalid."""
    boxes = [name.removeprefix(_BOX) for name in values if name.startswith(_BOX)]
    lines = values.get("tags", "")[:_MOST_NAMED].split()
    return [Tag.parse(name) for name in dict.fromkeys(boxes + lines)]


def _preview(visit: Visit, removal: Removal) -> Response:
    untagged = set(removal.untagged)
    page = RemovalPage(
        RepositoryHead(visit.shown, visit.may_manage, "tags"),
        [(name, digest, digest in untagged) for name, digest in removal.tags.items()],
        len(untagged),
        len(removal.manifests) - len(untagged),
        removal.blobs,
        removal.bytes,
        removal.complete,
    )
    return visit.page("tags_remove.html", page)
