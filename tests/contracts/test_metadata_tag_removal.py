"""The contract of RemovalRows, on each engine."""

import pytest

from havre.metadata import Rows
from havre.oci.names import Tag
from havre.registry.records import TagEvent
from tests.support.content import digest, linked_blob, manifest, person, repository


@pytest.fixture
def python(rows: Rows) -> int:
    """An index of two images that share a layer, one of them tagged too; and a signature of the index."""
    made = repository(rows, "python").id
    for name in ("base", "own layer", "config"):
        linked_blob(rows, made, name)
    one = [(digest("config"), "config"), (digest("base"), "layer"), (digest("own layer"), "layer")]
    rows.manifests.add(made, manifest("one"), one)
    rows.manifests.add(made, manifest("two"), [(digest("config"), "config"), (digest("base"), "layer")])
    rows.manifests.add(made, manifest("index"), [(digest("one"), "manifest"), (digest("two"), "manifest")])
    rows.manifests.add(made, manifest("signature", subject=digest("index")), [])
    rows.tags.put(made, Tag("all"), digest("index"), None, 30)
    rows.tags.put(made, Tag("two"), digest("two"), None, 31)
    return made


def test_targets_and_what_is_around_them(rows: Rows, python: int) -> None:
    assert rows.removal.targets(python, [Tag("all"), Tag("gone")]) == {Tag("all"): digest("index")}
    assert rows.removal.targets(python, []) == {}
    around = rows.removal.around(python, [digest("index")], 10)
    assert around == {digest("one"), digest("two"), digest("signature")}
    assert len(rows.removal.around(python, [digest("index")], 2)) == 2
    assert rows.removal.around(python, [digest("one")], 10) == set()


def test_what_something_else_needs_is_held(rows: Rows, python: int) -> None:
    every = [digest(name) for name in ("index", "one", "two", "signature")]
    assert rows.removal.held(python, every, [Tag("all")]) == {digest("two")}
    assert rows.removal.held(python, every, [Tag("all"), Tag("two")]) == set()
    assert rows.removal.held(python, every, []) == {digest("index"), digest("two")}
    assert rows.removal.held(python, every[1:], [Tag("two")]) == set(every[1:])


def test_bytes_that_nothing_else_needs(rows: Rows, python: int) -> None:
    every = [digest(name) for name in ("base", "own layer", "config")]
    assert rows.removal.needed(python, [digest("one")]) == set(every)
    assert rows.removal.needed(python, [digest("two")]) == {digest("base"), digest("config")}
    assert rows.removal.needed(python, [digest("index")]) == rows.removal.needed(python, []) == set()
    assert rows.removal.freed(python, every, [digest("one")]) == (1, len("own layer"))
    both = [digest("one"), digest("two")]
    assert rows.removal.freed(python, every, both) == (3, len("own layer") + len("base") + len("config"))
    assert rows.removal.freed(python, every[:1], both) == (1, len("base"))
    assert rows.removal.freed(python, [], both) == (0, 0)
    golang = repository(rows, "golang").id
    rows.manifests.add(golang, manifest("go"), [(digest("base"), "layer")])
    assert rows.removal.freed(python, every, both) == (2, len("own layer") + len("config"))


def test_tags_and_manifests_go(rows: Rows, python: int) -> None:
    alice = person(rows, "alice")
    rows.removal.remove_tags(python, {Tag("all"): digest("index"), Tag("two"): digest("two")}, alice, 50)
    assert rows.tags.names(python, "", 10) == []
    moves = rows.tags.events(python, None, 2)
    assert moves == [
        TagEvent(Tag("two"), digest("two"), None, "alice", 50),
        TagEvent(Tag("all"), digest("index"), None, "alice", 50),
    ]
    rows.removal.remove_manifests(python, [digest("index"), digest("one")])
    assert rows.manifests.get(python, digest("index")) is None
    assert rows.manifests.get(python, digest("two")) is not None
    rows.removal.remove_tags(python, {}, alice, 51)
