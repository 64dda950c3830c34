"""Plan and usage: what one sees of one's own, and a change of visibility that the plan does not allow."""

from __future__ import annotations

import pytest

from havre.oci.names import RepositoryName
from havre.registry.quota_ports import Limits
from havre.registry.records import Visibility
from tests.support.inprocess import InProcess
from tests.web.conftest import Visitor

pytestmark = pytest.mark.anyio


async def test_nothing_used_says_how_to_begin(alice: Visitor) -> None:
    page = await alice.read("/settings/usage")
    assert "Your plan: Free" in page.texts
    assert "docker push hub.example.org:5000/alice/app" in page.texts
    assert "0 of 1" in page.texts


async def test_what_is_used_the_largest_first(stocked: InProcess, alice: Visitor) -> None:
    await stocked.app.plans.fold()
    page = await alice.read("/settings/usage")
    assert {"/r/alice/app", "/r/alice/secret"} <= set(page.links)
    assert "1 of 1" in page.texts
    assert any(text.startswith("All your private repositories are used.") for text in page.texts)
    assert "Nothing was pulled." in page.texts


async def test_a_full_storage_says_what_to_do(stocked: InProcess, alice: Visitor) -> None:
    await stocked.app.plans.change(await stocked.actor("carol"), "free", "Free", Limits(None, 10, 1))
    page = await alice.read("/settings/usage")
    assert any(text.startswith("Your storage is full.") for text in page.texts)
    assert any("A private repository can have 1 collaborator." in text for text in page.texts)


async def test_an_administrator_has_no_limits(site: InProcess) -> None:
    carol = await Visitor(site.app).become(site, "carol")
    assert "No plan limits you" in (await carol.read("/settings/usage")).texts


async def test_making_one_private_too_many_is_told_on_the_page(stocked: InProcess, alice: Visitor) -> None:
    form = {"form": "visibility", "visibility": "private"}
    reply = await alice.post("/repository/docker/alice/app", form)
    assert reply.status_code == 403
    assert "alice has 1 of the 1 private repositories that the plan" in reply.text.replace("Alice has", "alice has")
    app = await stocked.app.repositories.get(RepositoryName("alice/app"))
    assert app.visibility is Visibility.PUBLIC
    french = Visitor(stocked.app, language="fr")
    await french.become(stocked, "alice")
    assert "dépôts privés sur les 1 que la formule" in (await french.post("/repository/docker/alice/app", form)).text
