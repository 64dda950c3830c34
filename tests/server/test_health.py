"""Health and figures."""

import re

import pytest

from tests.support.inprocess import Caller, InProcess

pytestmark = pytest.mark.anyio


async def test_alive_and_ready(anyone: Caller):
    assert (await anyone.get("/healthz")).json() == {"status": "alive"}
    assert (await anyone.get("/readyz")).json() == {"status": "ready"}
    for path in ("/healthz", "/readyz"):
        assert (await anyone.head(path)).status == 200


async def test_alive_but_not_ready_without_its_database(anyone: Caller, inside: InProcess):
    await inside.app.database.close()
    reply = await anyone.get("/readyz")
    assert (reply.status, reply.code) == (503, "TOOMANYREQUESTS")
    assert int(reply["retry-after"]) > 0
    assert (await anyone.get("/healthz")).status == 200
    refused = await anyone.get("/v2/alice/app/tags/list")
    assert (refused.status, refused["content-type"]) == (503, "application/json")
    await inside.app.database.start()
    assert (await anyone.get("/readyz")).status == 200


async def figures(caller: Caller) -> dict[str, float]:
    """The figures by name and labels."""
    reply = await caller.get("/metrics")
    assert (reply.status, reply["content-type"].partition(";")[0]) == (200, "text/plain")
    lines = [line for line in reply.body.decode().splitlines() if line and not line.startswith("#")]
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}


async def test_figures_count_requests_pushes_and_pulls(alice: Caller):
    before = await figures(alice)
    await alice.push_image("alice/app", "latest")
    await alice.get("/v2/alice/app/manifests/latest")
    await alice.get("/v2/alice/app/manifests/none")
    after = await figures(alice)

    def grown(name: str) -> float:
        return after.get(name, 0) - before.get(name, 0)

    assert grown("havre_pushes_total") == 2
    assert grown("havre_pulls_total") == 1
    assert grown('havre_requests_total{area="registry",method="GET",status="200"}') == 1
    assert grown('havre_requests_total{area="registry",method="GET",status="404"}') == 1
    assert grown('havre_requests_total{area="registry",method="PUT",status="201"}') == 2
    assert grown('havre_request_seconds_count{area="registry"}') == 7
    assert grown('havre_request_seconds_bucket{area="registry",le="+Inf"}') == 7


async def test_figures_are_told_without_a_database_too(anyone: Caller, inside: InProcess):
    await inside.app.database.close()
    found = await figures(anyone)
    assert found["havre_database_up"] == 0
    assert not any(name.startswith("havre_jobs") for name in found)
    assert 0 < found["havre_storage_free_bytes"] < found["havre_storage_size_bytes"]
    await inside.app.database.start()


async def test_figures_of_the_moment_say_what_waits(anyone: Caller, inside: InProcess):
    await inside.app.database.write(lambda rows: rows.jobs.add("test", "one", "{}", inside.clock()))
    found = await figures(anyone)
    assert found["havre_database_up"] == 1
    assert found['havre_jobs{state="waiting"}'] == 1
    assert found['havre_jobs{state="failed"}'] == 0
    assert found["havre_workers_replaced_total"] == 0


async def test_no_request_adds_a_label_of_its_own(anyone: Caller):
    for number in range(30):
        await anyone(f"BREW{number}", f"/v2/{number}/x")
        await anyone.get(f"/{number}/{number}")
    labels = {value for name in await figures(anyone) for value in re.findall(r'="([^"]*)"', name)}
    assert not any("BREW" in label or "/" in label for label in labels)
    assert "other" in labels
