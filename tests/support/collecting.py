"""A registry in which collection is tested: its parts wait for their turn, and it can be looked at as a whole."""

from __future__ import annotations

import random
from pathlib import Path

from havre.errors import NameUnknown
from havre.metadata import Database, Rows
from havre.oci.digest import Digest
from havre.oci.names import RepositoryName
from havre.oci.ranges import ByteRange
from havre.registry.blobs import Blobs
from havre.registry.deletion import Deletion
from havre.registry.events import Events
from havre.registry.gc import Collector, GarbageRules
from havre.registry.manifests import Manifests
from havre.registry.tags import Tags
from havre.registry.uploads import UploadLimits, Uploads
from havre.storage import open_storage
from tests.storage.parts import TurnedClock
from tests.support.turns import TurnedBlobs, TurnedRows, TurnedUploads, Turns

HOUR = 3600 * 1000
GRACE = 24 * HOUR
REPOSITORIES = [RepositoryName(f"alice/{name}") for name in ("app", "other", "base")]
HIDDEN = RepositoryName("alice/hidden")


class World:
    """One registry, as clients see it through their turns, and as the test sees it at once."""

    def __init__(
        self,
        database: Database,
        folder: Path,
        chance: random.Random,
        untagged: int | None = None,
        *,
        still: bool = False,
    ) -> None:
        self.database, self.folder = database, folder
        self.chance, self.still = chance, still
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
        self.plain = Uploads(database, self.storage.uploads, self.storage.blobs, self.clock, UploadLimits())
        self.at_once = Collector(database, self.storage.blobs, self.plain, self.clock, self.rules)
        self.sight = Blobs(database, self.storage.blobs, self.clock)
        self.shown = Manifests(database, self.sight, self.clock, Events())
        self.listed = Tags(database, self.clock, Events())
        self.hidden = False
        self.pushed, self.refused, self.removed = 0, 0, 0

    async def between(self) -> None:
        """Time passes, and somebody pulls."""
        if self.still:
            return
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

        def below(rows: Rows) -> list[tuple[str, str]]:
            repository = rows.repositories.get(name)
            assert repository is not None
            statement = (
                "SELECT e.digest, e.kind FROM manifest_edges e JOIN manifests m ON m.id = e.manifest_id"
                f" WHERE m.repository_id = {repository.id} AND m.digest = '{digest}'"
            )
            return [(one, kind) for one, kind in rows.connection.exec_driver_sql(statement)]

        assert Digest.of(found.content) == digest
        for one, kind in await self.database.read(below):
            if kind == "manifest":
                await self.check_whole(name, Digest(one))
            else:
                blob = await self.sight.stat(name, Digest(one))
                whole = b"".join([piece async for piece in self.storage.blobs.read(blob.key, ByteRange(0, blob.size))])
                assert Digest.of(whole) == one
