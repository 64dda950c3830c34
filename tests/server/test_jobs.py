"""Work between requests: pulls are written down, uploads that nobody goes on with are removed."""

import asyncio
from pathlib import Path

import pytest

from havre.config import load
from havre.errors import Unavailable
from havre.oci.names import RepositoryName
from havre.server.app import App
from tests.support.inprocess import Caller, InProcess, until

pytestmark = pytest.mark.anyio

APP = RepositoryName("alice/app")


async def test_pulls_are_counted_and_checks_are_not(alice: Caller, inside: InProcess):
    image = await alice.push_image("alice/app", "latest")
    for _ in range(3):
        await alice.get("/v2/alice/app/manifests/latest")
        await alice.head("/v2/alice/app/manifests/latest")
        await alice.get(f"/v2/alice/app/blobs/{image.layers[0]}")
    await inside.app.pull_counter.flush(inside.app)
    assert (await inside.app.repositories.get(APP)).pulls == 3
    await inside.app.pull_counter.flush(inside.app)
    assert (await inside.app.repositories.get(APP)).pulls == 3


async def test_pulls_are_written_when_the_server_stops(people: None, tmp_path: Path):
    async with InProcess(tmp_path) as inside:
        alice = await inside.caller("alice", "alice/app")
        await alice.push_image("alice/app", "latest")
        await alice.get("/v2/alice/app/manifests/latest")
    again = App(load({"data": str(inside.data)}))
    await again.start()
    try:
        assert (await again.repositories.get(APP)).pulls == 1
    finally:
        await again.stop()


async def test_pulls_that_can_not_be_written_are_kept(alice: Caller, inside: InProcess):
    await alice.push_image("alice/app", "latest")
    await alice.get("/v2/alice/app/manifests/latest")
    await inside.app.database.close()
    with pytest.raises(Unavailable):
        await inside.app.pull_counter.flush(inside.app)
    await inside.app.database.start()
    await inside.app.pull_counter.flush(inside.app)
    assert (await inside.app.repositories.get(APP)).pulls == 1


async def test_a_repository_that_is_gone_is_not_counted(alice: Caller, inside: InProcess):
    await alice.push_image("alice/app", "latest")
    await alice.get("/v2/alice/app/manifests/latest")
    repository = await inside.app.repositories.get(APP)
    await inside.app.database.write(lambda rows: rows.repositories.delete(repository.id))
    await inside.app.pull_counter.flush(inside.app)
    assert inside.snapshot()["table repositories"] == inside.snapshot()["table pulls_daily"] == []


async def test_a_start_removes_what_expired_meanwhile(people: None, tmp_path: Path):
    async with InProcess(tmp_path) as inside:
        alice = await inside.caller("alice", "alice/app")
        location = await alice.start_upload("alice/app")
        await alice("PATCH", location, (), b"left behind")
        fresh = await alice.start_upload("alice/app")
        assert len(inside.files("uploads")) == 1
    later = inside.clock
    later.forward(hours=25)
    again = App(load({"data": str(inside.data)}), clock=later)
    await again.start()
    try:
        await until(lambda: inside.snapshot()["table uploads"] == [])
        assert inside.files("uploads") == []
    finally:
        await again.stop()
    assert fresh != location


async def test_a_stop_right_after_the_start_ends(people: None, tmp_path: Path):
    async with asyncio.timeout(30):
        for number in range(20):
            async with InProcess(tmp_path / str(number)) as inside:
                # The sooner or later into its first jobs.
                await asyncio.gather(*(inside.app.uploads.expire() for _ in range(number)))
            assert inside.files("uploads") == []
