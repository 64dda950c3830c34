"""What each template is given, as typed values: a template shows these and decides nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import quote, urlencode

from havre.oci.digest import Digest
from havre.registry.records import Instant, Repository


@dataclass(frozen=True, slots=True)
class Person:
    """The signed-in visitor, as the head of every page names them."""

    name: str
    is_admin: bool = False


@dataclass(frozen=True, slots=True)
class Site:
    """What every page knows: the visitor, the language, and this registry's name on command lines."""

    host: str
    """As in ``docker login HOST``: the authority, port included."""
    secure: bool
    """Is it reached by https? Otherwise podman needs ``--tls-verify=false``."""
    language: str
    path: str
    """Of this page with its query, to come back to after signing in."""
    now: Instant
    person: Person | None = None
    signup_open: bool = True
    starred: bool = False
    """Has the visitor starred the repository that this page is about?"""
    theme: str = ""
    """``light`` or ``dark``; empty: as the visitor's system says."""

    @property
    def origin(self) -> str:
        """Scheme and authority of this site, for addresses that leave it: ``https://hub.example.org``."""
        return f"{'https' if self.secure else 'http'}://{self.host}"

    def in_language(self, code: str) -> str:
        """The address of this page in another language."""
        path, _, query = self.path.partition("?")
        kept = [pair for pair in query.split("&") if pair and not pair.startswith("lang=")]
        return path + "?" + "&".join([*kept, f"lang={code}"])


@dataclass(frozen=True, slots=True)
class Pager:
    """Where in a long list this page is; ``fields`` are the other parameters of its address."""

    number: int
    pages: int
    total: int
    fields: Mapping[str, str] = field(default_factory=dict)

    def link(self, number: int) -> str:
        """The query for another page of the list."""
        return "?" + urlencode({**{k: v for k, v in self.fields.items() if v}, "page": number})


@dataclass(frozen=True, slots=True)
class RepositoryCard:
    """One repository in a list."""

    repository: Repository

    @property
    def path(self) -> str:
        """Its public page."""
        return repository_path(self.repository)


@dataclass(frozen=True, slots=True)
class TagRow:
    """One tag in a list."""

    name: str
    digest: Digest
    platforms: Sequence[str]
    size: int
    updated: Instant
    pusher: str
    pulls: int = 0
    pulled: Instant = 0
    """The last pull by this tag; 0: never."""


@dataclass(frozen=True, slots=True)
class RepositoryHead:
    """What the head of each page of a repository shows, and the addresses that its tabs lead to."""

    repository: Repository
    may_manage: bool
    current: str
    """The tab that is open: ``overview``, ``tags``, ``general``, ``writing``, ``collaborators`` or ``settings``."""

    @property
    def path(self) -> str:
        """The public page."""
        return repository_path(self.repository)

    @property
    def manage_path(self) -> str:
        """The owner's page."""
        return manage_path(self.repository)


@dataclass(frozen=True, slots=True)
class Form:
    """A form as the visitor left it: what they typed, and what is wrong, by field name (``""``: the whole of it)."""

    values: Mapping[str, str] = field(default_factory=dict)
    problems: Mapping[str, str] = field(default_factory=dict)

    def value(self, name: str) -> str:
        """What was typed."""
        return self.values.get(name, "")

    def problem(self, name: str) -> str:
        """What is wrong with a field; empty if nothing."""
        return self.problems.get(name, "")


@dataclass(frozen=True, slots=True)
class FormPage:
    """A page that is one form: sign-up, sign-in, first run, password."""

    form: Form
    next: str = ""
    saved: bool = False


@dataclass(frozen=True, slots=True)
class ErrorPage:
    """What went wrong: the status, a title and a plain sentence; ``request_id`` helps to find it in the log."""

    status: int
    title: str
    message: str
    request_id: str = ""


def repository_path(repository: Repository) -> str:
    """The public page of a repository."""
    return ("/_/" if repository.name.official else "/r/") + quote(repository.name)


def manage_path(repository: Repository) -> str:
    """The owner's page of a repository, at Docker Hub's address."""
    return f"/repository/docker/{repository.name.namespace}/{quote(repository.name.leaf)}"
