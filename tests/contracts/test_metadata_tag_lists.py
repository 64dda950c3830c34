"""The contract of TagListRows, on each engine."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from havre.errors import InputInvalid, NameInvalid
from havre.metadata import Rows
from havre.oci.names import Tag
from havre.registry.records import PullFigure, TagOrder, TagPlace, TagRecord
from tests.support.content import digest, manifest, person, repository
from tests.support.databases import undone

examples = settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

NAMES = st.from_regex(r"[a-cA-C_][a-cA-C._-]{0,3}", fullmatch=True)


@pytest.fixture
def python(rows: Rows) -> int:
    made = repository(rows, "python").id
    rows.manifests.add(made, manifest("small", platform="linux/amd64", total_size=1), [])
    rows.manifests.add(made, manifest("large", platform="linux/arm64", total_size=9), [])
    rows.manifests.add(made, manifest("unknown", platform="unknown/unknown"), [])
    children = [(digest(name), "manifest") for name in ("large", "small", "unknown", "absent")]
    rows.manifests.add(made, manifest("index", total_size=10), children)
    return made


def put(rows: Rows, repository_id: int, *names: str, to: str = "small", at: int = 30) -> None:
    for name in names:
        rows.tags.put(repository_id, Tag(name), digest(to), None, at)


def walk(rows: Rows, repository_id: int, order: TagOrder, text: str = "", step: int = 100) -> list[str]:
    """All names in an order, in steps."""
    found: list[str] = []
    after: TagPlace | None = None
    while some := rows.tag_lists.places(repository_id, order, text, after, None, False, step):
        found += [str(place.name) for place in some]
        after = some[-1]
    return found


def test_each_order(rows: Rows, python: int) -> None:
    put(rows, python, "b", at=30)
    put(rows, python, "d", to="index", at=32)
    put(rows, python, "a", "c", to="large", at=31)
    figures = [PullFigure(python, 1, Tag(name), "docker", 1) for name in ("a", "b")]
    rows.pulls.add(figures[:1], 50)
    rows.pulls.add(figures[1:], 60)
    assert walk(rows, python, TagOrder.NEWEST) == ["d", "c", "a", "b"]
    assert walk(rows, python, TagOrder.NAME) == ["a", "b", "c", "d"]
    assert walk(rows, python, TagOrder.SIZE) == ["d", "c", "a", "b"]
    assert walk(rows, python, TagOrder.PULLED) == ["b", "a", "d", "c"]
    assert walk(rows, python + 1000, TagOrder.NAME) == []


@pytest.mark.parametrize("order", TagOrder)
@examples
@given(st.lists(st.tuples(NAMES, st.integers(30, 32)), unique_by=lambda one: one[0], max_size=8), st.data())
def test_a_walk_goes_both_ways_and_on_from_any_place(
    rows: Rows, python: int, order: TagOrder, tags: list[tuple[str, int]], data: st.DataObject
) -> None:
    with undone(rows):
        for name, at in tags:
            put(rows, python, name, to="large" if at == 31 else "small", at=at)
        every = rows.tag_lists.places(python, order, "", None, None, False, 100)
        assert sorted(str(place.name) for place in every) == sorted(name for name, _ in tags)
        assert walk(rows, python, order, step=data.draw(st.integers(1, 3))) == [str(place.name) for place in every]
        assert rows.tag_lists.places(python, order, "", None, None, True, 100) == list(every)[::-1]
        for number, place in enumerate(every):
            rest, back = list(every[number + 1 :]), list(every[:number])[::-1]
            assert rows.tag_lists.places(python, order, "", place, None, False, 100) == rest
            assert rows.tag_lists.places(python, order, "", place, None, True, 100) == back
            for further, until in enumerate(rest, 1):
                assert rows.tag_lists.reach(python, order, place, False, further) == until
                assert rows.tag_lists.places(python, order, "", place, until, False, 100) == rest[:further]
            assert rows.tag_lists.reach(python, order, place, False, len(rest) + 1) is None
        assert rows.tag_lists.count(python, 100) == len(tags)
        assert rows.tag_lists.count(python, 2) == min(2, len(tags))


@examples
@given(st.lists(NAMES, unique=True, max_size=6), st.text(alphabet="abAB._-%\\é", min_size=1, max_size=2))
def test_the_tags_that_contain_a_text(rows: Rows, python: int, names: list[str], text: str) -> None:
    with undone(rows):
        put(rows, python, *names)
        wanted = sorted(name for name in names if text.lower() in name.lower())
        assert walk(rows, python, TagOrder.NAME, text) == wanted


def test_what_a_list_shows(rows: Rows, python: int) -> None:
    alice = person(rows, "alice")
    rows.tags.put(python, Tag("one"), digest("small"), alice, 30)
    put(rows, python, "all", to="index", at=31)
    rows.pulls.add([PullFigure(python, 1, Tag("one"), "docker", 3)], 40)
    every, one = rows.tag_lists.views(python, [Tag("all"), Tag("gone"), Tag("one")])
    assert one[0] == TagRecord(Tag("one"), digest("small"), 30, "alice", 3, 40)
    assert (one[1].digest, one[1].content, one[1].total_size) == (digest("small"), b"", 1)
    assert (every[0].name, every[0].pusher, every[0].pulled) == ("all", "", 0)
    assert [list(one[2]), list(every[2])] == [["linux/amd64"], ["linux/amd64", "linux/arm64"]]


@pytest.mark.parametrize("text", ["", "1", ":", "x:latest", "1:", "1:a/b", "-1:a", "1" * 19 + ":a", "\u0661:a"])
def test_what_is_no_place_is_refused(text: str) -> None:
    with pytest.raises((InputInvalid, NameInvalid)):
        TagPlace.parse(text)
    assert TagPlace.parse(str(TagPlace(7, Tag("a.b-c")))) == TagPlace(7, Tag("a.b-c"))


@examples
@given(st.lists(NAMES, unique=True, max_size=6), st.data())
def test_names_in_one_text_and_those_that_were_made_since(
    rows: Rows, python: int, names: list[str], data: st.DataObject
) -> None:
    with undone(rows):
        begun, _ = rows.tag_lists.made(python, "", 0, 0)
        put(rows, python, *names)
        joined, after = [], ""
        while (some := rows.tag_lists.joined(python, after, 2))[0]:
            assert max(some[0].split("/")) == some[1]
            joined += some[0].split("/")
            after = some[1]
        assert (sorted(joined), some) == (sorted(names), ("", ""))
        assert rows.tag_lists.joined(python + 1000, "", 9) == ("", "")
        # A move makes no tag, and takes none of the ids that are looked at.
        put(rows, python, *names, to="large")
        last, made = rows.tag_lists.made(python, "", begun, 100)
        assert (sorted(made), last >= begun + len(names)) == (sorted(names), True)
        assert list(rows.tag_lists.made(python, "", begun, 2)[1]) == names[:2]
        text = names[0].swapcase() if names else "x"
        matching = [name for name in names if text.lower() in name.lower()]
        assert sorted(rows.tag_lists.made(python, text, begun, 100)[1]) == sorted(matching)
        assert rows.tag_lists.made(python, "", last, 100) == (last, [])
        assert rows.tag_lists.made(python + 1000, "", begun, 100)[1] == []
        for order in TagOrder:
            every = rows.tag_lists.places(python, order, "", None, None, False, 100)
            chosen = [place for place in every if data.draw(st.booleans())]
            asked = {Tag("absent"), *(place.name for place in chosen)}
            assert list(rows.tag_lists.named(python, order, asked)) == chosen
