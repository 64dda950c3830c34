"""Collection as an operator knows it: what goes when, what never goes, and what a run says about itself."""

import pytest

from havre.errors import BlobUnknown
from havre.oci.digest import Digest, Hasher
from havre.oci.names import RepositoryName
from havre.registry.gc import COLLECT, COLLECT_KEY, STAGES, Collector, GarbageRules, Report
from havre.registry.holds import BACKUP, BACKUP_KEY
from havre.registry.job_ports import State
from havre.registry.why import why
from tests.storage.parts import append, body
from tests.support import documents
from tests.support.documents import OCI_INDEX, OCI_MANIFEST, descriptor, digest_of
from tests.support.inprocess import Caller, InProcess

pytestmark = pytest.mark.anyio

APP, OTHER = RepositoryName("alice/app"), RepositoryName("alice/other")
DAY = 24


def collector(inside: InProcess, untagged_days: int | None = None) -> Collector:
    untagged = untagged_days * DAY * 3600 * 1000 if untagged_days else None
    app = inside.app
    return Collector(
        app.database, app.storage.blobs, app.uploads, inside.clock, GarbageRules(untagged=untagged, pace=0)
    )


async def collect(inside: InProcess, untagged_days: int | None = None) -> Report:
    report = await collector(inside, untagged_days).run(anew=True)
    assert report is not None
    return report


async def collect_daily(inside: InProcess, days: int, untagged_days: int | None = None) -> None:
    for _ in range(days):
        inside.clock.forward(hours=DAY + 1)
        await collect(inside, untagged_days)


async def caller(inside: InProcess) -> Caller:
    """Tokens do not live for days."""
    return await inside.caller("alice", "alice/app", "alice/other")


async def test_what_no_manifest_names_goes_after_two_graces(alice: Caller, inside: InProcess) -> None:
    image = await alice.push_image(APP, "latest")
    digest = await alice.push_blob(APP, b"a layer that no manifest ever names")
    assert (await collect(inside)).stages["links"].condemned == 0, "too young to tell"
    inside.clock.forward(hours=DAY + 1)
    assert (await collect(inside)).stages["links"].condemned == 1
    alice = await caller(inside)
    assert (await alice.head(f"/v2/{APP}/blobs/{digest}")).status == 404, "so that who wants to push it sends it"
    assert (await alice.head(f"/v2/{APP}/blobs/{image.layers[0]}")).status == 200
    assert (await alice.get(f"/v2/{APP}/blobs/{digest}")).status == 200
    inside.clock.forward(hours=DAY + 1)
    second = await collect(inside)
    assert (second.stages["links"].removed, second.stages["contents"].condemned, second.freed) == (1, 1, 0)
    inside.clock.forward(hours=DAY + 1)
    last = await collect(inside)
    assert (last.stages["contents"].removed, last.freed) == (1, 35)
    assert sorted(path.name for path in inside.files("blobs")) == sorted(
        digest_of(one).partition(":")[2] for one in image.blobs
    )
    alice = await caller(inside)
    assert (await alice.get(f"/v2/{APP}/blobs/{digest}")).status == 404


@pytest.mark.parametrize("way", ["push", "mount", "manifest"])
async def test_who_needs_it_again_acquits_it(alice: Caller, inside: InProcess, way: str) -> None:
    await alice.push_blob(OTHER, documents.EMPTY)
    await alice.push_blob(APP, documents.EMPTY)
    inside.clock.forward(hours=DAY + 1)
    await alice_pushes_something(inside)
    assert (await collect(inside)).stages["links"].condemned == 2
    alice = await caller(inside)
    digest = digest_of(documents.EMPTY)
    assert (await alice.head(f"/v2/{APP}/blobs/{digest}")).status == 404
    if way == "push":
        await alice.push_blob(APP, documents.EMPTY)
    elif way == "mount":
        refused = await alice("POST", f"/v2/{APP}/blobs/uploads/?mount={digest}&from={OTHER}")
        assert refused.status == 202, "what is condemned is no source"
        await alice.push_blob(OTHER, documents.EMPTY)
        assert (await alice("POST", f"/v2/{APP}/blobs/uploads/?mount={digest}&from={OTHER}")).status == 201
    else:
        assert (await alice.push_manifest(APP, "latest", documents.artifact())).status == 201
    assert (await alice.head(f"/v2/{APP}/blobs/{digest}")).status == 200


async def alice_pushes_something(inside: InProcess) -> None:
    await (await caller(inside)).push_image(APP, "else", seed="else")


async def test_parts_referrers_and_deleted_repositories_keep_what_they_need(alice: Caller, inside: InProcess) -> None:
    children = [await alice.push_image(APP, seed=name) for name in ("amd64", "arm64")]
    index = documents.index([descriptor(child.content, OCI_MANIFEST) for child in children])
    assert (await alice.push_manifest(APP, "all", index, OCI_INDEX)).status == 201
    await alice.push_blob(APP, documents.EMPTY)
    signature = documents.artifact(subject=descriptor(index, OCI_INDEX))
    assert (await alice.push_manifest(APP, digest_of(signature), signature)).status == 201
    hidden = await alice.push_image(OTHER, "latest", seed="hidden")
    await inside.app.deletion.delete(OTHER)
    before = inside.files("blobs")
    await collect_daily(inside, 5, untagged_days=1)
    assert inside.files("blobs") == before
    alice = await caller(inside)
    for digest in (*(child.digest for child in children), digest_of(signature)):
        assert (await alice.get(f"/v2/{APP}/manifests/{digest}")).status == 200
    (deleted,) = await inside.app.deletion.deleted(OTHER.namespace)
    await inside.app.deletion.restore(deleted.id)
    alice = await caller(inside)
    assert (await alice.get(f"/v2/{OTHER}/manifests/latest")).body == hidden.content


async def test_untagged_images_are_kept_unless_asked(alice: Caller, inside: InProcess) -> None:
    child = await alice.push_image(APP, seed="child")
    index = documents.index([descriptor(child.content, OCI_MANIFEST)])
    await alice.push_manifest(APP, "all", index, OCI_INDEX)
    await alice.push_blob(APP, documents.EMPTY)
    signature = documents.artifact(subject=descriptor(child.content, OCI_MANIFEST))
    await alice.push_manifest(APP, digest_of(signature), signature)
    await alice.delete(f"/v2/{APP}/manifests/all")
    await collect_daily(inside, 3)
    assert len(inside.files("blobs")) == 4
    await collect_daily(inside, 2, untagged_days=3)
    assert len(inside.files("blobs")) == 4
    await collect_daily(inside, 4, untagged_days=3)
    assert inside.snapshot()["table manifests"] == []
    await collect_daily(inside, 3, untagged_days=3)
    assert inside.files("blobs") == []


async def test_a_tag_acquits_at_once(alice: Caller, inside: InProcess) -> None:
    image = await alice.push_image(APP)
    await collect(inside, untagged_days=2)
    inside.clock.forward(hours=47)
    alice = await caller(inside)
    assert (await alice.push_manifest(APP, "again", image.content)).status == 201
    await alice.delete(f"/v2/{APP}/manifests/again")
    inside.clock.forward(hours=2)
    await collect(inside, untagged_days=2)
    alice = await caller(inside)
    assert (await alice.get(f"/v2/{APP}/manifests/{image.digest}")).status == 200


async def test_a_dry_run_changes_nothing_and_tells_what_would_go(alice: Caller, inside: InProcess) -> None:
    await alice.push_blob(APP, b"unneeded")
    inside.clock.forward(hours=DAY + 1)
    before = inside.snapshot()
    report = await collector(inside, 1).run(dry=True)
    assert report is not None
    assert (report.stages["links"].condemned, report.looked) == (1, 3)
    assert inside.snapshot() == before
    await collect(inside)
    inside.clock.forward(hours=DAY + 1)
    report = await collector(inside).run(dry=True)
    assert report is not None
    assert (report.stages["links"].removed, report.stages["links"].bytes) == (1, 8)


async def test_a_run_is_interrupted_and_gone_on_with(alice: Caller, inside: InProcess) -> None:
    for number in range(3):
        await alice.push_blob(APP, f"unneeded {number}".encode())
    inside.clock.forward(hours=DAY + 1)
    pieces = 0
    while (report := await collector(inside).run(seconds=0)) is None:
        pieces += 1
    assert pieces >= len(STAGES) - 1
    assert (report.stages["links"].looked, report.stages["links"].condemned) == (3, 3)
    assert await inside.app.collector.last() == report


async def test_nothing_goes_while_a_backup_copies(alice: Caller, inside: InProcess) -> None:
    await alice.push_blob(APP, b"unneeded")
    await inside.app.blobs.unlink(APP, Digest.of(b"unneeded"))
    await collect(inside)
    inside.clock.forward(hours=DAY + 1)
    now, rows = inside.clock(), inside.app.database
    await rows.write(lambda rows: rows.jobs.add(BACKUP, BACKUP_KEY, "{}", now))
    await rows.write(lambda rows: rows.jobs.claim([BACKUP], "lease", now, now + 60_000))
    assert (await collect(inside)).freed == 0
    inside.clock.forward(seconds=61)
    assert (await collect(inside)).freed == 8


async def test_strays_of_a_crash_are_swept(inside: InProcess) -> None:
    uploads = inside.app.storage.uploads
    await append(uploads, "lost", 0, body(b"stored, and never committed"), Hasher())
    await uploads.finish("lost", Digest.of(b"stored, and never committed"), 27)
    assert (await collect(inside)).freed == 0
    inside.clock.forward(hours=2)
    assert (await collect(inside)).freed == 27
    assert inside.files("blobs") == []


async def test_collections_order_themselves(inside: InProcess) -> None:
    app = inside.app
    assert await app.collections.schedule()
    assert not await app.collections.schedule(), "one at a time"
    app.work.ordered()
    while await app.collections.running():
        await app.work.once()
    job = await app.database.read(lambda rows: rows.jobs.get(COLLECT, COLLECT_KEY))
    assert job is not None
    assert job.state is State.DONE
    inside.clock.forward(hours=23)
    assert not await app.collections.schedule()
    inside.clock.forward(hours=2)
    assert await app.collections.schedule()


async def test_why_something_is_kept(alice: Caller, inside: InProcess) -> None:
    child = await alice.push_image(APP, seed="child")
    index = documents.index([descriptor(child.content, OCI_MANIFEST)])
    await alice.push_manifest(APP, "all", index, OCI_INDEX)
    found = await why(inside.app.database, Digest(child.layers[0]), inside.app.garbage_rules)
    (kept,) = found.kept
    (step,) = kept.steps
    assert (kept.place.name, step.holder.digest, step.holder.kind, step.holder.tags) == (APP, child.digest, "layer", [])
    (above,) = step.above
    assert (above.holder.digest, above.holder.tags) == (digest_of(index), ["all"])
    lone = await alice.push_blob(OTHER, b"alone")
    inside.clock.forward(hours=DAY + 1)
    at = inside.clock()
    await collect(inside)
    found = await why(inside.app.database, Digest(lone), inside.app.garbage_rules)
    assert [(one.steps, one.goes) for one in found.kept] == [((), at + DAY * 3600 * 1000)]
    with pytest.raises(BlobUnknown, match="nothing here has the digest"):
        await why(inside.app.database, Digest.of(b"unknown"), inside.app.garbage_rules)
