"""Tags in the JSON API: their history, the way back, and the removal of several."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.fixtures import people
from tests.support.inprocess import PASSWORD, Caller, InProcess, Reply, basic

__all__ = ["people"]

pytestmark = pytest.mark.anyio

TAGS = "/api/v1/repositories/alice/app/tags"
ALICE = basic("alice", PASSWORD)


@pytest.fixture
async def havre(people: None, tmp_path: Path) -> AsyncIterator[InProcess]:
    async with InProcess(tmp_path) as running:
        yield running


async def send(havre: InProcess, path: str, body: Any) -> Reply:
    headers = {**ALICE, "content-type": "application/json"}
    return await Caller(havre)("POST", f"{TAGS}{path}", headers, json.dumps(body).encode())


async def test_a_history_is_walked_and_a_tag_goes_back(havre: InProcess) -> None:
    owner = await havre.caller("alice", "alice/app")
    one = await owner.push_image("alice/app", "latest", seed="one")
    two = await owner.push_image("alice/app", "latest", seed="two")
    first = (await Caller(havre).get(f"{TAGS}/latest/history?per_page=1")).json()
    (move,) = first["moves"]
    assert (move["before"], move["after"], move["actor"]) == (one.digest, two.digest, "alice")
    rest = (await Caller(havre).get(f"{TAGS}/latest/history?before={first['next']}")).json()
    assert ([one["before"] for one in rest["moves"]], rest["next"]) == ([None], None)
    assert (await send(havre, "/latest/restore", {"digest": one.digest})).status == 204
    assert (await Caller(havre).get(f"{TAGS}?q=latest")).json()["tags"][0]["digest"] == one.digest
    assert (await send(havre, "/latest/restore", {"digest": "sha256:" + "0" * 64})).status == 404
    assert (await send(havre, "/latest/restore", {"digest": "x"})).status == 400
    assert (await Caller(havre).get(f"{TAGS}/latest/history?before=x")).status == 400


async def test_several_tags_are_looked_at_and_removed(havre: InProcess) -> None:
    owner = await havre.caller("alice", "alice/app")
    image = await owner.push_image("alice/app", "1.0", "2.0")
    asked = {"tags": ["1.0", "2.0", "gone"], "images": True}
    look = (await send(havre, "/remove", {**asked, "preview": True})).json()
    wanted = {
        "tags": ["1.0", "2.0"],
        "untagged": [image.digest],
        "manifests": 1,
        "freed": sum(map(len, image.blobs)),
        "complete": True,
    }
    assert look == wanted
    assert (await Caller(havre).get(TAGS)).json()["total"] == 2
    assert (await send(havre, "/remove", asked)).json() == wanted
    assert (await Caller(havre).get(TAGS)).json()["total"] == 0
    wrong: list[dict[str, Any]] = [{"tags": []}, {"tags": ["a/b"]}, {"tags": ["a"] * 501}, {"tags": ["a"], "odd": 1}]
    for body in wrong:
        assert (await send(havre, "/remove", body)).status == 400
