"""The contract of TreeRows, on each engine."""

from havre.metadata import Rows
from havre.registry.inside.pages import Page
from havre.registry.inside.ports import TreeRecord


def build(rows: Rows, kind: str, key: str, *contents: bytes, at: int = 10) -> int:
    tree = rows.trees.begin(at)
    rows.trees.add(tree, 0, [Page(b"", content) for content in contents])
    rows.trees.publish(TreeRecord(tree, kind, key, {"size": 5}, b"directory", at), at)
    return tree


def test_a_tree_is_seen_once_it_is_published(rows: Rows) -> None:
    tree = rows.trees.begin(10)
    rows.trees.add(tree, 0, [Page(b"a", b"one"), Page(b"b", b"two")])
    rows.trees.add(tree, 2, [Page(b"c", b"three")])
    rows.trees.add(tree, 3, [])
    assert rows.trees.find("layer", "sha256:x") is None
    record = TreeRecord(tree, "layer", "sha256:x", {"files": 3, "name": "\udcff"}, b"\x00dir", 20, "")
    rows.trees.publish(record, 20)
    assert rows.trees.find("layer", "sha256:x") == record
    assert rows.trees.find("image", "sha256:x") is None
    assert list(rows.trees.pages(tree, 0, 10)) == [b"one", b"two", b"three"]
    assert list(rows.trees.pages(tree, 1, 1)) == [b"two"]
    assert list(rows.trees.pages(tree, 3, 5)) == []


def test_a_newer_tree_takes_the_place_of_an_older_one(rows: Rows) -> None:
    old, other = build(rows, "image", "k", b"old"), build(rows, "image", "other", b"other")
    new = build(rows, "image", "k", b"new")
    found = rows.trees.find("image", "k")
    assert found is not None
    assert found.id == new
    assert list(rows.trees.pages(old, 0, 9)) == []
    assert list(rows.trees.pages(other, 0, 9)) == [b"other"]


def test_what_can_not_be_read_is_remembered(rows: Rows) -> None:
    tree = rows.trees.begin(10)
    rows.trees.publish(TreeRecord(tree, "layer", "bad", {}, b"", 10, "it is not a tar file"), 10)
    found = rows.trees.find("layer", "bad")
    assert found is not None
    assert found.problem == "it is not a tar file"


def test_what_nobody_looks_at_goes(rows: Rows) -> None:
    unfinished = rows.trees.begin(10)
    rows.trees.add(unfinished, 0, [Page(b"", b"x" * 10)])
    old, used, large = (build(rows, "image", key, b"x" * size, at=20) for key, size in (("o", 9), ("u", 9), ("l", 90)))
    rows.trees.use(used, 500)
    rows.trees.use(large, 400)
    assert list(rows.trees.idle(5, 5, 10_000, 10)) == []
    assert list(rows.trees.idle(11, 5, 10_000, 10)) == [unfinished]
    assert set(rows.trees.idle(11, 100, 10_000, 10)) == {unfinished, old}
    assert set(rows.trees.idle(11, 100, 30, 10)) == {unfinished, old, large}
    assert len(rows.trees.idle(11, 100, 0, 2)) >= 2
    rows.trees.discard([unfinished, old])
    rows.trees.discard([])
    assert rows.trees.find("image", "o") is None
    assert list(rows.trees.pages(unfinished, 0, 5)) == []
    assert rows.trees.find("image", "u") is not None
