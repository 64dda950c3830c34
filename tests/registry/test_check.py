"""The check beside others: what changes while it looks is neither called damaged nor repaired away; and the scrub."""

from __future__ import annotations

import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence
from pathlib import Path

import pytest

from havre.oci.digest import Digest
from havre.registry.check import Check, Problem, pace_of
from havre.registry.check_ports import BlobChecks, Examined, Pace
from havre.registry.job_ports import JobRecord, State
from havre.registry.scrub import KEY, KIND
from havre.storage.disk import open_locked
from tests.support.inprocess import Caller, InProcess

pytestmark = pytest.mark.anyio

DAY = 24

Deed = Callable[[], Awaitable[None]]


class Meanwhile:
    """The store's checks, with something that others do at one moment: after a look, or before rows are changed."""

    def __init__(self, checks: BlobChecks, *, looked: Deed | None = None, searched: Deed | None = None) -> None:
        self._checks = checks
        self._looked = looked
        self._searched = searched

    async def examine(self, key: str, algorithm: str, pace: Pace) -> Examined | None:
        found = await self._checks.examine(key, algorithm, pace)
        deed, self._looked = self._looked, None
        if deed:
            await deed()
        return found

    def absent(self, key: str) -> bool:
        return self._checks.absent(key)

    async def copies(self, digest: Digest) -> Sequence[str]:
        found = await self._checks.copies(digest)
        deed, self._searched = self._searched, None
        if deed:
            await deed()
        return found

    async def renew(self, key: str) -> bool:
        return await self._checks.renew(key)

    async def quarantine(self, key: str, mark: str) -> bool:
        return await self._checks.quarantine(key, mark)

    async def keep(self, name: str, content: bytes) -> None:
        await self._checks.keep(name, content)

    def files(self) -> AsyncIterator[Sequence[tuple[str, int, bool]]]:
        return self._checks.files()


def check(inside: InProcess, checks: BlobChecks) -> Check:
    return Check(inside.app.database, checks, inside.clock, pace_of(0), repair=True)


def file_of(inside: InProcess, digest: str) -> Path:
    encoded = digest.partition(":")[2]
    return inside.data / "blobs" / "sha256" / encoded[:2] / encoded


async def test_what_was_collected_meanwhile_is_not_missing(inside: InProcess, alice: Caller):
    digest = Digest(await alice.push_blob("alice/app", b"content"))
    file_of(inside, digest).unlink()

    async def collect() -> None:
        await inside.app.database.write(lambda rows: rows.checks.lose(digest, _key(digest)))

    report = await check(inside, Meanwhile(inside.app.storage.checks, looked=collect)).everything()
    assert report.findings == []


async def test_what_was_pushed_again_meanwhile_is_kept(inside: InProcess, alice: Caller):
    digest = await alice.push_blob("alice/app", b"content")
    file_of(inside, digest).unlink()

    async def push() -> None:
        assert await alice.push_blob("alice/app", b"content") == digest

    report = await check(inside, Meanwhile(inside.app.storage.checks, searched=push)).everything()
    assert [one.done for one in report.findings] == ["healed meanwhile"]
    assert (await alice.get(f"/v2/alice/app/blobs/{digest}")).body == b"content"
    assert (await check(inside, inside.app.storage.checks).everything()).findings == []


async def test_what_was_pushed_between_two_looks_is_well(inside: InProcess, alice: Caller):
    digest = await alice.push_blob("alice/app", b"content")
    file_of(inside, digest).unlink()

    async def push() -> None:
        await alice.push_blob("alice/app", b"content")

    report = await check(inside, Meanwhile(inside.app.storage.checks, looked=push)).everything()
    assert (report.findings, report.blobs) == ([], 1)


async def test_only_the_very_file_that_was_looked_at_is_set_aside(inside: InProcess, alice: Caller):
    digest = Digest(await alice.push_blob("alice/app", b"content"))
    path = file_of(inside, digest)
    path.write_bytes(b"damaged")
    checks = inside.app.storage.checks
    found = await checks.examine(_key(digest), "sha256", pace_of(0))
    assert found is not None
    path.unlink()
    path.write_bytes(b"content")
    assert not await checks.quarantine(_key(digest), found.mark)
    assert path.read_bytes() == b"content"


async def test_a_key_that_leads_nowhere_is_content_that_is_missing(inside: InProcess, alice: Caller):
    digest = Digest(await alice.push_blob("alice/app", b"content"))
    await inside.app.database.write(lambda rows: rows.checks.find_again(digest, _key(digest), "../../etc/passwd"))
    report = await check(inside, inside.app.storage.checks).everything()
    assert [(one.problem, one.done) for one in report.findings] == [(Problem.MISSING, "found a good copy")]
    assert (await alice.get(f"/v2/alice/app/blobs/{digest}")).body == b"content"


async def test_a_copy_that_is_found_again_is_not_collected_as_a_stray(inside: InProcess, alice: Caller):
    digest = Digest(await alice.push_blob("alice/app", b"content"))
    path = file_of(inside, digest)
    path.rename(copy := path.with_name(f"{path.name}.abc"))
    os.utime(copy, (0, 0))

    async def known(keys: Collection[str]) -> Collection[str]:
        # Nobody names it at this moment; a repair does before it is removed.
        report = await check(inside, inside.app.storage.checks).everything()
        assert [one.done for one in report.findings] == ["found a good copy"]
        return set()

    swept = await inside.app.storage.blobs.strays(known)
    assert (swept.removed, copy.read_bytes()) == (0, b"content")
    assert (await alice.get(f"/v2/alice/app/blobs/{digest}")).body == b"content"


async def test_no_copy_is_found_again_that_somebody_is_removing(inside: InProcess, alice: Caller):
    digest = Digest(await alice.push_blob("alice/app", b"content"))
    path = file_of(inside, digest)
    path.rename(copy := path.with_name(f"{path.name}.abc"))
    descriptor = open_locked(copy, create=False)
    try:
        report = await check(inside, inside.app.storage.checks).everything()
    finally:
        os.close(descriptor)
    assert ["push it again" in one.done for one in report.findings] == [True]


def _key(digest: str) -> str:
    encoded = digest.partition(":")[2]
    return f"sha256/{encoded[:2]}/{encoded}"


# ---------------------------------------------------------------- the scrub


async def scrubbed(inside: InProcess) -> JobRecord:
    """Order it as time does, and have it done."""
    assert not await inside.app.scrub.order_if_due()
    inside.clock.forward(hours=31 * DAY)
    assert await inside.app.scrub.order_if_due()
    assert not await inside.app.scrub.order_if_due()
    assert await inside.app.slow_work.once()
    job = await inside.app.database.read(lambda rows: rows.jobs.get(KIND, KEY))
    assert job is not None
    return job


async def test_the_scrub_comes_round(inside: InProcess, alice: Caller):
    await alice.push_image("alice/app", "latest")
    assert (await scrubbed(inside)).state is State.DONE
    inside.clock.forward(hours=29 * DAY)
    assert not await inside.app.scrub.order_if_due()
    inside.clock.forward(hours=2 * DAY)
    assert await inside.app.scrub.order_if_due()


async def test_the_scrub_sets_aside_and_tells(inside: InProcess, alice: Caller):
    image = await alice.push_image("alice/app", "latest")
    file_of(inside, image.layers[0]).write_bytes(b"damaged")
    job = await scrubbed(inside)
    assert job.state is State.FAILED
    assert "1 damaged or missing, of 3 blobs" in job.message
    # Her token has expired since.
    alice = await inside.caller("alice", "alice/app")
    assert (await alice.get(f"/v2/alice/app/blobs/{image.layers[0]}")).code == "BLOB_UNKNOWN"
    assert len(inside.files("quarantine")) == 1
    # Rows stay as they are: that is for a person to decide.
    assert (await alice.get("/v2/alice/app/manifests/latest")).status == 200


async def test_the_scrub_goes_on_where_it_was(inside: InProcess, alice: Caller):
    await alice.push_blob("alice/app", b"first")
    first = (await inside.app.database.read(lambda rows: rows.checks.contents(0, 1)))[0]
    second = await alice.push_blob("alice/app", b"second")
    for digest in (first.digest, second):
        file_of(inside, digest).write_bytes(b"damaged")
    await inside.app.scrub.order_if_due()
    inside.clock.forward(hours=31 * DAY)
    await inside.app.scrub.order_if_due()
    state = f'{{"ended": 0, "step": 0, "after": {first.id}, "blobs": 1, "damage": 0}}'
    await inside.app.database.write(lambda rows: rows.checks.remember("fsck", state))
    await inside.app.slow_work.once()
    job = await inside.app.database.read(lambda rows: rows.jobs.get(KIND, KEY))
    assert job is not None
    assert "1 damaged or missing, of 2 blobs" in job.message
    assert file_of(inside, first.digest).exists()


async def test_a_pace_is_kept(inside: InProcess, alice: Caller):
    await alice.push_blob("alice/app", bytes(300_000))
    begun = time.monotonic()
    slow = Check(inside.app.database, inside.app.storage.checks, inside.clock, pace_of(1_000_000))
    await slow.everything()
    assert time.monotonic() - begun >= 0.3
