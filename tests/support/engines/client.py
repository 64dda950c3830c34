"""What all container clients have in common, in the words of the tests."""

from __future__ import annotations

import base64
import json
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

from tests.support.engines.command import Outcome, run
from tests.support.engines.needs import program
from tests.support.images import Image


class Client(ABC):
    """One client on one machine: its own configuration, its own images, nobody else's.

    `reference` is always `host/namespace/repository`, followed by a tag or a digest where it matters.
    """

    name: ClassVar[str]

    def __init__(self, home: Path, environment: Mapping[str, str]) -> None:
        self.home = home
        self._environment = dict(environment)
        self._verifies = False
        self._program = program(self.name)
        self._scratch = home / "images"
        self._scratch.mkdir(parents=True, exist_ok=True)

    def trust(self, authority: Path) -> None:
        """From now on it speaks TLS, and trusts whom this file of certificates names, and nobody else."""
        self._environment["SSL_CERT_FILE"] = str(authority)
        self._verifies = True

    def __repr__(self) -> str:
        return self.name

    def __call__(self, *arguments: str, typed: str = "") -> Outcome:
        """Runs the client itself, for what only this client can do."""
        return run([self._program, *arguments], self._environment, typed=typed)

    def login(self, host: str, name: str, secret: str) -> Outcome:
        return self("login", *self.plain, "--username", name, "--password-stdin", host, typed=secret)

    def logout(self, host: str) -> Outcome:
        return self("logout", host)

    def stored_login(self, host: str) -> tuple[str, str] | None:
        """The name and the secret in the client's own file of credentials, if it holds any for `host`."""
        if not self.credentials.exists():
            return None
        entry = json.loads(self.credentials.read_text()).get("auths", {}).get(host, {})
        if "auth" not in entry:
            return None
        name, _, secret = base64.b64decode(entry["auth"]).decode().partition(":")
        return name, secret

    @property
    @abstractmethod
    def credentials(self) -> Path:
        """The file that this client keeps its logins in."""

    @property
    def plain(self) -> tuple[str, ...]:
        """The options that let this client speak plain HTTP, unless it was told whom to trust."""
        return () if self._verifies else ("--tls-verify=false",)

    @abstractmethod
    def take(self, image: Image, reference: str) -> None:
        """Puts a made image among the client's own and tags it `reference`: what a build ends with."""

    @abstractmethod
    def push(self, reference: str, *options: str) -> Outcome:
        """Sends the image tagged `reference`; the last line it prints then holds the digest of the manifest."""

    @abstractmethod
    def pull(self, reference: str) -> Outcome: ...


class Engine(Client):
    """A client that can also run what it pulled."""

    @abstractmethod
    def start(self, reference: str) -> Outcome:
        """Runs the image's own command to its end, without any network."""
