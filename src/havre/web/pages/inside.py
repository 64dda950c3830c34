"""Inside an image: its files, what each layer did, what is wasted, and the text of one file."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import quote

from starlette.responses import Response

from havre.errors import BlobUnknown, InputInvalid, ManifestUnknown
from havre.oci.digest import Digest
from havre.registry.inside.entries import Entry, Facts, Kind, clean, join, split
from havre.registry.inside.ports import TreeRecord
from havre.registry.inside.stack import led
from havre.registry.inside.trees import MAX_CONTENT, MOST_FOUND, Pending, place
from havre.web.contexts import RepositoryHead, repository_path
from havre.web.contexts.inside import (
    BuildingPage,
    ClosedPage,
    EntryRow,
    FilePage,
    FolderPage,
    InsideHead,
    LayersPage,
    LayerStep,
    Step,
    WastePage,
    WasteRow,
)
from havre.web.formats import as_written
from havre.web.pages.looking import (
    PER_PAGE,
    SORTED,
    Subject,
    asked_path,
    changes_list,
    closed,
    crumbs,
    image_path,
    link,
    look_at,
    mode_of,
    query_bytes,
    shown,
)
from havre.web.visit import Visit

MAX_TEXT = 256 * 1024
"""Bytes of a file that is shown as text."""


_BINARY = bytes({*range(32)} - {9, 10, 12, 13, 27})


async def show(visit: Visit) -> Response:
    """``…/tags/{tag}/files?path=&q=&layer=&view=&platform=``: a folder, a file, a search, the layers, or what is wasted."""
    subject = await look_at(visit, visit.request.path_params["tag"], visit.query("platform", 60))
    head = RepositoryHead(visit.shown, visit.may_manage, "tags")
    here = image_path(visit, subject.reference)
    if why := closed(visit, subject):
        return visit.page("inside_closed.html", ClosedPage(head, str(subject.reference), here, why))
    tree = await visit.app.inside.image(subject.digests)
    if isinstance(tree, Pending):
        title = visit.text("Looking inside %(image)s", image=subject.reference)
        return visit.page("inside_building.html", BuildingPage(head, title, tree.percent, here))
    view = visit.query("view", 10)
    if tree.problem:
        why = visit.text(
            "Its layers can not be laid upon each other: %(why)s.", why=visit.speech.sentence(tree.problem)
        )
        return visit.page("inside_closed.html", ClosedPage(head, str(subject.reference), here, why))
    if view == "layers":
        return await _layers(visit, subject, tree, head)
    if view == "wasted":
        return visit.page("inside_wasted.html", _wasted(visit, subject, tree, head))
    if text := query_bytes(visit, "q").strip()[:200]:
        return await _search(visit, subject, tree, head, text)
    return await _path(visit, subject, tree, head)


async def content(visit: Visit) -> Response:
    """``…/tags/{tag}/files/content?path=``: a small file as it is, to keep; never anything that a browser would run."""
    subject = await look_at(visit, visit.request.path_params["tag"], visit.query("platform", 60))
    if closed(visit, subject):
        raise ManifestUnknown("this image has no files to show")
    tree = await visit.app.inside.image(subject.digests)
    if isinstance(tree, Pending):
        return visit.redirect(link(f"{image_path(visit, subject.reference)}/files", asked_path(visit)))
    entry = await visit.app.inside.resolve(tree, asked_path(visit))
    if entry is None or entry.facts.kind not in (Kind.FILE, Kind.HARDLINK):
        raise ManifestUnknown("there is no such file in this image")
    found = await visit.app.inside.content(subject.digests[entry.facts.layer], entry)
    if found is None:
        raise InputInvalid(f"files of more than {MAX_CONTENT >> 20} MiB are not taken out of an image here: pull it")
    headers = {
        "Content-Disposition": f"attachment; filename*=UTF-8''{quote(entry.name)}",
        "Content-Security-Policy": "sandbox; default-src 'none'",
    }
    return Response(found, media_type="application/octet-stream", headers=headers)


def _inside(visit: Visit, subject: Subject, current: str, text: str = "") -> InsideHead:
    image = image_path(visit, subject.reference)
    files = f"{image}/files"
    platform = subject.platform if subject.platforms else ""
    views = (("", visit.text("Files")), ("layers", visit.text("Layers")), ("wasted", visit.text("Wasted space")))
    compare = link(f"{repository_path(visit.shown)}/compare", to=str(subject.reference), platform=platform)
    return InsideHead(
        str(subject.reference),
        subject.part.manifest.digest,
        platform,
        [Step(one, link(files, platform=one), one == platform) for one in subject.platforms],
        [Step(name, link(files, platform=platform, view=view), view == current) for view, name in views],
        image,
        files,
        compare,
        f"?digest={quote(subject.part.manifest.digest)}" if subject.platforms else "",
        not isinstance(subject.reference, Digest),
        text,
    )


async def _path(visit: Visit, subject: Subject, tree: TreeRecord, head: RepositoryHead) -> Response:
    path = clean(asked_path(visit))
    entry = await visit.app.inside.resolve(tree, path) if path else None
    if path is None or (path and entry is None):
        raise ManifestUnknown("there is no such path in this image")
    if entry is not None and entry.facts.kind is not Kind.FOLDER:
        return visit.page("inside_file.html", await _file(visit, subject, head, entry))
    folder = entry.path if entry else b""
    inside = _inside(visit, subject, "")
    by_size = visit.query("sort", 10) == "size"
    after = b"" if by_size else query_bytes(visit, "after")
    found = await visit.app.inside.entries(tree, folder, after, (SORTED if by_size else PER_PAGE) + 1)
    if by_size and len(found) <= SORTED:
        found.sort(key=lambda one: (-one.facts.size, one.name))
    here = found[:PER_PAGE]
    following = (
        ""
        if by_size or len(found) <= PER_PAGE
        else link(inside.files, folder, place(here[-1]), platform=inside.platform)
    )
    facts = entry.facts if entry else None
    size = facts.size if facts else int(tree.summary["size"])
    page = FolderPage(
        head,
        inside,
        crumbs(inside.files, folder, visit.text("All files"), platform=inside.platform),
        [_row(visit, inside, one, size) for one in here],
        size,
        facts.files if facts else int(tree.summary["files"]),
        [] if folder or after else await _notes(visit, subject),
        by_size,
        link(inside.files, folder, platform=inside.platform),
        link(inside.files, folder, platform=inside.platform, sort="size"),
        following,
        more=by_size and len(found) > PER_PAGE,
    )
    return visit.page("inside.html", page)


async def _search(visit: Visit, subject: Subject, tree: TreeRecord, head: RepositoryHead, text: bytes) -> Response:
    inside = _inside(visit, subject, "", shown(text))
    found, more = await visit.app.inside.search(tree, text)
    rows = [_row(visit, inside, one, 0) for one in found]
    steps = [Step(visit.text("All files"), link(inside.files, platform=inside.platform))]
    page = FolderPage(
        head, inside, steps, rows, 0, MOST_FOUND if more else len(rows), [], False, "", "", "", searched=True, more=more
    )
    return visit.page("inside.html", page)


async def _notes(visit: Visit, subject: Subject) -> list[str]:
    """What a visitor should know about the layers before trusting what is shown."""
    notes = []
    if subject.absent:
        notes.append(
            visit.speech.plural(
                "%(num)s layer is not kept here and is missing below.",
                "%(num)s layers are not kept here and are missing below.",
                subject.absent,
            )
        )
    for number, tree in enumerate(await visit.app.inside.layers(subject.digests), 1):
        if tree is None:
            continue
        if tree.problem:
            why = visit.speech.sentence(tree.problem)
            notes.append(
                visit.text("Layer %(number)s can not be read, and is left out: %(why)s.", number=number, why=why)
            )
        elif tree.summary.get("outside"):
            names = ", ".join(tree.summary["named"])
            notes.append(
                visit.text(
                    "Layer %(number)s holds names that lead out of the image, which are left out: %(names)s",
                    number=number,
                    names=shown(names.encode("utf-8", "surrogateescape")),
                )
            )
    return notes


def _row(visit: Visit, inside: InsideHead, entry: Entry, whole: int) -> EntryRow:
    facts = entry.facts
    is_folder = facts.kind is Kind.FOLDER
    number = facts.layer + 1
    sized = is_folder or facts.kind is Kind.FILE
    return EntryRow(
        shown(entry.name),
        link(inside.files, entry.path, platform=inside.platform),
        _kind(visit, facts),
        is_folder,
        facts.size if sized else None,
        facts.files,
        -(-100 * facts.size // whole) if whole and facts.size else 0,
        None if is_folder else number,
        ""
        if is_folder
        else link(inside.files, entry.folder, platform=inside.platform, view="layers", layer=str(number)),
        mode_of(facts.kind, facts.mode),
        f"{facts.uid}:{facts.gid}",
        facts.mtime * 1000 if 0 < facts.mtime < 1 << 34 else None,
        shown(facts.target),
        shown(entry.folder),
    )


def _kind(visit: Visit, facts: Facts) -> str:
    if facts.kind is Kind.FOLDER:
        return visit.text("folder")
    if facts.kind is Kind.FILE:
        return visit.text("file")
    if facts.kind is Kind.SYMLINK:
        return visit.text("link")
    if facts.kind is Kind.HARDLINK:
        return visit.text("hard link")
    return visit.text("pipe") if facts.kind is Kind.PIPE else visit.text("device")


async def _file(visit: Visit, subject: Subject, head: RepositoryHead, entry: Entry) -> FilePage:
    inside, facts = _inside(visit, subject, ""), entry.facts
    layer = subject.layers[facts.layer] if facts.layer < len(subject.layers) else None
    text, why, download = None, "", ""
    if facts.kind in (Kind.FILE, Kind.HARDLINK) and layer is not None:
        if facts.size <= MAX_CONTENT:
            download = link(f"{inside.files}/content", entry.path, platform=inside.platform)
        text, why = await _text(visit, subject, entry)
    leads = ""
    if facts.kind is Kind.SYMLINK:
        leads = link(inside.files, b"/".join(led(entry.folder, facts.target)), platform=inside.platform)
    elif facts.kind is Kind.HARDLINK:
        leads = link(inside.files, facts.target, platform=inside.platform)
    return FilePage(
        head,
        inside,
        crumbs(inside.files, entry.path, visit.text("All files"), platform=inside.platform),
        shown(entry.name),
        shown(entry.path),
        _row(visit, inside, entry, 0),
        as_written(layer.instruction)[:1000] if layer else "",
        text,
        why,
        download,
        leads,
    )


async def _text(visit: Visit, subject: Subject, entry: Entry) -> tuple[str | None, str]:
    """The text of a file, or why it is not shown."""
    if entry.facts.size > MAX_TEXT:
        return None, visit.text("It is longer than the %(most)s kB that are shown here.", most=MAX_TEXT >> 10)
    try:
        found = await visit.app.inside.content(subject.digests[entry.facts.layer], entry, MAX_TEXT)
    except (InputInvalid, BlobUnknown):
        return None, visit.text(
            "It lies so deep in a large layer that taking it out takes too long. Pull the image to read it."
        )
    if found is None:
        return None, visit.text("Its bytes do not lie in one piece in the layer, so they are not shown here.")
    if found.translate(None, _BINARY) != found:
        return None, visit.text("It is no text.")
    return found.decode("utf-8", "replace"), ""


async def _layers(visit: Visit, subject: Subject, tree: TreeRecord, head: RepositoryHead) -> Response:
    inside = _inside(visit, subject, "layers")
    asked = visit.query("layer", 4)
    number = int(asked) if asked.isascii() and asked.isdigit() and 1 <= int(asked) <= len(subject.layers) else 0
    steps = _steps(visit, subject, tree, inside, number, await visit.app.inside.layers(subject.digests))
    chosen = steps[number - 1] if number else None
    changes = None
    if chosen and (found := await visit.app.inside.changes(subject.digests, number - 1)):
        path = asked_path(visit)
        fields = {"platform": inside.platform, "view": "layers", "layer": str(number)}
        root = visit.text("Layer %(number)s", number=number)
        changes = await changes_list(visit, found, inside.files, inside.files, path, root, **fields)
    return visit.page("inside_layers.html", LayersPage(head, inside, steps, chosen, changes))


def _steps(
    visit: Visit,
    subject: Subject,
    tree: TreeRecord,
    inside: InsideHead,
    number: int,
    read: Sequence[TreeRecord | None],
) -> list[LayerStep]:
    found = []
    for at, (layer, totals) in enumerate(zip(subject.layers, tree.summary["layers"], strict=False), 1):
        one = read[at - 1]
        address = link(inside.files, platform=inside.platform, view="layers", layer=str(at))
        found.append(
            LayerStep(
                at,
                address,
                at == number,
                layer.digest,
                layer.size,
                as_written(layer.instruction)[:1000],
                totals["added"],
                totals["changed"],
                totals["removed"],
                totals["after"] - totals["before"],
                visit.speech.sentence(one.problem) if one and one.problem else "",
            )
        )
    return found


def _wasted(visit: Visit, subject: Subject, tree: TreeRecord, head: RepositoryHead) -> WastePage:
    inside, summary = _inside(visit, subject, "wasted"), tree.summary
    wasted, size = int(summary["wasted"]), int(summary["size"])
    rows = []
    most = max([1, *(one[1] for one in summary["most_wasted"])])
    for text, lost, times in summary["most_wasted"]:
        path = text.encode("utf-8", "surrogateescape")
        address = link(inside.files, split(path)[0], platform=inside.platform)
        rows.append(WasteRow(shown(join(b"", path)), address, lost, times, -(-100 * lost // most)))
    whole = wasted + size
    return WastePage(head, inside, wasted, size, round(100 * wasted / whole) if whole else 0, rows)
