"""Pages of names, owners, collaborators, archives and deletion, and the editor of overviews."""

from __future__ import annotations

import pytest

from havre.oci.names import RepositoryName
from havre.registry.records import Role, Visibility
from havre.web.routes import PAGES
from tests.support.inprocess import InProcess
from tests.web.conftest import Visitor

pytestmark = pytest.mark.anyio

APP, SECRET = RepositoryName("alice/app"), RepositoryName("alice/secret")
MANAGE = "/repository/docker/alice/app"


@pytest.fixture
async def bobby(site: InProcess) -> Visitor:
    """Bobby, signed in."""
    return await Visitor(site.app).become(site, "bobby")


@pytest.fixture
async def carol(site: InProcess) -> Visitor:
    """Carol, who administers the registry."""
    return await Visitor(site.app).become(site, "carol")


# ---------------------------------------------------------------- names


async def test_a_renamed_repository_is_found_under_both_names(
    stocked: InProcess, alice: Visitor, visitor: Visitor
) -> None:
    reply = await alice.post(MANAGE, {"form": "rename", "name": "web"})
    assert reply.headers["location"] == "/repository/docker/alice/web?tab=settings&saved=rename"
    assert {"Saved.", "Former names"} <= set((await alice.read(reply.headers["location"])).texts)
    for path in ("", "/tags", "/tags/latest", "/tags?q=la&sort=name"):
        moved = await visitor.get(f"/r/alice/app{path}")
        assert (moved.status_code, moved.headers["location"]) == (301, f"/r/alice/web{path}")
    moved = await alice.post(MANAGE, {"form": "about"})
    assert (moved.status_code, moved.headers["location"]) == (308, "/repository/docker/alice/web")


async def test_a_former_name_shows_nothing_private(stocked: InProcess, alice: Visitor, visitor: Visitor) -> None:
    await stocked.app.renames.rename(SECRET, "hidden")
    assert (await visitor.get("/r/alice/secret")).status_code == 404
    assert (await visitor.get("/repository/docker/alice/secret")).status_code == 404
    assert (await alice.get("/r/alice/secret")).headers["location"] == "/r/alice/hidden"


async def test_an_official_image_moves_too(stocked: InProcess, carol: Visitor, visitor: Visitor) -> None:
    reply = await carol.post("/repository/docker/library/python", {"form": "rename", "name": "snake"})
    assert reply.status_code == 303
    assert (await visitor.get("/_/python/tags")).headers["location"] == "/_/snake/tags"
    await carol.post("/repository/docker/library/snake", {"form": "transfer", "to": "carol"})
    assert (await visitor.get("/_/python")).headers["location"] == "/r/carol/snake"


@pytest.mark.parametrize("name", ["", "UPPER", "secret", "alice/web", "web/tags"])
async def test_names_that_are_refused(stocked: InProcess, alice: Visitor, name: str) -> None:
    reply = await alice.post(MANAGE, {"form": "rename", "name": name})
    assert reply.status_code in {400, 409}
    assert 'aria-invalid="true"' in reply.text
    assert (await stocked.app.repositories.get(APP)).name == APP


async def test_former_names_are_freed(stocked: InProcess, alice: Visitor, bobby: Visitor) -> None:
    await stocked.app.renames.rename(APP, "web")
    assert (await bobby.post("/repositories/free", {"repository": "alice/app"})).status_code == 404
    assert "leads to alice/web" in (await alice.read("/repositories")).texts
    web = "/repository/docker/alice/web"
    assert (await alice.post(web, {"form": "free", "former": "alice/secret"})).status_code == 404
    assert (await alice.post(web, {"form": "free", "former": "alice/app"})).status_code == 303
    assert (await alice.get("/r/alice/app")).status_code == 404
    await stocked.app.renames.rename(RepositoryName("alice/web"), "last")
    reply = await alice.post("/repositories/free", {"repository": "alice/web"})
    assert "The name is free again." in (await alice.read(reply.headers["location"])).texts


async def test_no_repository_hides_behind_a_page(site: InProcess) -> None:
    from havre.registry.naming import RESERVED

    for page in PAGES:
        _, found, rest = page.path.partition("{repository:path}/")
        if found:
            word = rest.partition("/")[0]
            assert word in RESERVED or word == "-", f"{word!r} of {page.path} belongs into naming.RESERVED"


@pytest.mark.parametrize(
    "name",
    ["files", "tags", "compare", "star", "history", "tags/app", "compare/app", "app/files", "app/manifest/content"],
)
async def test_pages_of_repositories_that_are_called_like_pages(site: InProcess, name: str) -> None:
    path = f"alice/{name}"
    await (await site.caller("alice", path)).push_image(path, "files", "tags")
    alice = await Visitor(site.app).sign_in("alice")
    tails = ["", "/tags", "/tags/files", "/tags/tags", "/tags/files/manifest", "/tags/files/manifest.json"]
    tails += ["/tags/files/files", "/tags/files/history", "/compare?a=files&b=tags", "/-/history", "/-/pulls"]
    for tail in tails:
        reply = await alice.get(f"/r/{path}{tail}")
        assert (reply.status_code, path in reply.text or tail.endswith(".json")) == (200, True), tail
    assert (await alice.post(f"/r/{path}/star", {"star": "yes"})).status_code == 303
    assert (await alice.get(f"/repository/docker/{path}")).status_code == 200
    found = (await alice.get(f"/api/v1/repositories/{path}/tags")).json()
    assert [one["name"] for one in found["tags"]] == ["tags", "files"]
    assert (await alice.get(f"/api/v1/repositories/{path}")).json()["name"] == path


# ---------------------------------------------------------------- owners


async def test_an_offer_is_accepted(stocked: InProcess, alice: Visitor, bobby: Visitor, visitor: Visitor) -> None:
    reply = await alice.post(MANAGE, {"form": "transfer", "to": "bobby"})
    page = await alice.read(reply.headers["location"])
    assert {"Offered. It moves once the other account accepts.", "Withdraw"} <= set(page.texts)
    page = await bobby.read("/repositories")
    assert {"Offered to you", "alice/app"} <= set(page.texts)
    (accept,) = [link for link in page.links if link.endswith("/accept")]
    assert (await alice.post(accept)).status_code == 404
    reply = await bobby.post(accept)
    assert reply.headers["location"] == "/repository/docker/bobby/app"
    assert (await visitor.get("/r/alice/app")).headers["location"] == "/r/bobby/app"
    assert (await alice.get(MANAGE)).headers["location"] == "/repository/docker/bobby/app"
    assert (await alice.get("/repository/docker/bobby/app")).headers["location"] == "/r/bobby/app"


async def test_an_offer_is_declined_or_withdrawn(stocked: InProcess, alice: Visitor, bobby: Visitor) -> None:
    await alice.post(MANAGE, {"form": "transfer", "to": "bobby"})
    (decline,) = [link for link in (await bobby.read("/repositories")).links if link.endswith("/decline")]
    assert (await bobby.post(decline)).headers["location"] == "/repositories?done=declined"
    await alice.post(MANAGE, {"form": "transfer", "to": "bobby"})
    await alice.post(MANAGE, {"form": "withdraw"})
    assert "Offered to you" not in (await bobby.read("/repositories")).texts
    for to in ("nobody", "alice", ""):
        reply = await alice.post(MANAGE, {"form": "transfer", "to": to})
        assert (reply.status_code, 'aria-invalid="true"' in reply.text) == (400, True)


async def test_a_taken_name_is_told_to_who_accepts(stocked: InProcess, alice: Visitor, bobby: Visitor) -> None:
    await alice.post(MANAGE, {"form": "transfer", "to": "bobby"})
    await (await stocked.caller("bobby", "bobby/app")).push_image("bobby/app", "latest")
    (accept,) = [link for link in (await bobby.read("/repositories")).links if link.endswith("/accept")]
    reply = await bobby.post(accept)
    assert (reply.status_code, "There is a repository bobby/app already" in reply.text) == (409, True)


async def test_administrators_move_it_at_once(stocked: InProcess, carol: Visitor) -> None:
    reply = await carol.post(MANAGE, {"form": "transfer", "to": "bobby"})
    assert reply.headers["location"] == "/repository/docker/bobby/app?tab=settings&saved=transfer"


# ---------------------------------------------------------------- people


async def test_collaborators_come_and_go(stocked: InProcess, alice: Visitor, bobby: Visitor) -> None:
    secret = "/repository/docker/alice/secret"
    reply = await alice.post(secret, {"form": "share", "person": " bobby ", "role": "read"})
    assert reply.headers["location"] == f"{secret}?tab=collaborators&saved=share"
    assert "1 collaborator" in (await alice.read(reply.headers["location"])).texts
    page = await bobby.read("/repositories")
    assert {"Shared with you", "alice/secret"} <= set(page.texts)
    assert "alice shares this repository with you." in (await bobby.read("/r/alice/secret")).texts
    assert (await bobby.get(secret)).headers["location"] == "/r/alice/secret"
    await alice.post(secret, {"form": "share", "person": "bobby", "role": "admin"})
    assert (await bobby.get(secret)).status_code == 200
    await alice.post(secret, {"form": "unshare", "person": "bobby"})
    assert (await bobby.get("/r/alice/secret")).status_code == 404


async def test_who_is_asked_to_help_can_not_give_it_away(stocked: InProcess, alice: Visitor, bobby: Visitor) -> None:
    await stocked.app.collaborators.put(APP, "bobby", Role.ADMIN)
    texts = (await bobby.read(f"{MANAGE}?tab=settings")).texts
    assert "Visibility" in texts
    assert not {"Rename", "Delete the repository", "Offer"} & set(texts)
    for form in ({"form": "rename", "name": "web"}, {"form": "transfer", "to": "bobby"}, {"form": "withdraw"}):
        assert (await bobby.post(MANAGE, form)).status_code == 403
    assert (await bobby.post(MANAGE, {"form": "delete", "confirm": "alice/app"})).status_code == 403
    assert (await bobby.post(MANAGE, {"form": "about", "description": "by bobby"})).status_code == 303
    reply = await bobby.post(MANAGE, {"form": "unshare", "person": "bobby"})
    assert reply.headers["location"] == "/repositories?done=left"


async def test_leaving(stocked: InProcess, bobby: Visitor) -> None:
    await stocked.app.collaborators.put(SECRET, "bobby", Role.WRITE)
    reply = await bobby.post("/repositories/leave", {"repository": "alice/secret"})
    assert "You left the repository." in (await bobby.read(reply.headers["location"])).texts
    assert (await bobby.post("/repositories/leave", {"repository": "alice/secret"})).status_code == 400
    assert (await bobby.get("/r/alice/secret")).status_code == 404


@pytest.mark.parametrize(("person", "role"), [("nobody", "read"), ("alice", "read"), ("bobby", "king"), ("", "read")])
async def test_people_who_can_not_be_added(stocked: InProcess, alice: Visitor, person: str, role: str) -> None:
    reply = await alice.post(MANAGE, {"form": "share", "person": person, "role": role})
    assert (reply.status_code, 'class="problem"' in reply.text) == (400, True)


# ---------------------------------------------------------------- archives, deletion


async def test_an_archive_is_announced_and_ended(stocked: InProcess, alice: Visitor, visitor: Visitor) -> None:
    await alice.post(MANAGE, {"form": "archive"})
    assert "it can be pulled, but not changed." in " ".join((await visitor.read("/r/alice/app")).texts)
    assert "Take it out of the archive" in (await alice.read(f"{MANAGE}?tab=settings")).texts
    await alice.post(MANAGE, {"form": "archive"})
    assert (await stocked.app.repositories.get(APP)).archived is None


async def test_deleted_and_restored(stocked: InProcess, alice: Visitor, bobby: Visitor) -> None:
    reply = await alice.post(MANAGE, {"form": "delete", "confirm": "alice/app"})
    page = await alice.read(reply.headers["location"])
    assert {"Deleted. It can be restored below for 7 days.", "Deleted"} <= set(page.texts)
    (restore,) = [link for link in page.links if link.endswith("/restore")]
    for other in (restore, restore.replace("restore", "purge")):
        assert (await bobby.post(other)).status_code == 404
    await stocked.app.repositories.create(APP, Visibility.PUBLIC)
    reply = await alice.post(restore)
    assert (reply.status_code, "rename or delete that one first" in reply.text) == (409, True)
    await stocked.app.renames.rename(APP, "newer")
    assert (await alice.post(restore)).headers["location"] == MANAGE
    assert (await alice.get("/r/alice/app")).status_code == 200


async def test_deleted_for_good(stocked: InProcess, alice: Visitor) -> None:
    await alice.post(MANAGE, {"form": "delete", "confirm": "alice/app"})
    (purge,) = [link for link in (await alice.read("/repositories")).links if link.endswith("/purge")]
    reply = await alice.post(purge)
    assert "Deleted for good." in (await alice.read(reply.headers["location"])).texts
    assert (await alice.post(purge)).status_code == 404


# ---------------------------------------------------------------- overview


async def test_an_overview_is_previewed_and_saved(stocked: InProcess, alice: Visitor, visitor: Visitor) -> None:
    write = {"form": "overview", "readme": "# Hello\r\n\r\n<script>x()</script>\r\n\r\n![a](https://a.example/x.png)"}
    shown = await alice.post(MANAGE, {**write, "preview": "yes"})
    assert shown.status_code == 200
    assert '<h3 id="readme-hello">Hello</h3>' in shown.text
    assert "# Hello\n\n&lt;script&gt;" in shown.text, "what was typed is still there"
    repository = await stocked.app.repositories.get(APP)
    assert await stocked.app.repositories.readme(repository) == ""
    piece = await alice.post("/repositories/preview", {"readme": write["readme"]})
    assert piece.text.startswith('<h3 id="readme-hello">Hello</h3>')
    assert "<script" not in piece.text
    reply = await alice.post(MANAGE, write)
    assert "Saved." in (await alice.read(reply.headers["location"])).texts
    assert await stocked.app.repositories.readme(repository) == write["readme"].replace("\r\n", "\n")
    pictures = [link for link in (await visitor.read("/r/alice/app")).links if link.startswith("/pictures/")]
    assert len(pictures) == 1
    reply = await alice.post(MANAGE, {"form": "overview", "readme": "x" * 100_001})
    assert (reply.status_code, "at most 100000" in reply.text) == (400, True)


async def test_as_links_the_page_asks_nobody(open_site: object, tmp_path: object) -> None:
    async with open_site(readme_pictures="link") as site:  # type: ignore[operator]
        await (await site.caller("alice", "alice/app")).push_image("alice/app", "latest")
        await site.app.repositories.describe(APP, readme="![logo](https://a.example/x.png)")
        page = await Visitor(site.app).read("/r/alice/app")
        assert "https://a.example/x.png" in page.links
        assert not [link for link in page.links if link.startswith("/pictures/")]


async def test_what_the_page_tells_of_the_image(stocked: InProcess, visitor: Visitor) -> None:
    page = await visitor.read("/r/alice/app")
    assert {"Last push", "By", "linux/amd64"} <= set(page.texts)
    assert "/u/alice" in page.links
