"""Contexts of the page that compares two images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from havre.oci.digest import Digest
from havre.registry.records import Instant
from havre.web.contexts import RepositoryHead
from havre.web.contexts.inside import ChangesList, Step


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two images."""

    reference: str
    link: str
    files: str
    digest: Digest
    platform: str
    pushed: Instant
    created: str
    size: int
    """Bytes of a pull."""
    layers: int


@dataclass(frozen=True, slots=True)
class LayerPair:
    """One row of the drawing: a layer that both have, or one that either has."""

    digest: Digest
    size: int
    instruction: str
    before: bool
    after: bool
    link: str


@dataclass(frozen=True, slots=True)
class Block:
    """One layer in the drawing of both stacks: where it stands, and where it stands in the other one."""

    kind: str
    """``both``, ``only-before`` or ``only-after``."""
    title: str
    y: float
    height: float
    right: bool
    other: float | None = None
    """Of a layer that both have, on its left side: where it begins on the right."""


@dataclass(frozen=True, slots=True)
class Drawing:
    """Two stacks of layers, the lowest at the foot, heights by size."""

    height: float
    blocks: Sequence[Block]


@dataclass(frozen=True, slots=True)
class Setting:
    """One line of the configuration that differs."""

    name: str
    before: Sequence[str]
    after: Sequence[str]
    status: str


@dataclass(frozen=True, slots=True)
class Totals:
    """What changed in all."""

    added: int
    changed: int
    removed: int
    before: int
    after: int

    @property
    def difference(self) -> int:
        """Bytes more, or less."""
        return self.after - self.before


@dataclass(frozen=True, slots=True)
class Choice:
    """What the form to choose the two images holds."""

    before: str
    after: str
    platform: str
    tags: Sequence[str]
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Suggestion:
    """Two images that are worth a look."""

    title: str
    detail: str
    link: str
    at: Instant


@dataclass(frozen=True, slots=True)
class ChoosePage:
    """Nothing was chosen yet, or what was can not be found."""

    head: RepositoryHead
    choice: Choice
    suggestions: Sequence[Suggestion]


@dataclass(frozen=True, slots=True)
class ComparePage:
    """Two images side by side."""

    head: RepositoryHead
    choice: Choice
    before: Side
    after: Side
    swap: str
    same: bool
    platforms: Sequence[Step]
    layers: Sequence[LayerPair]
    drawing: Drawing
    shared: int
    shared_size: int
    to_pull: int
    """Bytes that someone who has the first must pull for the second."""
    settings: Sequence[Setting]
    labels: Sequence[Setting]
    totals: Totals | None
    """None while the files are being compared, or if they can not be."""
    changes: ChangesList | None
    building: int | None = None
    """Per cent of what must be built before the files can be compared."""
    why: str = ""
    """Why files are not compared, as a sentence."""
