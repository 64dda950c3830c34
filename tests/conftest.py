"""What every test may use: the loop, the people, and a Havre of one's own."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support.databases import (  # noqa: F401 - fixtures
    database,
    database_url,
    empty_url,
    postgresql_cluster,
    rows,
)
from tests.support.objectstore import object_store  # noqa: F401 - a fixture
from tests.support.server import HavreProcess

PASSWORD = "correct horse 9"
"""Of everyone in the tests: alice and bobby, who hold accounts, and carol, who administers."""


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """Asynchronous tests run on asyncio, as the server does."""
    return "asyncio"


@pytest.fixture
def start_havre(tmp_path: Path) -> Iterator[Callable[..., HavreProcess]]:
    """Start servers, with flags and settings as HavreProcess takes them; all are stopped when the test ends."""
    with ExitStack() as running:

        def start(*flags: str, **settings: str) -> HavreProcess:
            folder = tmp_path / f"havre-{len(list(tmp_path.glob('havre-*')))}"
            server = HavreProcess(folder, *flags, **settings)
            running.callback(server.kill)
            return server.start()

        yield start


@pytest.fixture(scope="module")
def havre(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HavreProcess]:
    """One server for the tests of a module, with accounts for alice, bobby and carol (an administrator)."""
    server = HavreProcess(tmp_path_factory.mktemp("havre"))
    server.add_user("alice", PASSWORD)
    server.add_user("bobby", PASSWORD)
    server.add_user("carol", PASSWORD, admin=True)
    with server:
        yield server
