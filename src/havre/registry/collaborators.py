"""Collaborators: people who may read, push to or administer a repository of someone else."""

from __future__ import annotations

from collections.abc import Sequence

from havre.errors import Conflict, InputInvalid, NameInvalid
from havre.oci.names import Namespace, RepositoryName
from havre.registry.audit import ITSELF, Author, record
from havre.registry.naming import find
from havre.registry.ports import Clock, Metadata, Rows
from havre.registry.quotas import check_collaborators
from havre.registry.records import Collaborator, Repository, Role

MAX_COLLABORATORS = 200
"""Of one repository."""

MAX_SHARED = 500
"""Repositories in the list of what is shared with someone."""


class Collaborators:
    """Gives roles and takes them. Callers have checked that the actor administers the repository.

    A role that is taken away lives on in bearer tokens for at most five minutes, on pages and in the API for none.
    """

    def __init__(self, metadata: Metadata, clock: Clock) -> None:
        self._metadata = metadata
        self._clock = clock

    async def of(self, repository: Repository) -> Sequence[Collaborator]:
        """All of a repository, by name."""
        return await self._metadata.read(lambda rows: rows.collaborators.of(repository.id, MAX_COLLABORATORS))

    async def shared(self, user_id: int) -> Sequence[tuple[Repository, Role]]:
        """What is shared with an account, the last pushed first."""
        return await self._metadata.read(lambda rows: rows.collaborators.shared(user_id, MAX_SHARED))

    async def put(
        self, name: RepositoryName, person: str, role: Role, *, by: Author = ITSELF, address: str = ""
    ) -> None:
        """Give an account a role, or another one.

        Raises NameUnknown, InputInvalid for an account that does not exist or owns the repository, Conflict beyond the
        most that one repository can have, OverPlan beyond what the owner's plan allows.
        """
        now = self._clock()

        def work(rows: Rows) -> None:
            repository = find(rows, name)
            who = _person(rows, person)
            if who == repository.owner_id:
                raise InputInvalid(f"{person.strip()} owns {name} and needs no role in it", field="person")
            before = rows.collaborators.role(repository.id, who)
            if before is role:
                return
            if before is None and rows.collaborators.count(repository.id) >= MAX_COLLABORATORS:
                raise Conflict(
                    f"{name} has {MAX_COLLABORATORS} collaborators, the most it can have: remove one first",
                    detail={"field": "person"},
                )
            if before is None:
                present = rows.collaborators.count(repository.id)
                check_collaborators(rows.quotas, name.namespace, repository.visibility, present)
            rows.collaborators.put(repository.id, who, role, now)
            action = "collaborator.add" if before is None else "collaborator.change"
            detail = {"account": person.strip().lower(), "role": role.value}
            record(rows, by, action, name, at=now, repository_id=repository.id, address=address, detail=detail)

        await self._metadata.write(work)

    async def remove(self, name: RepositoryName, person: str, *, by: Author = ITSELF, address: str = "") -> None:
        """Take a role away; people may also do that for themselves. Raises NameUnknown, and InputInvalid for no role."""
        now = self._clock()

        def work(rows: Rows) -> None:
            repository = find(rows, name)
            if not rows.collaborators.delete(repository.id, _person(rows, person)):
                raise InputInvalid(f"{person.strip()[:40]} is no collaborator of {name}", field="person")
            detail = {"account": person.strip().lower()}
            record(
                rows,
                by,
                "collaborator.remove",
                name,
                at=now,
                repository_id=repository.id,
                address=address,
                detail=detail,
            )

        await self._metadata.write(work)


def _person(rows: Rows, person: str) -> int:
    """The account's id; every account has the namespace of its name. Raises InputInvalid."""
    try:
        namespace = rows.repositories.namespace(Namespace.parse(person.strip().lower()))
    except NameInvalid:
        namespace = None
    if namespace is None or namespace.owner_id is None:
        raise InputInvalid(f"there is no account {person.strip()[:40]!r}", field="person")
    return namespace.owner_id
