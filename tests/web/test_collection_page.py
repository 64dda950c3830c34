"""The page about collection: figures, a run and a preview as jobs, and why something is kept."""

from __future__ import annotations

import pytest

from havre.access.records import AuditQuery
from havre.registry.collections import PREVIEW
from tests.support.inprocess import InProcess
from tests.web.conftest import Reader, Visitor

pytestmark = pytest.mark.anyio

PAGE = "/admin/collection"


@pytest.fixture
async def carol(site: InProcess) -> Visitor:
    return await Visitor(site.app).become(site, "carol")


async def work_done(site: InProcess) -> None:
    """All that was ordered is done."""
    while await site.app.collections.running():
        await site.app.work.once()
    while (job := await site.app.collections.job(PREVIEW)) is not None and not job.state.ended:
        await site.app.slow_work.once()


async def test_before_the_first_run(stocked: InProcess, carol: Visitor) -> None:
    page = await carol.read(PAGE)
    assert {"Collection", "Freeing space", "Collect now", "Why is this kept?"} <= set(page.texts)
    assert "None yet. The first one only marks what nothing needs, and frees nothing." in page.texts
    assert PAGE in (await carol.read("/admin")).links


async def test_a_collection_is_ordered_told_and_written_down(stocked: InProcess, carol: Visitor) -> None:
    for _ in range(2):
        assert (await carol.post(PAGE, {"do": "collect"})).headers["location"] == f"{PAGE}?ordered=1"
    assert "disabled" in (await carol.get(PAGE)).text
    await work_done(stocked)
    page = await carol.read(f"{PAGE}?ordered=1")
    assert {"Last runs", "Done. The figures below are new.", "just now"} <= set(page.texts)
    events = await stocked.app.audit.page(AuditQuery(action="collection.order"))
    assert [(event.actor, event.subject) for event in events] == [("carol", "all")]
    assert "ordered a collection" in (await carol.read("/admin/audit")).texts


async def test_what_each_run_freed(stocked: InProcess, carol: Visitor) -> None:
    alice = await stocked.caller("alice", "alice/app")
    await alice.push_blob("alice/app", b"x" * 5000)
    for _ in range(3):
        stocked.clock.forward(hours=25)
        await carol.post(PAGE, {"do": "collect"})
        await work_done(stocked)
    reports = await stocked.app.collector.runs()
    assert [report.freed for report in reports] == [5000, 0, 0]
    page = await carol.read(PAGE)
    assert page.texts.count("5 kB") == 2
    assert await stocked.app.collector.last() == reports[0]


async def test_a_preview_changes_nothing(stocked: InProcess, carol: Visitor) -> None:
    alice = await stocked.caller("alice", "alice/app")
    await alice.push_blob("alice/app", b"lone")
    stocked.clock.forward(hours=25)
    assert (await carol.post(PAGE, {"do": "preview"})).status_code == 303
    assert "It is being found out what a collection would do." in (await carol.read(PAGE)).texts
    await work_done(stocked)
    page = await carol.read(PAGE)
    assert "What a collection would do" in page.texts
    previewed = await stocked.app.collections.previewed()
    assert previewed is not None
    assert (previewed.stages["links"].condemned, previewed.freed) == (1, 0)
    assert await stocked.app.collector.runs() == []
    assert await stocked.app.audit.page(AuditQuery(action="collection.order")) == []


async def test_why_something_is_kept(stocked: InProcess, carol: Visitor) -> None:
    alice = await stocked.caller("alice", "alice/app")
    image = await alice.push_image("alice/app", "kept", seed="kept")
    page = await carol.read(f"{PAGE}?digest={image.layers[0]}")
    assert {"needed by", "as a layer", "kept"} <= set(page.texts)
    assert {"/r/alice/app", "/r/alice/app/tags/kept"} <= set(page.links)
    page = await carol.read(f"{PAGE}?digest=alice/app@{image.digest}")
    assert {"It is an image", "kept"} <= set(page.texts)
    lone = await alice.push_blob("alice/app", b"lone")
    assert ": no image there needs it yet. A push may be about to name it." in " ".join(
        (await carol.read(f"{PAGE}?digest={lone.removeprefix('sha256:').upper()}")).texts
    ).replace(" :", ":")
    stocked.clock.forward(hours=25)
    await carol.post(PAGE, {"do": "collect"})
    await work_done(stocked)
    assert "it leaves that repository after" in " ".join((await carol.read(f"{PAGE}?digest={lone}")).texts)


async def test_questions_and_orders_that_make_no_sense(stocked: InProcess, carol: Visitor) -> None:
    for asked, status, told in (
        ("nonsense", 400, "This is no whole digest"),
        ("sha256:%00", 400, "This is no whole digest"),
        ("x" * 900, 400, "This is no whole digest"),
        (f"sha256:{'0' * 64}", 404, "Nothing here has this digest"),
    ):
        reply = await carol.get(f"{PAGE}?digest={asked}")
        assert (reply.status_code, told in reply.text) == (status, True), asked
    assert (await carol.post(PAGE, {"do": "explode"})).status_code == 400


async def test_in_french(stocked: InProcess) -> None:
    carol = await Visitor(stocked.app, language="fr").become(stocked, "carol")
    alice = await stocked.caller("alice", "alice/app")
    image = await alice.push_image("alice/app", "kept", seed="kept")
    await carol.post(PAGE, {"do": "collect"})
    await carol.post(PAGE, {"do": "preview"})
    await work_done(stocked)
    text = Reader((await carol.get(f"{PAGE}?digest={image.layers[0]}")).text).texts
    assert {"Collecte", "Dernières collectes", "Ce que ferait une collecte", "nécessaire à", "comme couche"} <= set(
        text
    )
