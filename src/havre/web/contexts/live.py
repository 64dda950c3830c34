"""Contexts of the pieces of a page that are sent while something happens."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from havre.registry.records import UploadInFlight
from havre.web.contexts import RepositoryHead, TagRow


@dataclass(frozen=True, slots=True)
class LiveUploads:
    """Uploads in flight."""

    uploads: Sequence[UploadInFlight]


@dataclass(frozen=True, slots=True)
class LiveTags:
    """The newest tags, after one of them moved."""

    head: RepositoryHead
    tags: Sequence[TagRow]
