"""The contract of RepositoryRows, on each engine."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from havre.errors import NameUnknown
from havre.metadata import Rows
from havre.metadata.schema import metadata
from havre.oci.names import Namespace, RepositoryName, Tag
from havre.registry.records import Viewer, Visibility
from tests.support.content import digest, linked_blob, manifest, person, repository
from tests.support.databases import undone

ANYONE = Viewer()
ADMIN = Viewer(user_id=None, is_admin=True)
examples = settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def test_a_repository_is_made_once(rows: Rows) -> None:
    alice = person(rows, "alice")
    made = rows.repositories.add(RepositoryName("alice/team/app"), Visibility.PRIVATE, 100)
    assert (made.name, made.owner_id, made.visibility) == ("alice/team/app", alice, Visibility.PRIVATE)
    assert (made.created, made.updated, made.description, made.pulls) == (100, 100, "", 0)
    assert rows.readmes.get(made.id) == ""
    assert rows.repositories.add(RepositoryName("alice/team/app"), Visibility.PUBLIC, 200) == made
    assert rows.repositories.get(RepositoryName("alice/team/app")) == made
    assert isinstance(made.name, RepositoryName)


def test_an_official_image_belongs_to_nobody(rows: Rows) -> None:
    made = repository(rows, "python")
    assert (made.owner_id, made.name.official) == (None, True)
    assert rows.repositories.get(RepositoryName("python")) == made


def test_an_unknown_namespace_is_named(rows: Rows) -> None:
    with pytest.raises(NameUnknown, match="'nobody'"):
        repository(rows, "nobody/app")
    assert rows.repositories.get(RepositoryName("nobody/app")) is None


def test_namespaces(rows: Rows) -> None:
    alice = person(rows, "alice")
    record = rows.repositories.namespace(Namespace("alice"))
    assert record is not None
    assert (record.name, record.owner_id) == ("alice", alice)
    official = rows.repositories.namespace(Namespace("library"))
    assert official is not None
    assert official.owner_id is None
    assert rows.repositories.namespace(Namespace("nobody")) is None


def test_change_touches_what_is_given(rows: Rows) -> None:
    made, other = repository(rows, "python"), repository(rows, "golang")
    rows.repositories.change(made.id, description="A language", updated=500)
    rows.repositories.change(made.id, visibility=Visibility.PRIVATE)
    rows.readmes.put(made.id, "# Python")
    rows.repositories.change(made.id)
    changed = rows.repositories.get(made.name)
    assert changed is not None
    assert (changed.visibility, changed.description) == (Visibility.PRIVATE, "A language")
    assert rows.readmes.get(made.id) == "# Python"
    assert (changed.created, changed.updated) == (10, 500)
    rows.repositories.change(made.id, description="")
    emptied = rows.repositories.get(made.name)
    assert emptied is not None
    assert emptied.description == ""
    assert rows.readmes.get(made.id) == "# Python"
    rows.readmes.put(made.id, "")
    assert rows.readmes.get(made.id) == ""
    assert rows.repositories.get(other.name) == other


def test_delete_leaves_nothing_but_blobs(rows: Rows) -> None:
    made, other = repository(rows, "python"), repository(rows, "golang")
    for one in (made, other):
        linked_blob(rows, one.id, "layer")
        rows.manifests.add(one.id, manifest("index"), [(digest("layer"), "layer")])
        rows.tags.put(one.id, Tag("latest"), digest("index"), None, 30)
    rows.repositories.delete(made.id)
    assert rows.repositories.get(made.name) is None
    counts = {
        table.name: rows.connection.execute(table.select()).all()
        for table in metadata.sorted_tables
        if table.name in {"repositories", "repository_blobs", "manifests", "manifest_edges", "tags", "tag_events"}
    }
    assert {name: len(left) for name, left in counts.items()} == dict.fromkeys(counts, 1)
    assert rows.blobs.find(digest("layer")) is not None
    assert rows.tags.get(other.id, Tag("latest")) is not None


def test_the_id_of_a_deleted_repository_is_not_given_again(rows: Rows) -> None:
    made = repository(rows, "python")
    rows.repositories.delete(made.id)
    assert repository(rows, "python").id > made.id


def test_pulls_add_up(rows: Rows) -> None:
    python, golang = repository(rows, "python"), repository(rows, "golang")
    rows.repositories.count_pulls([(golang.id, 5), (python.id, 2)])
    rows.repositories.count_pulls([(python.id, 1), (10**9, 4)])
    rows.repositories.count_pulls([])
    counted = [rows.repositories.get(one.name) for one in (python, golang)]
    assert [one.pulls for one in counted if one] == [3, 5]


# ---------------------------------------------------------------- who sees what


def test_names_are_those_that_the_viewer_may_see(rows: Rows) -> None:
    alice, bob = person(rows, "alice"), person(rows, "bobby")
    for name in ("alice/open", "bobby/open", "python"):
        repository(rows, name)
    for name in ("alice/secret", "bobby/secret", "hidden"):
        repository(rows, name, Visibility.PRIVATE)
    public = ["alice/open", "bobby/open", "python"]
    assert rows.repositories.names(ANYONE, "", 10) == public
    assert rows.repositories.names(Viewer(alice), "", 10) == sorted([*public, "alice/secret"])
    assert rows.repositories.names(Viewer(bob), "", 10) == sorted([*public, "bobby/secret"])
    assert rows.repositories.names(Viewer(10**9), "", 10) == public
    everything = sorted([*public, "alice/secret", "bobby/secret", "hidden"])
    assert rows.repositories.names(ADMIN, "", 10) == everything


def test_names_go_on_after_the_last_one(rows: Rows) -> None:
    for name in ("a", "b", "c"):
        repository(rows, name)
    assert rows.repositories.names(ANYONE, "", 2) == ["a", "b"]
    assert rows.repositories.names(ANYONE, "b", 2) == ["c"]
    assert rows.repositories.names(ANYONE, "aa", 2) == ["b", "c"]
    assert rows.repositories.names(ANYONE, "", 0) == []
    assert all(isinstance(name, RepositoryName) for name in rows.repositories.names(ANYONE, "", 3))


components = st.from_regex(r"[a-z0-9]{1,3}(?:(?:\.|_|__|-)[a-z0-9]{1,2})?", fullmatch=True)


@examples
@given(st.lists(components, unique=True, min_size=2, max_size=12), st.data())
def test_names_come_in_byte_order(rows: Rows, leaves: list[str], data: st.DataObject) -> None:
    names = {f"alice/{leaf}" for leaf in leaves} | {leaves[0]}
    with undone(rows):
        person(rows, "alice")
        for name in names:
            repository(rows, name)
        ordered = sorted(names, key=str.encode)
        after = data.draw(st.sampled_from(ordered))
        assert rows.repositories.names(ANYONE, "", 100) == ordered
        assert rows.repositories.names(ANYONE, after, 100) == [name for name in ordered if name > after]
