"""The contract of TagRows, on each engine."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from havre.errors import ManifestUnknown
from havre.metadata import Rows
from havre.oci.digest import Digest
from havre.oci.names import Tag
from havre.registry.records import TagEvent, TagRecord
from tests.support.content import digest, manifest, person, repository
from tests.support.databases import undone

examples = settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture
def alice(rows: Rows) -> int:
    return person(rows, "alice")


@pytest.fixture
def python(rows: Rows) -> int:
    made = repository(rows, "python").id
    for name in ("one", "two"):
        rows.manifests.add(made, manifest(name), [])
    return made


def put(rows: Rows, repository_id: int, *tags: str, to: str = "one", at: int = 30, by: int | None = None) -> None:
    for tag in tags:
        rows.tags.put(repository_id, Tag(tag), digest(to), by, at)


def test_a_tag_is_made_and_moved(rows: Rows, python: int, alice: int) -> None:
    assert rows.tags.get(python, Tag("latest")) is None
    assert rows.tags.put(python, Tag("latest"), digest("one"), alice, 30) is None
    assert rows.tags.get(python, Tag("latest")) == TagRecord(Tag("latest"), digest("one"), 30, "alice")
    assert rows.tags.put(python, Tag("latest"), digest("two"), None, 40) == digest("one")
    assert rows.tags.get(python, Tag("latest")) == TagRecord(Tag("latest"), digest("two"), 40, "")
    assert rows.tags.put(python, Tag("latest"), digest("two"), alice, 50) == digest("two")
    found = rows.tags.get(python, Tag("latest"))
    assert found is not None
    assert isinstance(found.digest, Digest)


def test_tags_differ_by_case_and_repository(rows: Rows, python: int) -> None:
    golang = repository(rows, "golang").id
    rows.manifests.add(golang, manifest("one"), [])
    put(rows, python, "V1")
    put(rows, golang, "v1")
    assert rows.tags.get(python, Tag("v1")) is None
    assert rows.tags.get(golang, Tag("V1")) is None


def test_a_tag_needs_a_manifest_of_the_repository(rows: Rows, python: int) -> None:
    golang = repository(rows, "golang").id
    with pytest.raises(ManifestUnknown, match=digest("one")):
        put(rows, golang, "latest")
    assert rows.tags.events(golang, None, 10) == []


def test_delete_remembers(rows: Rows, python: int, alice: int) -> None:
    put(rows, python, "latest", by=alice)
    assert rows.tags.delete(python, Tag("latest"), alice, 50)
    assert rows.tags.get(python, Tag("latest")) is None
    assert not rows.tags.delete(python, Tag("latest"), alice, 60)
    assert rows.tags.events(python, Tag("latest"), 10) == [
        TagEvent(Tag("latest"), digest("one"), None, "alice", 50),
        TagEvent(Tag("latest"), None, digest("one"), "alice", 30),
    ]


def test_every_move_is_remembered_newest_first(rows: Rows, python: int, alice: int) -> None:
    put(rows, python, "latest", at=30, by=alice)
    put(rows, python, "latest", to="two", at=40)
    put(rows, python, "latest", to="two", at=40)
    put(rows, python, "other", at=35)
    one, two = digest("one"), digest("two")
    assert rows.tags.events(python, Tag("latest"), 10) == [
        TagEvent(Tag("latest"), two, two, "", 40),
        TagEvent(Tag("latest"), one, two, "", 40),
        TagEvent(Tag("latest"), None, one, "alice", 30),
    ]
    assert [(event.tag, event.at) for event in rows.tags.events(python, None, 3)] == [
        ("latest", 40),
        ("latest", 40),
        ("other", 35),
    ]
    assert rows.tags.events(python, Tag("Latest"), 10) == []


def test_the_tags_of_a_manifest(rows: Rows, python: int) -> None:
    put(rows, python, "b", "a", "B")
    put(rows, python, "c", to="two")
    assert rows.tags.of(python, digest("one")) == ["B", "a", "b"]
    assert rows.tags.of(python, digest("two")) == ["c"]
    assert rows.tags.of(python, digest("nothing")) == []


@examples
@given(st.lists(st.from_regex(r"[a-zA-Z0-9_][a-zA-Z0-9._-]{0,4}", fullmatch=True), unique=True, min_size=1), st.data())
def test_names_come_in_byte_order(rows: Rows, python: int, names: list[str], data: st.DataObject) -> None:
    with undone(rows):
        put(rows, python, *names)
        ordered = sorted(names, key=str.encode)
        after, limit = data.draw(st.sampled_from(["", *ordered])), data.draw(st.integers(0, 5))
        assert rows.tags.names(python, "", 1000) == ordered
        assert rows.tags.names(python, after, limit) == [name for name in ordered if name > after][:limit]


def test_moves_are_read_on_from_a_place(rows: Rows, python: int) -> None:
    put(rows, python, "a", at=30)
    put(rows, python, "b", "c", at=31)
    put(rows, python, "a", to="two", at=32)
    every = rows.tags.events(python, None, 10)
    assert [(event.tag, event.at) for event in every] == [("a", 32), ("c", 31), ("b", 31), ("a", 30)]
    for number, event in enumerate(every):
        assert rows.tags.events(python, None, 10, (event.at, event.id)) == every[number + 1 :]
    assert rows.tags.events(python, Tag("a"), 10, (every[0].at, every[0].id)) == every[3:]


def test_news_are_the_moves_since(rows: Rows, python: int) -> None:
    golang = repository(rows, "golang").id
    rows.manifests.add(golang, manifest("one"), [])
    assert rows.tags.news(python, None) == (0, [])
    put(rows, python, "a", at=30)
    first, nothing = rows.tags.news(python, None)
    assert nothing == []
    put(rows, golang, "x", at=31)
    put(rows, python, "b", "c", at=32)
    last, moves = rows.tags.news(python, first)
    assert [event.tag for event in moves] == ["c", "b"]
    assert rows.tags.news(python, last) == (last, [])
