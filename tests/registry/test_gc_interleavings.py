"""Collection against a model: random graphs, and clients, collectors and the clock in any order.

Each seed is another history. Clients believe what they are told; whatever they were told within the grace must hold.
"""

import os
import random
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

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
from havre.metadata import Database, Rows
from havre.oci.digest import Digest
from havre.oci.names import RepositoryName, Tag
from havre.registry.audit import ITSELF
from havre.registry.records import Viewer
from tests.storage.parts import body, files_below
from tests.support.collecting import GRACE, HIDDEN, HOUR, REPOSITORIES, World
from tests.support.content import person
from tests.support.documents import OCI_EMPTY, OCI_INDEX, OCI_LAYER, OCI_MANIFEST, descriptor, index, manifest

pytestmark = pytest.mark.anyio

UNTAGGED = 10 * GRACE
SEEDS = int(os.environ.get("HAVRE_TEST_SEEDS", "6"))
TAGS = [Tag(name) for name in ("latest", "1.0", "2.0")]
CONTENTS = [f"content {number}".encode() * 20 for number in range(7)]


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
            (one,) = [found for found in await world.deletion.deleted(HIDDEN.namespace) if found.name == HIDDEN]
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
    world = World(database, tmp_path / "data", random.Random(request.param), untagged)
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
    content, manifests = await world.database.read(needed_by_the_model)
    assert await world.database.read(lambda rows: selected(rows, "digest FROM blobs")) == {(one,) for one in content}
    if world.rules.untagged:
        left = await world.database.read(lambda rows: selected(rows, "repository_id, digest FROM manifests"))
        assert left == manifests
    keys = await world.database.read(lambda rows: selected(rows, "storage_key FROM blobs"))
    assert {(file,) for file in files_below(world.folder / "blobs")} == keys
    assert files_below(world.folder / "uploads") == []


def selected(rows: Rows, what: str) -> set[tuple[Any, ...]]:
    return {tuple(row) for row in rows.connection.exec_driver_sql(f"SELECT {what}")}


def needed_by_the_model(rows: Rows) -> tuple[set[str], set[tuple[int, str]]]:
    """What tags lead to, found downwards and without any of the collector's questions: (content, manifests)."""
    every = {row[0]: row[1:] for row in selected(rows, "id, repository_id, digest, subject FROM manifests")}
    edges = selected(rows, "manifest_id, digest, kind FROM manifest_edges")
    by_name = {(repository, digest): one for one, (repository, digest, _) in every.items()}
    live = {row[0] for row in selected(rows, "manifest_id FROM tags")}
    while True:
        listed = [(every[one][0], digest) for one, digest, kind in edges if kind == "manifest" and one in live]
        more = {by_name[place] for place in listed if place in by_name}
        more |= {one for one, (repository, _, subject) in every.items() if by_name.get((repository, subject)) in live}
        if more <= live:
            break
        live |= more
    content = {digest for one, digest, kind in edges if kind != "manifest"}
    return content, {(every[one][0], every[one][1]) for one in live}
