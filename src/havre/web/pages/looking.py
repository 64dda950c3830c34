"""What the pages inside images share: which image is meant, its layers, and how paths are shown and linked."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import parse_qsl, quote, quote_from_bytes, urlencode

from havre.errors import DigestInvalid, HavreError, ManifestUnknown, NameInvalid
from havre.oci.digest import Digest
from havre.oci.reference import Reference, parse_reference
from havre.registry.images import ImageView, LayerView
from havre.registry.inside.building import MAX_LAYERS
from havre.registry.inside.entries import MOVED_FROM, MOVED_TO, Change, Kind, join
from havre.registry.inside.ports import TreeRecord
from havre.registry.inside.trees import place
from havre.web.contexts import repository_path
from havre.web.contexts.inside import ChangeRow, ChangesList, Step
from havre.web.visit import Visit

PER_PAGE = 200
"""Paths on one page of a folder."""

SORTED = 3000
"""Paths of a folder that are sorted by size; a larger one is shown by name."""

ANCHOR = "#changes"
"""Where on a page the changes stand, so that going deeper does not lead back to its head."""

_FEW = 12
_DEEP = 8
_LETTERS = {
    Kind.FOLDER: "d",
    Kind.SYMLINK: "l",
    Kind.CHARACTER_DEVICE: "c",
    Kind.BLOCK_DEVICE: "b",
    Kind.PIPE: "p",
}


@dataclass(frozen=True, slots=True)
class Subject:
    """One image of one platform."""

    reference: Reference
    view: ImageView
    part: ImageView
    platform: str
    platforms: Sequence[str]
    layers: Sequence[LayerView]
    """Those whose content this repository has."""
    absent: int
    """How many it has not."""

    @property
    def digests(self) -> list[Digest]:
        """Of its layers."""
        return [one.digest for one in self.layers]


async def look_at(visit: Visit, text: str, platform: str) -> Subject:
    """The image that a tag or digest names, for a platform or the one most people want.

    Raises what ``parse_reference`` does, and ManifestUnknown.
    """
    name, reference = visit.shown.name, parse_reference(text)
    view = await visit.app.images.inspect(name, reference)
    part, chosen = view, view.manifest.platform
    platforms = [one for one in view.platforms if one.platform and not one.platform.startswith("unknown")]
    if platforms:
        asked = visit.query("digest", 200)
        wanted = (platform, "linux/amd64", platforms[0].platform)
        by_name = {one.platform: one for one in reversed(platforms)}
        by_digest = (one for one in platforms if one.digest == asked)
        one = next(by_digest, None) or next(by_name[name] for name in wanted if name in by_name)
        part, chosen = await visit.app.images.inspect(name, one.digest), one.platform
    # Trees are shared by all repositories, but only those that hold a layer may look into it.
    absent = await visit.app.database.read(
        lambda rows: rows.manifests.absent(visit.shown.id, [one.digest for one in part.layers])
    )
    layers = [one for one in part.layers if one.digest not in absent]
    names = [one.platform for one in platforms]
    return Subject(reference, view, part, chosen, names, layers, len(part.layers) - len(layers))


def closed(visit: Visit, subject: Subject) -> str:
    """Why there are no files to show, as a sentence; empty if there are."""
    layers = subject.part.layers
    if subject.part.kind != "image" or not any("tar" in one.media_type for one in layers):
        return visit.text("This is no container image but another kind of artifact, and holds no file tree.")
    if any("encrypted" in one.media_type for one in layers):
        return visit.text("Its layers are encrypted, so that only those who have the key can look inside.")
    if len(layers) > MAX_LAYERS:
        return visit.text("It has more than %(most)s layers, which is the most that is looked into.", most=MAX_LAYERS)
    if not subject.layers:
        return visit.text("None of its layers is kept here, so there is nothing to look into.")
    return ""


def is_missing(error: HavreError) -> bool:
    """Does this mean that the visitor named an image that is not here?"""
    return isinstance(error, (ManifestUnknown, NameInvalid, DigestInvalid))


def query_bytes(visit: Visit, name: str) -> bytes:
    """A parameter of the address as the bytes it stands for: paths need not be text."""
    query = visit.request.scope["query_string"].decode("latin-1")[:16_000]
    try:
        values: dict[str, str] = dict(parse_qsl(query, errors="surrogateescape", max_num_fields=32))
    except ValueError:
        return b""
    return values.get(name, "").encode("utf-8", "surrogateescape")


def asked_path(visit: Visit) -> bytes:
    """The path that is asked for, without slashes around it."""
    return b"/".join(part for part in query_bytes(visit, "path").split(b"/") if part)


def link(base: str, path: bytes = b"", after: bytes = b"", /, **fields: str) -> str:
    """An address with a path in its query."""
    pairs = [urlencode({name: value}) for name, value in fields.items() if value]
    pairs += [f"{name}={quote_from_bytes(value)}" for name, value in (("path", path), ("after", after)) if value]
    return f"{base}?{'&'.join(pairs)}" if pairs else base


def shown(name: bytes) -> str:
    """A name as it may be shown: what is no text, or would change how other text looks, is written out."""
    text = name.decode("utf-8", "backslashreplace")
    if text.isprintable():
        return text
    return "".join(
        one if unicodedata.category(one)[0] != "C" else one.encode("unicode_escape").decode("ascii") for one in text
    )


def crumbs(base: str, path: bytes, root: str, **fields: str) -> list[Step]:
    """The folders that lead to a path, the root first."""
    found, done = [Step(root, link(base, **fields), not path)], b""
    for part in path.split(b"/") if path else ():
        done = join(done, part)
        found.append(Step(shown(part), link(base, done, **fields), done == path))
    return found


@lru_cache(1024)
def mode_of(kind: Kind, mode: int) -> str:
    """Kind and rights as ``ls`` writes them, such as ``drwxr-xr-x``."""
    bits = "".join(letter if mode >> 8 - at & 1 else "-" for at, letter in enumerate("rwxrwxrwx"))
    letters = list(bits)
    for bit, at, letter in ((0o4000, 2, "s"), (0o2000, 5, "s"), (0o1000, 8, "t")):
        if mode & bit:
            letters[at] = letter if letters[at] == "x" else letter.upper()
    return _LETTERS.get(kind, "-") + "".join(letters)


def image_path(visit: Visit, reference: Reference) -> str:
    """The address of an image's page."""
    return f"{repository_path(visit.shown)}/tags/{quote(reference)}"


def change_rows(
    visit: Visit, changes: Sequence[Change], path: bytes, base: str, tip: str, **fields: str
) -> list[ChangeRow]:
    """Changes as lists show them; a folder leads on below ``base``, a file to itself below ``tip``."""
    words = {
        "a": visit.text("added"),
        "c": visit.text("changed"),
        "r": visit.text("removed"),
        "m": visit.text("rights changed"),
        "t": visit.text("written again, the same"),
        "": "",
    }
    most = max([1, *(abs(one.difference) for one in changes)])
    rows = []
    for one in changes:
        is_folder = one.kind is Kind.FOLDER
        word, note = words[one.status], one.note
        if note.startswith((MOVED_FROM, MOVED_TO)):
            word = visit.text("moved from") if note.startswith(MOVED_FROM) else visit.text("moved to")
            note = note[len(MOVED_TO) :]
        bar = -(-100 * abs(one.difference) // most)
        address = (
            link(base, one.path, **fields) + ANCHOR if is_folder else "" if one.status == "r" else link(tip, one.path)
        )
        rows.append(
            ChangeRow(
                shown(one.path[len(path) :].lstrip(b"/")),
                address,
                is_folder,
                one.status,
                word,
                one.before,
                one.after,
                one.added,
                one.changed,
                one.removed,
                shown(note) if note is not one.note else note.decode("ascii").replace(">", "→"),
                bar if one.difference > 0 else 0,
                bar if one.difference < 0 else 0,
            )
        )
    return rows


async def changes_list(
    visit: Visit, tree: TreeRecord, base: str, tip: str, path: bytes, root: str, **fields: str
) -> ChangesList:
    """The changes of a folder as a page shows them, from where the address says on."""
    changes = await visit.app.inside.differences(tree, path, query_bytes(visit, "after"), PER_PAGE + 1)
    here = list(changes[:PER_PAGE])
    following = link(base, path, place(here[-1]), **fields) + ANCHOR if len(changes) > PER_PAGE else ""
    if not following:
        here.sort(key=lambda one: (one.kind is not Kind.FOLDER, -abs(one.difference), one.name))
    if sum(one.kind is Kind.FOLDER for one in here) <= _FEW:
        here = [await _shortened(visit, tree, one) for one in here]
    steps = [Step(one.name, one.link + ANCHOR, one.current) for one in crumbs(base, path, root, **fields)]
    return ChangesList(steps, change_rows(visit, here, path, base, tip, **fields), following)


async def _shortened(visit: Visit, tree: TreeRecord, change: Change) -> Change:
    """A folder that holds but one changed folder, and so on, is told as the last of them."""
    for _ in range(_DEEP):
        if change.kind is not Kind.FOLDER or change.status:
            break
        inner = await visit.app.inside.differences(tree, change.path, b"", 2)
        if len(inner) != 1 or inner[0].kind is not Kind.FOLDER:
            break
        change = inner[0]
    return change
