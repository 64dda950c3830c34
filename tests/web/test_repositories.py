"""Home, search, profiles, and the pages of a repository for everyone and for its owner."""

from __future__ import annotations

import pytest

from havre.errors import NameUnknown
from havre.oci.names import RepositoryName
from havre.registry.records import Visibility
from tests.support.inprocess import InProcess
from tests.web.conftest import Visitor

pytestmark = pytest.mark.anyio

APP = RepositoryName.parse("alice/app")
MANAGE = "/repository/docker/alice/app"


async def test_home_shows_what_is_pulled_and_pushed(stocked: InProcess, visitor: Visitor) -> None:
    await stocked.app.repositories.count_pulls([((await stocked.app.repositories.get(APP)).id, 1234)])
    page = await visitor.read("/")
    assert "Most pulled" in page.texts
    assert "1.2k pulls" in page.texts
    assert page.links.count("/r/alice/app") == 2
    assert page.links.count("/_/python") == 1, "nobody pulled it yet"


async def test_an_empty_registry_says_how_to_begin(visitor: Visitor, alice: Visitor) -> None:
    assert "docker push hub.example.org:5000/YOU/hello" in (await visitor.read("/")).texts
    assert "docker push hub.example.org:5000/alice/hello" in (await alice.read("/")).texts


async def test_search_finds_by_name_and_pages(site: InProcess, visitor: Visitor) -> None:
    for number in range(25):
        await site.app.repositories.create(RepositoryName.parse(f"alice/tool-{number:02}"), Visibility.PUBLIC)
    await site.app.repositories.create(RepositoryName.parse("bobby/other"), Visibility.PUBLIC)
    first = await visitor.read("/search?q=tool")
    assert "25 repositories" in first.texts
    assert "Page 1 of 2" in first.texts
    assert "?q=tool&page=2" in first.links
    second = await visitor.read("/search?q=tool&page=2")
    assert sum(link.startswith("/r/alice/tool-") for link in second.links) == 5
    assert "Nothing found" in (await visitor.read("/search?q=absent")).texts
    assert "Page 1 of 2" in (await visitor.read("/search?page=x")).texts


async def test_search_escapes_what_was_asked(visitor: Visitor) -> None:
    reply = await visitor.get("/search?q=%22%3E%3Cb%3E%25_")
    assert reply.status_code == 200
    assert "<b>" not in reply.text.replace("Signed in as <b>", "")


async def test_a_profile_shows_private_repositories_to_their_owner(
    stocked: InProcess, alice: Visitor, visitor: Visitor
) -> None:
    assert {"/r/alice/app", "/r/alice/secret"} <= set((await alice.read("/u/alice")).links)
    assert "/r/alice/secret" not in (await visitor.read("/u/alice")).links
    await stocked.app.accounts.disable("alice")
    assert (await visitor.get("/u/alice")).status_code == 404
    assert (await visitor.get("/u/nobody")).status_code == 404


async def test_the_public_view(stocked: InProcess, visitor: Visitor) -> None:
    await stocked.app.repositories.describe(APP, description="Small and quick", readme="# Hello\n\nIt is *small*.")
    reply = await visitor.get("/r/alice/app")
    assert "docker pull hub.example.org:5000/alice/app</span>" in reply.text
    assert "podman pull --tls-verify=false hub.example.org:5000/alice/app" in reply.text
    assert "Small and quick" in reply.text
    assert '<h3 id="readme-hello">Hello</h3>' in reply.text
    assert "/repository/docker/" not in reply.text, "settings are for the owner"


async def test_the_pull_line_names_a_tag_when_there_is_no_latest(site: InProcess, visitor: Visitor) -> None:
    caller = await site.caller("alice", "alice/app")
    await caller.push_image("alice/app", "not-latest", seed="one")
    site.clock.forward(seconds=1)
    await caller.push_image("alice/app", "1.0", seed="one")
    assert "docker pull hub.example.org:5000/alice/app:1.0" in (await visitor.read("/r/alice/app")).texts
    await caller.push_image("alice/app", "latest", seed="two")
    for number in range(6):
        site.clock.forward(seconds=1)
        await caller.push_image("alice/app", f"1.{number}", seed=f"more {number}")
    assert "docker pull hub.example.org:5000/alice/app" in (await visitor.read("/r/alice/app")).texts


async def test_commands_name_the_address_that_people_use(stocked: InProcess) -> None:
    page = await Visitor(stocked.app, scheme="https").read("/r/alice/app")
    assert "podman pull hub.example.org:5000/alice/app" in page.texts


async def test_official_images_live_under_one_name(stocked: InProcess, visitor: Visitor) -> None:
    page = await visitor.read("/_/python")
    assert "Official image" in page.texts
    assert "docker pull hub.example.org:5000/python" in page.texts
    carol = await Visitor(stocked.app).become(stocked, "carol")
    assert (await carol.get("/repository/docker/library/python")).status_code == 200


async def test_nested_repositories_have_pages(site: InProcess, visitor: Visitor) -> None:
    await (await site.caller("alice", "alice/team/app")).push_image("alice/team/app", "latest")
    for path in ("/r/alice/team/app", "/r/alice/team/app/tags", "/r/alice/team/app/tags/latest"):
        assert "alice" in (await visitor.read(path)).texts


async def test_the_owner_sees_how_to_push_to_an_empty_repository(site: InProcess, alice: Visitor) -> None:
    await site.app.repositories.create(APP, Visibility.PRIVATE)
    page = await alice.read(MANAGE)
    assert "docker login hub.example.org:5000 -u alice" in page.texts
    assert "docker push hub.example.org:5000/alice/app" in page.texts


async def test_who_may_only_pull_is_led_to_the_public_view(stocked: InProcess, visitor: Visitor) -> None:
    assert (await visitor.get(MANAGE)).headers["location"] == "/r/alice/app"
    assert (await visitor.get("/repository/docker/library/python")).headers["location"] == "/_/python"


async def test_the_owner_describes_it(stocked: InProcess, alice: Visitor) -> None:
    fields = {"form": "about", "description": "  New  ", "category-databases": "yes", "category-security": "yes"}
    reply = await alice.post(MANAGE, fields)
    assert reply.headers["location"] == f"{MANAGE}?tab=settings&saved=about"
    assert "Saved." in (await alice.read(reply.headers["location"])).texts
    repository = await stocked.app.repositories.get(APP)
    assert (repository.description, repository.categories) == ("New", ("databases", "security"))
    assert {"Databases and storage", "Security"} <= set((await alice.read("/r/alice/app")).texts)
    more = {"category-networking": "yes", "category-web-servers": "yes"}
    assert "choose at most 3" in (await alice.post(MANAGE, {**fields, **more})).text
    reply = await alice.post(MANAGE, {**fields, "description": "x" * 101})
    assert reply.status_code == 400
    assert "at most 100" in reply.text
    assert "x" * 101 in reply.text, "what was typed is kept"


async def test_the_owner_hides_it(stocked: InProcess, alice: Visitor, visitor: Visitor) -> None:
    await stocked.app.repositories.set_visibility(RepositoryName("alice/secret"), Visibility.PUBLIC)
    assert (await alice.post(MANAGE, {"form": "visibility", "visibility": "nonsense"})).status_code == 400
    assert (await visitor.get("/r/alice/app")).status_code == 200
    await alice.post(MANAGE, {"form": "visibility", "visibility": "private"})
    assert (await visitor.get("/r/alice/app")).status_code == 404
    assert (await stocked.app.repositories.get(APP)).private


async def test_deleting_needs_the_name_retyped(stocked: InProcess, alice: Visitor) -> None:
    for typed in ("", "app", "alice/secret", "ALICE/APP"):
        reply = await alice.post(MANAGE, {"form": "delete", "confirm": typed})
        assert reply.status_code == 400
        assert "Type alice/app exactly" in reply.text
    assert (await stocked.app.repositories.get(APP)).name == APP
    reply = await alice.post(MANAGE, {"form": "delete", "confirm": "alice/app"})
    assert reply.headers["location"] == "/repositories?done=deleted"
    with pytest.raises(NameUnknown):
        await stocked.app.repositories.get(APP)
    assert (await alice.get("/r/alice/app")).status_code == 404


async def test_ones_own_list_shows_and_filters(stocked: InProcess, alice: Visitor) -> None:
    assert {"/r/alice/app", "/r/alice/secret"} <= set((await alice.read("/repositories")).links)
    links = (await alice.read("/repositories?q=secr")).links
    assert "/r/alice/secret" in links
    assert "/r/alice/app" not in links
