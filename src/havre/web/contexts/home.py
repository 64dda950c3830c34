"""What the home page and search are given."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from havre.web.contexts import Pager, RepositoryCard

ORDERS = ("best", "pulls", "stars", "recent")
KINDS = ("image", "helm", "artifact")
PLATFORMS = (
    "linux/amd64",
    "linux/arm64",
    "linux/arm/v7",
    "linux/arm/v6",
    "linux/386",
    "linux/ppc64le",
    "linux/riscv64",
    "linux/s390x",
    "windows/amd64",
)
"""Those that people choose from; a search may name any other."""


@dataclass(frozen=True, slots=True)
class HomePage:
    """``/``."""

    popular: Sequence[RepositoryCard]
    recent: Sequence[RepositoryCard]


@dataclass(frozen=True, slots=True)
class Asked:
    """What a search asks for, as its address says it."""

    text: str = ""
    official: bool = False
    platform: str = ""
    kind: str = ""
    order: str = "best"

    @property
    def fields(self) -> dict[str, str]:
        """The parameters of its address; those that say nothing are left out."""
        order = "" if self.order == "best" else self.order
        official = "yes" if self.official else ""
        every = {"q": self.text, "official": official, "platform": self.platform, "kind": self.kind, "sort": order}
        return {name: value for name, value in every.items() if value}

    @property
    def narrowed(self) -> bool:
        """Does it ask for more than the text?"""
        return self.official or bool(self.platform) or bool(self.kind)

    def without(self, name: str) -> str:
        """The address of the same search with one thing less."""
        kept = {field: value for field, value in self.fields.items() if field != name}
        return "/search" + (f"?{urlencode(kept)}" if kept else "")

    @property
    def platforms(self) -> Sequence[str]:
        """To choose from."""
        return PLATFORMS if self.platform in {"", *PLATFORMS} else (*PLATFORMS, self.platform)


@dataclass(frozen=True, slots=True)
class SearchPage:
    """``/search``."""

    asked: Asked
    results: Sequence[RepositoryCard]
    pager: Pager
    many: bool
    """Are there more than were counted?"""


@dataclass(frozen=True, slots=True)
class SuggestionsPage:
    """``/search/suggest``: what is offered while someone types."""

    text: str
    results: Sequence[RepositoryCard]
