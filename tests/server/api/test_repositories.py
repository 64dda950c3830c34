"""The JSON API of repositories as a whole: names, archives, categories, collaborators, deletion with a way back."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from havre.oci.names import RepositoryName
from havre.registry.records import Visibility
from tests.support.fixtures import people
from tests.support.inprocess import PASSWORD, Caller, InProcess, Reply, basic, cheap_accounts

__all__ = ["people"]

pytestmark = pytest.mark.anyio

API = "/api/v1"
APP, WEB = f"{API}/repositories/alice/app", f"{API}/repositories/alice/web"
ALICE, BOBBY, CAROL, DANNY = (basic(name, PASSWORD) for name in ("alice", "bobby", "carol", "danny"))


@pytest.fixture
async def havre(people: None, tmp_path: Path) -> AsyncIterator[InProcess]:
    """alice/app is public and holds an image."""
    async with InProcess(tmp_path) as running:
        await (await running.caller("alice", "alice/app")).push_image("alice/app", "latest")
        await cheap_accounts(running.app).create("danny", "danny@example.org", PASSWORD)
        yield running


@pytest.fixture
def caller(havre: InProcess) -> Caller:
    return Caller(havre)


async def send(caller: Caller, method: str, path: str, who: dict[str, str], value: Any = None) -> Reply:
    body = b"" if value is None else orjson.dumps(value)
    return await caller(method, path, {**who, "content-type": "application/json"}, body)


async def test_a_new_name_and_the_old_one(caller: Caller) -> None:
    reply = await send(caller, "PATCH", APP, ALICE, {"name": "web"})
    assert (reply.status, reply.json()["name"]) == (200, "alice/web")
    assert (await caller.get(APP)).json()["name"] == "alice/web"
    assert (await caller.get(f"{APP}/tags")).json()["total"] == 1
    refused = await send(caller, "PATCH", APP, ALICE, {"description": "x"})
    assert (refused.status, "alice/web" in refused.json()["detail"]) == (409, True)
    assert (await send(caller, "DELETE", f"{APP}/tags/latest", ALICE)).status == 409


async def test_a_private_one_does_not_answer_to_its_old_name(havre: InProcess, caller: Caller) -> None:
    await send(caller, "PATCH", APP, ALICE, {"name": "web", "visibility": "private"})
    for who in ({}, BOBBY):
        assert (await caller.get(APP, who)).status == 404
        assert (await send(caller, "PATCH", APP, who, {"description": "x"})).status == 404


async def test_archives_and_categories(caller: Caller) -> None:
    reply = await send(caller, "PATCH", APP, ALICE, {"archived": True, "categories": ["security", "databases"]})
    assert reply.json()["categories"] == ["databases", "security"]
    assert reply.json()["archived"].endswith("Z")
    assert (await send(caller, "DELETE", f"{APP}/tags/latest", ALICE)).status == 403
    again = await send(caller, "PATCH", APP, ALICE, {"archived": False, "categories": []})
    assert (again.json()["archived"], again.json()["categories"]) == (None, [])


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"name": "UPPER"}, "name"),
        ({"name": "alice/web"}, "name"),
        ({"name": "web/tags"}, "name"),
        ({"categories": ["nonsense"]}, "categories"),
        ({"categories": ["databases", "security", "networking", "web-servers"]}, "categories"),
        ({"archived": "perhaps"}, "archived"),
    ],
)
async def test_a_wrong_field_is_named(havre: InProcess, caller: Caller, change: dict[str, Any], field: str) -> None:
    before = havre.snapshot()
    reply = await send(caller, "PATCH", APP, ALICE, change)
    assert (reply.status, reply.json()["field"]) == (400, field)
    assert havre.snapshot() == before


@pytest.mark.parametrize(
    ("late", "status"), [({"name": "taken"}, 409), ({"name": "web/tags"}, 400), ({"visibility": "private"}, 403)]
)
async def test_all_that_is_asked_is_changed_or_nothing(
    havre: InProcess, caller: Caller, late: dict[str, Any], status: int
) -> None:
    await havre.app.repositories.create(RepositoryName("alice/taken"), Visibility.PRIVATE)
    before = havre.snapshot()
    early = {"description": "new", "readme": "new", "categories": ["databases"], "archived": True}
    reply = await send(caller, "PATCH", APP, ALICE, {**early, **late})
    assert reply.status == status
    assert havre.snapshot() == before


async def test_a_repository_is_offered_and_taken_declined_or_withdrawn(havre: InProcess, caller: Caller) -> None:
    offers = f"{API}/user/transfers"
    wanted = {"repository": "alice/app", "to": "bobby"}
    assert (await send(caller, "POST", offers, BOBBY, wanted)).status == 403
    assert (await send(caller, "POST", offers, ALICE, {**wanted, "to": "nobody"})).json()["field"] == "to"
    assert (await send(caller, "POST", offers, ALICE, {**wanted, "repository": "UPPER"})).status == 400
    made = await send(caller, "POST", offers, ALICE, wanted)
    assert (made.status, made.json()["sender"], made.json()["to"]) == (201, "alice", "bobby")
    one = f"{offers}/{made.json()['id']}"
    assert ((await caller.get(offers, BOBBY)).json(), (await caller.get(offers, ALICE)).json()) == ([made.json()], [])
    # Whom it does not concern learns nothing of it, not even those who give it.
    assert (await send(caller, "POST", f"{one}/accept", ALICE)).status == 404
    assert (await send(caller, "DELETE", one, DANNY)).status == 404
    assert (await send(caller, "DELETE", one, BOBBY)).status == 204
    assert (await send(caller, "POST", f"{one}/accept", BOBBY)).status == 404
    await send(caller, "POST", offers, ALICE, wanted)
    assert (await send(caller, "DELETE", one, ALICE)).status == 204
    assert (await caller.get(offers, BOBBY)).json() == []
    await send(caller, "POST", offers, ALICE, wanted)
    taken = await send(caller, "POST", f"{one}/accept", BOBBY)
    assert (taken.status, taken.json()["name"]) == (200, "bobby/app")
    assert (await caller.get(APP)).json()["name"] == "bobby/app"


async def test_deleted_and_restored(havre: InProcess, caller: Caller) -> None:
    deleted = f"{API}/user/deleted-repositories"
    assert (await send(caller, "DELETE", APP, ALICE)).status == 204
    assert (await caller.get(APP, ALICE)).status == 404
    (one,) = (await caller.get(deleted, ALICE)).json()
    assert (one["name"], one["visibility"]) == ("alice/app", "public")
    assert (await caller.get(deleted, BOBBY)).json() == []
    assert (await send(caller, "POST", f"{deleted}/{one['id']}/restore", BOBBY)).status == 404
    assert (await send(caller, "DELETE", f"{deleted}/{one['id']}", BOBBY)).status == 404
    restored = await send(caller, "POST", f"{deleted}/{one['id']}/restore", ALICE)
    assert (restored.status, restored.json()["name"]) == (200, "alice/app")
    assert (await send(caller, "POST", f"{deleted}/{one['id']}/restore", ALICE)).status == 404
    await send(caller, "DELETE", APP, ALICE)
    assert (await send(caller, "DELETE", f"{deleted}/{one['id']}", CAROL)).status == 204
    assert (await caller.get(deleted, ALICE)).json() == []


async def test_a_taken_name_keeps_it_from_coming_back(havre: InProcess, caller: Caller) -> None:
    await send(caller, "DELETE", APP, ALICE)
    (one,) = (await caller.get(f"{API}/user/deleted-repositories", ALICE)).json()
    await havre.app.repositories.create(RepositoryName("alice/app"), Visibility.PUBLIC)
    reply = await send(caller, "POST", f"{API}/user/deleted-repositories/{one['id']}/restore", ALICE)
    assert (reply.status, "of that name again" in reply.json()["detail"]) == (409, True)


async def test_collaborators(caller: Caller) -> None:
    people_of = f"{APP}/collaborators"
    assert (await caller.get(people_of, ALICE)).json() == []
    assert (await send(caller, "PUT", f"{people_of}/bobby", ALICE, {"role": "read"})).status == 204
    assert (await send(caller, "PUT", f"{people_of}/bobby", ALICE, {"role": "admin"})).status == 204
    (one,) = (await caller.get(people_of, BOBBY)).json()
    assert (one["name"], one["role"]) == ("bobby", "admin")
    for person, role in (("nobody", "read"), ("alice", "read"), ("bobby", "owner")):
        assert (await send(caller, "PUT", f"{people_of}/{person}", ALICE, {"role": role})).status == 400
    for change in ({"name": "web"},):
        assert (await send(caller, "PATCH", APP, BOBBY, change)).status == 403
    assert (await send(caller, "DELETE", APP, BOBBY)).status == 403


async def test_everyone_may_leave(caller: Caller) -> None:
    await send(caller, "PUT", f"{APP}/collaborators/bobby", ALICE, {"role": "read"})
    assert (await send(caller, "DELETE", f"{APP}/collaborators/bobby", BOBBY)).status == 204
    assert (await caller.get(f"{APP}/collaborators", ALICE)).json() == []


async def test_a_repository_below_one_that_is_called_tags(caller: Caller) -> None:
    """No name can hide behind the address of the tags or collaborators of another."""
    assert (await send(caller, "PATCH", APP, ALICE, {"name": "app/tags"})).status == 400
    assert (await caller.get(f"{APP}/tags")).json()["total"] == 1
