"""Client: the front door. One object holds the connections and the logins for as many registries as are needed."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from typing import Self

from havre.client.auth import Credential
from havre.client.keychain import Keychain
from havre.client.references import HUB, RemoteImage, registry_name
from havre.client.registry import Registry, Repository
from havre.client.session import Session
from havre.client.transport import Transport, TransportSettings


class Client:
    """Use it as an asynchronous context manager.

    ``keychain`` is where logins are found; the environment's by default. ``default_registry`` completes short names.
    """

    def __init__(
        self,
        settings: TransportSettings | None = None,
        keychain: Keychain | None = None,
        default_registry: str = HUB,
    ) -> None:
        self.transport = Transport(settings)
        self.keychain = keychain or Keychain.from_environment(os.environ)
        self.default_registry = default_registry
        self._registries: dict[str, Registry] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.transport.close()

    def parse(self, text: str) -> RemoteImage:
        """Read an image's name as a person types it. Raises NameInvalid or DigestInvalid."""
        return RemoteImage.parse(text, self.default_registry)

    def registry(self, name: str) -> Registry:
        """A registry, with the login that the keychain has for it. Raises NameInvalid."""
        name = registry_name(name)
        if name not in self._registries:
            self._registries[name] = self._connected(name, lambda: self.keychain.get(name))
        return self._registries[name]

    def registry_as(self, name: str, credential: Credential | None) -> Registry:
        """A registry with other credentials than the keychain's, or None for nobody's. Raises NameInvalid."""

        async def given() -> Credential | None:
            return credential

        return self._connected(registry_name(name), given)

    def repository(self, image: RemoteImage | str) -> Repository:
        """The repository of an image. Raises NameInvalid or DigestInvalid."""
        read = self.parse(image) if isinstance(image, str) else image
        return self.registry(read.registry).repository(read.path)

    def _connected(self, name: str, credentials: Callable[[], Awaitable[Credential | None]]) -> Registry:
        return Registry(Session(self.transport, name, credentials))
