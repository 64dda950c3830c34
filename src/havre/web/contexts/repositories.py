"""Contexts of a repository's pages, and of the list of one's own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from havre.registry.records import Collaborator, DeletedRepository, Instant, Redirect, Repository, Role, Transfer
from havre.web.contexts import Form, Pager, RepositoryCard, RepositoryHead, TagRow
from havre.web.contexts.tags import PullsChart


@dataclass(frozen=True, slots=True)
class PlatformSize:
    """How much a pull moves for one platform."""

    name: str
    size: int


@dataclass(frozen=True, slots=True)
class Told:
    """What an image says of itself in its labels: ``title`` is translated, ``link`` empty where it is no web address."""

    title: str
    text: str
    link: str = ""


@dataclass(frozen=True, slots=True)
class RepositoryPage:
    """The public view of a repository."""

    head: RepositoryHead
    readme: str
    """Safe HTML; empty if there is none."""
    pull_reference: str
    """Name and tag to pull: the tag is left out when it is ``latest``; empty if nothing has been pushed."""
    tag: str
    """The tag that a pull gets when nothing else is said."""
    latest: Sequence[TagRow]
    tag_count: int | None
    """None: more than are counted."""
    pusher: str = ""
    """The account of the last push; empty if it is gone or not known."""
    platforms: Sequence[PlatformSize] = ()
    told: Sequence[Told] = ()
    categories: Sequence[str] = ()
    """Their names, translated."""
    member: bool = False
    """Has the visitor a role here, given by the owner?"""
    chart: PullsChart | None = None
    live: bool = False
    """Is a push shown as it happens? For those who may push."""


@dataclass(frozen=True, slots=True)
class ManagePage:
    """The owner's view of a repository; which part is open says ``head.current``."""

    head: RepositoryHead
    form: Form
    owns: bool
    """May the visitor rename, give away and delete it?"""
    undo_days: int
    readme: str = ""
    latest: Sequence[TagRow] = ()
    tag_count: int | None = 0
    """None: more than are counted."""
    saved: str = ""
    """Which form was just saved, or nothing."""
    preview: str | None = None
    """The overview that is being written, as HTML."""
    categories: Sequence[tuple[str, str]] = ()
    """All there are: value and translated name."""
    chosen: Sequence[str] = ()
    collaborators: Sequence[Collaborator] = ()
    former: Sequence[Redirect] = ()
    offer: Transfer | None = None
    pictures: bool = True
    """Are pictures in overviews shown?"""
    chart: PullsChart | None = None


@dataclass(frozen=True, slots=True)
class Shared:
    """A repository of someone else in which the visitor has a role."""

    card: RepositoryCard
    role: Role
    role_name: str
    """Translated."""


@dataclass(frozen=True, slots=True)
class Deleted:
    """A repository that can still come back, until ``until``."""

    record: DeletedRepository
    until: Instant


@dataclass(frozen=True, slots=True)
class MinePage:
    """``/repositories``."""

    text: str
    repositories: Sequence[RepositoryCard]
    pager: Pager
    shared: Sequence[Shared] = ()
    offers: Sequence[Transfer] = ()
    deleted: Sequence[Deleted] = ()
    former: Sequence[tuple[Redirect, Repository | None]] = ()
    """Former names, each with where it leads if the visitor may see that."""
    problem: str = ""
    done: str = ""
    """What has just been done, in a sentence."""
    roles: Mapping[str, str] = field(default_factory=dict)
