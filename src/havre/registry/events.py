"""Events: facts about what happened, told after the commit that made them true.

Listeners run in the process that saw the fact and must be quick: they count, log or queue.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from havre.oci.digest import Digest
from havre.oci.names import RepositoryName, Tag


@dataclass(frozen=True, slots=True)
class Pushed:
    """A manifest was accepted, under these tags (none when pushed by digest alone)."""

    repository_id: int
    repository: RepositoryName
    digest: Digest
    tags: tuple[Tag, ...]
    user_id: int | None


@dataclass(frozen=True, slots=True)
class Pulled:
    """A manifest was given to a client (GET; a HEAD only checks)."""

    repository_id: int
    repository: RepositoryName
    digest: Digest
    tag: Tag | None = None
    """What was asked for; None: the digest."""
    client: str = ""
    """The family of programs that asked, such as ``docker``."""


@dataclass(frozen=True, slots=True)
class Looked:
    """A client asked which manifest a tag points at; most come back for it by digest."""

    repository_id: int
    digest: Digest
    tag: Tag


@dataclass(frozen=True, slots=True)
class Deleted:
    """A manifest (``digest``) or only a tag was removed."""

    repository_id: int
    repository: RepositoryName
    digest: Digest | None
    tags: tuple[Tag, ...]
    user_id: int | None


Event = Pushed | Pulled | Looked | Deleted


class Events:
    """Tells every listener of every event, in the order they subscribed."""

    def __init__(self) -> None:
        self._listeners: list[Callable[[Event], None]] = []

    def subscribe(self, listener: Callable[[Event], None]) -> None:
        """Have ``listener`` called from now on."""
        self._listeners.append(listener)

    def publish(self, event: Event) -> None:
        """Tell everyone."""
        for listener in self._listeners:
            listener(event)
