"""The contract of StarRows, on each engine."""

from havre.metadata import Rows
from havre.registry.records import Repository
from tests.support.content import person, repository


def stars(rows: Rows, one: Repository) -> int:
    found = rows.repositories.get(one.name)
    assert found is not None
    return found.stars


def test_a_star_counts_once_for_each_account(rows: Rows) -> None:
    alice, bobby = person(rows, "alice"), person(rows, "bobby")
    python, other = repository(rows, "python"), repository(rows, "golang")
    assert not rows.stars.has(alice, python.id)
    assert rows.stars.put(alice, python.id, 5)
    assert not rows.stars.put(alice, python.id, 6)
    assert rows.stars.put(bobby, python.id, 7)
    assert (rows.stars.has(alice, python.id), rows.stars.has(alice, other.id)) == (True, False)
    assert (stars(rows, python), stars(rows, other)) == (2, 0)
    assert rows.stars.remove(alice, python.id)
    assert not rows.stars.remove(alice, python.id)
    assert (stars(rows, python), rows.stars.has(bobby, python.id)) == (1, True)


def test_stars_go_with_their_repository(rows: Rows) -> None:
    alice, python = person(rows, "alice"), repository(rows, "python")
    rows.stars.put(alice, python.id, 1)
    rows.repositories.delete(python.id)
    assert not rows.stars.has(alice, python.id)
