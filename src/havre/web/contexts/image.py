"""Contexts of the pages about one image or artifact."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from havre.oci.digest import Digest
from havre.registry.records import Instant
from havre.web.contexts import RepositoryHead


@dataclass(frozen=True, slots=True)
class PlatformRow:
    """One platform of an image."""

    name: str
    digest: Digest
    size: int
    chosen: bool
    link: str


@dataclass(frozen=True, slots=True)
class StepRow:
    """One step of an image: what was done, and the layer that came of it; ``digest`` is None where none did."""

    instruction: str
    digest: Digest | None
    size: int
    media_type: str
    share: int
    """Of the whole image, 0 to 20, for the bar beside it."""
    number: int
    """Of the layer, from 1; 0 without one."""


@dataclass(frozen=True, slots=True)
class AttachedRow:
    """A signature, an attestation or whatever else is said about the image."""

    kind: str
    """In the visitor's words."""
    type: str
    digest: Digest
    size: int
    created: Instant
    link: str


@dataclass(frozen=True, slots=True)
class ImageHead:
    """What the pages of one image share: what was asked for, and the ways to look at it."""

    reference: str
    """The tag, or the digest when asked for by digest."""
    path: str
    query: str
    """``?digest=…`` when another than the usual platform was chosen; else empty."""
    by_tag: bool
    current: str
    """The view that is open: ``image`` or ``manifest``."""


@dataclass(frozen=True, slots=True)
class ImagePage:
    """One tag: what the image is made of."""

    head: RepositoryHead
    image: ImageHead
    title: str
    """What it is, in the visitor's words, when it is no usual image; else empty."""
    digest: Digest
    media_type: str
    artifact_type: str
    size: int
    pushed: Instant
    platforms: Sequence[PlatformRow]
    platform: str
    created: str
    config: Sequence[tuple[str, Sequence[str]]]
    """Entry point, command and so on: a heading (translated) and its lines."""
    facts: Sequence[tuple[str, str]]
    """What the config of another artifact says: name and value."""
    labels: Sequence[tuple[str, str]]
    annotations: Sequence[tuple[str, str]]
    layers: Sequence[StepRow]
    layer_count: int
    attached: Sequence[AttachedRow]

    @property
    def pull_reference(self) -> str:
        """Name and tag, or name and digest, to pull."""
        return f"{self.head.repository.name}{':' if self.image.by_tag else '@'}{self.image.reference}"


@dataclass(frozen=True, slots=True)
class ManifestPage:
    """The manifest as it was pushed, laid out to be read."""

    head: RepositoryHead
    image: ImageHead
    digest: Digest
    media_type: str
    size: int
    text: str
    cut: bool
    """Is ``text`` only its beginning?"""
    parts: Sequence[tuple[str, Digest, str]]
    """For an index: platform, digest and address of the manifests it lists."""
