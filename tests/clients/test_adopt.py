"""From docker-registry to Havre: what docker, podman, buildah and skopeo pushed there they pull here, unchanged."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.engines import CLIENTS, Machine
from tests.support.foreign import Wire, assert_same, revisions, their_wire
from tests.support.hub import Hub
from tests.support.images import small
from tests.support.peers import PASSWORD, DockerRegistry

pytestmark = pytest.mark.clients


@pytest.fixture(scope="module")
def left(tmp_path_factory: pytest.TempPathFactory, here: Machine) -> Iterator[DockerRegistry]:
    """A registry to which each client has pushed an image of its own."""
    with DockerRegistry(tmp_path_factory.mktemp("left")) as registry:
        for name in CLIENTS:
            client = here.client(name)
            client.login(registry.host, "alice", PASSWORD).ok()
            reference = f"{registry.host}/alice/came-from-{name}:1"
            client.take(small(f"came-from-{name}"), reference)
            client.push(reference).ok()
            client.logout(registry.host).ok()
        yield registry


@pytest.fixture(scope="module")
def adopted(left: DockerRegistry, hub: Hub) -> Hub:
    """The hub after an import, while it serves."""
    hub.command("import", str(left.folder / "data"))
    return hub


@pytest.mark.parametrize("name", CLIENTS)
def test_what_was_pushed_there_is_pulled_here(
    left: DockerRegistry, adopted: Hub, elsewhere: Machine, name: str
) -> None:
    repository = f"alice/came-from-{name}"
    assert_same(their_wire(left), Wire(adopted.host), repository, repository, revisions(left, repository))
    elsewhere.client(name).pull(f"{adopted.wire.host}/{repository}:1").ok()
