"""Looking around and tidying up: search, tags, inspection, deletion."""

import json

import pytest

from tests.support.desk import Desk
from tests.support.engines import Machine
from tests.support.hub import ALICE, Hub
from tests.support.images import Image, small

pytestmark = pytest.mark.clients

skopeo = pytest.mark.parametrize("client", ["skopeo"], indirect=True)
searchers = pytest.mark.parametrize("client", ["docker", "podman"], indirect=True)


@searchers
def test_search_finds_public_images(alice: Desk, stranger: Desk, image: Image) -> None:
    alice.publish(image)
    assert f"alice/{image.name}" in search(stranger, image.name)


@searchers
def test_search_shows_private_images_to_nobody_else(alice: Desk, stranger: Desk, image: Image) -> None:
    alice.publish(image)
    alice.hub.make_private(ALICE, image.name)
    assert image.name not in search(stranger, image.name)


@skopeo
def test_list_tags_shows_the_tags_pushed(alice: Desk, image: Image) -> None:
    for tag in ("2", "1", "latest"):
        alice.publish(image, f"{image.name}:{tag}")
    listed = alice.client("list-tags", *alice.client.plain, f"docker://{alice.reference(image.name)}").ok()
    assert json.loads(listed)["Tags"] == ["1", "2", "latest"]


@pytest.mark.parametrize("client", ["podman"], indirect=True)
def test_podman_lists_the_tags_of_a_repository(alice: Desk, image: Image) -> None:
    alice.publish(image, f"{image.name}:spring")
    listed = alice.client("search", *alice.client.plain, "--list-tags", alice.reference(image.name)).ok()
    assert "spring" in listed


@skopeo
def test_inspect_tells_digest_labels_and_tags(alice: Desk, image: Image) -> None:
    digest = alice.publish(image)
    found = json.loads(inspect(alice, image.name))
    assert (found["Digest"], found["RepoTags"]) == (digest, ["latest"])
    assert found["Labels"] == {"org.opencontainers.image.title": image.name}


@skopeo
def test_delete_removes_the_image_and_all_its_tags(alice: Desk, stranger: Desk, image: Image) -> None:
    alice.publish(image, f"{image.name}:1")
    alice.publish(image, f"{image.name}:2")
    alice.client("delete", *alice.client.plain, f"docker://{alice.reference(image.name)}:1").ok()
    assert "manifest unknown" in stranger.pull(f"{image.name}:2", of=ALICE).refused()


@skopeo
def test_nobody_deletes_the_image_of_another(alice: Desk, bobby: Desk, image: Image) -> None:
    alice.publish(image)
    told = bobby.client("delete", *bobby.client.plain, f"docker://{alice.reference(image.name)}:latest").refused()
    assert "bobby may not delete from" in told
    bobby.pull(image.name, of=ALICE).ok()


@pytest.mark.parametrize("client", ["docker"], indirect=True)
def test_docker_pulls_all_tags_of_a_repository(alice: Desk, elsewhere: Machine, image: Image) -> None:
    tags = {tag: alice.publish(small(f"{image.name}-{tag}"), f"{image.name}:{tag}") for tag in ("one", "two")}
    told = elsewhere.docker("pull", "--all-tags", alice.reference(image.name)).ok()
    assert all(digest in told for digest in tags.values())


@pytest.mark.parametrize("client", ["docker"], indirect=True)
def test_docker_reads_a_manifest_without_pulling(alice: Desk, hub: Hub, image: Image) -> None:
    digest = alice.publish(image)
    told = alice.client("manifest", "inspect", "--insecure", "--verbose", alice.reference(image.name)).ok()
    assert json.loads(told)["Descriptor"]["digest"] == digest


def search(desk: Desk, term: str) -> str:
    return desk.client("search", *desk.client.plain, "--no-trunc", f"{desk.host}/{term}").ok()


def inspect(desk: Desk, path: str) -> str:
    return desk.client("inspect", *desk.client.plain, f"docker://{desk.reference(path)}").ok()
