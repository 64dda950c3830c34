"""Actors: who makes a request, and how far the thing that proved it reaches."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

from havre.errors import InputInvalid
from havre.registry.records import Viewer


class Action(StrEnum):
    """What can be done with a repository; the first three are also the actions of a token's scope."""

    PULL = "pull"
    PUSH = "push"
    DELETE = "delete"
    ADMIN = "admin"
    """Change its settings, or remove it as a whole."""


EVERYTHING = "*"
"""The pattern that matches every repository."""

_PATTERN = re.compile(r"[a-z0-9*](?:[a-z0-9._/*-]{0,253}[a-z0-9*])?", re.ASCII)


@lru_cache(maxsize=1024)
def _matcher(pattern: str) -> re.Pattern[str]:
    # Runs of stars are one star, so that no pattern can make the matching slow.
    return re.compile(".*".join(map(re.escape, re.split(r"\*+", pattern))), re.ASCII)


@dataclass(frozen=True, slots=True)
class Grant:
    """Actions on the repositories whose path matches ``pattern``; a ``*`` stands for any characters, ``/`` included."""

    pattern: str
    actions: frozenset[Action]

    @classmethod
    def parse(cls, pattern: str, actions: frozenset[Action]) -> Grant:
        """Check a pattern that someone typed; raises InputInvalid, which says what a pattern looks like."""
        if not _PATTERN.fullmatch(pattern) or pattern.count("*") > 4:
            raise InputInvalid(
                f"{pattern[:80]!r} is not a repository pattern: use a name such as marin/app, or marin/* for all"
                " of a namespace, with at most four '*'",
                field="grants",
            )
        if not actions:
            raise InputInvalid(f"the grant for {pattern!r} allows nothing: choose at least one action", field="grants")
        return cls(pattern, actions)

    def covers(self, action: Action, path: str) -> bool:
        """Does it allow ``action`` on the repository with this path?"""
        return action in self.actions and (
            self.pattern in (EVERYTHING, path) or _matcher(self.pattern).fullmatch(path) is not None
        )


@dataclass(frozen=True, slots=True)
class Actor:
    """Who asks. ``grants`` narrows what the account may do; None means that nothing narrows it."""

    user_id: int | None
    name: str
    is_admin: bool = False
    grants: tuple[Grant, ...] | None = None

    @property
    def anonymous(self) -> bool:
        """Is it nobody we know?"""
        return self.user_id is None

    def covers(self, action: Action, path: str) -> bool:
        """Do the grants, if any, let ``action`` on this path through?"""
        return self.grants is None or any(grant.covers(action, path) for grant in self.grants)

    @property
    def viewer(self) -> Viewer:
        """For whom lists are made: those narrowed to some repositories see what everybody sees."""
        if self.grants is None or any(g.pattern == EVERYTHING and Action.PULL in g.actions for g in self.grants):
            return Viewer(self.user_id, self.is_admin)
        return Viewer()


ANONYMOUS = Actor(None, "")
"""Nobody we know."""
