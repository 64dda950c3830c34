"""Home, search, suggestions, profiles and stars, as people read them."""

from __future__ import annotations

import re
from xml.etree import ElementTree as ET

import pytest

from havre.oci.names import RepositoryName
from havre.registry.records import Visibility
from havre.web.flags import flag
from tests.support.inprocess import InProcess
from tests.web.conftest import Reader, Visitor

pytestmark = pytest.mark.anyio

NAMES = re.compile(r'href="/(?:r|_)/([^"]+)"')


def named(html: str) -> list[str]:
    """The repositories that a page lists, in order."""
    return NAMES.findall(html)


async def listed(visitor: Visitor, path: str) -> list[str]:
    reply = await visitor.get(path)
    assert reply.status_code == 200, path
    return named(reply.text)


async def describe(site: InProcess, name: str, description: str, readme: str = "") -> None:
    await site.app.repositories.describe(RepositoryName(name), description=description, readme=readme)


# ---------------------------------------------------------------- home


async def test_an_empty_harbour_says_how_to_push(alice: Visitor, visitor: Visitor) -> None:
    html = (await alice.get("/")).text
    assert "The harbour is empty" in html
    assert "alice/hello" in html
    assert "YOU/hello" in (await visitor.get("/")).text
    assert named(html) == []


async def test_home_shows_what_is_pulled_and_pushed(stocked: InProcess, visitor: Visitor) -> None:
    assert await listed(visitor, "/") == ["python", "alice/app"]
    app = await stocked.app.repositories.get(RepositoryName("alice/app"))
    await stocked.app.repositories.count_pulls([(app.id, 3)])
    assert await listed(visitor, "/") == ["alice/app", "python", "alice/app"]
    html = (await visitor.get("/")).text
    assert 'href="/search?sort=pulls"' in html
    assert 'data-suggest="/search/suggest"' in html


# ---------------------------------------------------------------- search


async def test_search_looks_into_names_descriptions_and_overviews(stocked: InProcess, visitor: Visitor) -> None:
    await describe(stocked, "alice/app", "Guides ships", "It has a *lantern*.")
    for text in ("app", "alice app", "SHIP", "lantern", '"lantern"'):
        assert await listed(visitor, f"/search?q={text}") == ["alice/app"], text
    page = await visitor.read("/search?q=app")
    assert "Results for “app”" in page.texts
    assert "1 repository" in page.texts


async def test_nothing_found_says_what_to_try(stocked: InProcess, visitor: Visitor) -> None:
    for text in ("nothing-like-that", "%22%27%2A", "-"):
        html = (await visitor.get(f"/search?q={text}")).text
        assert "Nothing found" in html
        assert 'href="/search"' in html
    html = (await visitor.get("/search?q=app&kind=helm")).text
    assert "Search without filters" in html
    assert 'href="/search?q=app"' in html


async def test_what_is_private_is_found_by_those_who_may_see_it(stocked: InProcess) -> None:
    await describe(stocked, "alice/secret", "a hidden lantern", "and a compass")
    for path in ("/search?q=secret", "/search?q=lantern", "/search?q=compass", "/search/suggest?q=secr", "/search"):
        for name, sees in (("", False), ("bobby", False), ("alice", True), ("carol", True)):
            visitor = Visitor(stocked.app)
            if name:
                await visitor.become(stocked, name)
            assert ("/r/alice/secret" in (await visitor.get(path)).text) is sees, (path, name)


async def test_filters_and_orders(stocked: InProcess, visitor: Visitor, alice: Visitor) -> None:
    assert await listed(visitor, "/search?official=yes") == ["python"]
    assert sorted(await listed(visitor, "/search?kind=image&platform=linux/amd64")) == ["alice/app", "python"]
    assert await listed(visitor, "/search?kind=helm") == await listed(visitor, "/search?platform=plan9/mips") == []
    await alice.post("/r/alice/app/star", {"starred": "yes"})
    assert await listed(visitor, "/search?sort=stars") == ["alice/app", "python"]
    assert await listed(visitor, "/search?sort=recent") == ["python", "alice/app"]
    assert len(await listed(visitor, "/search?sort=nonsense&kind=nonsense&page=x")) == 2
    html = (await visitor.get("/search?q=app&kind=image&official=yes")).text
    assert 'href="/search?q=app&amp;official=yes"' in html
    assert 'href="/search?q=app&amp;kind=image"' in html
    assert 'aria-label="Without the filter Container images"' in html
    assert '<option value="plan9/mips" selected>' in (await visitor.get("/search?platform=plan9/mips")).text


async def test_pages_keep_what_was_asked(site: InProcess, visitor: Visitor) -> None:
    for number in range(25):
        await site.app.repositories.create(RepositoryName(f"alice/thing-{number}"), Visibility.PUBLIC)
    reply = await visitor.get("/search?q=thing&sort=recent")
    assert (len(named(reply.text)), "Page 1 of 2" in reply.text) == (20, True)
    assert 'href="?q=thing&amp;sort=recent&amp;page=2"' in reply.text
    assert len(await listed(visitor, "/search?q=thing&sort=recent&page=2")) == 5


@pytest.mark.parametrize("text", ["%00", "a" * 5000, "%F0%9F%98%80", "<script>", "' OR 1=1 --", "NEAR(a b)", "%FF"])
async def test_hostile_texts_are_only_texts(stocked: InProcess, visitor: Visitor, text: str) -> None:
    for path in ("/search", "/search/suggest", "/u/alice"):
        reply = await visitor.get(f"{path}?q={text}")
        assert reply.status_code == 200
        assert "<script>" not in reply.text


# ---------------------------------------------------------------- suggestions


async def test_suggestions_are_options(stocked: InProcess, visitor: Visitor) -> None:
    await describe(stocked, "alice/app", "Guides <ships> & boats")
    html = (await visitor.get("/search/suggest?q=ap")).text
    assert (html.count('role="option"'), 'data-href="/r/alice/app"' in html) == (1, True)
    assert "Guides &lt;ships&gt; &amp; boats" in html
    assert "1 suggestion<" in html
    assert "Nothing found" in (await visitor.get("/search/suggest?q=zzz")).text
    assert 'role="option"' not in (await visitor.get("/search/suggest?q=")).text
    assert "1 proposition" in (await visitor.get("/search/suggest?q=ap&lang=fr")).text


# ---------------------------------------------------------------- profiles


async def test_a_profile_lists_sorts_and_filters(stocked: InProcess, visitor: Visitor, alice: Visitor) -> None:
    await (await stocked.caller("alice", "alice/boat")).push_image("alice/boat", "latest")
    assert await listed(visitor, "/u/alice") == ["alice/boat", "alice/app"]
    assert sorted(await listed(alice, "/u/alice")) == ["alice/app", "alice/boat", "alice/secret"]
    assert await listed(visitor, "/u/alice?q=bo") == ["alice/boat"]
    assert "Nothing found" in (await visitor.get("/u/alice?q=python")).text
    app = await stocked.app.repositories.get(RepositoryName("alice/app"))
    await stocked.app.repositories.count_pulls([(app.id, 3)])
    assert await listed(visitor, "/u/alice?sort=pulls") == ["alice/app", "alice/boat"]
    await alice.post("/r/alice/boat/star", {"starred": "yes"})
    assert await listed(visitor, "/u/alice?sort=stars") == ["alice/boat", "alice/app"]
    assert "1 star" in (await visitor.get("/u/alice")).text


async def test_what_was_starred_is_for_its_owner(stocked: InProcess, visitor: Visitor, alice: Visitor) -> None:
    assert "No stars yet" in (await alice.get("/u/alice?tab=starred")).text
    await alice.post("/_/python/star", {"starred": "yes"})
    assert await listed(alice, "/u/alice?tab=starred") == ["python"]
    assert "python" not in await listed(visitor, "/u/alice?tab=starred")
    assert "tab=starred" not in (await visitor.get("/u/alice")).text
    carol = await Visitor(stocked.app).become(stocked, "carol")
    assert "python" not in await listed(carol, "/u/alice?tab=starred")


async def test_an_empty_profile(alice: Visitor, visitor: Visitor) -> None:
    assert "alice/hello" in (await alice.get("/u/alice")).text
    assert "alice has no public repository." in (await visitor.get("/u/alice")).text
    assert (await visitor.get("/u/nobody")).status_code == 404


def test_flags_are_drawn_from_names_alone() -> None:
    assert flag("alice") == flag("alice")
    flags = {tuple(flag(f"name{number}")) for number in range(300)}
    assert len(flags) > 200
    for shapes in flags:
        assert len({colour for _, colour in shapes}) == len(shapes) >= 2


async def test_a_flag_is_a_picture_without_styles(visitor: Visitor) -> None:
    html = (await visitor.get("/u/alice")).text
    (picture,) = re.findall(r'<svg class="portrait large".*?</svg>', html, re.DOTALL)
    assert {child.tag for child in ET.fromstring(picture)} == {"path"}
    assert "style=" not in html


# ---------------------------------------------------------------- stars


async def test_a_star_is_given_and_taken_back(stocked: InProcess, alice: Visitor, visitor: Visitor) -> None:
    button = re.compile(r'name="starred" value="(\w+)"')
    assert button.findall((await alice.get("/r/alice/app")).text) == ["yes"]
    for _ in range(2):
        reply = await alice.post("/r/alice/app/star", {"starred": "yes"})
        assert (reply.status_code, reply.headers["location"]) == (303, "/r/alice/app")
    html = (await alice.get("/r/alice/app/tags")).text
    assert (button.findall(html), "Starred" in html) == (["no"], True)
    assert (await stocked.app.repositories.get(RepositoryName("alice/app"))).stars == 1
    assert "/login?next=/r/alice/app" in (await visitor.get("/r/alice/app")).text
    await alice.post("/r/alice/app/star", {"starred": "no"})
    assert (await stocked.app.repositories.get(RepositoryName("alice/app"))).stars == 0


async def test_who_may_not_see_it_may_not_star_it(stocked: InProcess, visitor: Visitor) -> None:
    bobby = await Visitor(stocked.app).become(stocked, "bobby")
    assert (await bobby.post("/r/alice/secret/star", {"starred": "yes"})).status_code == 404
    reply = await visitor.post("/r/alice/app/star", {"starred": "yes"})
    assert (reply.status_code, reply.headers["location"]) == (303, "/login?next=/r/alice/app")
    foreign = await bobby.http.post("/r/alice/app/star", data={"starred": "yes"}, headers={"Origin": "http://evil"})
    assert foreign.status_code == 403
    for name in ("alice/app", "alice/secret"):
        assert (await stocked.app.repositories.get(RepositoryName(name))).stars == 0


async def test_the_pages_in_french(stocked: InProcess) -> None:
    visitor = Visitor(stocked.app, language="fr")
    for path in ("/", "/search?q=app&kind=image", "/u/alice", "/search?q=zzz"):
        page: Reader = await visitor.read(path)
        assert not {"Sort", "Kind", "Explore", "Star", "Best match", "Nothing found"} & set(page.texts), path
