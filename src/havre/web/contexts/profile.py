"""What a person's page is given."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from havre.registry.records import Instant
from havre.web.contexts import Pager, RepositoryCard


@dataclass(frozen=True, slots=True)
class ProfilePage:
    """``/u/{name}``."""

    name: str
    bio: str
    created: Instant
    mine: bool
    starred: bool
    """Is the list that of what they starred? Only they see it."""
    text: str
    order: str
    """``recent``, ``pulls`` or ``stars``."""
    repositories: Sequence[RepositoryCard]
    pager: Pager

    @property
    def path(self) -> str:
        """Of this page."""
        return f"/u/{self.name}"
