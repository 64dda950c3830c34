"""Taking all data along, and deleting the account, on the pages."""

from __future__ import annotations

import pytest

from tests.support.inprocess import PASSWORD, InProcess
from tests.web.conftest import Visitor
from tests.web.test_second_factor import set_up

pytestmark = pytest.mark.anyio

HERE = "/settings/account"
LEAVE = {"form": "delete", "confirm": "alice", "password": PASSWORD}


async def test_everything_is_downloaded(stocked: InProcess) -> None:
    alice = await Visitor(stocked.app).become(stocked, "alice")
    reply = await alice.post(HERE, {"form": "export"})
    assert reply.headers["content-disposition"] == 'attachment; filename="havre-alice.json"'
    found = reply.json()
    assert [one["path"] for one in found["repositories"]] == ["alice/app", "alice/secret"]
    assert {one["tag"] for one in found["tag_events"]} == {"latest", "1.0"}
    assert "argon2" not in reply.text
    assert "carol" not in reply.text


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"confirm": "alicia"}, "Type alice exactly"),
        ({"password": "wrong horse 9"}, "not your present password"),
        ({"form": "nothing"}, "not a form of the page"),
    ],
    ids=str,
)
async def test_a_slip_deletes_nothing(alice: Visitor, change: dict[str, str], sentence: str) -> None:
    reply = await alice.post(HERE, {**LEAVE, **change})
    assert reply.status_code == 400
    assert sentence in reply.text
    assert (await alice.get("/repositories")).status_code == 200


async def test_leaving_for_good(stocked: InProcess) -> None:
    alice = await Visitor(stocked.app).become(stocked, "alice")
    page = await alice.get(HERE)
    assert "2 repositories of yours are deleted" in page.text
    assert (await alice.post(HERE, LEAVE)).headers["location"] == "/"
    nobody = Visitor(stocked.app)
    for path in ("/u/alice", "/r/alice/app"):
        assert (await nobody.get(path)).status_code == 404
    assert (await alice.get("/repositories")).status_code == 303
    assert (await nobody.post("/login", {"name": "alice", "password": PASSWORD})).status_code == 401
    again = {"name": "alice", "email": "x@example.org", "password": "long enough 1", "password_again": "long enough 1"}
    assert (await nobody.post("/signup", again)).status_code == 409


async def test_with_a_second_factor_it_needs_that_too(site: InProcess, alice: Visitor) -> None:
    _, codes = await set_up(site, alice)
    refused = await alice.post(HERE, LEAVE)
    assert refused.status_code == 400
    assert "That code is not right" in refused.text
    assert (await alice.post(HERE, {**LEAVE, "code": codes[0]})).headers["location"] == "/"


async def test_the_only_administrator_stays(site: InProcess) -> None:
    carol = await Visitor(site.app).become(site, "carol")
    reply = await carol.post(HERE, {**LEAVE, "confirm": "carol"})
    assert reply.status_code == 409
    assert "only administrator" in reply.text
