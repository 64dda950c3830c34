"""Pulls by day, tag and client."""

import pytest

from havre.oci.names import RepositoryName, Tag
from havre.registry.statistics import DAY, KEPT_DAYS, client_family, day_of
from tests.support import documents
from tests.support.documents import OCI_INDEX, OCI_MANIFEST, descriptor
from tests.support.inprocess import Caller, InProcess

pytestmark = pytest.mark.anyio

APP = RepositoryName("alice/app")
DOCKER = {"user-agent": "docker/28.2.2 go/go1.24.4 os/linux arch/amd64 UpstreamClient(Docker-Client/28.2.2)"}
PODMAN = {"user-agent": "containers/5.23.1 (github.com/containers/image)"}


@pytest.mark.parametrize(
    ("program", "family"),
    [
        (DOCKER["user-agent"], "docker"),
        ("Docker-Client/28.2.2 (linux)", "docker"),
        ("containerd/v1.7.24", "containerd"),
        (PODMAN["user-agent"], "podman"),
        ("skopeo/1.9.3", "skopeo"),
        ("Buildah/1.28.2", "buildah"),
        ("buildkit/v0.21", "buildkit"),
        ("oras-go", "oras"),
        ("Helm/3.18.0", "helm"),
        ("crane/v0.20.6 go-containerregistry/v0.20.6", "crane"),
        ("havre/0.1", "havre"),
        ("curl/8.5.0", "other"),
        ("", "other"),
        ("not docker/28", "other"),
    ],
)
def test_the_family_of_a_client(program: str, family: str) -> None:
    assert client_family(program) == family


async def test_pulls_count_for_day_tag_and_client(alice: Caller, anyone: Caller, inside: InProcess) -> None:
    image = await alice.push_image(APP, "latest", "1.0", seed="one")
    await alice.push_image(APP, "2.0", seed="two")
    await alice.get(f"/v2/{APP}/manifests/2.0", PODMAN)
    await inside.app.pull_counter.flush(inside.app)
    inside.clock.forward(hours=24)
    # docker looks where the tag points, then pulls by digest.
    for _ in range(2):
        await anyone.head(f"/v2/{APP}/manifests/latest", DOCKER)
        await anyone.get(f"/v2/{APP}/manifests/{image.digest}", DOCKER)
    await inside.app.pull_counter.flush(inside.app)
    repository = await inside.app.repositories.get(APP)
    found = await inside.app.statistics.pulls(repository, 30)
    assert list(found.by_day) == [0] * 28 + [1, 2]
    assert (found.total, repository.pulls) == (3, 3)
    assert found.by_tag == [(Tag("latest"), 2), (Tag("2.0"), 1)]
    assert found.by_client == [("docker", 2), ("podman", 1)]
    page = await inside.app.tags.page(repository)
    counted = {str(view.tag.name): (view.tag.pulls, view.tag.pulled) for view in page.items}
    assert counted == {"latest": (2, inside.clock.now), "2.0": (1, inside.clock.now - DAY), "1.0": (0, 0)}


async def test_a_pull_by_digest_counts_for_its_only_tag(alice: Caller, anyone: Caller, inside: InProcess) -> None:
    one = await alice.push_image(APP, "1.0", seed="one")
    two = await alice.push_image(APP, "2.0", "latest", seed="two")
    await alice.head(f"/v2/{APP}/manifests/2.0", DOCKER)
    inside.clock.forward(hours=1)
    for image in (one, two):
        await anyone.get(f"/v2/{APP}/manifests/{image.digest}", DOCKER)
    await inside.app.pull_counter.flush(inside.app)
    found = await inside.app.statistics.pulls(await inside.app.repositories.get(APP), 1)
    assert found.by_tag == [(None, 1), (Tag("1.0"), 1)]


async def test_parts_of_an_index_are_pulled_along_with_it(alice: Caller, inside: InProcess) -> None:
    child = await alice.push_image(APP)
    index = documents.index([descriptor(child.content, OCI_MANIFEST)])
    await alice.push_manifest(APP, "all", index, OCI_INDEX)
    await alice.get(f"/v2/{APP}/manifests/all", DOCKER)
    await alice.get(f"/v2/{APP}/manifests/{child.digest}", DOCKER)
    await inside.app.pull_counter.flush(inside.app)
    assert (await inside.app.repositories.get(APP)).pulls == 1


async def test_days_are_folded_after_a_year(alice: Caller, inside: InProcess) -> None:
    await alice.push_image(APP, "latest")
    await alice.get(f"/v2/{APP}/manifests/latest", DOCKER)
    await inside.app.pull_counter.flush(inside.app)
    first = day_of(inside.clock.now)
    assert await inside.app.statistics.fold() == 0
    inside.clock.forward(hours=24 * (KEPT_DAYS + 1))
    assert await inside.app.statistics.fold() == 1
    found = await inside.app.statistics.pulls(await inside.app.repositories.get(APP), KEPT_DAYS + 2)
    assert (found.first_day, found.by_day[0]) == (first, 1)
    assert (found.by_tag, found.by_client) == ([(None, 1)], [("other", 1)])
