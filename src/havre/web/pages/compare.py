"""Compare: two tags or digests of a repository side by side, from their layers down to single files."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from typing import Any

from starlette.responses import Response

from havre.errors import HavreError
from havre.registry.inside.ports import TreeRecord
from havre.registry.inside.trees import Pending
from havre.registry.records import TagEvent
from havre.web.contexts import RepositoryHead, repository_path
from havre.web.contexts.compare import (
    Choice,
    ChoosePage,
    ComparePage,
    LayerPair,
    Setting,
    Side,
    Suggestion,
    Totals,
)
from havre.web.contexts.inside import ChangesList, Step
from havre.web.formats import as_written
from havre.web.formats import size as in_words
from havre.web.pages.drawing import draw
from havre.web.pages.looking import (
    Subject,
    asked_path,
    changes_list,
    closed,
    image_path,
    is_missing,
    link,
    look_at,
)
from havre.web.visit import Visit

_MOST_TAGS = 100
_MOST_EVENTS = 40
_MOST_SUGGESTED = 6
_MOST_LINES = 60
_LONGEST = 1000


async def show(visit: Visit) -> Response:
    """``…/compare?from=&to=&path=&platform=``: what differs, or the form to choose two images."""
    head = RepositoryHead(visit.shown, visit.may_manage, "tags")
    before, after, platform = visit.query("from", 200), visit.query("to", 200), visit.query("platform", 60)
    choice = Choice(before, after, platform, await _tags(visit))
    if not before or not after:
        return visit.page("compare_choose.html", ChoosePage(head, choice, await _suggestions(visit)))
    found: list[Subject] = []
    for text in (before, after):
        try:
            found.append(await look_at(visit, text, platform))
        except HavreError as error:
            if not is_missing(error):
                raise
            problem = visit.text("This repository has no tag or digest “%(name)s”.", name=text)
            choice = Choice(before, after, platform, choice.tags, problem)
            return visit.page("compare_choose.html", ChoosePage(head, choice, await _suggestions(visit)), 404)
    return await _compared(visit, head, choice, *found)


async def _compared(visit: Visit, head: RepositoryHead, choice: Choice, before: Subject, after: Subject) -> Response:
    here = f"{repository_path(visit.shown)}/compare"
    fields = {"from": choice.before, "to": choice.after}
    common = [one for one in after.platforms if one in before.platforms]
    layers = _layers(visit, before, after)
    shared = [one for one in layers if one.before and one.after]
    why = closed(visit, before) or closed(visit, after)
    tree: TreeRecord | Pending | None = None
    if not why:
        tree = await visit.app.inside.compare(before.digests, after.digests)
        if isinstance(tree, TreeRecord) and tree.problem:
            why, tree = visit.speech.sentence(tree.problem), None
    changes = totals = None
    if isinstance(tree, TreeRecord):
        changes = await _changes(visit, tree, here, image_path(visit, after.reference), choice)
        totals = Totals(
            **{name: int(tree.summary[name]) for name in ("added", "changed", "removed", "before", "after")}
        )
    page = ComparePage(
        head,
        choice,
        _side(visit, before),
        _side(visit, after),
        link(here, **{"from": choice.after, "to": choice.before, "platform": choice.platform}),
        before.part.manifest.digest == after.part.manifest.digest,
        [Step(one, link(here, **fields, platform=one), one == after.platform) for one in common],
        layers,
        draw(
            before.part.layers, after.part.layers, {one.digest: in_words(one.size, visit.speech.code) for one in layers}
        ),
        len(shared),
        sum(one.size for one in shared),
        sum(one.size for one in layers if one.after and not one.before),
        _settings(visit, before.part.config, after.part.config),
        _pairs(before.part.labels, after.part.labels),
        totals,
        changes,
        tree.percent if isinstance(tree, Pending) else None,
        why,
    )
    return visit.page("compare.html", page)


async def _changes(visit: Visit, tree: TreeRecord, here: str, image: str, choice: Choice) -> ChangesList:
    path = asked_path(visit)
    fields = {"from": choice.before, "to": choice.after, "platform": choice.platform}
    return await changes_list(visit, tree, here, f"{image}/files", path, visit.text("All files"), **fields)


async def _tags(visit: Visit) -> list[str]:
    return await visit.app.database.read(
        lambda rows: [str(one) for one in rows.tags.names(visit.shown.id, "", _MOST_TAGS)]
    )


async def _suggestions(visit: Visit) -> list[Suggestion]:
    """What the latest moves of tags changed, newest first, each tag once."""
    events = await visit.app.database.read(lambda rows: rows.tags.events(visit.shown.id, None, _MOST_EVENTS))
    here = f"{repository_path(visit.shown)}/compare"
    found: dict[str, Suggestion] = {}
    pushed: list[TagEvent] = []
    for event in events:
        if event.after is None:
            continue
        if event.before and event.before != event.after and event.tag not in found:
            title = visit.text("What the last push of %(tag)s changed", tag=event.tag)
            address = link(here, **{"from": str(event.before), "to": str(event.tag)})
            found[event.tag] = Suggestion(title, f"{event.before.short} → {event.after.short}", address, event.at)
        if all(one.tag != event.tag for one in pushed):
            pushed.append(event)
    for newer, older in itertools.pairwise(pushed):
        if newer.after != older.after:
            title = visit.text("%(older)s and %(newer)s", older=older.tag, newer=newer.tag)
            address = link(here, **{"from": str(older.tag), "to": str(newer.tag)})
            found.setdefault(title, Suggestion(title, "", address, newer.at))
    return list(found.values())[:_MOST_SUGGESTED]


def _side(visit: Visit, subject: Subject) -> Side:
    image, manifest = image_path(visit, subject.reference), subject.part.manifest
    return Side(
        str(subject.reference),
        image,
        link(f"{image}/files", platform=subject.platform if subject.platforms else ""),
        manifest.digest,
        subject.platform,
        subject.view.manifest.created,
        subject.part.created[:10],
        manifest.total_size,
        len(subject.part.layers),
    )


def _layers(visit: Visit, before: Subject, after: Subject) -> list[LayerPair]:
    """All layers of both, bottom first: shared ones once, then in the order of each image."""
    old = {one.digest: one for one in before.part.layers}
    new = {one.digest: one for one in after.part.layers}
    ordered = [*(one for one in before.part.layers if one.digest in new)]
    ordered += [one for one in before.part.layers if one.digest not in new]
    ordered += [one for one in after.part.layers if one.digest not in old]
    base = {side: f"{image_path(visit, subject.reference)}/files" for side, subject in ((0, before), (1, after))}
    pairs = {}
    for one in ordered:
        side = 1 if one.digest in new else 0
        subject = after if side else before
        at = next((n for n, layer in enumerate(subject.layers, 1) if layer.digest == one.digest), 0)
        platform = subject.platform if subject.platforms else ""
        address = link(base[side], platform=platform, view="layers", layer=str(at)) if at else ""
        pairs[one.digest] = LayerPair(
            one.digest,
            one.size,
            as_written(one.instruction)[:_LONGEST],
            one.digest in old,
            one.digest in new,
            address,
        )
    return list(pairs.values())


def _settings(visit: Visit, before: Mapping[str, Any] | None, after: Mapping[str, Any] | None) -> list[Setting]:
    """The parts of the configuration that differ. Variables and ports are told one by one."""
    old, new = _inner(before), _inner(after)
    names = (
        (visit.text("Entry point"), "Entrypoint"),
        (visit.text("Command"), "Cmd"),
        (visit.text("Working directory"), "WorkingDir"),
        (visit.text("User"), "User"),
        (visit.text("Stop signal"), "StopSignal"),
    )
    found = [
        Setting(title, left, right, _status(left, right))
        for title, name in names
        if (left := _lines(old.get(name))) != (right := _lines(new.get(name)))
    ]
    for title, name in ((visit.text("Port"), "ExposedPorts"), (visit.text("Volume"), "Volumes")):
        gone, come = set(_lines(old.get(name))), set(_lines(new.get(name)))
        found += [Setting(title, [one], [], "r") for one in sorted(gone - come)]
        found += [Setting(title, [], [one], "a") for one in sorted(come - gone)]
    return found + _pairs(_environment(old), _environment(new))


def _pairs(before: Mapping[str, str], after: Mapping[str, str]) -> list[Setting]:
    found = []
    for name in sorted({*before, *after}):
        left, right = _lines(before.get(name)), _lines(after.get(name))
        if before.get(name) != after.get(name):
            found.append(Setting(name[:200], left, right, _status(before.get(name), after.get(name))))
    return found[:_MOST_LINES]


def _status(before: object, after: object) -> str:
    if before is None or before == []:
        return "a"
    return "r" if after is None or after == [] else "c"


def _inner(config: Mapping[str, Any] | None) -> Mapping[str, Any]:
    inner = config.get("config") if config else None
    return inner if isinstance(inner, dict) else {}


def _environment(inner: Mapping[str, Any]) -> dict[str, str]:
    values = inner.get("Env")
    lines: Iterable[object] = values if isinstance(values, list) else ()
    pairs = (str(line).partition("=") for line in lines)
    return {name: value for name, _, value in pairs}


def _lines(value: object) -> list[str]:
    if value is None or value == "":
        return []
    if isinstance(value, (list, dict)):
        return [str(one)[:_LONGEST] for one in list(value)[:_MOST_LINES]]
    return [str(value)[:_LONGEST]]
