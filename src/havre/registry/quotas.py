"""Quotas: what a plan allows, asked before bytes are sent and again before rows change.

A refusal is ``OverPlan``: its sentence says what is used, what the plan allows, and what to do. Nothing that exists is
ever taken away: who got a smaller plan keeps what they have, and is refused more. Pushes at the same time are measured
against the same figure, so together they may go over by what was on its way at that moment, and no further.
"""

from __future__ import annotations

from havre.errors import OverPlan
from havre.oci.digest import Digest
from havre.oci.names import Namespace, RepositoryName
from havre.registry.ports import Body
from havre.registry.quota_ports import Quota, QuotaRows
from havre.registry.records import Visibility

_UNITS = ("bytes", "kB", "MB", "GB", "TB", "PB")


def check_start(rows: QuotaRows, name: RepositoryName, announced: int = 0) -> int | None:
    """Before an upload of ``announced`` bytes (0: not told) begins: may the push go on? Returns the room that is left,
    None without limit. Raises OverPlan. One statement.
    """
    found = rows.before_push(name)
    if found is None:
        return None
    quota, first = found
    if first is Visibility.PRIVATE:
        _refuse_private(quota)
    room = quota.room
    if room is not None and (room <= 0 or announced > room):
        raise _no_room(quota, announced)
    return room


def check_finish(rows: QuotaRows, name: RepositoryName, digest: Digest, size: int) -> None:
    """Before content that came is kept: does it still fit, or is it here already? Raises OverPlan."""
    found = rows.before_push(name)
    if found is None:
        return
    room = found[0].room
    if room is not None and size > room and not rows.holds(found[0].namespace, digest):
        raise _no_room(found[0], size)


def check_size(name: RepositoryName, room: int | None, size: int) -> None:
    """Before bytes are read: ``size`` is what the upload would have with them. Raises OverPlan. Asks no rows."""
    if room is not None and size > room:
        raise OverPlan(
            f"{name} can take {_shown(max(room, 0))} more within the plan of {name.namespace}, and this content has"
            f" {_shown(size)} at least; delete what is no longer needed, or ask an administrator for a larger plan"
        )


async def bounded(body: Body, name: RepositoryName, room: int, before: int) -> Body:
    """The body of an upload that has ``before`` bytes; raises OverPlan where it outgrows the room."""
    size = before
    async for piece in body:
        size += len(piece)
        check_size(name, room, size)
        yield piece


def check_private(rows: QuotaRows, namespace: Namespace) -> None:
    """Before one more repository of the namespace becomes private, or a private one comes in. Raises OverPlan."""
    quota = rows.of(namespace)
    if quota is not None:
        _refuse_private(quota)


def check_incoming(rows: QuotaRows, namespace: Namespace, repository_id: int, visibility: Visibility) -> None:
    """Before a repository of someone else, or a deleted one, comes into the namespace. Raises OverPlan.

    What it shares with others there is counted all the same.
    """
    quota = rows.of(namespace)
    if quota is None:
        return
    if visibility is Visibility.PRIVATE:
        _refuse_private(quota)
    if quota.room is not None and (size := rows.weighs(repository_id)) > quota.room:
        raise _no_room(quota, size)


def check_collaborators(rows: QuotaRows, namespace: Namespace, visibility: Visibility, present: int) -> None:
    """Before one more person than ``present`` gets a role in a repository. Public ones know no limit. Raises OverPlan."""
    quota = rows.of(namespace) if visibility is Visibility.PRIVATE else None
    limit = quota.limits.collaborators if quota else None
    if quota and limit is not None and present >= limit:
        raise OverPlan(
            f"the private repository has {present} collaborators, the plan {quota.plan!r} of {namespace} allows {limit};"
            " make it public, or ask an administrator for a larger plan"
        )


def _refuse_private(quota: Quota) -> None:
    limit = quota.limits.private_repositories
    if limit is not None and quota.private_used >= limit:
        raise OverPlan(
            f"{quota.namespace} has {quota.private_used} of the {limit} private repositories that the plan"
            f" {quota.plan!r} allows; make one of them public or delete it, or ask an administrator for a larger plan"
        )


def _no_room(quota: Quota, more: int) -> OverPlan:
    sentence = (
        f"{quota.namespace} stores {_shown(quota.stored)} of the {_shown(quota.limits.storage or 0)} that the plan"
        f" {quota.plan!r} allows"
    )
    if more:
        sentence += f", and this content has {_shown(more)}"
    return OverPlan(f"{sentence}; delete what is no longer needed, or ask an administrator for a larger plan")


def _shown(size: int) -> str:
    """A size as people say it, decimal, with at most two digits after the point."""
    amount, unit = float(size), 0
    while amount >= 999.995 and unit + 1 < len(_UNITS):
        amount, unit = amount / 1000, unit + 1
    return f"{amount:.2f}".rstrip("0").rstrip(".") + f" {_UNITS[unit]}"
