"""Administration: the overview, accounts, repositories, plans, jobs, settings, and who may see them."""

from __future__ import annotations

import pytest

from havre.registry.jobs import order
from havre.registry.quota_ports import Limits
from tests.support.inprocess import InProcess
from tests.web.conftest import Visitor

pytestmark = pytest.mark.anyio

PLAN = {"name": "small", "title": "Small", "private_repositories": "3", "storage": "1.5 GB", "collaborators": ""}


@pytest.fixture
async def carol(site: InProcess) -> Visitor:
    """Carol, who administers, signed in."""
    return await Visitor(site.app).become(site, "carol")


async def test_the_overview_shows_what_is_here(stocked: InProcess, carol: Visitor) -> None:
    await stocked.app.plans.fold()
    page = await carol.read("/admin")
    for text in ("Accounts", "Stored", "Freeable", "SQLite", "a folder on this machine"):
        assert any(text in one for one in page.texts), text
    assert (await carol.post("/admin/count")).headers["location"] == "/admin"
    content = await stocked.app.administration.count_content()
    assert content.blobs > 0
    assert content.unlinked == content.deleted == 0


async def test_the_menu_leads_there_for_administrators_alone(alice: Visitor, carol: Visitor) -> None:
    assert "/admin" in (await carol.read("/")).links
    assert "/admin" not in (await alice.read("/")).links
    assert (await alice.get("/admin")).status_code == 404


async def test_accounts_are_found_and_sorted(stocked: InProcess, carol: Visitor) -> None:
    await stocked.app.plans.fold()
    page = await carol.read("/admin/users?q=ALICE&sort=storage")
    assert "/admin/users/alice" in page.links
    assert "/admin/users/bobby" not in page.links
    assert "1 account" in page.texts
    assert "No account" in (await carol.read("/admin/users?q=nobody%00")).texts
    alice = await carol.read("/admin/users/alice")
    assert {"/r/alice/app", "/r/alice/secret"} <= set(alice.links)
    assert "1 of 1" in alice.texts
    assert (await carol.get("/admin/users/nobody")).status_code == 404


async def test_an_account_is_disabled_and_enabled(site: InProcess, carol: Visitor, alice: Visitor) -> None:
    reply = await carol.post("/admin/users/alice", {"do": "disable"})
    assert reply.headers["location"] == "/admin/users/alice?saved=1"
    assert (await alice.get("/settings/profile")).status_code == 303
    assert "Disabled" in (await carol.read("/admin/users/alice")).texts
    await carol.post("/admin/users/alice", {"do": "enable"})
    user = await site.app.accounts.by_name("alice")
    assert user is not None
    assert not user.disabled


async def test_administrators_are_made_and_one_always_stays(site: InProcess, carol: Visitor) -> None:
    for change in ("demote", "disable"):
        reply = await carol.post("/admin/users/carol", {"do": change})
        assert reply.status_code == 409
        assert "Carol is the last administrator" in reply.text
    await carol.post("/admin/users/alice", {"do": "promote"})
    alice = await Visitor(site.app).become(site, "alice")
    assert (await alice.get("/admin")).status_code == 200
    await alice.post("/admin/users/carol", {"do": "demote"})
    assert (await carol.get("/admin")).status_code == 404


async def test_a_change_that_is_none_is_refused(carol: Visitor) -> None:
    assert (await carol.post("/admin/users/alice", {"do": "explode"})).status_code == 400
    assert (await carol.post("/admin/users/nobody", {"do": "disable"})).status_code == 404
    assert (await carol.post("/admin/users/nobody", {"do": "plan", "plan": "free"})).status_code == 404
    assert (await carol.post("/admin/users/alice", {"do": "plan", "plan": "none"})).status_code == 404
    assert (await carol.post("/admin/plans/free", {"do": "explode"})).status_code == 400


async def test_all_repositories_private_and_deleted_ones_too(stocked: InProcess, carol: Visitor) -> None:
    page = await carol.read("/admin/repositories?sort=storage")
    assert {"/r/alice/app", "/r/alice/secret", "/_/python", "/admin/users/alice"} <= set(page.links)
    page = await carol.read("/admin/repositories?shown=private&q=ALICE")
    assert "/r/alice/secret" in page.links
    assert "/r/alice/app" not in page.links
    assert "No repository" in (await carol.read("/admin/repositories?shown=deleted")).texts
    assert "/r/alice/app" in (await carol.read("/admin/repositories?shown=odd&sort=odd")).links


async def test_a_plan_is_made_given_changed_and_deleted(site: InProcess, carol: Visitor) -> None:
    reply = await carol.post("/admin/plans", PLAN)
    assert reply.headers["location"] == "/admin/plans?saved=1"
    plan = await site.app.plans.get("small")
    assert (plan.title, plan.limits) == ("Small", Limits(3, 1_500_000_000, None))
    await carol.post("/admin/users/alice", {"do": "plan", "plan": "small"})
    assert "0 of 3" in (await carol.read("/admin/users/alice")).texts
    typed = (await carol.get("/admin/plans/small")).text
    assert 'value="1500 MB"' in typed
    change = {"do": "change", "title": "Little", "private_repositories": "", "storage": "5000", "collaborators": "2"}
    await carol.post("/admin/plans/small", change)
    assert (await site.app.plans.get("small")).limits == Limits(None, 5000, 2)
    reply = await carol.post("/admin/plans/small", {"do": "delete"})
    assert (reply.status_code, "in use" in reply.text) == (409, True)
    await carol.post("/admin/users/alice", {"do": "plan", "plan": ""})
    reply = await carol.post("/admin/plans/small", {"do": "delete"})
    assert reply.headers["location"] == "/admin/plans?saved=1"
    assert (await carol.get("/admin/plans/small")).status_code == 404


async def test_the_default_plan_can_be_another(site: InProcess, carol: Visitor) -> None:
    await carol.post("/admin/plans", PLAN)
    assert (await carol.post("/admin/plans/free", {"do": "delete"})).status_code == 409
    await carol.post("/admin/plans/small", {"do": "default"})
    assert [(plan.name, plan.accounts) for plan in await site.app.plans.all()] == [("small", 3), ("free", 0)]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"name": "Große"}, "plan&#39;s name"),
        ({"name": "free"}, "choose another name"),
        ({"title": " "}, "title has 1 to 60"),
        ({"private_repositories": "many"}, "whole number"),
        ({"private_repositories": "99999999"}, "a number from 0 to"),
        ({"storage": "1 lorry"}, "a size such as"),
        ({"storage": "9999999 PB"}, "a number from 0 to"),
        ({"collaborators": "-1"}, "whole number"),
    ],
    ids=str,
)
async def test_a_wrong_plan_is_told_beside_its_field(carol: Visitor, change: dict[str, str], sentence: str) -> None:
    reply = await carol.post("/admin/plans", {**PLAN, **change})
    assert reply.status_code in {400, 409}
    assert sentence in reply.text
    assert 'value="Small"' in reply.text or "title" in change


async def test_a_failed_job_is_ordered_anew(site: InProcess, carol: Visitor) -> None:
    assert "No jobs" in (await carol.read("/admin/jobs")).texts
    job = await site.app.database.write(lambda rows: order(rows, "test", "alice/app", {"n": 1}, site.clock()))
    taken = await site.app.durable_jobs.take(["test"], "me")
    assert taken is not None
    assert taken.id == job.id
    await site.app.durable_jobs.fail(taken, "the layer is torn")
    page = await carol.read("/admin/jobs?state=failed")
    assert "the layer is torn" in page.texts
    reply = await carol.post("/admin/jobs", {"kind": "test", "key": "alice/app"})
    assert reply.headers["location"] == "/admin/jobs"
    again = await site.app.database.read(lambda rows: rows.jobs.get("test", "alice/app"))
    assert again is not None
    assert (again.state, again.values) == ("waiting", {"n": 1})
    assert (await carol.post("/admin/jobs", {"kind": "test", "key": "unknown"})).status_code == 404
    assert (await carol.post("/admin/jobs", {})).status_code == 404


async def test_settings_in_force_without_secrets(site: InProcess, carol: Visitor) -> None:
    page = await carol.read("/admin/settings")
    assert "audit_days" in page.texts
    assert "365" in page.texts
    assert str(site.data) in page.texts
    assert not [text for text in page.texts if text.startswith("sqlite:")]
