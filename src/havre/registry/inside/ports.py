"""Ports: what looking inside images needs from outside: rows for trees, and a workshop that reads layers."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from havre.registry.inside.pages import Page
from havre.registry.records import Instant

Body = AsyncIterator[bytes]

Trees = AsyncIterator[AsyncIterator[bytes]]
"""Trees one after the other, each as the contents of its pages."""


@dataclass(frozen=True, slots=True)
class Built:
    """The pages that came before make a tree of this name, of which this is to be known."""

    name: str
    summary: Mapping[str, Any]


Made = Page | Built


@dataclass(frozen=True, slots=True)
class TreeRecord:
    """A tree at rest. ``problem`` is why there is none, for content that can not be read; then it has no pages."""

    id: int
    kind: str
    """``layer``, ``changes`` (what one layer of an image did), ``image`` or ``compare``."""
    key: str
    summary: Mapping[str, Any]
    directory: bytes
    used: Instant
    problem: str = ""


class TreeRows(Protocol):
    """Trees and their pages. A tree is seen by readers once it was published, and never changes."""

    def find(self, kind: str, key: str) -> TreeRecord | None:
        """The published tree of the format of today."""

    def begin(self, at: Instant) -> int:
        """A new tree, seen by nobody; returns its id."""

    def add(self, tree_id: int, position: int, pages: Sequence[Page]) -> None:
        """Add pages, the first of which is at ``position``."""

    def publish(self, tree: TreeRecord, at: Instant) -> None:
        """Let it be seen as what ``tree`` says, in place of others of its kind and key, which are removed."""

    def pages(self, tree_id: int, position: int, limit: int) -> Sequence[bytes]:
        """Contents of pages in order."""

    def use(self, tree_id: int, at: Instant) -> None:
        """Remember that it was looked at."""

    def discard(self, tree_ids: Sequence[int]) -> None:
        """Remove trees with their pages."""

    def idle(self, unpublished_before: Instant, used_before: Instant, most: int, limit: int) -> Sequence[int]:
        """Trees to remove: never finished, long unused, and the longest unused beyond ``most`` bytes in all."""


class Workshop(Protocol):
    """Reads layers where that can do no harm. Whatever can not be read ends in InputInvalid, whose sentence says why;
    Unavailable is a failure of ours, after which it may be tried again. Nothing is left behind by an iterator that is
    closed early.
    """

    def index(self, layer: Body, told: Callable[[int], None]) -> AsyncGenerator[Made, None]:
        """The tree of a layer. ``told`` hears how many of its bytes were handed over."""

    def stack(self, layers: Trees, told: Callable[[int], None]) -> AsyncGenerator[Made, None]:
        """What each layer changed (trees named ``0``, ``1``, …), and then the image (named ``image``).

        ``told`` hears how many layers are laid down.
        """

    def compare(self, images: Trees) -> AsyncGenerator[Made, None]:
        """What differs between two images."""

    async def extract(self, layer: Body, offset: int, size: int) -> bytes:
        """Bytes from the middle of an unpacked layer."""
