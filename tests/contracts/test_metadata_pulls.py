"""The contract of PullRows, on each engine."""

import pytest

from havre.metadata import Rows
from havre.oci.names import RepositoryName, Tag
from havre.registry.records import PullFigure
from tests.support.content import digest, manifest, repository


@pytest.fixture
def python(rows: Rows) -> int:
    made = repository(rows, "python").id
    rows.manifests.add(made, manifest("child"), [])
    rows.manifests.add(made, manifest("index"), [(digest("child"), "manifest")])
    for tag in ("1", "2"):
        rows.tags.put(made, Tag(tag), digest("index"), None, 30)
    return made


def figure(repository_id: int, day: int, tag: str, client: str, pulls: int) -> PullFigure:
    return PullFigure(repository_id, day, Tag(tag) if tag else None, client, pulls)


def test_days_tags_and_repositories_add_up(rows: Rows, python: int) -> None:
    rows.pulls.add([figure(python, 5, "1", "docker", 2), figure(python, 5, "", "podman", 1)], 50)
    rows.pulls.add([figure(python, 5, "1", "docker", 3), figure(python, 6, "gone", "docker", 4)], 60)
    assert rows.pulls.by_day(python, 5) == [(5, "docker", 5), (5, "podman", 1), (6, "docker", 4)]
    assert rows.pulls.by_day(python, 6) == [(6, "docker", 4)]
    assert rows.pulls.daily(python, 5) == [(5, 6), (6, 4)]
    assert rows.pulls.by_tag(python, 5, 10) == [(Tag("1"), 5), (Tag("gone"), 4), (None, 1)]
    assert rows.pulls.by_tag(python, 5, 1) == [(Tag("1"), 5)]
    found = rows.repositories.get(RepositoryName("python"))
    assert found is not None
    assert found.pulls == 10
    one, two = rows.tags.get(python, Tag("1")), rows.tags.get(python, Tag("2"))
    assert one is not None
    assert two is not None
    assert [(one.pulls, one.pulled), (two.pulls, two.pulled)] == [(5, 60), (0, 0)]


def test_what_is_gone_is_left_out(rows: Rows, python: int) -> None:
    rows.pulls.add([figure(python + 1000, 5, "1", "docker", 2), figure(python, 5, "1", "docker", 1)], 50)
    assert rows.pulls.by_day(python + 1000, 0) == []
    assert rows.pulls.by_day(python, 0) == [(5, "docker", 1)]
    rows.pulls.add([], 60)


def test_where_a_digest_may_come_from(rows: Rows, python: int) -> None:
    assert rows.pulls.origins(python, digest("index")) == ([Tag("1"), Tag("2")], False)
    assert rows.pulls.origins(python, digest("child")) == ([], True)
    assert rows.pulls.origins(python, digest("absent")) == ([], False)
    golang = repository(rows, "golang").id
    rows.manifests.add(golang, manifest("child"), [])
    assert rows.pulls.origins(golang, digest("child")) == ([], False)


def test_old_days_lose_their_details_but_not_their_sum(rows: Rows, python: int) -> None:
    for day in (1, 2, 9):
        rows.pulls.add([figure(python, day, "1", "docker", 2), figure(python, day, "", "helm", 3)], 50)
    assert rows.pulls.fold(9, 1) == 1
    assert rows.pulls.fold(9, 10) == 1
    assert rows.pulls.fold(9, 10) == 0
    assert rows.pulls.by_day(python, 0) == [(1, "", 5), (2, "", 5), (9, "docker", 2), (9, "helm", 3)]
    rows.pulls.add([figure(python, 2, "2", "docker", 1)], 60)
    assert rows.pulls.fold(9, 10) == 1
    assert rows.pulls.by_day(python, 2)[0] == (2, "", 6)
