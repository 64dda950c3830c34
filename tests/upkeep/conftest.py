"""Registries of each engine, and what can be pulled from them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.conftest import PASSWORD
from tests.support.postgresql import Cluster
from tests.support.server import HavreProcess

ENGINES = ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)]

New = Callable[..., HavreProcess]


@pytest.fixture
def new(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[New]:
    """Make registries that are not started: ``new("sqlite")``; all are killed when the test ends."""
    with ExitStack() as running:

        def make(engine: str = "sqlite", *, people: bool = False, **settings: str) -> HavreProcess:
            if engine == "postgresql":
                cluster: Cluster = request.getfixturevalue("postgresql_cluster")
                settings["database_url"] = cluster.create()
            folder = tmp_path / f"registry-{len(list(tmp_path.glob('registry-*')))}"
            folder.mkdir()
            registry = HavreProcess(folder, workers="1", **settings)
            running.callback(registry.kill)
            if people:
                registry.add_user("alice", PASSWORD)
            return registry

        yield make
