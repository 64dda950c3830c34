"""The contract of SearchRows, on each engine."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from havre.metadata import Rows, search_index
from havre.metadata.schema import repositories, repository_facets
from havre.oci.digest import Digest
from havre.oci.names import Namespace, RepositoryName, Tag
from havre.registry.facets import Kind
from havre.registry.records import ManifestRecord, Role, Viewer, Visibility
from havre.registry.search_ports import MAX_FOUND, SearchOrder, SearchQuery
from tests.support import documents
from tests.support.content import digest, person, repository
from tests.support.databases import undone

ANYONE = Viewer()
ADMIN = Viewer(user_id=None, is_admin=True)
examples = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def found(rows: Rows, text: str = "", viewer: Viewer = ANYONE, **asked: object) -> list[str]:
    page, total = rows.search.find(viewer, SearchQuery(text, **asked), 0, 100)  # type: ignore[arg-type]
    assert total == len(page)
    return [str(one.name) for one in page]


def push(
    rows: Rows,
    repository_id: int,
    platform: str = "linux/amd64",
    config: str = documents.OCI_CONFIG,
    layer: str = documents.OCI_LAYER,
) -> Digest:
    """A manifest for this platform, of a config and a layer of these types."""
    described = documents.descriptor(platform.encode(), config), documents.descriptor(b"layer", layer)
    content = documents.manifest(described[0], [described[1]])
    record = ManifestRecord(
        Digest.of(content), documents.OCI_MANIFEST, content, 1, len(content), config, platform=platform
    )
    rows.manifests.add(repository_id, record, [])
    return record.digest


# ---------------------------------------------------------------- words


def test_names_weigh_most_then_descriptions_then_overviews(rows: Rows) -> None:
    person(rows, "alice")
    made = {name: repository(rows, f"alice/{name}").id for name in ("cache", "redis-cache", "mycache", "told", "read")}
    rows.repositories.change(made["told"], description="A cache for everyone")
    rows.readmes.put(made["read"], "# Read\n\nUse it as a *cache*.")
    rows.repositories.count_pulls([(made["read"], 900), (made["told"], 50), (made["mycache"], 9)])
    assert found(rows, "cache") == ["alice/cache", "alice/redis-cache", "alice/mycache", "alice/told", "alice/read"]
    assert found(rows, "CACH") == ["alice/redis-cache", "alice/cache", "alice/mycache", "alice/told", "alice/read"]


def test_official_then_pulled_then_starred_breaks_ties(rows: Rows) -> None:
    alice = person(rows, "alice")
    person(rows, "bobby")
    made = {name: repository(rows, name).id for name in ("alice/db-a", "alice/db-b", "alice/db-c", "db-d", "bobby/db")}
    rows.repositories.count_pulls([(made["alice/db-a"], 5), (made["alice/db-b"], 9), (made["alice/db-c"], 5)])
    rows.stars.put(alice, made["alice/db-c"], 1)
    assert found(rows, "db") == ["bobby/db", "db-d", "alice/db-b", "alice/db-c", "alice/db-a"]


def test_all_words_must_be_found_and_the_last_may_be_unfinished(rows: Rows) -> None:
    person(rows, "alice")
    made = repository(rows, "alice/web-server")
    rows.repositories.change(made.id, description="Serves façades in ÉCRU, Straße 12")
    for text in (
        "web",
        "serv",
        "alice/web",
        "server web",
        "alice web-serv",
        "webserver",
        "rver",
        "FACADES ecr",
        "strasse",
    ):
        assert found(rows, text) == ["alice/web-server"], text
    for text in ("web database", "fac ecru", "eb", "ali", "12 13"):
        assert found(rows, text) == (["alice/web-server"] if text == "ali" else []), text


def test_what_is_changed_is_found_anew(rows: Rows) -> None:
    person(rows, "alice")
    made = repository(rows, "alice/app")
    rows.repositories.change(made.id, description="first", categories=["databases"])
    rows.readmes.put(made.id, "before")
    assert [found(rows, text) for text in ("first", "before", "databases", "app")] == [["alice/app"]] * 4
    rows.repositories.change(made.id, description="second")
    rows.readmes.put(made.id, "after")
    assert [found(rows, text) for text in ("first", "before")] == [[], []]
    rows.moves.rename(made.id, RepositoryName("alice/other"))
    assert [found(rows, text) for text in ("second", "after", "other")] == [["alice/other"]] * 3
    assert found(rows, "app") == []
    rows.readmes.put(made.id, "")
    assert found(rows, "after") == []
    rows.moves.hide(made.id, 50)
    assert found(rows, "other", ADMIN) == found(rows, "", ADMIN) == []
    rows.moves.show(made.id)
    assert found(rows, "other") == ["alice/other"]
    rows.repositories.delete(made.id)
    assert found(rows, "other", ADMIN) == []
    assert repository(rows, "alice/other").id != made.id
    assert found(rows, "second") == []


@pytest.mark.parametrize("text", ["数据库", "据库", "数", "データ", "库系"])
def test_writing_without_spaces_is_found_in_the_middle(rows: Rows, text: str) -> None:
    made = repository(rows, "0")
    rows.repositories.change(made.id, description="开源数据库系统 データベース")
    assert found(rows, text) == ["0"]
    assert found(rows, "据数") == []


@examples
@given(st.text(max_size=250))
def test_nothing_that_is_typed_is_syntax(rows: Rows, text: str) -> None:
    with undone(rows):
        repository(rows, "python")
        page, total = rows.search.find(ANYONE, SearchQuery(text.replace("\0", "")), 0, 10)
        assert total == len(page)


@pytest.mark.parametrize(
    "text", ['"', "'", '"python', "python OR nothing", "name:x", "*", "(", "-python2", "python & !x", "; --", "%", "_"]
)
def test_operators_are_words_or_nothing(rows: Rows, text: str) -> None:
    made = repository(rows, "python")
    rows.repositories.change(made.id, description="a language")
    assert found(rows, text) == (["python"] if text == '"python' else [])


# ---------------------------------------------------------------- who, where, what


def test_only_what_may_be_seen(rows: Rows) -> None:
    alice, bobby = person(rows, "alice"), person(rows, "bobby")
    repository(rows, "alice/open-thing")
    secret = repository(rows, "alice/secret-thing", Visibility.PRIVATE)
    everything = ["alice/open-thing", "alice/secret-thing"]
    for text in ("thing", ""):
        assert sorted(found(rows, text, Viewer(alice))) == everything
        assert sorted(found(rows, text, ADMIN)) == everything
        assert found(rows, text) == found(rows, text, Viewer(bobby)) == ["alice/open-thing"]
    rows.collaborators.put(secret.id, bobby, Role.READ, 1)
    assert sorted(found(rows, "thing", Viewer(bobby))) == everything


def test_in_one_namespace_official_or_starred(rows: Rows) -> None:
    alice = person(rows, "alice")
    person(rows, "bobby")
    made = {name: repository(rows, name).id for name in ("alice/app", "bobby/app", "app")}
    assert found(rows, "app", namespace=Namespace("bobby")) == ["bobby/app"]
    assert found(rows, "app", namespace=Namespace("library")) == found(rows, official=True) == ["app"]
    assert found(rows, namespace=Namespace("nobody")) == []
    rows.stars.put(alice, made["bobby/app"], 5)
    assert found(rows, starred_by=alice) == found(rows, "app", starred_by=alice) == ["bobby/app"]
    assert found(rows, starred_by=10**9) == []


def test_by_platform_and_kind(rows: Rows) -> None:
    image, chart, thing, nothing = (repository(rows, name).id for name in ("image", "chart", "thing", "nothing"))
    push(rows, image)
    arm = push(rows, image, "linux/arm64/v8")
    push(rows, chart, "", "application/vnd.cncf.helm.config.v1+json")
    push(rows, thing, "", "application/vnd.example.model.v1+json")
    push(rows, nothing, layer="application/vnd.dev.cosign.simplesigning.v1+json")
    push(rows, nothing, "unknown/unknown")
    assert found(rows, kind=Kind.IMAGE) == found(rows, platform="linux/amd64") == ["image"]
    assert found(rows, platform="linux/arm64") == found(rows, "image", platform="linux/arm64") == ["image"]
    assert (found(rows, kind=Kind.HELM), found(rows, kind=Kind.ARTIFACT)) == (["chart"], ["thing"])
    assert found(rows, "chart", kind=Kind.IMAGE) == []
    push(rows, image, "linux/arm64/v8")
    assert rows.manifests.delete(image, arm)
    assert found(rows, platform="linux/arm64") == []
    assert found(rows, kind=Kind.IMAGE) == ["image"]
    others = [push(rows, image, platform) for platform in ("linux/arm64", "linux/s390x")]
    rows.removal.remove_manifests(image, others)
    assert found(rows, platform="linux/arm64") == found(rows, platform="linux/s390x") == []
    assert found(rows, platform="linux/amd64") == ["image"]


def test_orders(rows: Rows) -> None:
    alice = person(rows, "alice")
    made = {name: repository(rows, name).id for name in ("app-a", "app-b", "app-c")}
    rows.repositories.count_pulls([(made["app-b"], 5)])
    rows.stars.put(alice, made["app-c"], 1)
    rows.repositories.change(made["app-a"], updated=10**6)
    for text in ("", "app"):
        first = [found(rows, text, order=order)[0] for order in SearchOrder]
        assert first == ["app-b", "app-b", "app-c", "app-a"]


# ---------------------------------------------------------------- many


def test_pages(rows: Rows) -> None:
    for letter in "abcde":
        repository(rows, f"x-{letter}")
    for text in ("", "x"):
        page, total = rows.search.find(ANYONE, SearchQuery(text), 2, 2)
        assert ([str(one.name) for one in page], total) == (["x-c", "x-b"], 5)
        assert rows.search.find(ANYONE, SearchQuery(text), 10, 2) == ([], 5)


def test_what_very_many_have_is_walked_and_counted_to_a_bound(rows: Rows) -> None:
    person(rows, "alice")
    for number in range(MAX_FOUND + 10):
        repository(rows, f"alice/many-{number}")
    some = [repository(rows, name).id for name in ("many", "many-too", "alice/x")]
    rows.repositories.change(some[2], description="many")
    rows.repositories.count_pulls([(some[2], 99), (some[0] - 2, 5)])
    page, total = rows.search.find(ANYONE, SearchQuery("many"), 0, 4)
    best = ["many", "many-too", f"alice/many-{MAX_FOUND + 8}", f"alice/many-{MAX_FOUND + 9}"]
    assert ([str(one.name) for one in page], total) == (best, MAX_FOUND)
    page, total = rows.search.find(ANYONE, SearchQuery("m"), 2, 2)
    assert ([str(one.name) for one in page], total) == (best[2:], MAX_FOUND)
    page, _ = rows.search.find(ANYONE, SearchQuery("many", order=SearchOrder.PULLS), 0, 1)
    assert [str(one.name) for one in page] == ["alice/x"]
    page, total = rows.search.find(ANYONE, SearchQuery("many", official=True), 0, 9)
    assert (len(page), total) == (2, 2)


def many(rows: Rows, number: int, description: str = "") -> list[int]:
    """So many public repositories ``alice/x-0`` and so on, and their ids: at once, and only what is described is found."""
    person(rows, "alice")
    namespace = rows.repositories.namespace(Namespace("alice"))
    assert namespace is not None
    same = {"namespace_id": namespace.id, "visibility": "public", "created": 1, "updated": 1}
    values = [
        {**same, "name": name, "path": f"alice/{name}", "description": description}
        for name in (f"x-{one}" for one in range(number))
    ]
    rows.connection.execute(repositories.insert(), values)
    made = select(repositories.c.id).where(repositories.c.namespace_id == namespace.id).order_by(repositories.c.id)
    ids = list(rows.connection.scalars(made))
    for identity in ids if description else ():
        search_index.refresh(rows.connection, identity)
    return ids


def test_few_names_come_before_very_many_texts(rows: Rows) -> None:
    made = many(rows, MAX_FOUND + 5, "by the harbour")
    names = ("alice/harbour", "tug-harbour", "alice/harbour-bar", "alice/old-harbour", "alice/inharbour", "pilot")
    ids = {name: repository(rows, name).id for name in names}
    rows.repositories.change(ids["pilot"], description="Into the harbour")
    rows.repositories.count_pulls([(ids["alice/old-harbour"], 5), (made[-2], 9), (ids["pilot"], 7)])
    best = [*names[:2], "alice/old-harbour", "alice/harbour-bar", "alice/inharbour", "pilot"]
    best += [f"alice/x-{number}" for number in (MAX_FOUND + 3, MAX_FOUND + 4, MAX_FOUND + 2)]
    for offset, limit in ((0, 9), (0, 3), (2, 3), (3, 5), (5, 4)):
        page, total = rows.search.find(ANYONE, SearchQuery("harbour"), offset, limit)
        assert ([str(one.name) for one in page], total) == (best[offset : offset + limit], MAX_FOUND)
    assert [str(one.name) for one in rows.search.first(ANYONE, SearchQuery("harbour"), 7)] == best[:7]
    own, total = rows.search.find(ANYONE, SearchQuery("harbour", namespace=Namespace("alice")), 2, 4)
    assert ([str(one.name) for one in own], total) == ([best[number] for number in (3, 4, 6, 7)], MAX_FOUND)
    page, _ = rows.search.find(ANYONE, SearchQuery("harbour", order=SearchOrder.PULLS), 0, 3)
    assert [str(one.name) for one in page] == [best[6], "pilot", "alice/old-harbour"]
    push(rows, ids["pilot"], "linux/s390x")
    push(rows, ids["alice/inharbour"], "linux/s390x")
    assert found(rows, "harbour", platform="linux/s390x", kind=Kind.IMAGE) == ["alice/inharbour", "pilot"]
    assert found(rows, platform="linux/s390x") == ["pilot", "alice/inharbour"]


def test_what_very_many_hold_is_walked(rows: Rows) -> None:
    facet = {"facet": "kind", "value": "image", "manifests": 1}
    values = [{**facet, "repository_id": one} for one in many(rows, MAX_FOUND + 1)]
    rows.connection.execute(repository_facets.insert(), values)
    page, total = rows.search.find(ANYONE, SearchQuery(kind=Kind.IMAGE), 1, 2)
    assert [str(one.name) for one in page] == [f"alice/x-{MAX_FOUND - 1}", f"alice/x-{MAX_FOUND - 2}"]
    assert total == MAX_FOUND + 1
    assert rows.search.find(ANYONE, SearchQuery(kind=Kind.HELM), 0, 2) == ([], 0)


def test_the_first_are_those_of_a_page(rows: Rows) -> None:
    for letter in "abcde":
        repository(rows, f"x-{letter}")
    for query in (SearchQuery(), SearchQuery("x"), SearchQuery(order=SearchOrder.RECENT), SearchQuery("-")):
        assert rows.search.first(ANYONE, query, 3) == rows.search.find(ANYONE, query, 0, 3)[0]


def test_tags_are_no_words(rows: Rows) -> None:
    made = repository(rows, "python")
    rows.manifests.add(made.id, ManifestRecord(digest("x"), documents.OCI_MANIFEST, b"x", 1, 1), [])
    rows.tags.put(made.id, Tag("bookworm"), digest("x"), None, 1)
    assert found(rows, "bookworm") == []
