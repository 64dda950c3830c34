"""Pulling on another, empty machine, and running what came."""

import pytest

from tests.support.desk import Desk
from tests.support.engines import ENGINES
from tests.support.images import Image, small
from tests.support.python_hello import GREETING, python_hello_world

pytestmark = pytest.mark.clients

LARGE = 3_000_000  # bytes: more than a client reads ahead


@pytest.mark.parametrize("client", ENGINES, indirect=True)
def test_a_pulled_image_runs_and_greets(alice: Desk, stranger: Desk) -> None:
    alice.publish(python_hello_world(), "python-hello-world")
    stranger.pull("python-hello-world", of=alice.person).ok()
    assert GREETING in stranger.run("python-hello-world", of=alice.person)


@pytest.mark.parametrize("client", ENGINES, indirect=True)
def test_an_image_pulled_by_digest_runs_and_greets(alice: Desk, stranger: Desk) -> None:
    digest = alice.publish(python_hello_world(), "python-hello-world:by-digest")
    stranger.pull(f"python-hello-world@{digest}", of=alice.person).ok()
    assert GREETING in stranger.run(f"python-hello-world@{digest}", of=alice.person)


def test_the_digest_pulled_is_the_digest_pushed(alice: Desk, stranger: Desk, image: Image) -> None:
    digest = alice.publish(image)
    with alice.hub.wire.watched() as traffic:
        stranger.pull(f"{image.name}@{digest}", of=alice.person).ok()
    assert traffic.count("GET", f"/manifests/{digest}") == 1


@pytest.mark.parametrize("client", ["docker"], indirect=True)
def test_docker_resumes_a_broken_download_where_it_stopped(alice: Desk, stranger: Desk, image: Image) -> None:
    alice.publish(small(image.name, size=LARGE))
    alice.hub.wire.cut_once("GET", "/blobs/", after=LARGE // 2)
    with alice.hub.wire.watched() as traffic:
        stranger.pull(image.name, of=alice.person).ok()
    assert [each.received < LARGE for each in traffic.parts] == [True]


@pytest.mark.parametrize("client", ["podman", "buildah", "skopeo"], indirect=True)
def test_after_a_download_that_broke_off_the_next_one_is_whole(alice: Desk, stranger: Desk, image: Image) -> None:
    alice.publish(small(image.name, size=LARGE))
    alice.hub.wire.cut_once("GET", "/blobs/", after=LARGE // 2)
    stranger.pull(image.name, of=alice.person)  # newer ones resume by themselves, older ones give up
    stranger.pull(image.name, of=alice.person).ok()
