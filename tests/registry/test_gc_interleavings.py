"""Collection against a model: random graphs, and clients, collectors and the clock in any order.

Each seed is another history. Clients believe what they are told; whatever they were told within the grace must hold.
"""

import os
import random
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from havre.errors import (
    BlobUnknown,
    ManifestBlobUnknown,
    ManifestUnknown,
    NameUnknown,
    Unavailable,
    UploadInvalid,
    UploadUnknown,
)
from havre.metadata import Database
from havre.oci.digest import Digest
from havre.oci.names import RepositoryName, Tag
from havre.oci.ranges import ByteRange
from havre.registry.audit import ITSELF
from havre.registry.blobs import Blobs
from havre.registry.deletion import Deletion
from havre.registry.events import Events
from havre.registry.gc import Collector, GarbageRules
from havre.registry.manifests import Manifests
from havre.registry.records import Viewer
from havre.registry.tags import Tags
from havre.registry.uploads import UploadLimits, Uploads
from havre.storage import open_storage
from tests.storage.parts import TurnedClock, body, files_below
from tests.support.content import person
from tests.support.documents import OCI_EMPTY, OCI_INDEX, OCI_LAYER, OCI_MANIFEST, descriptor, index, manifest
from tests.support.turns import TurnedBlobs, TurnedRows, Turns, TurnedUploads

pytestmark = pytest.mark.anyio

HOUR = 3600 * 1000
GRACE = 24 * HOUR
UNTAGGED = 10 * GRACE
SEEDS = int(os.environ.get("HAVRE_TEST_SEEDS", "6"))
REPOSITORIES = [RepositoryName(f"alice/{name}") for name in ("app", "other", "base")]
HIDDEN = RepositoryName("alice/hidden")
TAGS = [Tag(name) for name in ("latest", "1.0", "2.0")]
CONTENTS = [f"content {number}".encode() * 20 for number in range(7)]


class World:
    """One registry, as clients see it through their turns, and as the test sees it at once."""

    def __init__(self, database: Database, folder: Path, seed: int, untagged: int | None) -> None:
        self.database, self.folder = database, folder
        self.chance = random.Random(seed)
        self.clock = TurnedClock(1_700_000_000_000)
        self.storage = open_storage("", folder, self.clock)
        self.turns = Turns(self.chance, self.between)
        self.rules = GarbageRules(GRACE, untagged, pace=0)
        rows = TurnedRows(database, self.turns)
        blobs, uploads = TurnedBlobs(self.storage.blobs, self.turns), TurnedUploads(self.storage.uploads, self.turns)
        self.uploads = Uploads(rows, uploads, blobs, self.clock, UploadLimits())
        self.blobs = Blobs(rows, blobs, self.clock)
        self.manifests = Manifests(rows, self.blobs, self.clock, Events())
        self.tags = Tags(rows, self.clock, Events())
        self.deletion = Deletion(rows, self.clock)
        self.collector = Collector(rows, blobs, self.uploads, self.clock, self.rules)
        plain = Uploads(database, self.storage.uploads, self.storage.blobs, self.clock, UploadLimits())
        self.at_once = Collector(database, self.storage.blobs, plain, self.clock, self.rules)
        self.sight = Blobs(database, self.storage.blobs, self.clock)
        self.shown = Manifests(database, self.sight, self.clock, Events())
        self.listed = Tags(database, self.clock, Events())
        self.hidden = False
        self.pushed, self.refused, self.removed = 0, 0, 0

    async def between(self) -> None:
        """Time passes, and somebody pulls."""
        if self.chance.random() < 0.15:
            self.clock.now += self.chance.choice([1, 60_000, HOUR, GRACE // 3, GRACE // 2])
        if self.chance.random() < 0.3:
            await self.check_tags(self.chance.choice([*REPOSITORIES, HIDDEN]))

    async def check_tags(self, name: RepositoryName) -> None:
        """Every tag leads to a whole image."""
        if name == HIDDEN and self.hidden:
            return
        try:
            tags = await self.listed.names(name, "", 100)
        except NameUnknown:
            return
        for tag in tags:
            await self.check_whole(name, (await self.shown.get(name, tag)).digest)

    async def check_whole(self, name: RepositoryName, digest: Digest) -> None:
        """A manifest with everything below it, as a client would pull it."""
        found = await self.shown.get(name, digest)

        def below(rows: object) -> list[tuple[str, str]]:
            here = rows.repositories.get(name).id  # type: ignore[attr-defined]
            return [(one, kind) for one, kind in rows.connection.exec_driver_sql(  # type: ignore[attr-defined]
                "SELECT e.digest, e.kind FROM manifest_edges e JOIN manifests m ON m.id = e.manifest_id"
                f" WHERE m.repository_id = {here} AND m.digest = '{digest}'"
            )]

        assert Digest.of(found.content) == digest
        for one, kind in await self.database.read(below):
            if kind == "manifest":
                await self.check_whole(name, Digest(one))
            else:
                blob = await self.sight.stat(name, Digest(one))
                whole = b"".join([piece async for piece in self.storage.blobs.read(blob.key, ByteRange(0, blob.size))])
                assert Digest.of(whole) == one


@dataclass
class Client:
    """Someone who pushes what chance says, and counts on what it was told."""

    world: World
    told: dict[tuple[RepositoryName, Digest], int] = field(default_factory=dict)

    async def blob(self, name: RepositoryName, content: bytes) -> None:
        """Ask, mount or send; on return it was told that the content is there."""
        world, digest = self.world, Digest.of(content)
        way = world.chance.random()
        told = await self.asked(name, digest) if way < 0.6 else None
        if told is None and way < 0.3:
            source = world.chance.choice([None, *REPOSITORIES])
            now = world.clock.now
            told = now if await world.blobs.mount(name, digest, source, Viewer(1)) else None
        while told is None:
            told = await self.sent(name, content)
        self.told[name, digest] = told

    async def sent(self, name: RepositoryName, content: bytes) -> int | None:
        """Send it; None if that took so long that it must be sent again."""
        world = self.world
        try:
            upload = await world.uploads.append(await world.uploads.start(name, 1), body(content))
            # Counted from before the answer, as the registry does.
            now = world.clock.now
            await world.uploads.finish(upload, Digest.of(content))
        except (Unavailable, UploadUnknown, UploadInvalid):
            return None
        return now

    async def asked(self, name: RepositoryName, digest: Digest) -> int | None:
        try:
            # The answer is as of the moment of the look, which is the last turn of this.
            blob = await self.world.blobs.stat(name, digest)
        except (BlobUnknown, NameUnknown):
            return None
        return None if blob.condemned else self.world.clock.now

    async def put(self, name: RepositoryName, content: bytes, kind: str, tag: Tag | None, needs: set[Digest]) -> bool:
        """Push a manifest. It may only be refused if something was told longer ago than the grace."""
        world, digest = self.world, Digest.of(content)
        try:
            await world.manifests.put(name, tag or digest, [], kind, content, 1)
        except ManifestBlobUnknown:
            oldest = min(self.told[name, one] for one in needs)
            assert world.clock.now - oldest >= GRACE, "what was told within the grace must hold"
            world.refused += 1
            return False
        world.pushed += 1
        return True

    async def image(self, name: RepositoryName, tag: Tag | None, subject: bytes | None = None) -> bytes | None:
        """Push an image, a plain one or a referrer."""
        config, *layers = self.world.chance.sample(CONTENTS, self.world.chance.randint(1, 4))
        for content in (config, *layers):
            await self.blob(name, content)
        about = descriptor(subject, OCI_MANIFEST) if subject else None
        document = manifest(
            descriptor(config, OCI_EMPTY),
            [descriptor(one, OCI_LAYER) for one in layers],
            subject=about,
            artifactType="application/x" if subject else None,
            annotations={"seed": str(self.world.chance.random())},
        )
        needs = {Digest.of(one) for one in (config, *layers)}
        return document if await self.put(name, document, OCI_MANIFEST, tag, needs) else None

    async def act(self) -> None:
        """One deed."""
        world = self.world
        name, tag = world.chance.choice(REPOSITORIES), world.chance.choice(TAGS)
        deed = world.chance.random()
        if deed < 0.45:
            await self.image(name, tag)
        elif deed < 0.55:
            children = [one for _ in range(2) if (one := await self.image(name, None))]
            document = index([descriptor(one, OCI_MANIFEST) for one in children])
            for one in children:
                self.told[name, Digest.of(one)] = world.clock.now
            if children:
                await self.put(name, document, OCI_INDEX, tag, {Digest.of(one) for one in children})
        elif deed < 0.7:
            subject = await self.image(name, tag)
            if subject:
                await self.image(name, None, subject)
        elif deed < 0.9:
            await self.lose(name, tag)
        elif not world.hidden:
            world.hidden = True
            await world.deletion.delete(HIDDEN)
            await world.turns.mine()
            (one,) = [
found for found in await world.deletion.deleted(HIDDEN.namespace) if found.name == HIDDEN
            ]
            await world.deletion.restore(one.id)
            world.hidden = False

    async def lose(self, name: RepositoryName, tag: Tag) -> None:
        """Remove a tag."""
        try:
            await self.world.tags.delete(name, tag, ITSELF)
            self.world.removed += 1
        except (ManifestUnknown, NameUnknown):
            pass


@pytest.fixture(params=range(SEEDS))
async def world(request: pytest.FixtureRequest, database: Database, tmp_path: Path) -> AsyncIterator[World]:
    untagged = UNTAGGED if request.param % 2 else None
    world = World(database, tmp_path / "data", request.param, untagged)
    await database.write(lambda rows: person(rows, "alice"))
    yield world
    world.storage.close()


async def test_what_was_told_holds_and_what_nobody_needs_goes(world: World) -> None:
    clients = [Client(world) for _ in range(3)]

    async def prepare() -> None:
        await clients[0].image(HIDDEN, Tag("latest"))

    async def push(client: Client) -> None:
        for _ in range(8):
            await client.act()

    async def collect() -> None:
        for _ in range(6):
            await world.collector.run(anew=True)

    await world.turns.play(prepare())
    await world.turns.play(*(push(client) for client in clients), collect(), collect())
    for name in (*REPOSITORIES, HIDDEN):
        await world.check_tags(name)
    assert world.pushed > 5

    # Nobody does anything any more. Two graces later only that is left which something leads to.
    for _ in range(4):
        await world.at_once.run(anew=True)
        world.clock.now += (UNTAGGED if world.rules.untagged else GRACE) + HOUR
    for name in (*REPOSITORIES, HIDDEN):
        await world.check_tags(name)
    needed = await world.database.read(needed_by_the_model)
    kept = await world.database.read(lambda rows: {one[0] for one in rows.connection.exec_driver_sql("SELECT digest FROM blobs")})
    assert kept == needed[0]
    if world.rules.untagged:
        left = await world.database.read(lambda rows: {tuple(one) for one in rows.connection.exec_driver_sql("SELECT repository_id, digest FROM manifests")})
        assert left == needed[1]
    keys = await world.database.read(lambda rows: {one[0] for one in rows.connection.exec_driver_sql("SELECT storage_key FROM blobs")})
    assert set(files_below(world.folder / "blobs")) == keys
    assert files_below(world.folder / "uploads") == []


def needed_by_the_model(rows: object) -> tuple[set[str], set[tuple[int, str]]]:
    """What tags lead to, found downwards and without any of the collector's questions: (content, manifests)."""
    run = rows.connection.exec_driver_sql  # type: ignore[attr-defined]
    manifests = {one[0]: (one[1], one[2], one[3]) for one in run("SELECT id, repository_id, digest, subject FROM manifests")}
    edges = [tuple(one) for one in run("SELECT manifest_id, digest, kind FROM manifest_edges")]
    by_name = {(repository, digest): one for one, (repository, digest, _) in manifests.items()}
    live = {one[0] for one in run("SELECT manifest_id FROM tags")}
    while True:
        more = {by_name.get((manifests[one][0], digest)) for one, digest, kind in edges if kind == "manifest" and one in live}
        more |= {one for one, (repository, _, subject) in manifests.items() if by_name.get((repository, subject)) in live}
        more -= {None}
        if more <= live:
            break
        live |= more
    content = {digest for one, digest, kind in edges if kind != "manifest" and one in manifests}
    return content, {manifests[one][:2] for one in live}
