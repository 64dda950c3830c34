"""The journal: what was asked of the registry and what it acknowledged, and so what may be found there.

Each name has one writer, and that waits for an answer before it asks for the next change of it. So the journal knows of
everything whether it must be there, must not, or whether only a look can tell, because the answer never came.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from enum import Enum

MAX_FAULTS = 50
"""Broken promises that are told; the rest is counted."""


class Fate(Enum):
    """What is known of a thing."""

    THERE = "there"
    """Its push was acknowledged, no later request touched it: it must be there."""
    PERHAPS = "perhaps"
    """A request that changes it was never answered: either, but whole."""
    GONE = "gone"
    """Its removal was acknowledged, or it was found missing when it could be: it must not be there."""


@dataclass(frozen=True, slots=True)
class Document:
    """A manifest that was pushed: its exact bytes, and what a pull of it needs."""

    content: bytes
    media_type: str
    blobs: tuple[str, ...] = ()
    manifests: tuple[str, ...] = ()


@dataclass(slots=True)
class Upload:
    """An upload on its way. ``acknowledged`` bytes must be kept; no more than ``sent`` can be there."""

    repository: str
    location: str
    content: bytes
    digest: str
    acknowledged: int = 0
    sent: int = 0
    closing: bool = False
    """The closing request was sent: it may be a blob by now."""


Name = tuple[str, str]
"""A repository, and a digest or tag in it."""


@dataclass(slots=True)
class Journal:
    """All that was asked and acknowledged, and what was found to be wrong."""

    blobs: dict[Name, Fate] = field(default_factory=dict)
    manifests: dict[Name, Fate] = field(default_factory=dict)
    documents: dict[Name, Document] = field(default_factory=dict)
    tags: dict[Name, set[str | None]] = field(default_factory=dict)
    """What each tag may point at; None: it may be missing."""
    counts: Counter[str] = field(default_factory=Counter)
    """How often what was done."""
    faults: list[str] = field(default_factory=list)
    """Broken promises."""

    def fault(self, sentence: str) -> None:
        """A promise was broken."""
        self.counts["broken promises"] += 1
        if len(self.faults) < MAX_FAULTS:
            self.faults.append(sentence)

    # ---------------------------------------------------------------- blobs

    def blob_asked(self, name: Name) -> None:
        """It is being pushed or mounted."""
        if self.blobs.get(name) is not Fate.THERE:
            self.blobs[name] = Fate.PERHAPS

    def blob_kept(self, name: Name) -> None:
        """The registry says that it has it."""
        self.blobs[name] = Fate.THERE
        self.counts["blobs acknowledged"] += 1

    # ---------------------------------------------------------------- manifests and tags

    def manifest_asked(self, name: Name, document: Document, tag: str | None) -> None:
        """It is being pushed, perhaps by a tag."""
        self.documents[name] = document
        if self.manifests.get(name) is not Fate.THERE:
            self.manifests[name] = Fate.PERHAPS
        if tag:
            self.tags.setdefault((name[0], tag), {None}).add(name[1])

    def manifest_kept(self, name: Name, tag: str | None) -> None:
        """The registry says that it has it."""
        self.manifests[name] = Fate.THERE
        self.counts["manifests acknowledged"] += 1
        if tag:
            self.tags[name[0], tag] = {name[1]}
            self.counts["tags acknowledged"] += 1

    def removal_asked(self, name: Name) -> None:
        """A manifest is being removed, and the tags that point at it with it."""
        self.manifests[name] = Fate.PERHAPS
        for tag in self._pointing_at(name):
            self.tags[tag].add(None)

    def removed(self, name: Name) -> None:
        """The registry says that it is gone."""
        self.manifests[name] = Fate.GONE
        self.counts["removals acknowledged"] += 1
        for tag in self._pointing_at(name):
            self.tags[tag] = self.tags[tag] - {name[1]} | {None}

    def _pointing_at(self, name: Name) -> list[Name]:
        return [tag for tag, targets in self.tags.items() if tag[0] == name[0] and name[1] in targets]
