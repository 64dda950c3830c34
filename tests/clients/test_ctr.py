"""containerd, by its own command line: what Kubernetes nodes pull with. Each namespace is a machine of its own."""

from collections.abc import Iterator

import pytest

from tests.support.engines import Outcome
from tests.support.engines.containerd import Containerd
from tests.support.hub import ALICE, BOBBY, Hub, Person
from tests.support.images import Image, everywhere, small, this_architecture
from tests.support.requirements import require, require_root

pytestmark = pytest.mark.clients

SHARED = 300_000  # bytes of the layer that two images share


@pytest.fixture(scope="module")
def containerd() -> Iterator[Containerd]:
    for each in ("containerd", "ctr", "setpriv"):
        require(each)
    require_root()
    with Containerd() as daemon:
        yield daemon


class Node:
    """A namespace of the daemon, with somebody's password or nobody's."""

    def __init__(self, daemon: Containerd, hub: Hub, namespace: str, person: Person | None = None) -> None:
        self.daemon = daemon
        self.host = hub.wire.host
        self.namespace = namespace
        self.plain = ["--plain-http", *(["--user", f"{person.name}:{person.password}"] if person else [])]

    def push(self, path: str) -> Outcome:
        return self.daemon.ctr(self.namespace, "images", "push", *self.plain, f"{self.host}/{path}")

    def publish(self, image: Image, path: str) -> None:
        self.daemon.take(self.namespace, image, f"{self.host}/{path}")
        self.push(path).ok()

    def pull(self, path: str, *options: str) -> Outcome:
        pull = ("images", "pull", "--snapshotter", "native", *options, *self.plain)
        return self.daemon.ctr(self.namespace, *pull, f"{self.host}/{path}")

    def digest(self, path: str) -> str:
        return self.daemon.images(self.namespace)[f"{self.host}/{path}"]


@pytest.fixture
def alice(containerd: Containerd, quiet_hub: Hub) -> Node:
    return Node(containerd, quiet_hub, "alice", ALICE)


@pytest.fixture
def stranger(containerd: Containerd, quiet_hub: Hub) -> Node:
    return Node(containerd, quiet_hub, "stranger")


def test_push_and_pull_by_someone_without_an_account(alice: Node, stranger: Node, quiet_hub: Hub, image: Image) -> None:
    alice.publish(image, f"alice/{image.name}:1")
    with quiet_hub.wire.watched() as traffic:
        stranger.pull(f"alice/{image.name}:1").ok()
    assert stranger.digest(f"alice/{image.name}:1") == image.digest
    assert traffic.blob_bytes_received == sum(len(each.gz) for each in image.layers) + len(image.config)


def test_pull_by_digest(alice: Node, stranger: Node, image: Image) -> None:
    alice.publish(image, f"alice/{image.name}:1")
    stranger.pull(f"alice/{image.name}@{image.digest}").ok()
    assert stranger.digest(f"alice/{image.name}@{image.digest}") == image.digest


def test_pushing_again_sends_no_bytes(alice: Node, quiet_hub: Hub, image: Image) -> None:
    alice.publish(image, f"alice/{image.name}:1")
    with quiet_hub.wire.watched() as traffic:
        alice.push(f"alice/{image.name}:1").ok()
    assert traffic.blob_bytes_sent == 0


def test_a_layer_that_was_pulled_from_here_is_mounted(
    alice: Node, containerd: Containerd, quiet_hub: Hub, image: Image
) -> None:
    base = small(f"{image.name}-base", size=SHARED)
    alice.publish(base, f"alice/{base.name}:1")
    build = Node(containerd, quiet_hub, "build", ALICE)
    build.pull(f"alice/{base.name}:1").ok()
    with quiet_hub.wire.watched() as traffic:
        build.publish(small(image.name, size=1000, base=base.layers), f"alice/{image.name}:1")
    assert traffic.mounts == 1
    assert traffic.blob_bytes_sent < SHARED / 2


def test_a_list_with_all_its_platforms(alice: Node, stranger: Node, image: Image) -> None:
    index = everywhere(image.name)
    alice.daemon.take(alice.namespace, index, f"{alice.host}/alice/{image.name}:all")
    alice.push(f"alice/{image.name}:all").ok()
    stranger.pull(f"alice/{image.name}:all", "--platform", f"linux/{this_architecture()}").ok()
    assert stranger.digest(f"alice/{image.name}:all") == index.digest


def test_a_private_image_is_there_for_its_owner_alone(
    alice: Node, stranger: Node, containerd: Containerd, quiet_hub: Hub, image: Image
) -> None:
    alice.publish(image, f"alice/{image.name}:1")
    quiet_hub.make_private(ALICE, image.name)
    for other in (stranger, Node(containerd, quiet_hub, "bobby", BOBBY)):
        other.pull(f"alice/{image.name}:1").refused()
    Node(containerd, quiet_hub, "another", ALICE).pull(f"alice/{image.name}:1").ok()


def test_a_push_to_anothers_namespace_is_refused(containerd: Containerd, quiet_hub: Hub, image: Image) -> None:
    bobby = Node(containerd, quiet_hub, "bobby", BOBBY)
    containerd.take("bobby", image, f"{bobby.host}/alice/{image.name}:1")
    assert "403" in bobby.push(f"alice/{image.name}:1").refused()


def test_a_wrong_password_pushes_nothing(containerd: Containerd, quiet_hub: Hub, image: Image) -> None:
    liar = Node(containerd, quiet_hub, "liar", Person("alice", "not her password"))
    containerd.take("liar", image, f"{liar.host}/alice/{image.name}:1")
    assert "401" in liar.push(f"alice/{image.name}:1").refused()
