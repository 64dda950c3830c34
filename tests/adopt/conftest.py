"""A registry of the distribution project that people have pushed to, and a Havre that is to take its place."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.foreign import fill
from tests.support.peers import PASSWORD, DockerRegistry
from tests.support.server import HavreProcess


@pytest.fixture(scope="session")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DockerRegistry]:
    """The registry, running. Nobody changes it."""
    with DockerRegistry(tmp_path_factory.mktemp("foreign")) as registry:
        fill(registry, tmp_path_factory.mktemp("images"))
        yield registry


@pytest.fixture
def tree(filled: DockerRegistry, tmp_path: Path) -> Path:
    """A copy of its folder, times included, to be damaged."""
    copied = tmp_path / "tree"
    shutil.copytree(filled.folder / "data", copied)
    return copied


@pytest.fixture(scope="session")
def accounts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data of a Havre that knows alice and bobby, made once."""
    server = HavreProcess(tmp_path_factory.mktemp("accounts"))
    server.add_user("alice", PASSWORD)
    server.add_user("bobby", PASSWORD)
    return server.data


@pytest.fixture
def havre(accounts: Path, tmp_path: Path) -> Callable[[], HavreProcess]:
    """A Havre that does not run yet and knows alice and bobby."""

    def make() -> HavreProcess:
        server = HavreProcess(tmp_path / "havre", workers="1")
        shutil.copytree(accounts, server.data)
        return server

    return make
