"""The catalogue: every repository that the caller may see, and no other."""

import pytest

from havre.oci.names import RepositoryName
from havre.registry.records import Visibility
from tests.support.inprocess import Caller, InProcess

pytestmark = pytest.mark.anyio

CATALOG = "/v2/_catalog"


@pytest.fixture
async def stocked(inside: InProcess) -> InProcess:
    """Public and private repositories of two people, and an official image."""
    for person, names in {
        "alice": ("alice/open", "alice/secret"),
        "bobby": ("bobby/open",),
        "carol": ("tool",),
    }.items():
        caller = await inside.caller(person, *names)
        for name in names:
            await caller.push_blob(name, name.encode())
    await inside.app.repositories.set_visibility(RepositoryName("alice/secret"), Visibility.PRIVATE)
    return inside


@pytest.mark.parametrize(
    ("person", "visible"),
    [
        ("", ["alice/open", "bobby/open", "tool"]),
        ("bobby", ["alice/open", "bobby/open", "tool"]),
        ("alice", ["alice/open", "alice/secret", "bobby/open", "tool"]),
        ("carol", ["alice/open", "alice/secret", "bobby/open", "tool"]),
    ],
)
async def test_everyone_sees_what_they_may(stocked: InProcess, person: str, visible: list[str]):
    caller = Caller(stocked, await stocked.token(person, "registry:catalog:*"))
    reply = await caller.get(CATALOG)
    assert (reply.status, reply.json()) == (200, {"repositories": visible})
    assert "link" not in reply


async def test_pages(stocked: InProcess):
    caller = Caller(stocked, await stocked.token("alice", "registry:catalog:*"))
    first = await caller.get(f"{CATALOG}?n=3")
    assert first.json()["repositories"] == ["alice/open", "alice/secret", "bobby/open"]
    assert first["link"] == f'<{CATALOG}?n=3&last=bobby%2Fopen>; rel="next"'
    second = await caller.get(first["link"].partition(">")[0][1:])
    assert second.json()["repositories"] == ["tool"]
    assert "link" not in second


async def test_an_empty_page(stocked: InProcess):
    caller = Caller(stocked, await stocked.token(""))
    reply = await caller.get(f"{CATALOG}?n=0")
    assert reply.json() == {"repositories": []}
    assert "link" not in reply


async def test_without_a_token_the_challenge_names_the_scope(stocked: InProcess):
    reply = await Caller(stocked).get(CATALOG)
    assert reply.status == 401
    assert 'scope="registry:catalog:*"' in reply["www-authenticate"]


async def test_head(stocked: InProcess):
    caller = Caller(stocked, await stocked.token(""))
    assert (await caller.head(CATALOG))["content-length"] == str(len((await caller.get(CATALOG)).body))
