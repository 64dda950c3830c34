"""The second in which a client finds something and the collector removes it."""

import random
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from havre.errors import BlobUnknown, ManifestBlobUnknown, NameUnknown
from havre.metadata import Database, upgrade
from havre.oci.digest import Digest
from havre.registry.records import Viewer
from tests.storage.parts import body
from tests.support.collecting import GRACE, HOUR, REPOSITORIES, World
from tests.support.content import person
from tests.support.documents import OCI_EMPTY, OCI_MANIFEST, descriptor, manifest

pytestmark = pytest.mark.anyio

APP, OTHER, _ = REPOSITORIES
CONTENT = b"layer " * 100
DIGEST = Digest.of(CONTENT)
MANIFEST = manifest(descriptor(CONTENT, OCI_EMPTY), [])
STATES = ["unneeded", "condemned", "due", "unlinked", "unlinked and due"]


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    url = f"sqlite:///{tmp_path}/havre.db"
    upgrade(url)
    database = Database.open(url)
    await database.start()
    await database.write(lambda rows: person(rows, "alice"))
    world = World(database, tmp_path / "data", random.Random(7), still=True)
    yield world
    world.storage.close()
    await database.close()


async def prepare(world: World, state: str) -> None:
    """Content that alice/app has and does not need, as far on its way out as ``state`` says."""

    def clear(rows: object) -> None:
        for table in ("tags", "manifests", "repository_blobs", "blobs", "repositories", "settings"):
            rows.connection.exec_driver_sql(f"DELETE FROM {table}")  # type: ignore[attr-defined]

    await world.database.write(clear)
    await world.at_once.run(anew=True)
    await push(world)
    if "unlinked" in state:
        await world.sight.unlink(APP, DIGEST)
    world.clock.now += GRACE + HOUR
    if state in {"condemned", "due", "unlinked and due"}:
        await world.at_once.run(anew=True)
    if "due" in state:
        world.clock.now += GRACE + HOUR


async def push(world: World, *, in_turn: bool = False) -> None:
    uploads = world.uploads if in_turn else world.plain
    # The bytes may well have come before: only the end counts.
    upload = await world.plain.append(await world.plain.start(APP, 1), body(CONTENT))
    await uploads.finish(upload, DIGEST)


async def push_if_absent(world: World) -> None:
    try:
        there = not (await world.blobs.stat(APP, DIGEST)).condemned
    except (BlobUnknown, NameUnknown):
        there = False
    if not there:
        await push(world, in_turn=True)
    await world.manifests.put(APP, Digest.of(MANIFEST), [], OCI_MANIFEST, MANIFEST, 1)


async def push_always(world: World) -> None:
    await push(world, in_turn=True)
    await world.manifests.put(APP, Digest.of(MANIFEST), [], OCI_MANIFEST, MANIFEST, 1)


async def mount_or_push(world: World) -> None:
    if not await world.blobs.mount(OTHER, DIGEST, APP, Viewer(1)):
        upload = await world.plain.append(await world.plain.start(OTHER, 1), body(CONTENT))
        await world.uploads.finish(upload, DIGEST)
    await world.manifests.put(OTHER, Digest.of(MANIFEST), [], OCI_MANIFEST, MANIFEST, 1)


WAYS = {"asks first": (push_if_absent, APP), "sends": (push_always, APP), "mounts": (mount_or_push, OTHER)}


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("way", WAYS)
async def test_every_moment_of_a_push_and_a_collection(world: World, state: str, way: str) -> None:
    """The collector is stopped after each of its steps, the client goes on up to each of its own, and so to the ends."""
    act, place = WAYS[way]

    async def collect() -> None:
        await world.collector.run(anew=True)

    for stopped in range(12):
        for further in range(7):
            await prepare(world, state)
            world.turns.plan = [(0, stopped), (1, further), (0, 100)]
            await world.turns.play(collect(), act(world))
            await world.check_whole(place, Digest.of(MANIFEST))
            world.clock.now += 3 * GRACE
            await world.at_once.run(anew=True)
            await world.check_whole(place, Digest.of(MANIFEST))


@pytest.mark.parametrize("way", ["sends", "asks first"])
async def test_two_collectors_and_a_push(world: World, way: str) -> None:
    """One process removes by rows, another sweeps files, while the same content comes back: orders drawn by chance."""
    act, place = WAYS[way]

    async def collect() -> None:
        await world.collector.run(anew=True)

    for _ in range(60):
        await prepare(world, "unlinked and due")
        await world.turns.play(act(world), collect(), collect())
        await world.check_whole(place, Digest.of(MANIFEST))


async def test_a_manifest_that_comes_after_the_grace_is_told_what_is_missing(world: World) -> None:
    await prepare(world, "due")
    await world.at_once.run(anew=True)
    with pytest.raises(ManifestBlobUnknown):
        await world.shown.put(APP, Digest.of(MANIFEST), [], OCI_MANIFEST, MANIFEST, 1)
