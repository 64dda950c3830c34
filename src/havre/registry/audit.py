"""The audit trail, as rules write it: one line for each change, in the unit of work that makes the change.

    record(rows, actor, "repository.rename", "alice/app", at=now, repository_id=7, detail={"to": "alice/web"})

An action is a noun and a verb. In use: ``account.`` create, sign_in, sign_in_failed, sign_out, password, email, disable,
enable, admin, plan, export, close; ``second_factor.`` add, remove, reset, codes; ``session.revoke``; ``token.`` create, revoke;
``repository.`` create, visibility, describe, rename, transfer, archive, unarchive, delete, restore; ``collaborator.`` add,
change, remove; ``tag.`` delete, restore; ``manifest.delete``; ``plan.`` create, change, default, delete; ``job.retry``;
``collection.order``. Pulls and pushes are no
changes of this kind: tags keep a history of their own.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from havre.registry.ports import AuditRows
from havre.registry.records import AuditEvent, Instant

MAX_SUBJECT = 300
MAX_ADDRESS = 100
MAX_DETAIL = 20
"""Facts beside the name of what was changed."""

MAX_FACT = 300
"""Characters of one of them."""

_ACTION = re.compile(r"[a-z_]{2,30}\.[a-z_]{2,30}", re.ASCII)


class Author(Protocol):
    """Who did it: an account (an ``Actor`` is one), or what has none."""

    @property
    def user_id(self) -> int | None: ...
    @property
    def name(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Without:
    """An author that has no account, with a name that no account can have."""

    name: str
    user_id: None = None


OPERATOR = Without("command line")
"""Whoever runs commands on the server itself."""

ITSELF = Without("havre")
"""The registry, in its periodic work."""


class AuditedRows(Protocol):
    """What a line is written to."""

    @property
    def audit(self) -> AuditRows: ...


def record(
    rows: AuditedRows,
    actor: Author,
    action: str,
    subject: str,
    *,
    at: Instant,
    repository_id: int | None = None,
    address: str = "",
    detail: Mapping[str, str | int] | None = None,
) -> None:
    """Write down that ``actor`` did ``action`` to what is called ``subject``. Call it inside the unit of work.

    ``detail`` holds what else one may ask later, such as ``from`` and ``to``; never a secret. Texts are cut to bounds.
    Raises ValueError for an action that is not ``noun.verb``.
    """
    if not _ACTION.fullmatch(action):
        raise ValueError(f"{action!r} is no action: write noun.verb")
    facts = {key: _bounded(value) for key, value in list((detail or {}).items())[:MAX_DETAIL]}
    rows.audit.add(
        AuditEvent(
            at,
            actor.user_id,
            _cleaned(actor.name, MAX_FACT),
            action,
            _cleaned(subject, MAX_SUBJECT),
            repository_id,
            _cleaned(address, MAX_ADDRESS),
            facts,
        )
    )


def _cleaned(text: str, most: int) -> str:
    # No text in the rows can hold NUL, and a digest is a class of its own.
    return str(text).replace("\0", "")[:most]


def _bounded(value: str | int) -> str | int:
    return value if isinstance(value, int) else _cleaned(value, MAX_FACT)
