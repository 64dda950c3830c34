"""What the rules of plans need to know, and the port that tells it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from havre.oci.digest import Digest
from havre.oci.names import Namespace, RepositoryName
from havre.registry.records import Visibility


@dataclass(frozen=True, slots=True)
class Limits:
    """What a plan allows; None is without limit."""

    private_repositories: int | None = None
    storage: int | None = None
    """Bytes."""
    collaborators: int | None = None
    """Of each private repository."""


UNLIMITED = Limits()


@dataclass(frozen=True, slots=True)
class Quota:
    """What a namespace may hold and holds, at this moment."""

    namespace: Namespace
    limits: Limits
    plan: str
    """Its title; empty for what no plan limits: official images, and the namespaces of administrators."""
    private_used: int
    stored: int
    """Bytes: content that several of its repositories link counts once."""

    @property
    def room(self) -> int | None:
        """Bytes that may still come; None is without limit. Below 0 when a plan was made smaller."""
        return None if self.limits.storage is None else self.limits.storage - self.stored


class QuotaRows(Protocol):
    """What namespaces may hold."""

    def of(self, namespace: Namespace) -> Quota | None:
        """Everything about one namespace; None if there is none."""

    def before_push(self, name: RepositoryName) -> tuple[Quota, Visibility | None] | None:
        """For the beginning of a push, in one statement: the quota, and what a first push would make of the repository
        (None: it exists). What no limit or no first push asks for is not counted, and 0. None: no such namespace.
        """

    def holds(self, namespace: Namespace, digest: Digest) -> bool:
        """Does a repository of the namespace link this content already?"""

    def weighs(self, repository_id: int) -> int:
        """Bytes that a repository links."""
