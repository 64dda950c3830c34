"""Names that change, archives and collaborators, as people at a terminal meet them."""

import pytest

from tests.support.desk import Desk
from tests.support.hub import ALICE, Hub
from tests.support.images import Image, small

pytestmark = pytest.mark.clients


def test_pulling_by_a_former_name(alice: Desk, stranger: Desk, hub: Hub, image: Image) -> None:
    digest = alice.publish(image)
    hub.change(ALICE, image.name, "rename", name=f"{image.name}-new")
    stranger.pull(image.name, of=ALICE).ok()
    stranger.pull(f"{image.name}@{digest}", of=ALICE).ok()
    stranger.pull(f"{image.name}-new", of=ALICE).ok()


def test_a_private_image_is_pulled_by_its_former_name_by_those_who_may(
    alice: Desk, bobby: Desk, hub: Hub, image: Image
) -> None:
    alice.publish(image)
    hub.change(ALICE, image.name, "visibility", visibility="private")
    hub.change(ALICE, image.name, "rename", name=f"{image.name}-new")
    assert f"{image.name}-new" not in bobby.pull(image.name, of=ALICE).refused()
    alice.pull(image.name).ok()
    hub.change(ALICE, f"{image.name}-new", "share", person="bobby", role="read")
    bobby.pull(image.name, of=ALICE).ok()
    # The plan allows one private repository: the next test needs it.
    hub.change(ALICE, f"{image.name}-new", "visibility", visibility="public")


def test_pushing_to_a_former_name_tells_the_new_one(alice: Desk, hub: Hub, image: Image) -> None:
    alice.publish(image)
    hub.change(ALICE, image.name, "rename", name=f"{image.name}-new")
    told = alice.push(small(f"{image.name}-more"), image.name).refused()
    assert f"alice/{image.name} is now called alice/{image.name}-new: use that name" in told
    alice.push(small(f"{image.name}-more"), f"{image.name}-new").ok()


def test_an_archived_repository_is_pulled_and_refuses_a_push(
    alice: Desk, stranger: Desk, hub: Hub, image: Image
) -> None:
    alice.publish(image)
    hub.change(ALICE, image.name, "archive")
    stranger.pull(image.name, of=ALICE).ok()
    told = alice.push(small(f"{image.name}-more"), f"{image.name}:2").refused()
    assert f"alice/{image.name} is archived: it can be pulled, not changed" in told
    hub.change(ALICE, image.name, "archive")
    alice.push(small(f"{image.name}-more"), f"{image.name}:2").ok()


def test_a_collaborator_pushes(alice: Desk, bobby: Desk, hub: Hub, image: Image) -> None:
    alice.publish(image)
    hub.change(ALICE, image.name, "share", person="bobby", role="write")
    bobby.push(small(f"{image.name}-by-bobby"), f"{image.name}:2", of=ALICE).ok()
    alice.pull(f"{image.name}:2").ok()
