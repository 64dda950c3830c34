"""Large registries stay quick: each lookup walks an index, and nothing is sorted that an index has in order."""

from collections.abc import Callable
from pathlib import Path

import pytest

from havre.access.records import AuditQuery, Purpose
from havre.metadata import Rows
from havre.metadata.sqlite_connection import driver
from havre.oci.names import Namespace, RepositoryName, Tag
from havre.registry.facets import Kind
from havre.registry.records import TagOrder, TagPlace, Viewer
from havre.registry.search_ports import SearchOrder, SearchQuery
from tests.support.content import digest
from tests.support.databases import connected

PYTHON = RepositoryName("python")
LATEST = Tag("latest")
SOME = digest("some")


def places(rows: Rows, order: TagOrder, *, backwards: bool) -> object:
    """A stretch of a list between two places, for a text."""
    return rows.tag_lists.places(1, order, "x", TagPlace(5, LATEST), TagPlace(1, LATEST), backwards, 20)


LOOKUPS: dict[str, Callable[[Rows], object]] = {
    "repositories.get": lambda rows: rows.repositories.get(PYTHON),
    "repositories.names, all": lambda rows: rows.repositories.names(Viewer(is_admin=True), "m", 100),
    "repositories.names, public": lambda rows: rows.repositories.names(Viewer(), "m", 100),
    "repositories.names, own": lambda rows: rows.repositories.names(Viewer(7), "m", 100),
    "repositories.count_pulls": lambda rows: rows.repositories.count_pulls([(1, 1)]),
    "blobs.find": lambda rows: rows.blobs.find(SOME),
    "blobs.linked": lambda rows: rows.blobs.linked(1, SOME),
    "blobs.unlink": lambda rows: rows.blobs.unlink(1, SOME),
    "blobs.mountable": lambda rows: rows.blobs.mountable(Viewer(7), SOME),
    "manifests.get": lambda rows: rows.manifests.get(1, SOME),
    "manifests.tagged": lambda rows: rows.manifests.tagged(1, LATEST),
    "manifests.absent": lambda rows: rows.manifests.absent(1, [SOME, digest("other")]),
    "manifests.referrers": lambda rows: rows.manifests.referrers(1, SOME, ["sbom"], "", 100),
    "manifests.sizes": lambda rows: rows.manifests.sizes(1, [SOME]),
    "tags.get": lambda rows: rows.tags.get(1, LATEST),
    "tags.delete": lambda rows: rows.tags.delete(1, LATEST, None, 1),
    "tags.names": lambda rows: rows.tags.names(1, "a", 100),
    "tags.events": lambda rows: rows.tags.events(1, None, 20),
    "tags.events, of one": lambda rows: rows.tags.events(1, LATEST, 20),
    "tags.events, further on": lambda rows: rows.tags.events(1, None, 20, (5, 5)),
    "tag_lists.places, newest": lambda rows: places(rows, TagOrder.NEWEST, backwards=False),
    "tag_lists.places, newest, back": lambda rows: places(rows, TagOrder.NEWEST, backwards=True),
    "tag_lists.places, by name": lambda rows: places(rows, TagOrder.NAME, backwards=False),
    "tag_lists.places, by name, back": lambda rows: places(rows, TagOrder.NAME, backwards=True),
    "tag_lists.places, by size": lambda rows: places(rows, TagOrder.SIZE, backwards=False),
    "tag_lists.places, by pull": lambda rows: places(rows, TagOrder.PULLED, backwards=False),
    "tag_lists.reach": lambda rows: rows.tag_lists.reach(1, TagOrder.NEWEST, TagPlace(5, LATEST), False, 20),
    "removal.targets": lambda rows: rows.removal.targets(1, [LATEST]),
    "pulls.daily": lambda rows: rows.pulls.daily(1, 20000),
    "pulls.origins": lambda rows: rows.pulls.origins(1, SOME),
    "accounts.find": lambda rows: rows.accounts.find("alice"),
    "sessions.find": lambda rows: rows.sessions.find(b"hash"),
    "authenticators.of": lambda rows: rows.authenticators.of(7),
    "authenticators.use_code": lambda rows: rows.authenticators.use_code(7, b"hash", 1),
    "mailed_links.find": lambda rows: rows.mailed_links.find(b"hash", Purpose.RESET),
    "mailed_links.waiting": lambda rows: rows.mailed_links.waiting(7, Purpose.VERIFY, 1),
    "uploads.get": lambda rows: rows.uploads.get("id"),
    "uploads.expired": lambda rows: rows.uploads.expired(1, 100),
    "uploads.known": lambda rows: rows.uploads.known(["id"]),
    "quotas.before_push": lambda rows: rows.quotas.before_push(PYTHON),
    "quotas.of": lambda rows: rows.quotas.of(PYTHON.namespace),
    "quotas.holds": lambda rows: rows.quotas.holds(PYTHON.namespace, SOME),
    "quotas.weighs": lambda rows: rows.quotas.weighs(1),
    "audit.page": lambda rows: rows.audit.page(AuditQuery(), (7, 7), 50),
    "audit.page, of one": lambda rows: rows.audit.page(AuditQuery(actor="alice"), (7, 7), 50),
    "audit.page, of one deed": lambda rows: rows.audit.page(AuditQuery(action="token.create"), None, 50),
    "audit.page, to one": lambda rows: rows.audit.page(AuditQuery(subject="alice/app"), None, 50),
    "uploads.count": lambda rows: rows.uploads.count(7),
}


def plan(path: Path, lookup: Callable[[Rows], object]) -> list[str]:
    """What SQLite does for each statement that ``lookup`` runs."""
    statements: list[str] = []
    with connected(f"sqlite:///{path}") as connection:
        raw = driver(connection)
        raw.set_trace_callback(statements.append)
        lookup(Rows(connection))
        raw.set_trace_callback(None)
        # What the index of words does by itself is traced as a comment.
        own = [statement for statement in statements if not statement.startswith("--")]
        assert own
        return [step[3] for statement in own for step in raw.execute(f"EXPLAIN QUERY PLAN {statement}")]


@pytest.mark.parametrize("name", LOOKUPS)
def test_a_lookup_walks_an_index(path: Path, name: str) -> None:
    steps = plan(path, LOOKUPS[name])
    slow = [step for step in steps if step.startswith("SCAN") or "TEMP B-TREE" in step]
    assert not slow, steps


FEW: dict[str, Callable[[Rows], object]] = {
    "manifests.children": lambda rows: rows.manifests.children(1, SOME),
    "tags.of": lambda rows: rows.tags.of(1, SOME),
    "tag_lists.views": lambda rows: rows.tag_lists.views(1, [LATEST]),
    "removal.held": lambda rows: rows.removal.held(1, [SOME], [LATEST]),
    "removal.freed": lambda rows: rows.removal.freed(1, [SOME], [digest("other")]),
    "pulls.by_day": lambda rows: rows.pulls.by_day(1, 20000),
}


@pytest.mark.parametrize("name", FEW)
def test_only_what_is_shown_is_sorted(path: Path, name: str) -> None:
    """At most one sort, of the rows that are the answer; each of them is looked up."""
    steps = plan(path, FEW[name])
    assert not [step for step in steps if step.startswith("SCAN")], steps
    assert sum("TEMP B-TREE" in step for step in steps) <= 1, steps


@pytest.mark.parametrize("order", SearchOrder)
@pytest.mark.parametrize("viewer", [Viewer(), Viewer(7), Viewer(is_admin=True)], ids=["anyone", "owner", "admin"])
def test_all_repositories_are_walked_in_their_order(path: Path, order: SearchOrder, viewer: Viewer) -> None:
    steps = plan(path, lambda rows: rows.search.find(viewer, SearchQuery(order=order), 40, 20))
    assert not [step for step in steps if "TEMP B-TREE" in step], steps


def test_a_namespace_is_walked_by_its_last_pushes(path: Path) -> None:
    query = SearchQuery(namespace=Namespace("alice"), order=SearchOrder.RECENT)
    steps = plan(path, lambda rows: rows.search.find(Viewer(), query, 40, 20))
    assert not [step for step in steps if "TEMP B-TREE" in step], steps
    assert [step for step in steps if "ix_repositories_namespace_id_updated" in step], steps


SEARCHES = {
    "words": SearchQuery("harbour light"),
    "words, in a namespace": SearchQuery("harbour", namespace=Namespace("alice")),
    "words and facets": SearchQuery("harbour", platform="linux/arm64", kind=Kind.IMAGE, order=SearchOrder.STARS),
    "facets": SearchQuery(platform="linux/arm64", kind=Kind.IMAGE),
}


@pytest.mark.parametrize("name", SEARCHES)
def test_a_search_begins_with_what_is_found(path: Path, name: str) -> None:
    """The index of words is never asked about one repository after the other, nor are all of them read."""
    steps = plan(path, lambda rows: rows.search.find(Viewer(), SEARCHES[name], 0, 20))
    assert not [step for step in steps if step.startswith("SCAN repositor")], steps
    assert {step for step in steps if "VIRTUAL TABLE" in step} <= {"SCAN search VIRTUAL TABLE INDEX 0:M4"}, steps


def test_what_everybody_sees_is_counted_in_an_index(path: Path) -> None:
    steps = plan(path, lambda rows: rows.search.find(Viewer(), SearchQuery(), 0, 20))
    assert steps[0] == "SCAN repositories USING INDEX ix_repositories_public", steps
