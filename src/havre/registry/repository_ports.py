"""Ports of what happens to repositories as a whole: names and owners that change, deletion with undo, other people's roles.

The same rules hold as in ``ports``, which these are part of.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from havre.oci.names import Namespace, RepositoryName
from havre.registry.records import (
    Collaborator,
    DeletedRepository,
    Instant,
    Redirect,
    Repository,
    Role,
    Transfer,
)


class MoveRows(Protocol):
    """Repositories that change their name, or go and come back."""

    def rename(self, repository_id: int, name: RepositoryName) -> bool:
        """Give it another name, perhaps in another namespace; False if that is taken or the namespace is unknown.

        A redirect from the new name goes.
        """

    def hide(self, repository_id: int, at: Instant) -> None:
        """Delete it for now: nobody finds it, its name is free."""

    def show(self, repository_id: int) -> bool:
        """Bring it back under its name; False if that is taken."""

    def hidden(self, repository_id: int) -> DeletedRepository | None:
        """A deleted repository, by its id."""

    def hidden_in(self, namespace: Namespace, limit: int) -> Sequence[DeletedRepository]:
        """Deleted repositories of a namespace, the last deleted first."""

    def expired(self, before: Instant, limit: int) -> Sequence[int]:
        """Ids of repositories that were deleted before."""


class RedirectRows(Protocol):
    """Former names of repositories. One whose repository is deleted leads nowhere, until that comes back."""

    def get(self, path: RepositoryName) -> Redirect | None:
        """Where a former name leads."""

    def put(self, path: RepositoryName, repository_id: int, at: Instant) -> None:
        """Have a former name lead to a repository from now on."""

    def delete(self, path: RepositoryName) -> bool:
        """Free the name; False if nothing was remembered of it."""

    def of(self, repository_id: int, limit: int) -> Sequence[Redirect]:
        """The former names of a repository, by name."""

    def within(self, namespace: Namespace, limit: int) -> Sequence[Redirect]:
        """Former names in a namespace, by name, wherever they lead."""


class TransferRows(Protocol):
    """Repositories offered to other accounts, at most one offer for each."""

    def put(self, repository_id: int, from_id: int, to_id: int, at: Instant) -> None:
        """Offer it, in place of an offer made before."""

    def get(self, repository_id: int) -> Transfer | None:
        """The offer, unless the repository is deleted."""

    def delete(self, repository_id: int) -> bool:
        """Forget the offer; False if there was none."""

    def to(self, user_id: int, limit: int) -> Sequence[Transfer]:
        """What an account is offered, the latest first."""


class CollaboratorRows(Protocol):
    """Who has a role in a repository of someone else."""

    def role(self, repository_id: int, user_id: int) -> Role | None:
        """The role of an account, or None."""

    def put(self, repository_id: int, user_id: int, role: Role, at: Instant) -> None:
        """Give an account a role, in place of the one it had."""

    def delete(self, repository_id: int, user_id: int) -> bool:
        """Take the role away; False if there was none."""

    def of(self, repository_id: int, limit: int) -> Sequence[Collaborator]:
        """All of a repository, by name."""

    def count(self, repository_id: int) -> int:
        """How many a repository has."""

    def shared(self, user_id: int, limit: int) -> Sequence[tuple[Repository, Role]]:
        """Repositories in which an account has a role, the last pushed first."""
