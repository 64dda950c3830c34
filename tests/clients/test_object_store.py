"""Container clients and a registry that keeps its bytes in an object store: sent there for them, or given them by us."""

from collections.abc import Iterator

import pytest

from tests.support.desk import Desk
from tests.support.engines import Client, Machine
from tests.support.hub import ALICE, Hub
from tests.support.images import Image, small
from tests.support.objectstore import ObjectStore

pytestmark = pytest.mark.clients

LARGE = 12_000_000
"""Bytes of a layer: more than goes to the store in one request."""

ROOM = 100_000


@pytest.fixture(scope="module", params=["redirect", "stream"])
def stored(
    request: pytest.FixtureRequest, object_store: ObjectStore, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Hub]:
    way = str(request.param)
    hub = Hub(tmp_path_factory.mktemp(way), storage_redirect=way, **object_store.settings(f"clients-{way}"))
    hub.environ = {**hub.environ, **object_store.environ()}
    with hub:
        yield hub


def test_what_one_pushes_another_pulls(client: Client, elsewhere: Machine, stored: Hub, image: Image) -> None:
    large = small(image.name, size=LARGE)
    size = sum(len(one.gz) for one in large.layers)
    with Desk(client, stored, ALICE) as alice, stored.wire.watched() as traffic:
        digest = alice.publish(large)
        assert traffic.blob_bytes_sent >= LARGE
        assert alice.publish(large, f"{large.name}:again") == digest
    assert traffic.blob_bytes_sent < size + ROOM
    stranger = Desk(elsewhere.client(client.name), stored)
    with stored.wire.watched() as traffic:
        stranger.pull(f"{large.name}@{digest}", of=ALICE).ok()
    redirected = stored.environ["HAVRE_STORAGE_REDIRECT"] == "redirect"
    assert (traffic.blob_bytes_received < ROOM) is redirected
