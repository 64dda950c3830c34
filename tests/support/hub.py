"""A Havre for container clients: served, with people who have accounts, and a wire that counts what is sent."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.support.server import HavreProcess
from tests.support.wire import Wire


@dataclass(frozen=True)
class Person:
    name: str
    password: str
    is_admin: bool = False


ALICE = Person("alice", "correct horse 9")
BOBBY = Person("bobby", "battery staple 7")
CAROL = Person("carol", "anchor chain 5", is_admin=True)


class Hub(HavreProcess):
    """A server whose clients come over ``wire``: ``wire.host`` is what they type."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.wire = Wire(self.host)

    def __enter__(self) -> Self:
        super().__enter__()
        for person in (ALICE, BOBBY, CAROL):
            self.add_user(person.name, person.password, admin=person.is_admin)
        self.wire.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.wire.__exit__()
        super().__exit__(kind, error, trace)
