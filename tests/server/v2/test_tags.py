"""The list of tags: in byte order, in pages, never more than is asked for."""

import re
import sqlite3
from collections.abc import Sequence

import pytest

from tests.support.inprocess import DATABASE, Caller, InProcess, in_byte_order

pytestmark = pytest.mark.anyio

LIST = "/v2/alice/app/tags/list"
NAMES = ["1.0", "1.10", "1.9", "A", "Z", "_x", "a", "latest", "v1", "v1.0-rc.1", "z"]
NEXT = re.compile(r'<([^>]+)>; rel="next"')


@pytest.fixture
async def owner(alice: Caller) -> Caller:
    """Alice, whose repository has all these tags."""
    image = await alice.push_image("alice/app", seed="tags")
    query = "&".join(f"tag={name}" for name in reversed(NAMES))
    reply = await alice.push_manifest("alice/app", f"{image.digest}?{query}", image.content)
    assert reply.status == 201
    return alice


async def follow(caller: Caller, target: str) -> list[Sequence[str]]:
    """All pages, by the Link header."""
    pages = []
    while target:
        reply = await caller.get(target)
        assert reply.status == 200
        pages.append(reply.json()["tags"])
        found = NEXT.fullmatch(reply["link"]) if "link" in reply else None
        target = found[1] if found else ""
    return pages


@pytest.mark.spec("tags-200", "tags-json", "tags-order")
async def test_all_tags_in_byte_order(owner: Caller):
    reply = await owner.get(LIST)
    assert (reply.status, reply["content-type"]) == (200, "application/json")
    assert reply.json() == {"name": "alice/app", "tags": NAMES}
    assert in_byte_order(NAMES)
    assert "link" not in reply


@pytest.mark.spec("tags-n", "tags-fewer", "tags-link", "tags-link-form")
@pytest.mark.parametrize("number", [1, 3, 10, 11, 12])
async def test_pages_by_link(owner: Caller, number: int):
    pages = await follow(owner, f"{LIST}?n={number}")
    assert [name for page in pages for name in page] == NAMES
    assert all(len(page) == number for page in pages[:-1])
    assert pages[-1]


@pytest.mark.spec("tags-none", "tags-none-link")
async def test_none_at_all(owner: Caller):
    reply = await owner.get(f"{LIST}?n=0")
    assert (reply.status, reply.json()["tags"]) == (200, [])
    assert "link" not in reply


@pytest.mark.spec("tags-last", "tags-last-alone", "tags-last-order")
async def test_after_a_tag(owner: Caller):
    assert (await owner.get(f"{LIST}?last=Z")).json()["tags"] == NAMES[5:]
    assert (await owner.get(f"{LIST}?n=2&last=Z")).json()["tags"] == NAMES[5:7]
    # A tag that was deleted meanwhile is as good a place as any.
    assert (await owner.get(f"{LIST}?last=b")).json()["tags"] == NAMES[7:]
    assert (await owner.get(f"{LIST}?last=zzz")).json()["tags"] == []


@pytest.mark.spec("tags-last-number")
async def test_last_is_a_tag_even_if_it_looks_like_a_number(alice: Caller):
    image = await alice.push_image("alice/app", "1", "2", "3", "7", "8")
    assert (await alice.get(f"{LIST}?last=2")).json()["tags"] == ["3", "7", "8"]
    assert (await alice.delete(f"/v2/alice/app/manifests/{image.digest}")).status == 202
    assert (await alice.get(f"{LIST}?last=0")).json()["tags"] == []


@pytest.mark.parametrize("number", ["10000", "100000", "99999999999999999999"])
async def test_a_large_page_is_as_large_as_pages_get(owner: Caller, number: str):
    reply = await owner.get(f"{LIST}?n={number}")
    assert (reply.status, reply.json()["tags"]) == (200, NAMES)


@pytest.mark.parametrize("number", ["-1", "many", "1.5", "%D9%A3"])
async def test_n_that_is_no_number_is_400(owner: Caller, number: str):
    reply = await owner.get(f"{LIST}?n={number}")
    assert (reply.status, reply.code) == (400, "UNSUPPORTED")
    assert "n=" in reply.message


@pytest.mark.spec("tags-fewer", "tags-link")
async def test_a_page_is_cut_at_ten_thousand(alice: Caller, inside: InProcess):
    await alice.push_image("alice/app")
    # Ten thousand pushes in one statement.
    connection = sqlite3.connect(inside.data / DATABASE)
    with connection:
        connection.execute(
            "WITH RECURSIVE numbers(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM numbers WHERE n < 10049)"
            " INSERT INTO tags (repository_id, name, manifest_id, updated)"
            " SELECT repository_id, printf('t%05d', n), id, created FROM numbers, manifests"
        )
    connection.close()
    names = [f"t{number:05}" for number in range(10_050)]
    pages = await follow(alice, f"{LIST}?n=100000")
    assert [len(page) for page in pages] == [10_000, 50]
    assert [name for page in pages for name in page] == names


@pytest.mark.spec("tags-empty")
async def test_a_repository_without_tags(alice: Caller):
    await alice.push_blob("alice/app", b"only a blob")
    assert (await alice.get(LIST)).json() == {"name": "alice/app", "tags": []}


@pytest.mark.spec("repository-404")
async def test_a_repository_that_does_not_exist(alice: Caller):
    reply = await alice.get(LIST)
    assert (reply.status, reply.code) == (404, "NAME_UNKNOWN")


async def test_head_says_how_long_it_is(owner: Caller):
    whole = await owner.get(LIST)
    reply = await owner.head(LIST)
    assert (reply.status, reply["content-length"], reply.body) == (200, str(len(whole.body)), b"")


async def test_an_official_image_is_listed_under_the_name_asked_for(inside: InProcess):
    carol = await inside.caller("carol", "python")
    await carol.push_image("library/python", "3")
    for name in ("python", "library/python"):
        assert (await carol.get(f"/v2/{name}/tags/list")).json()["tags"] == ["3"]
