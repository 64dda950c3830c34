"""Fixtures: the two registries that the client is tested with, and clients that are signed in there."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from havre.client import Client
from havre.client.auth import Credential
from havre.client.keychain import Keychain
from havre.client.transport import TransportSettings
from tests.support.peers import PASSWORD, DockerRegistry, Peer, havre_peer
from tests.support.server import HavreProcess

QUICK = TransportSettings(attempts=4, first_pause=0.01, longest_pause=2.0)
"""The product's own tries, with shorter pauses."""


@pytest.fixture(scope="session")
def docker_registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DockerRegistry]:
    with DockerRegistry(tmp_path_factory.mktemp("docker-registry")) as registry:
        yield registry


@pytest.fixture(scope="session")
def havre_registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HavreProcess]:
    server = HavreProcess(tmp_path_factory.mktemp("havre-peer"), workers="1")
    server.add_user("alice", PASSWORD)
    server.add_user("bobby", PASSWORD)
    with server:
        yield server


@pytest.fixture(params=["havre", "docker-registry"])
def peer(request: pytest.FixtureRequest) -> Peer:
    """Each of the registries in turn."""
    if request.param == "havre":
        return havre_peer(request.getfixturevalue("havre_registry"))
    return Peer("docker-registry", request.getfixturevalue("docker_registry").host)


@pytest.fixture
async def client(peer: Peer, tmp_path: Path) -> AsyncIterator[Client]:
    """A client whose keychain holds alice's login at the registry under test."""
    keychain = Keychain([tmp_path / "config.json"])
    await keychain.store(peer.host, Credential(peer.username, peer.password))
    async with Client(QUICK, keychain) as client:
        yield client
