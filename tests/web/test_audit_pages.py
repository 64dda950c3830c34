"""The audit trail: what is written, the page with its filters, and the export."""

from __future__ import annotations

import re

import orjson
import pytest

from havre.access.records import AuditQuery
from havre.errors import InputInvalid, WrongCredentials
from havre.registry.audit import OPERATOR, record
from havre.registry.records import AuditEvent
from tests.support.inprocess import PASSWORD, InProcess, basic
from tests.web.conftest import Visitor

pytestmark = pytest.mark.anyio

TOKEN = {"label": "build server", "grants": "alice/*", "actions": "push", "expires": "90"}


@pytest.fixture
async def carol(site: InProcess) -> Visitor:
    """Carol, who administers, signed in."""
    return await Visitor(site.app).become(site, "carol")


async def trail(site: InProcess, **query: str) -> list[AuditEvent]:
    """What was recorded, the oldest first."""
    return list(await site.app.audit.page(AuditQuery(**query)))[::-1]


async def deeds(site: InProcess, **query: str) -> list[str]:
    return [event.action for event in await trail(site, **query)]


async def test_accounts_leave_their_marks(site: InProcess, visitor: Visitor) -> None:
    fields = {"name": "erwin", "email": "erwin@example.org", "password": PASSWORD, "password_again": PASSWORD}
    assert (await visitor.post("/signup", fields)).status_code == 303
    await visitor.post("/settings/tokens", TOKEN)
    (token,) = await site.app.access_tokens.list((await site.actor("erwin")).user_id or 0)
    await visitor.post(f"/settings/tokens/{token.uid}/revoke")
    await site.app.accounts.disable("erwin")
    await site.app.accounts.disable("erwin")
    await site.app.accounts.enable("erwin")
    marks = await trail(site, subject="erwin")
    assert [(event.actor, event.action) for event in marks] == [
        ("erwin", "account.create"),
        ("erwin", "account.sign_in"),
        ("erwin", "token.create"),
        ("erwin", "token.revoke"),
        ("command line", "account.disable"),
        ("command line", "account.enable"),
    ]
    assert {event.address for event in marks[:4]} == {"198.51.100.7"}
    assert marks[2].detail == {"token": token.uid, "label": "build server"}
    with pytest.raises(InputInvalid):
        await site.app.access_tokens.revoke(marks[0].actor_id or 0, token.uid)
    assert len(await trail(site, action="token.revoke")) == 1


async def test_failures_to_sign_in_are_told_without_flooding_the_trail(site: InProcess) -> None:
    for _ in range(9):
        with pytest.raises(WrongCredentials):
            await site.app.credentials.check("alice", "wrong horse 9", "203.0.113.9")
    with pytest.raises(WrongCredentials):
        await site.app.credentials.check("my password 1", "wrong horse 9", "203.0.113.9")
    (first,) = await trail(site, action="account.sign_in_failed")
    assert (first.actor, first.address, first.detail) == ("alice", "203.0.113.9", {"attempts": 1})
    with pytest.raises(WrongCredentials):
        await site.app.credentials.check("alice", "wrong horse 9", "203.0.113.9")
    (_, last) = await trail(site, action="account.sign_in_failed")
    assert last.detail == {"attempts": 10}


async def test_what_administrators_do(site: InProcess, carol: Visitor) -> None:
    await carol.post("/admin/plans", {"name": "small", "title": "Small", "storage": "5 GB"})
    await carol.post("/admin/users/alice", {"do": "plan", "plan": "small"})
    await carol.post("/admin/users/alice", {"do": "promote"})
    await carol.post("/admin/plans/small", {"do": "change", "title": "Small", "storage": ""})
    assert await deeds(site, actor="carol") == [
        "account.sign_in",
        "plan.create",
        "account.plan",
        "account.admin",
        "plan.change",
    ]
    (given,) = await trail(site, action="account.plan")
    assert (given.subject, given.detail) == ("alice", {"from": "free", "to": "small"})
    (made,) = await trail(site, action="plan.create")
    assert made.detail == {
        "title": "Small",
        "private_repositories": "unlimited",
        "storage": 5_000_000_000,
        "collaborators": "unlimited",
    }


async def test_the_page_filters_and_goes_back_in_time(site: InProcess, carol: Visitor) -> None:
    def many(rows: object) -> None:
        for number in range(120):
            record(rows, OPERATOR, "job.retry", f"job {number:03}", at=site.clock() + number)  # type: ignore[arg-type]

    await site.app.database.write(many)
    seen: list[str] = []
    path = "/admin/audit?action=job.retry"
    while path:
        html = (await carol.get(path)).text
        seen += re.findall(r">(job \d+)</a>", html)
        older = re.search(r'rel="next" href="([^"]+)"', html)
        path = older[1].replace("&amp;", "&") if older else ""
    assert seen == [f"job {number:03}" for number in range(119, -1, -1)]
    page = await carol.read("/admin/audit?subject=job+007")
    assert "job 007" in page.texts
    assert "job 008" not in page.texts
    assert "ordered a job anew" in page.texts
    assert "Nothing recorded" in (await carol.read("/admin/audit?actor=nobody%00")).texts


async def test_days_are_whole_and_wrong_ones_are_told(site: InProcess, carol: Visitor) -> None:
    day = 24 * 3600 * 1000
    noon = 20_000 * day + day // 2  # 2024-10-04
    for number, at in enumerate((noon - day, noon, noon + day)):
        await site.app.database.write(
            lambda rows, number=number, at=at: record(rows, OPERATOR, "job.retry", f"job {number}", at=at)  # type: ignore[misc]
        )
    page = await carol.read("/admin/audit?action=job.retry&since=2024-10-04&until=2024-10-04")
    assert "job 1" in page.texts
    assert not {"job 0", "job 2"} & set(page.texts)
    reply = await carol.get("/admin/audit?since=yesterday")
    assert reply.status_code == 400
    assert "Write a day as" in reply.text
    assert (await carol.get("/admin/audit.jsonl?until=2024-02-31")).status_code == 400


async def test_the_export_has_everything_that_matches(site: InProcess, carol: Visitor) -> None:
    def many(rows: object) -> None:
        for number in range(1200):
            record(rows, OPERATOR, "job.retry", f"job {number}", at=number, detail={"kind": "x"})  # type: ignore[arg-type]

    await site.app.database.write(many)
    reply = await carol.get("/admin/audit.jsonl?action=job.retry")
    assert reply.headers["content-disposition"] == 'attachment; filename="audit.jsonl"'
    lines = [orjson.loads(line) for line in reply.text.splitlines()]
    assert [line["subject"] for line in lines] == [f"job {number}" for number in range(1199, -1, -1)]
    assert lines[-1] | {"id": 0} == {
        "id": 0,
        "at": "1970-01-01T00:00:00Z",
        "actor": "command line",
        "actor_id": None,
        "action": "job.retry",
        "subject": "job 0",
        "repository_id": None,
        "address": "",
        "detail": {"kind": "x"},
    }


async def test_old_events_are_forgotten(site: InProcess, carol: Visitor) -> None:
    await site.app.database.write(lambda rows: record(rows, OPERATOR, "job.retry", "old", at=site.clock()))
    site.clock.forward(hours=24 * 364)
    await site.app.database.write(lambda rows: record(rows, OPERATOR, "job.retry", "new", at=site.clock()))
    assert await site.app.audit.sweep() == 0
    site.clock.forward(hours=48)
    assert await site.app.audit.sweep() > 0
    assert [event.subject for event in await trail(site)] == ["new"]


async def test_docker_login_with_a_wrong_password_counts_too(site: InProcess) -> None:
    nobody = await site.caller("")
    nobody.token = ""
    assert (await nobody.get("/auth/token", basic("alice", "wrong horse 9"))).status == 401
    assert await deeds(site, action="account.sign_in_failed") == ["account.sign_in_failed"]


async def test_the_page_of_jobs_says_where_the_trail_is_told(site: InProcess, carol: Visitor) -> None:
    place = "https://logs.example.org"
    await site.app.database.write(lambda rows: rows.jobs.add("audit.https.0a1b2c3d", place, "{}", site.clock()))
    assert f"Telling the audit trail to {place}" in (await carol.read("/admin/jobs")).texts
