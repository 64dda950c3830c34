"""Administration: what operators see of everything, and what they change about accounts.

Callers have checked that ``actor`` administers. What is stored in all is counted piece by piece every few minutes and
remembered, for it means to look at every blob.
"""

from __future__ import annotations

from havre.access.actors import Actor
from havre.access.administration_ports import (
    Account,
    AnyRepository,
    ContentCount,
    Counts,
    RepositoryOrder,
    Shown,
    UserOrder,
)
from havre.access.ports import Metadata, Rows
from havre.errors import Conflict, NameUnknown
from havre.registry.audit import record
from havre.registry.job_ports import JobRecord, State
from havre.registry.ports import Clock
from havre.registry.records import Page

SLICE = 1_000
"""Blobs counted in one read: some milliseconds."""

STALE = 10 * 60 * 1000
"""Milliseconds after which what is stored is counted again."""

PER_PAGE = 50
MAX_TEXT = 200


class Administration:
    """Looks at everything, and changes accounts."""

    def __init__(self, metadata: Metadata, clock: Clock) -> None:
        self._metadata = metadata
        self._clock = clock

    async def counts(self) -> tuple[Counts, ContentCount | None]:
        """How much there is, and the last count of what is stored, if there was one."""
        return await self._metadata.read(
            lambda rows: (rows.administration.counts(), rows.administration.remember(None))
        )

    async def count_content(self, *, fresh: bool = False) -> ContentCount:
        """Count what is stored, unless that was done a short while ago and ``fresh`` is not asked for."""
        now = self._clock()
        known = await self._metadata.read(lambda rows: rows.administration.remember(None))
        if known is not None and not fresh and known.at > now - STALE:
            return known
        total, after = ContentCount(now, 0, 0, 0, 0), 0
        while (found := await self._slice(after)) is not None:
            after, part = found
            total = ContentCount(
                now,
                total.blobs + part.blobs,
                total.bytes + part.bytes,
                total.unlinked + part.unlinked,
                total.deleted + part.deleted,
            )
        await self._metadata.write(lambda rows: rows.administration.remember(total), durable=False)
        return total

    async def users(self, text: str, order: UserOrder, page: int) -> Page[Account]:
        """A page of accounts whose name or address contains ``text``."""
        text, offset = _text(text), (page - 1) * PER_PAGE
        found, total = await self._metadata.read(lambda rows: rows.administration.users(text, order, offset, PER_PAGE))
        return Page(found, total, page, PER_PAGE)

    async def user(self, name: str) -> Account:
        """One account; raises NameUnknown."""
        return await self._metadata.read(lambda rows: _find(rows, name))

    async def repositories(self, text: str, shown: Shown, order: RepositoryOrder, page: int) -> Page[AnyRepository]:
        """A page of repositories whose path contains ``text``."""
        text, offset = _text(text), (page - 1) * PER_PAGE
        found, total = await self._metadata.read(
            lambda rows: rows.administration.repositories(text, shown, order, offset, PER_PAGE)
        )
        return Page(found, total, page, PER_PAGE)

    async def set_admin(self, actor: Actor, name: str, *, is_admin: bool, address: str = "") -> None:
        """Make an account an administrator, or an ordinary one, whose browsers then sign in anew.

        Raises NameUnknown, and Conflict for the last administrator.
        """
        now = self._clock()

        def work(rows: Rows) -> None:
            account = _find(rows, name)
            if account.is_admin == is_admin:
                return
            if not is_admin:
                _keep_one(rows, account)
            rows.administration.change(account.id, is_admin)
            rows.sessions.delete_all(account.id)
            detail = {"to": "administrator" if is_admin else "member"}
            record(rows, actor, "account.admin", name, at=now, address=address, detail=detail)

        await self._metadata.write(work)

    async def set_disabled(self, actor: Actor, name: str, *, disabled: bool, address: str = "") -> None:
        """Shut an account out, or let it in again. Raises NameUnknown, and Conflict for the last administrator."""
        now = self._clock()

        def work(rows: Rows) -> None:
            account = _find(rows, name)
            if account.disabled == disabled or account.closed:
                return
            if disabled:
                _keep_one(rows, account)
            rows.accounts.change(account.id, disabled=disabled)
            rows.sessions.delete_all(account.id)
            action = "account.disable" if disabled else "account.enable"
            record(rows, actor, action, name, at=now, address=address)

        await self._metadata.write(work)

    async def jobs(self, states: tuple[State, ...], page: int) -> tuple[list[JobRecord], dict[str, int]]:
        """A page of jobs, one more than PER_PAGE if there are more; and how many there are by state."""
        offset = (page - 1) * PER_PAGE
        return await self._metadata.read(
            lambda rows: (list(rows.jobs.page(states, offset, PER_PAGE + 1)), dict(rows.jobs.counts()))
        )

    async def retry(self, actor: Actor, kind: str, key: str, address: str = "") -> None:
        """Order a failed job anew. Raises NameUnknown if there is none."""
        now = self._clock()

        def work(rows: Rows) -> None:
            job = rows.jobs.get(kind, key)
            if job is None:
                raise NameUnknown(f"there is no job {kind[:40]} {key[:80]}")
            if job.state is State.FAILED:
                rows.jobs.add(kind, key, job.payload, now)
                record(rows, actor, "job.retry", key, at=now, address=address, detail={"kind": kind})

        await self._metadata.write(work)

    async def _slice(self, after: int) -> tuple[int, ContentCount] | None:
        return await self._metadata.read(lambda rows: rows.administration.content(after, SLICE))


def _find(rows: Rows, name: str) -> Account:
    account = rows.administration.user(name[:60])
    if account is None:
        raise NameUnknown(f"there is no account {name[:40]!r}")
    return account


def _keep_one(rows: Rows, account: Account) -> None:
    if account.is_admin and not account.disabled and rows.administration.administrators() <= 1:
        raise Conflict(f"{account.name} is the last administrator: make someone else an administrator first")


def _text(text: str) -> str:
    return text.replace("\0", "").strip()[:MAX_TEXT]
