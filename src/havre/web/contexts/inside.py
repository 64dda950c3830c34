"""Contexts of the pages that look inside an image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from havre.oci.digest import Digest
from havre.registry.records import Instant
from havre.web.contexts import RepositoryHead


@dataclass(frozen=True, slots=True)
class Step:
    """A place one may go to; ``current`` is where one is."""

    name: str
    link: str
    current: bool = False


@dataclass(frozen=True, slots=True)
class InsideHead:
    """What all of these pages share: the image, its platforms, and the ways to look at it."""

    reference: str
    digest: Digest
    platform: str
    platforms: Sequence[Step]
    views: Sequence[Step]
    image: str
    """The address of the image's own page."""
    files: str
    """The address of the files, without a query."""
    compare: str
    query: str
    """By which the image's other pages know the platform."""
    by_tag: bool
    text: str = ""
    """What is searched for."""


@dataclass(frozen=True, slots=True)
class BuildingPage:
    """What was asked for is being built."""

    head: RepositoryHead
    title: str
    percent: int
    back: str


@dataclass(frozen=True, slots=True)
class EntryRow:
    """One path of a list."""

    name: str
    link: str
    kind: str
    """Translated."""
    is_folder: bool
    size: int | None
    files: int
    share: int
    """Of the folder's size, 0 to 100."""
    layer: int | None
    """Counted from 1; None for a folder."""
    layer_link: str
    mode: str
    """As ``ls`` writes it."""
    owner: str
    changed: Instant | None
    target: str
    folder: str = ""
    """Where it lies, in lists of several folders."""


@dataclass(frozen=True, slots=True)
class FolderPage:
    """One folder, or what a search found."""

    head: RepositoryHead
    inside: InsideHead
    crumbs: Sequence[Step]
    entries: Sequence[EntryRow]
    size: int
    files: int
    notes: Sequence[str]
    by_size: bool
    sort_name: str
    sort_size: str
    following: str
    """The address of what follows in a long folder; empty at its end."""
    searched: bool = False
    more: bool = False
    """Were there more than are shown?"""


@dataclass(frozen=True, slots=True)
class FilePage:
    """One thing that is no folder."""

    head: RepositoryHead
    inside: InsideHead
    crumbs: Sequence[Step]
    name: str
    path: str
    entry: EntryRow
    instruction: str
    """What made its layer."""
    text: str | None
    why: str
    """Why its text is not shown, as a sentence."""
    download: str
    leads: str
    """For a link, the address of what it leads to."""


@dataclass(frozen=True, slots=True)
class LayerStep:
    """One layer in the list of all."""

    number: int
    link: str
    current: bool
    digest: Digest
    size: int
    instruction: str
    added: int
    changed: int
    removed: int
    difference: int
    problem: str = ""


@dataclass(frozen=True, slots=True)
class ChangeRow:
    """One path that changed."""

    name: str
    link: str
    is_folder: bool
    status: str
    """See ``havre.registry.inside.entries.Change``."""
    word: str
    """The same as a translated word; empty for a folder that only holds changes."""
    before: int
    after: int
    added: int
    changed: int
    removed: int
    note: str
    up: int
    """Length of the bar for growth, 0 to 100, relative to the largest of the list."""
    down: int

    @property
    def difference(self) -> int:
        """Bytes more, or less."""
        return self.after - self.before


@dataclass(frozen=True, slots=True)
class ChangesList:
    """The changes of one folder."""

    crumbs: Sequence[Step]
    rows: Sequence[ChangeRow]
    following: str
    filters: Sequence[Step] = ()


@dataclass(frozen=True, slots=True)
class LayersPage:
    """The layers of an image, and what one of them did."""

    head: RepositoryHead
    inside: InsideHead
    layers: Sequence[LayerStep]
    chosen: LayerStep | None
    changes: ChangesList | None


@dataclass(frozen=True, slots=True)
class WasteRow:
    """A path that later layers overwrote or removed."""

    path: str
    link: str
    size: int
    times: int
    share: int


@dataclass(frozen=True, slots=True)
class WastePage:
    """Bytes of an image that are pulled and never seen."""

    head: RepositoryHead
    inside: InsideHead
    wasted: int
    size: int
    share: int
    """Per cent of all bytes in the layers, once unpacked."""
    rows: Sequence[WasteRow] = field(default_factory=tuple)


@dataclass(frozen=True, slots=True)
class ClosedPage:
    """There are no files to show, and why."""

    head: RepositoryHead
    reference: str
    image: str
    why: str
