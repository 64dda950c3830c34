"""Trees built by jobs, on each engine, with the real process that reads layers; and a database that is closed at the end."""

from __future__ import annotations

import gzip

import pytest

from havre.layers.workshop import Workshop
from havre.metadata import Database
from havre.oci.digest import Digest
from havre.registry.inside.building import KEPT_UNUSED, LAYER, Builder, compare_key, image_key
from havre.registry.inside.entries import Kind
from havre.registry.inside.trees import Inside, Pending
from havre.registry.job_ports import State
from havre.registry.jobs import LEASE, Jobs, LeaseLost
from havre.registry.records import BlobRecord
from havre.server.work import Work
from havre.storage.memory import MemoryBlobs
from tests.support.inprocess import TestClock
from tests.support.layers import Content, tar

pytestmark = pytest.mark.anyio

BASE: list[tuple[str, Content]] = [("etc/hosts", b"one"), ("etc/old", b"x" * 10), ("usr/\udcff", b"")]
TOP: list[tuple[str, Content]] = [("etc/hosts", b"other"), ("etc/.wh.old", b"")]


class Bench:
    """What builds and looks at trees, over one database and blobs in memory."""

    def __init__(self, database: Database) -> None:
        self.database, self.clock = database, TestClock()
        self.blobs = MemoryBlobs(self.clock)
        self.jobs = Jobs(database, self.clock)
        self.builder = Builder(database, self.blobs, Workshop(), self.jobs, self.clock)
        self.work = Work(self.jobs, self.builder.handlers, self.builder.forget)
        self.inside = Inside(database, self.blobs, Workshop(), self.clock, patience=0)

    async def layer(self, content: bytes) -> Digest:
        digest = Digest.of(content)
        self.blobs.keep([digest], content)
        record = BlobRecord(digest, len(content), digest)
        await self.database.write(lambda rows: rows.blobs.add(record, 1))
        return digest

    async def done(self) -> None:
        while await self.work.once():
            self.clock.now += 1000


@pytest.fixture
def bench(database: Database) -> Bench:
    return Bench(database)


async def test_from_layers_to_a_comparison(bench: Bench) -> None:
    base, top = await bench.layer(gzip.compress(tar(BASE))), await bench.layer(tar(TOP))
    assert await bench.inside.compare([base], [base, top]) == Pending(0)
    await bench.done()
    tree = await bench.inside.image([base, top])
    assert not isinstance(tree, Pending)
    assert [one.name for one in await bench.inside.entries(tree, b"", b"", 10)] == [b"etc", b"usr"]
    (hosts,) = await bench.inside.entries(tree, b"etc", b"", 10)
    assert (hosts.name, hosts.facts.size, hosts.facts.layer) == (b"hosts", 5, 1)
    assert await bench.inside.content(top, hosts) == b"other"
    assert tree.summary["wasted"] == 13
    changes = await bench.inside.compare([base], [base, top])
    assert not isinstance(changes, Pending)
    found = await bench.inside.differences(changes, b"etc", b"", 10)
    assert [(one.name, one.status) for one in found] == [(b"hosts", "c"), (b"old", "r")]
    assert (await bench.inside.search(tree, b"HOS?s"))[0] == [hosts]
    odd = await bench.inside.find(tree, b"usr/\xff")
    assert odd is not None
    assert odd.facts.kind is Kind.FILE
    by_layer = await bench.inside.changes([base, top], 1)
    assert by_layer is not None
    assert by_layer.summary == changes.summary


async def test_a_layer_is_read_once_for_all_images(bench: Bench) -> None:
    base, top = await bench.layer(tar(BASE)), await bench.layer(tar(TOP))
    for layers in ([base], [base, top], [top, base], [base]):
        await bench.inside.image(layers)
        await bench.done()
    jobs = await bench.database.read(lambda rows: rows.jobs.page(list(State), 0, 50))
    assert sorted(job.key for job in jobs if job.kind == LAYER) == sorted([base, top])
    assert all(job.state is State.DONE for job in jobs)


async def test_who_lost_the_lease_publishes_nothing(bench: Bench) -> None:
    base = await bench.layer(tar(BASE))
    await bench.inside.image([base])
    slow = await bench.jobs.take([LAYER], "slow")
    assert slow is not None
    bench.clock.now += LEASE + 1
    fast = await bench.jobs.take([LAYER], "fast")
    assert fast is not None
    with pytest.raises(LeaseLost):
        await bench.builder.layer(slow, lambda _done, _total: None)
    assert await bench.inside.layer(base) is None
    await bench.builder.layer(fast, lambda _done, _total: None)
    assert await bench.inside.layer(base) is not None


async def test_what_can_not_be_read_is_tried_once(bench: Bench) -> None:
    bad = await bench.layer(b"no layer at all")
    await bench.inside.image([bad])
    await bench.done()
    tree = await bench.inside.layer(bad)
    assert tree is not None
    assert tree.problem == "it is not a tar file"
    image = await bench.inside.image([bad])
    assert not isinstance(image, Pending)
    assert image.summary["files"] == 0
    assert await bench.database.read(lambda rows: rows.jobs.counts()) == {"done": 2}


async def test_a_layer_that_has_gone_ends_the_work(bench: Bench) -> None:
    gone = Digest.of(b"gone")
    await bench.inside.image([gone])
    await bench.done()
    counts = await bench.database.read(lambda rows: rows.jobs.counts())
    assert counts == {"done": 1, "failed": 1}


async def test_what_nobody_looks_at_is_forgotten_and_built_again(bench: Bench) -> None:
    base = await bench.layer(tar(BASE))
    await bench.inside.image([base])
    await bench.done()
    bench.clock.now += KEPT_UNUSED - 1000
    await bench.inside.image([base])
    bench.clock.now += 5000
    assert await bench.builder.forget() == 2, "the layer's tree and the changes, but not the image that was looked at"
    assert not isinstance(await bench.inside.image([base]), Pending)
    assert image_key([base]) != image_key([base, base])
    assert compare_key([base], []) != compare_key([], [base])
