"""Stars and search by our JSON API."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from havre.access.actors import Action, Grant
from havre.oci.names import RepositoryName
from havre.registry.records import Visibility
from tests.support.inprocess import PASSWORD, Caller, InProcess, basic, prepare

pytestmark = pytest.mark.anyio

ALICE, BOBBY = (basic(name, PASSWORD) for name in ("alice", "bobby"))
STARRED = "/api/v1/user/starred"
REPOSITORIES = "/api/v1/repositories"


@pytest.fixture(scope="module", autouse=True)
def _people() -> None:
    prepare()


@pytest.fixture
async def havre(tmp_path: Path) -> AsyncIterator[InProcess]:
    """With alice/open, which has an image, and alice/secret, which is private and empty."""
    async with InProcess(tmp_path) as running:
        await (await running.caller("alice", "alice/open")).push_image("alice/open", "latest")
        await running.app.repositories.create(RepositoryName("alice/secret"), Visibility.PRIVATE)
        yield running


@pytest.fixture
def caller(havre: InProcess) -> Caller:
    return Caller(havre)


async def names(caller: Caller, path: str, headers: dict[str, str]) -> list[str]:
    found = (await caller.get(path, headers)).json()
    assert found["total"] == len(found["repositories"])
    return [one["name"] for one in found["repositories"]]


async def test_a_star_is_given_listed_and_taken_back(caller: Caller) -> None:
    assert await names(caller, STARRED, BOBBY) == []
    for _ in range(2):
        assert (await caller("PUT", f"{STARRED}/alice/open", BOBBY)).status == 204
    assert await names(caller, STARRED, BOBBY) == ["alice/open"]
    assert await names(caller, STARRED, ALICE) == []
    assert (await caller.get(f"{REPOSITORIES}/alice/open")).json()["stars"] == 1
    for _ in range(2):
        assert (await caller("DELETE", f"{STARRED}/alice/open", BOBBY)).status == 204
    assert (await caller.get(f"{REPOSITORIES}/alice/open")).json()["stars"] == 0


async def test_what_became_private_is_no_longer_listed(havre: InProcess, caller: Caller) -> None:
    await caller("PUT", f"{STARRED}/alice/open", BOBBY)
    await havre.app.repositories.set_visibility(RepositoryName("alice/secret"), Visibility.PUBLIC)
    await havre.app.repositories.set_visibility(RepositoryName("alice/open"), Visibility.PRIVATE)
    assert await names(caller, STARRED, BOBBY) == []


async def test_a_token_for_other_repositories_stars_nothing(havre: InProcess, caller: Caller) -> None:
    bobby = await havre.actor("bobby")
    assert bobby.user_id is not None
    grants = [Grant("bobby/*", frozenset({Action.PULL}))]
    _, secret = await havre.app.access_tokens.create(bobby.user_id, "ci", grants)
    headers = {"authorization": f"Bearer {secret}"}
    assert (await caller("PUT", f"{STARRED}/alice/open", headers)).status == 403
    assert (await caller("PUT", f"{STARRED}/alice/secret", BOBBY)).status == 404
    assert (await caller("PUT", f"{STARRED}/alice/open")).status == 401


async def test_search_with_filters(caller: Caller) -> None:
    for query in ("q=ope", "kind=image", "platform=linux/amd64", "q=open&sort=stars", "namespace=alice"):
        assert await names(caller, f"{REPOSITORIES}?{query}", {}) == ["alice/open"], query
    for query in ("q=zzz", "kind=helm", "official=true", "platform=plan9/mips"):
        assert await names(caller, f"{REPOSITORIES}?{query}", {}) == [], query
    assert sorted(await names(caller, REPOSITORIES, ALICE)) == ["alice/open", "alice/secret"]
    for query in ("kind=nonsense", "sort=nonsense", "page=0", "q=" + "a" * 201):
        assert (await caller.get(f"{REPOSITORIES}?{query}")).status == 400, query


async def test_docker_search_says_the_stars(caller: Caller) -> None:
    await caller("PUT", f"{STARRED}/alice/open", BOBBY)
    (found,) = (await caller.get("/v1/search?q=ope")).json()["results"]
    assert (found["name"], found["star_count"]) == ("alice/open", 1)
