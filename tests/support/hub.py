"""A Havre for container clients: served, with people who have accounts, and a wire that counts what is sent."""

from __future__ import annotations

import re
from dataclasses import dataclass
from http.cookiejar import CookieJar
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import urlencode
from urllib.request import HTTPCookieProcessor, Request, build_opener

from tests.support.server import HavreProcess
from tests.support.wire import Wire

SECRET = re.compile(r"hvr_pat_[\w-]+")


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

    def __init__(self, folder: Path, **settings: str) -> None:
        super().__init__(folder, **settings)
        self.wire = Wire(self.host)

    def __enter__(self) -> Self:
        for person in (ALICE, BOBBY, CAROL):
            self.add_user(person.name, person.password, admin=person.is_admin)
        # Most scenarios are not about plans, and make as many private repositories as they need.
        self.command("plan", "set", "free", "--private", "none")
        self.wire.__enter__()
        try:
            return super().__enter__()
        except BaseException:
            self.wire.__exit__()
            raise

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.wire.__exit__()
        super().__exit__(kind, error, trace)

    def make_private(self, owner: Person, repository: str) -> None:
        """What the owner does on the repository's settings page."""
        page = Pages(self, owner)
        page.send(f"/repository/docker/{owner.name}/{repository}", form="visibility", visibility="private")

    def change(self, owner: Person, repository: str, form: str, **fields: str) -> None:
        """What the owner does with one of the forms of the repository's pages."""
        Pages(self, owner).send(f"/repository/docker/{owner.name}/{repository}", form=form, **fields)

    def access_token(self, owner: Person, pattern: str, actions: str) -> str:
        """A personal access token from the settings page; `actions` is pull, push or delete, each with those before."""
        answer = Pages(self, owner).send(
            "/settings/tokens", label="for a test", grants=pattern, actions=actions, expires="7"
        )
        found = SECRET.search(answer)
        assert found, "the page shows no new token"
        return found[0]


class Pages:
    """Somebody signed in at the pages, without the browser around them."""

    def __init__(self, hub: Hub, person: Person) -> None:
        self._url = hub.url
        self._opener = build_opener(HTTPCookieProcessor(CookieJar()))
        self.send("/login", name=person.name, password=person.password)

    def send(self, path: str, **fields: str) -> str:
        """Sends a form, follows where it leads and returns that page."""
        form = Request(f"{self._url}{path}", urlencode(fields).encode(), {"Origin": self._url})
        with self._opener.open(form, timeout=20) as answer:
            text: str = answer.read().decode()
            return text
