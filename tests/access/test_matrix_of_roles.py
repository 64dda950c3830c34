"""What collaborators get: every route about a repository, asked by each role, for a public and a private repository. A
route that has no row in the table fails the test.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from havre.access.actors import ANONYMOUS, Action, Actor, Grant
from havre.access.permissions import ROLE_ACTIONS, may, owns
from havre.oci.names import Namespace, RepositoryName
from havre.registry.records import NamespaceRecord, Repository, Role, Visibility
from tests.access.test_matrix import REPOSITORIES, TABLE, World, ask
from tests.support.fixtures import people
from tests.support.inprocess import PASSWORD, InProcess, cheap_accounts

__all__ = ["people"]

pytestmark = pytest.mark.anyio

ROLES = {Role.READ: "reading", Role.WRITE: "writing", Role.ADMIN: "caring"}

PULL = "200 200 200"
PUSH = "403 {} {}"
CARE = "403 403 {}"

#                                     read write admin
EXPECTED: dict[tuple[str, str], str] = {
    ("GET", "/v2/{name}/tags/list"): PULL,
    ("HEAD", "/v2/{name}/tags/list"): PULL,
    ("GET", "/v2/{name}/manifests/{reference}"): PULL,
    ("HEAD", "/v2/{name}/manifests/{reference}"): PULL,
    ("PUT", "/v2/{name}/manifests/{reference}"): PUSH.format(201, 201),
    ("DELETE", "/v2/{name}/manifests/{reference}"): CARE.format(202),
    ("GET", "/v2/{name}/blobs/{digest}"): PULL,
    ("HEAD", "/v2/{name}/blobs/{digest}"): PULL,
    ("DELETE", "/v2/{name}/blobs/{digest}"): CARE.format(202),
    ("POST", "/v2/{name}/blobs/uploads/"): PUSH.format(202, 202),
    ("GET", "/v2/{name}/blobs/uploads/{upload}"): PUSH.format(204, 204),
    ("HEAD", "/v2/{name}/blobs/uploads/{upload}"): PUSH.format(204, 204),
    ("PATCH", "/v2/{name}/blobs/uploads/{upload}"): PUSH.format(202, 202),
    ("PUT", "/v2/{name}/blobs/uploads/{upload}"): PUSH.format(201, 201),
    ("DELETE", "/v2/{name}/blobs/uploads/{upload}"): PUSH.format(204, 204),
    ("GET", "/v2/{name}/referrers/{digest}"): PULL,
    ("HEAD", "/v2/{name}/referrers/{digest}"): PULL,
    ("GET", "/api/v1/repositories/{namespace}/{name}"): PULL,
    ("PATCH", "/api/v1/repositories/{namespace}/{name}"): CARE.format(200),
    # The whole repository is its owner's.
    ("DELETE", "/api/v1/repositories/{namespace}/{name}"): CARE.format(403),
    ("GET", "/api/v1/repositories/{namespace}/{name}/collaborators"): CARE.format(200),
    ("PUT", "/api/v1/repositories/{namespace}/{name}/collaborators/{person}"): CARE.format(204),
    ("DELETE", "/api/v1/repositories/{namespace}/{name}/collaborators/{person}"): CARE.format(204),
    ("GET", "/api/v1/repositories/{namespace}/{name}/tags"): PULL,
    ("GET", "/api/v1/repositories/{namespace}/{name}/tags/{tag}/history"): PULL,
    ("POST", "/api/v1/repositories/{namespace}/{name}/tags/{tag}/restore"): PUSH.format(204, 204),
    ("POST", "/api/v1/repositories/{namespace}/{name}/tags/remove"): CARE.format(200),
    ("DELETE", "/api/v1/repositories/{namespace}/{name}/tags/{tag}"): CARE.format(204),
}


@pytest.fixture(scope="module")
async def world(people: None, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    """With an account for each role in both of alice's repositories."""
    async with InProcess(tmp_path_factory.mktemp("roles"), uploads_per_account="10000") as havre:
        world = await World(havre).settle()
        accounts = cheap_accounts(havre.app)
        for role, name in ROLES.items():
            await accounts.create(name, f"{name}@example.org", PASSWORD)
            world.secrets[role.value] = name, PASSWORD
        yield world


def test_every_route_about_a_repository_has_its_row() -> None:
    asked = {key for key in TABLE if "{name}" in key[1] and "/starred/" not in key[1]}
    assert set(EXPECTED) == asked


@pytest.mark.parametrize(("method", "path"), EXPECTED, ids=lambda part: part)
async def test_status(world: World, method: str, path: str) -> None:
    wanted = dict(zip(ROLES, map(int, EXPECTED[method, path].split()), strict=True))
    for where in ("public", "private"):
        name = REPOSITORIES[where]
        found = {}
        for role in ROLES:
            await world.restore(where)
            for one, person in ROLES.items():
                await world.havre.app.collaborators.put(RepositoryName(name), person, one)
            await world.havre.app.collaborators.put(RepositoryName(name), "danny", Role.READ)
            found[role] = await ask(world, method, path, role.value, name)
        assert found == wanted, where


async def test_a_role_that_is_taken_away_counts_no_more(world: World) -> None:
    name = RepositoryName(REPOSITORIES["private"])
    await world.restore("private")
    await world.havre.app.collaborators.put(name, "reading", Role.READ)
    view = ("GET", "/api/v1/repositories/{namespace}/{name}")
    assert await ask(world, *view, "read", name) == 200
    await world.havre.app.collaborators.remove(name, "reading")
    assert await ask(world, *view, "read", name) == 404
    assert (await world.havre.caller("reading", name)).token
    assert (await (await world.havre.caller("reading", name)).get(f"/v2/{name}/tags/list")).status == 404


# ---------------------------------------------------------------- the question itself

BOBBY = Actor(2, "bobby")
SECRET = Repository(7, RepositoryName("alice/secret"), 1, Visibility.PRIVATE, 0, 0)
ALICES = NamespaceRecord(1, Namespace("alice"), 1)


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("action", Action)
def test_a_role_lets_through_what_it_says(role: Role, action: Action) -> None:
    assert may(BOBBY, action, SECRET.name, SECRET, ALICES, role) is (action in ROLE_ACTIONS[role])
    assert not may(BOBBY, action, SECRET.name, SECRET, ALICES)
    assert not may(ANONYMOUS, action, SECRET.name, SECRET, ALICES, role)


def test_grants_narrow_roles_too() -> None:
    narrowed = Actor(2, "bobby", grants=(Grant("alice/*", frozenset({Action.PULL})),))
    assert may(narrowed, Action.PULL, SECRET.name, SECRET, ALICES, Role.ADMIN)
    assert not may(narrowed, Action.PUSH, SECRET.name, SECRET, ALICES, Role.ADMIN)


def test_a_grant_for_a_former_name_still_counts() -> None:
    narrowed = Actor(1, "alice", grants=(Grant("alice/old", frozenset({Action.PULL})),))
    assert may(narrowed, Action.PULL, RepositoryName("alice/old"), SECRET, ALICES)
    assert not may(narrowed, Action.PULL, RepositoryName("alice/other"), SECRET, ALICES)


def test_the_whole_is_the_owners() -> None:
    assert owns(Actor(1, "alice"), SECRET)
    assert owns(Actor(3, "carol", is_admin=True), SECRET)
    assert not owns(BOBBY, SECRET)
    assert not owns(ANONYMOUS, SECRET)
    assert not owns(Actor(1, "alice", grants=(Grant("alice/*", frozenset({Action.PULL})),)), SECRET)
