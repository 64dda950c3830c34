"""Names and owners that change: renaming, giving a repository to another account, and the former names that remain.

What was pulled by a former name goes on being pulled. Pushing to one is refused with a sentence that says the name of
today: a script that nobody looked at must neither change another repository than it says, nor silently begin one.
"""

from __future__ import annotations

from collections.abc import Sequence

from havre.errors import Conflict, InputInvalid, NameInvalid, NameUnknown
from havre.oci.names import Namespace, RepositoryName
from havre.registry.audit import ITSELF, Author, record
from havre.registry.naming import check_name, find
from havre.registry.ports import Clock, Metadata, Rows
from havre.registry.quotas import check_incoming
from havre.registry.records import Instant, NamespaceRecord, Redirect, Repository, Transfer

MAX_FORMER = 50
"""Former names that one repository can have."""

MAX_SHOWN = 200
"""Offers or former names in one list."""


class Renames:
    """Renames and gives away. Callers have checked that the actor owns the repository, where it says so."""

    def __init__(self, metadata: Metadata, clock: Clock) -> None:
        self._metadata = metadata
        self._clock = clock

    async def rename(
        self, name: RepositoryName, leaf: str, *, by: Author = ITSELF, address: str = ""
    ) -> RepositoryName:
        """Call it otherwise within its namespace; the old name leads there. Returns the new name.

        Raises NameUnknown, NameInvalid for what is no name, Conflict for one that is taken.
        """
        new, now = parsed(name.namespace, leaf), self._clock()
        await self._metadata.write(lambda rows: rename(rows, name, new, by, address, now))
        return new

    async def give(self, name: RepositoryName, to: str, *, by: Author = ITSELF, address: str = "") -> RepositoryName:
        """Give it to another account at once, as administrators may. Returns the new name.

        Raises NameUnknown, InputInvalid for an account that does not exist, Conflict if it has a repository of that name.
        """
        now = self._clock()

        def work(rows: Rows) -> RepositoryName:
            repository, recipient = find(rows, name), _recipient(rows, name, to)
            return self._hand_over(rows, repository, recipient, by, address, now)

        return await self._metadata.write(work)

    async def offer(self, name: RepositoryName, to: str, *, by: Author, address: str = "") -> Transfer:
        """Offer it to another account, which takes it or not; nothing changes until then.

        Raises as ``give``.
        """
        now = self._clock()

        def work(rows: Rows) -> Transfer:
            repository, recipient = find(rows, name), _recipient(rows, name, to)
            assert by.user_id is not None, "offers are made by accounts"
            assert recipient.owner_id is not None, "checked by _recipient"
            rows.transfers.put(repository.id, by.user_id, recipient.owner_id, now)
            detail = {"to": str(recipient.name)}
            record(
                rows, by, "repository.offer", name, at=now, repository_id=repository.id, address=address, detail=detail
            )
            made = rows.transfers.get(repository.id)
            assert made is not None
            return made

        return await self._metadata.write(work)

    async def offered(self, repository: Repository) -> Transfer | None:
        """To whom it is offered now, if it is."""
        return await self._metadata.read(lambda rows: rows.transfers.get(repository.id))

    async def pending(self, repository_id: int) -> Transfer:
        """The offer of a repository, without regard to who asks. Raises NameUnknown."""
        offer = await self._metadata.read(lambda rows: rows.transfers.get(repository_id))
        if offer is None:
            raise _gone()
        return offer

    async def offers(self, user_id: int) -> Sequence[Transfer]:
        """What an account is offered, the latest first."""
        return await self._metadata.read(lambda rows: rows.transfers.to(user_id, MAX_SHOWN))

    async def accept(self, repository_id: int, *, by: Author, address: str = "") -> RepositoryName:
        """Take what is offered to ``by``; returns its new name. Raises NameUnknown for no such offer, and Conflict."""
        now = self._clock()

        def work(rows: Rows) -> RepositoryName:
            offer = _offer(rows, repository_id, by)
            namespace = rows.repositories.namespace(Namespace(offer.to_name))
            assert namespace is not None, "every account has its namespace"
            return self._hand_over(rows, offer.repository, namespace, by, address, now)

        return await self._metadata.write(work)

    async def decline(self, repository_id: int, *, by: Author) -> None:
        """Say no to an offer to ``by``. Raises NameUnknown for no such offer."""

        def work(rows: Rows) -> None:
            _offer(rows, repository_id, by)
            rows.transfers.delete(repository_id)

        await self._metadata.write(work)

    async def withdraw(self, name: RepositoryName) -> None:
        """Take an offer back; nothing happens if there is none. Raises NameUnknown."""
        await self._metadata.write(lambda rows: rows.transfers.delete(find(rows, name).id))

    async def former(self, repository: Repository) -> Sequence[Redirect]:
        """Its former names."""
        return await self._metadata.read(lambda rows: rows.redirects.of(repository.id, MAX_SHOWN))

    async def former_within(self, namespace: Namespace) -> Sequence[Redirect]:
        """Names in a namespace that lead elsewhere."""
        return await self._metadata.read(lambda rows: rows.redirects.within(namespace, MAX_SHOWN))

    async def free(self, former: RepositoryName, *, by: Author = ITSELF, address: str = "") -> None:
        """Forget a former name: pulls by it end, a push begins anew. Raises NameUnknown if it is none.

        Callers have checked that the actor owns the namespace, or the repository it leads to.
        """
        now = self._clock()

        def work(rows: Rows) -> None:
            moved = rows.redirects.get(former)
            if moved is None:
                raise NameUnknown(f"{former} is no former name", detail={"name": str(former)})
            rows.redirects.delete(former)
            record(rows, by, "repository.free_name", former, at=now, repository_id=moved.repository.id, address=address)

        await self._metadata.write(work)

    async def leads(self, former: RepositoryName) -> Redirect | None:
        """Where a former name leads, without regard to who asks."""
        return await self._metadata.read(lambda rows: rows.redirects.get(former))

    def _hand_over(
        self, rows: Rows, repository: Repository, to: NamespaceRecord, by: Author, address: str, now: int
    ) -> RepositoryName:
        new = parsed(to.name, repository.name.leaf)
        check_incoming(rows.quotas, to.name, repository.id, repository.visibility)
        _move(rows, repository, new, now)
        rows.transfers.delete(repository.id)
        if to.owner_id is not None:
            # Whoever owns it needs no role in it.
            rows.collaborators.delete(repository.id, to.owner_id)
        detail = {"to": str(new)}
        record(
            rows,
            by,
            "repository.transfer",
            repository.name,
            at=now,
            repository_id=repository.id,
            address=address,
            detail=detail,
        )
        return new


def rename(rows: Rows, name: RepositoryName, new: RepositoryName, by: Author, address: str, at: Instant) -> None:
    """Call it otherwise, within a unit of work; raises NameUnknown and Conflict."""
    repository = find(rows, name)
    if new != name:
        _move(rows, repository, new, at)
        detail, here = {"to": str(new)}, repository.id
        record(rows, by, "repository.rename", name, at=at, repository_id=here, address=address, detail=detail)


def parsed(namespace: Namespace, leaf: str) -> RepositoryName:
    """The name that ``leaf`` is within a namespace; raises InputInvalid."""
    if leaf.strip().startswith(f"{namespace}/"):
        raise InputInvalid(f"write only what follows {namespace}/: the namespace stays", field="name")
    try:
        name = RepositoryName.parse(f"{namespace}/{leaf.strip()}")
        check_name(name)
    except NameInvalid as error:
        raise InputInvalid(error.message, field="name") from error
    return name


def _recipient(rows: Rows, name: RepositoryName, to: str) -> NamespaceRecord:
    """The namespace that gets it; raises InputInvalid for no account, and for the one that has it."""
    try:
        recipient = rows.repositories.namespace(Namespace.parse(to.strip().lower()))
    except NameInvalid:
        recipient = None
    if recipient is None or recipient.owner_id is None:
        raise InputInvalid(f"there is no account {to.strip()[:40]!r}", field="to")
    if recipient.name == name.namespace:
        raise InputInvalid(f"{name} belongs to {recipient.name} already", field="to")
    return recipient


def _move(rows: Rows, repository: Repository, new: RepositoryName, now: int) -> None:
    if len(rows.redirects.of(repository.id, MAX_FORMER)) >= MAX_FORMER:
        raise Conflict(
            f"{repository.name} has {MAX_FORMER} former names already: free some of them first",
            detail={"field": "name"},
        )
    if not rows.moves.rename(repository.id, new):
        raise Conflict(f"there is a repository {new} already: choose another name", detail={"field": "name"})
    rows.redirects.put(repository.name, repository.id, now)


def _offer(rows: Rows, repository_id: int, by: Author) -> Transfer:
    offer = rows.transfers.get(repository_id)
    if offer is None or offer.to_id != by.user_id:
        raise _gone()
    return offer


def _gone() -> NameUnknown:
    return NameUnknown("this offer is gone: it was withdrawn, or taken already")
