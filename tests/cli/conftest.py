"""The registries that the commands are tested with, and people in front of their terminals."""

from pathlib import Path

import pytest

from tests.support.peer_fixtures import docker_registry, havre_registry, peer
from tests.support.peers import PASSWORD, Peer
from tests.support.terminal import Terminal

__all__ = ["docker_registry", "havre_registry", "peer"]


@pytest.fixture
def alice(peer: Peer, tmp_path: Path) -> Terminal:
    """Alice, signed in."""
    terminal = Terminal(tmp_path / "alice")
    terminal("login", peer.host, "-u", "alice", "--password-stdin", typed=PASSWORD)
    return terminal


@pytest.fixture
def stranger(tmp_path: Path) -> Terminal:
    """Somebody at another machine, who has no account."""
    return Terminal(tmp_path / "stranger")
