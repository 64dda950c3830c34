"""Pushing: what is sent, and what is not sent again."""

import pytest

from tests.support.desk import Desk
from tests.support.images import Image, small

pytestmark = pytest.mark.clients

LARGE = 3_000_000  # bytes: more than a client writes ahead
SHARED = 300_000  # bytes of the layer that two images share
ROOM = 20_000  # bytes that configurations and small layers may take


def test_the_first_push_sends_every_byte(alice: Desk, image: Image) -> None:
    with alice.hub.wire.watched() as traffic:
        alice.publish(image)
    assert traffic.blob_bytes_sent >= sum(len(each.gz) for each in image.layers)


def test_pushing_again_sends_no_layer(alice: Desk, image: Image) -> None:
    first = alice.publish(image)
    with alice.hub.wire.watched() as traffic:
        assert alice.publish(image) == first
    assert traffic.blob_bytes_sent == 0


def test_a_second_tag_sends_only_the_manifest(alice: Desk, image: Image) -> None:
    first = alice.publish(image, f"{image.name}:1")
    with alice.hub.wire.watched() as traffic:
        assert alice.publish(image, f"{image.name}:2") == first
    assert (traffic.blob_bytes_sent, traffic.count("PUT", "/manifests/2")) == (0, 1)


def test_a_layer_of_another_repository_is_mounted_and_not_sent(alice: Desk, image: Image) -> None:
    base = small(f"{image.name}-base", size=SHARED)
    alice.publish(base)
    with alice.hub.wire.watched() as traffic:
        alice.publish(small(f"{image.name}-top", size=1000, base=base.layers))
    assert traffic.mounts == 1
    assert traffic.blob_bytes_sent < ROOM


def test_after_a_push_that_broke_off_the_next_one_is_whole(alice: Desk, stranger: Desk, image: Image) -> None:
    large = small(image.name, size=LARGE)
    alice.hub.wire.cut_once("PATCH", "/blobs/uploads/", after=LARGE // 2)
    alice.push(large)  # docker and buildah try again by themselves, podman and skopeo give up
    digest = alice.publish(large)
    stranger.pull(f"{image.name}@{digest}", of=alice.person).ok()
