"""Layers laid upon each other, beside a simple model: a dictionary into which each tar is really unpacked."""

import io
import tarfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from havre.errors import InputInvalid
from havre.registry.inside import stack as stacking
from havre.registry.inside.compare import compared
from havre.registry.inside.entries import Entry, Kind
from havre.registry.inside.pages import CHANGES, ENTRIES, Directory, key_of, unpacked
from havre.registry.inside.stack import Stack
from tests.support.layers import Content, scanned, tar

PARTS = st.sampled_from(["a", "b", "c", "dd"])
NAMES = st.lists(PARTS, min_size=1, max_size=4).map("/".join)
WHITEOUTS = NAMES.map(lambda name: "/".join([*name.split("/")[:-1], ".wh." + name.split("/")[-1]]))
OPAQUE = NAMES.map(lambda name: f"{name}/.wh..wh..opq")
MEMBERS = st.one_of(
    st.tuples(NAMES, st.one_of(st.none(), st.binary(max_size=40))),
    st.tuples(st.one_of(WHITEOUTS, OPAQUE), st.just(b"")),
)
LAYERS = st.lists(st.lists(MEMBERS, max_size=8), max_size=5)
Members = list[tuple[str, Content]]


def unpack(tree: dict[str, bytes | None], layer: bytes) -> None:
    """Unpack a layer into a dictionary of paths; None is a folder. White-outs see what was there before alone."""
    with tarfile.open(fileobj=io.BytesIO(layer)) as source:
        members = [(one.name, source.extractfile(one).read() if one.isfile() else None) for one in source]

    def remove(path: str, *, itself: bool) -> None:
        for name in list(tree):
            if name.startswith(f"{path}/") or (itself and name == path):
                del tree[name]

    for name, _ in members:
        folder, _, leaf = name.rpartition("/")
        if leaf == ".wh..wh..opq":
            remove(folder, itself=False)
        elif leaf.startswith(".wh."):
            remove(f"{folder}/{leaf[4:]}".lstrip("/"), itself=True)
    for name, content in members:
        if name.rpartition("/")[2].startswith(".wh."):
            continue
        parts = name.split("/")
        for count in range(1, len(parts)):
            parent = "/".join(parts[:count])
            if tree.get(parent, b"") is not None:
                tree[parent] = None
        if content is not None:
            remove(name, itself=True)
        tree[name] = content


def lay(*layers: bytes) -> tuple[Stack, list[Entry]]:
    stack = Stack()
    for number, layer in enumerate(layers):
        list(stack.lay(number, scanned(layer)[1]).records())
    return stack, list(stack.entries())


@given(LAYERS)
@settings(max_examples=100, deadline=None)
def test_a_stack_is_what_unpacking_gives(layers: list[Members]) -> None:
    model: dict[str, bytes | None] = {}
    for layer in layers:
        unpack(model, tar(layer))
    stack, entries = lay(*map(tar, layers))
    found = {entry.path.decode(): entry.facts for entry in entries}
    assert {path: facts.size for path, facts in found.items() if facts.kind is Kind.FILE} == {
        path: len(content) for path, content in model.items() if content is not None
    }
    assert {path for path, facts in found.items() if facts.kind is Kind.FOLDER} == {
        path for path, content in model.items() if content is None
    }
    for path, facts in found.items():
        if facts.kind is Kind.FOLDER:
            inner = [content for name, content in model.items() if name.startswith(f"{path}/") and content is not None]
            assert (facts.size, facts.files) == (sum(map(len, inner)), len(inner))
    assert stack.root.facts.size == sum(len(content or b"") for content in model.values())
    assert entries == sorted(entries, key=key_of)


@given(LAYERS)
@settings(max_examples=50, deadline=None)
def test_changes_and_waste_add_up(layers: list[Members]) -> None:
    stack, size, files = Stack(), 0, 0
    for number, layer in enumerate(layers):
        changes = stack.lay(number, scanned(tar(layer))[1])
        leaves = [one for one in changes.records() if one.kind is not Kind.FOLDER]
        size += changes.totals["after"] - changes.totals["before"]
        files += changes.totals["added"] - changes.totals["removed"]
        assert changes.totals["changed"] == sum(one.status in "cmt" for one in leaves)
    entries = list(stack.entries())
    assert (size, files) == (stack.root.facts.size, stack.root.facts.files)
    brought = sum(
        entry.facts.size for layer in layers for entry in scanned(tar(layer))[1] if entry.facts.kind is Kind.FILE
    )
    assert stack.waste()[0] == brought - stack.root.facts.size
    assert all(0 <= entry.facts.layer < len(layers) for entry in entries)


@given(LAYERS, LAYERS)
@settings(max_examples=50, deadline=None)
def test_a_comparison_is_the_difference_of_two_dictionaries(one: list[Members], other: list[Members]) -> None:
    before, after = lay(*map(tar, one))[1], lay(*map(tar, other))[1]
    changes = compared(before, after)
    records = list(changes.records())
    old = {entry.path: entry.facts for entry in before if entry.facts.kind is not Kind.FOLDER}
    new = {entry.path: entry.facts for entry in after if entry.facts.kind is not Kind.FOLDER}
    told = {one.path: one.status for one in records if one.kind is not Kind.FOLDER}
    assert told == {
        **dict.fromkeys(new.keys() - old.keys(), "a"),
        **dict.fromkeys(old.keys() - new.keys(), "r"),
        **{path: "c" for path in old.keys() & new.keys() if old[path].identity != new[path].identity},
    }
    assert changes.totals["after"] - changes.totals["before"] == sum(facts.size for facts in new.values()) - sum(
        facts.size for facts in old.values()
    )
    for record in records:
        if record.kind is Kind.FOLDER:
            below = [one for one in records if one.path.startswith(record.path + b"/") and one.kind is not Kind.FOLDER]
            assert (record.added, record.changed, record.removed) == tuple(
                sum(one.status == status for one in below) for status in "acr"
            )
    assert records == sorted(records, key=key_of)


@given(LAYERS)
@settings(max_examples=50, deadline=None)
def test_pages_give_back_what_was_put_in(layers: list[Members]) -> None:
    entries = lay(*map(tar, layers))[1]
    pages = list(ENTRIES.pages(iter(entries)))
    assert [one for page in pages for one in ENTRIES.records(unpacked(page.content))] == entries
    changes = list(compared([], entries).records())
    assert [one for page in CHANGES.pages(iter(changes)) for one in CHANGES.records(unpacked(page.content))] == changes


def test_a_directory_finds_the_page_of_every_entry() -> None:
    members: list[tuple[str, Content]] = [(f"d{number % 70}/f{number:05}", b"") for number in range(5000)]
    entries = lay(tar(members))[1]
    pages = list(ENTRIES.pages(iter(entries)))
    assert len(pages) > 3
    directory = Directory.unpack(Directory([page.first for page in pages]).pack())
    for entry in entries[::97]:
        page = pages[directory.page_of(key_of(entry))]
        assert entry in list(ENTRIES.records(unpacked(page.content)))


def test_a_path_through_a_link_lands_where_it_leads_inside_the_image() -> None:
    base = tar([("usr/lib/old", b"12"), ("lib", "usr/lib"), ("up", "../../../../usr"), ("abs", "/usr/lib")])
    top = tar([("lib/new", b"1"), ("up/share/doc", b"2"), ("abs/.wh.old", b"")])
    paths = {entry.path for entry in lay(base, top)[1]}
    assert {b"usr/lib/new", b"usr/share/doc", b"lib", b"up", b"abs"} <= paths
    assert not {b"usr/lib/old", b"lib/new"} & paths


def test_links_in_circles_end() -> None:
    paths = {entry.path for entry in lay(tar([("a", "b"), ("b", "a")]), tar([("a/x", b"1"), ("b/.wh.x", b"")]))[1]}
    assert paths


def test_rights_and_owners_are_changes_and_times_are_not() -> None:
    one, same = tar([("f", b"1")]), tar([("f", b"1")], mtime=5)
    other = tar([("f", b"1")], mode=0o755, uid=7)
    assert list(compared(lay(one)[1], lay(same)[1]).records()) == []
    (change,) = compared(lay(one)[1], lay(other)[1]).records()
    assert (change.status, change.note) == ("m", b"0644 0:0 > 0755 7:0")
    stack = Stack()
    stack.lay(0, scanned(one)[1])
    assert [change.status for change in stack.lay(1, scanned(same)[1]).records()] == ["t"]
    assert stack.waste() == (1, [(b"f", 1, 1)])


def test_an_image_of_too_many_paths_is_refused() -> None:
    assert stacking.MAX_ENTRIES == 600_000
    stack = Stack()
    stack._count = stacking.MAX_ENTRIES
    with pytest.raises(InputInvalid, match="more than 600000 paths"):
        stack.lay(0, scanned(tar([("one", b"")]))[1])
