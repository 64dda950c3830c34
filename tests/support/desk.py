"""A person at a client: what the scenarios are told in."""

from __future__ import annotations

import re
from typing import Self

from tests.support.engines import Client, Engine, Outcome
from tests.support.hub import Hub, Person
from tests.support.images import Image

DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


class Desk:
    """`person` signed in with `client` at `hub`, until the `with` statement ends; nobody: a stranger."""

    def __init__(self, client: Client, hub: Hub, person: Person | None = None, *, secret: str = "") -> None:
        self.client = client
        self.hub = hub
        self.host = hub.wire.host
        self.person = person
        self._secret = secret or (person.password if person else "")

    def __enter__(self) -> Self:
        if self.person:
            self.client.login(self.host, self.person.name, self._secret).ok()
        return self

    def __exit__(self, *_: object) -> None:
        if self.person:
            self.client.logout(self.host).ok()

    def reference(self, path: str, *, of: Person | None = None) -> str:
        """`path` (`repository`, `repository:tag` or `repository@digest`) in the namespace of the person, or `of` another."""
        owner = of or self.person
        assert owner, "a stranger has no namespace: say whose image it is"
        return f"{self.host}/{owner.name}/{path}"

    def push(self, image: Image, path: str = "", *, of: Person | None = None) -> Outcome:
        """Tags `image` and pushes it, under its own name unless `path` says otherwise."""
        reference = self.reference(path or image.name, of=of)
        self.client.take(image, reference)
        return self.client.push(reference)

    def publish(self, image: Image, path: str = "") -> str:
        """Pushes `image`, which must succeed, and returns the digest that the client tells the person."""
        digests: list[str] = DIGEST.findall(self.push(image, path).ok())
        assert digests, f"{self.client.name} told no digest"
        return digests[-1]

    def pull(self, path: str, *, of: Person | None = None) -> Outcome:
        return self.client.pull(self.reference(path, of=of))

    def run(self, path: str, *, of: Person | None = None) -> str:
        """What the image prints when it is run; it must have been pulled before."""
        assert isinstance(self.client, Engine), f"{self.client.name} runs nothing"
        return self.client.start(self.reference(path, of=of)).ok()
