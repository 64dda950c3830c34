"""A hub, a machine with the four clients, and a second, empty machine: started once for all scenarios."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from tests.support.desk import Desk
from tests.support.engines import CLIENTS, Client, Machine, require_clients
from tests.support.hub import ALICE, BOBBY, Hub
from tests.support.images import Image, small


@pytest.fixture(scope="session")
def here() -> Iterator[Machine]:
    """The machine images are pushed from."""
    require_clients()
    with Machine() as machine:
        yield machine


@pytest.fixture(scope="session")
def elsewhere(here: Machine) -> Iterator[Machine]:
    """Another machine: it has no image and has never met the hub."""
    with Machine() as machine:
        yield machine


@pytest.fixture(scope="session")
def hub(here: Machine, elsewhere: Machine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    """Asks for the machines first, so that their daemons start while the hub does."""
    with Hub(tmp_path_factory.mktemp("hub")) as hub:
        yield hub


@pytest.fixture(scope="session")
def quiet_hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    """A hub for clients that need no machine, so that none is started for them."""
    with Hub(tmp_path_factory.mktemp("quiet-hub")) as hub:
        yield hub


@pytest.fixture(params=CLIENTS)
def client(request: pytest.FixtureRequest, here: Machine) -> Client:
    return here.client(request.param)


@pytest.fixture
def image(request: pytest.FixtureRequest) -> Image:
    """A small image that no other scenario has, so that nothing of it is anywhere yet."""
    return small(re.sub("[^a-z0-9]+", "-", request.node.name.lower().removeprefix("test_")).strip("-"))


@pytest.fixture
def alice(client: Client, hub: Hub) -> Iterator[Desk]:
    """Alice, signed in with the client under test."""
    with Desk(client, hub, ALICE) as desk:
        yield desk


@pytest.fixture
def bobby(client: Client, elsewhere: Machine, hub: Hub) -> Iterator[Desk]:
    """Bobby, signed in with the same client on the other machine."""
    with Desk(elsewhere.client(client.name), hub, BOBBY) as desk:
        yield desk


@pytest.fixture
def stranger(client: Client, elsewhere: Machine, hub: Hub) -> Desk:
    """Nobody in particular, with the same client on the other machine."""
    return Desk(elsewhere.client(client.name), hub)
