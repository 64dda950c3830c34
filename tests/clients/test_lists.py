"""Multi-architecture lists: made and pushed by each client in its own way, pulled for the machine at hand."""

import json

import pytest

from tests.support.desk import Desk
from tests.support.engines import Machine
from tests.support.images import Image, Index, everywhere, this_architecture

pytestmark = pytest.mark.clients

CONFIGURATIONS = 2_000  # bytes of two of them; clients send those anew


@pytest.fixture
def index(image: Image) -> Index:
    return everywhere(image.name)


@pytest.mark.parametrize("client", ["docker"], indirect=True)
def test_docker_pushes_a_list_and_everyone_gets_the_image_for_their_processor(
    alice: Desk, elsewhere: Machine, index: Index
) -> None:
    parts = [publish_part(alice, index, part) for part in index.images]
    whole = alice.reference(index.name)
    alice.client("manifest", "create", "--insecure", whole, *parts).ok()
    alice.client("manifest", "push", "--insecure", "--purge", whole).ok()
    assert architectures(elsewhere, whole) == {each.architecture for each in index.images}
    assert pulled_architecture(elsewhere, whole) == this_architecture()


@pytest.mark.parametrize("client", ["podman", "buildah"], indirect=True)
def test_a_list_is_pushed_with_all_its_images(alice: Desk, elsewhere: Machine, index: Index) -> None:
    whole = alice.reference(index.name)
    alice.client("manifest", "create", "here").ok()
    for part in index.images:
        alice.client.take(part, name := f"localhost/part-{part.name}")
        alice.client("manifest", "add", "here", f"containers-storage:{name}").ok()
    alice.client("manifest", "push", "--all", *alice.client.plain, "here", f"docker://{whole}").ok()
    alice.client("manifest", "rm", "here").ok()
    assert architectures(elsewhere, whole) == {each.architecture for each in index.images}
    assert pulled_architecture(elsewhere, whole) == this_architecture()


@pytest.mark.parametrize("client", ["skopeo"], indirect=True)
def test_skopeo_copies_a_whole_list_byte_for_byte(alice: Desk, here: Machine, elsewhere: Machine, index: Index) -> None:
    here.skopeo.take(index, whole := alice.reference(index.name))
    assert index.digest in alice.client.push(whole, "--all").ok()
    assert pulled_architecture(elsewhere, whole) == this_architecture()


@pytest.mark.parametrize("client", ["skopeo"], indirect=True)
def test_a_list_copied_to_another_repository_is_mounted_and_keeps_its_digest(
    alice: Desk, here: Machine, index: Index
) -> None:
    here.skopeo.take(index, source := alice.reference(index.name))
    alice.client.push(source, "--all").ok()
    target = alice.reference(f"{index.name}-copy")
    with alice.hub.wire.watched() as traffic:
        copied = alice.client("copy", "--all", *both_plain(), f"docker://{source}", f"docker://{target}")
    copied.ok()
    assert traffic.mounts == len(index.images)
    assert traffic.blob_bytes_sent < CONFIGURATIONS
    assert raw(alice, target) == raw(alice, source)


def publish_part(alice: Desk, index: Index, part: Image) -> str:
    """Pushes one image of the list as a tag named after its processor."""
    alice.publish(part, tag := f"{index.name}:{part.architecture}")
    return alice.reference(tag)


def both_plain() -> tuple[str, str]:
    return ("--src-tls-verify=false", "--dest-tls-verify=false")


def raw(alice: Desk, reference: str) -> str:
    return alice.client("inspect", "--raw", *alice.client.plain, f"docker://{reference}").ok()


def architectures(machine: Machine, reference: str) -> set[str]:
    listed = machine.skopeo("inspect", "--raw", *machine.skopeo.plain, f"docker://{reference}").ok()
    return {each["platform"]["architecture"] for each in json.loads(listed)["manifests"]}


def pulled_architecture(machine: Machine, reference: str) -> str:
    machine.docker.pull(reference).ok()
    machine.podman.pull(reference).ok()
    found = machine.docker("image", "inspect", "--format", "{{.Architecture}}", reference).ok()
    assert machine.podman("image", "inspect", "--format", "{{.Architecture}}", reference).ok() == found
    return found.strip()
