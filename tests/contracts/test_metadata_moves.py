"""The contracts of what happens to repositories as a whole, on each engine: moves, redirects, offers, collaborators."""

from havre.metadata import Rows
from havre.oci.names import Namespace, RepositoryName, Tag
from havre.registry.records import Role, Viewer, Visibility
from tests.support.content import digest, linked_blob, manifest, person, repository

APP, WEB = RepositoryName("alice/app"), RepositoryName("alice/web")
ALICE, BOBBY = Namespace("alice"), Namespace("bobby")


def test_a_rename_moves_between_namespaces(rows: Rows) -> None:
    person(rows, "alice")
    bobby = person(rows, "bobby")
    made = repository(rows, APP)
    repository(rows, WEB)
    assert not rows.moves.rename(made.id, WEB)
    assert not rows.moves.rename(made.id, RepositoryName("nobody/app"))
    assert rows.moves.rename(made.id, RepositoryName("bobby/app"))
    moved = rows.repositories.get(RepositoryName("bobby/app"))
    assert moved is not None
    assert (moved.id, moved.owner_id, moved.name.leaf) == (made.id, bobby, "app")
    assert rows.repositories.get(APP) is None
    assert rows.moves.rename(made.id, RepositoryName("python"))
    official = rows.repositories.get(RepositoryName("python"))
    assert official is not None
    assert official.owner_id is None


def test_a_deleted_repository_keeps_what_it_holds(rows: Rows) -> None:
    person(rows, "alice")
    made = repository(rows, APP)
    linked_blob(rows, made.id, "layer")
    rows.manifests.add(made.id, manifest("index"), [(digest("layer"), "layer")])
    rows.tags.put(made.id, Tag("latest"), digest("index"), None, 30)
    rows.moves.hide(made.id, 50)
    rows.moves.hide(made.id, 60)
    assert rows.repositories.get(APP) is None
    assert rows.repositories.names(Viewer(is_admin=True), "", 10) == []
    assert rows.blobs.mountable(Viewer(is_admin=True), digest("layer")) is None
    hidden = rows.moves.hidden(made.id)
    assert hidden is not None
    assert (hidden.name, hidden.owner_id, hidden.deleted) == (APP, made.owner_id, 50)
    assert list(rows.moves.hidden_in(ALICE, 10)) == [hidden]
    assert list(rows.moves.hidden_in(BOBBY, 10)) == []
    assert list(rows.moves.expired(50, 10)) == []
    assert list(rows.moves.expired(51, 10)) == [made.id]
    assert rows.moves.show(made.id)
    assert rows.repositories.get(APP) == made
    assert rows.blobs.linked(made.id, digest("layer")) is not None
    assert rows.tags.get(made.id, Tag("latest")) is not None
    assert not rows.moves.show(made.id)
    assert rows.moves.hidden(made.id) is None


def test_two_deleted_ones_of_the_same_name(rows: Rows) -> None:
    person(rows, "alice")
    first = repository(rows, APP)
    rows.moves.hide(first.id, 50)
    second = repository(rows, APP)
    assert not rows.moves.show(first.id)
    rows.moves.hide(second.id, 60)
    assert [one.id for one in rows.moves.hidden_in(ALICE, 10)] == [second.id, first.id]
    assert rows.moves.show(first.id)
    rows.repositories.delete(second.id)
    assert rows.moves.hidden(second.id) is None


def test_redirects_lead_to_what_is_there(rows: Rows) -> None:
    person(rows, "alice")
    person(rows, "bobby")
    web, other = repository(rows, WEB), repository(rows, "bobby/web")
    rows.redirects.put(APP, web.id, 20)
    rows.redirects.put(RepositoryName("alice/old"), other.id, 21)
    found = rows.redirects.get(APP)
    assert found is not None
    assert (found.path, found.repository, found.created) == (APP, web, 20)
    assert [one.path for one in rows.redirects.within(ALICE, 10)] == [APP, "alice/old"]
    assert [one.path for one in rows.redirects.within(ALICE, 1)] == [APP]
    assert rows.redirects.within(BOBBY, 10) == []
    assert [one.path for one in rows.redirects.of(web.id, 10)] == [APP]
    rows.redirects.put(APP, other.id, 30)
    assert [one.path for one in rows.redirects.of(other.id, 10)] == [APP, "alice/old"]
    rows.moves.hide(other.id, 40)
    assert rows.redirects.get(APP) is None
    assert rows.redirects.within(ALICE, 10) == []
    rows.moves.show(other.id)
    assert rows.redirects.get(APP) is not None
    assert rows.redirects.delete(APP)
    assert not rows.redirects.delete(APP)
    rows.repositories.delete(other.id)
    assert rows.redirects.get(RepositoryName("alice/old")) is None


def test_a_new_repository_takes_its_name_over(rows: Rows) -> None:
    person(rows, "alice")
    web, third = repository(rows, WEB), repository(rows, "alice/third")
    rows.redirects.put(APP, web.id, 20)
    repository(rows, APP)
    assert rows.redirects.of(web.id, 10) == []
    rows.redirects.put(RepositoryName("alice/old"), web.id, 20)
    assert rows.moves.rename(third.id, RepositoryName("alice/old"))
    assert rows.redirects.of(web.id, 10) == []


def test_offers(rows: Rows) -> None:
    alice, bobby, carol = (person(rows, name) for name in ("alice", "bobby", "carol"))
    app = repository(rows, APP)
    assert rows.transfers.get(app.id) is None
    rows.transfers.put(app.id, alice, bobby, 20)
    rows.transfers.put(app.id, alice, carol, 30)
    offer = rows.transfers.get(app.id)
    assert offer is not None
    assert (offer.repository, offer.from_name, offer.to_id, offer.to_name, offer.created) == (
        app,
        "alice",
        carol,
        "carol",
        30,
    )
    assert rows.transfers.to(bobby, 10) == []
    assert list(rows.transfers.to(carol, 10)) == [offer]
    assert rows.transfers.delete(app.id)
    assert not rows.transfers.delete(app.id)


def test_collaborators(rows: Rows) -> None:
    person(rows, "alice")
    bobby, carol = person(rows, "bobby"), person(rows, "carol")
    app, web = repository(rows, APP, Visibility.PRIVATE), repository(rows, WEB)
    assert rows.collaborators.role(app.id, bobby) is None
    rows.collaborators.put(app.id, bobby, Role.READ, 20)
    rows.collaborators.put(app.id, bobby, Role.ADMIN, 30)
    rows.collaborators.put(app.id, carol, Role.WRITE, 40)
    rows.collaborators.put(web.id, bobby, Role.WRITE, 50)
    assert [(one.name, one.role, one.created) for one in rows.collaborators.of(app.id, 10)] == [
        ("bobby", Role.ADMIN, 20),
        ("carol", Role.WRITE, 40),
    ]
    assert (rows.collaborators.count(app.id), rows.collaborators.count(web.id)) == (2, 1)
    assert [(one.name, role) for one, role in rows.collaborators.shared(bobby, 10)] == [
        (WEB, Role.WRITE),
        (APP, Role.ADMIN),
    ]
    assert rows.repositories.names(Viewer(bobby), "", 10) == [APP, WEB]
    assert rows.repositories.names(Viewer(), "", 10) == [WEB]
    linked_blob(rows, app.id, "layer")
    assert rows.blobs.mountable(Viewer(bobby), digest("layer")) is not None
    assert rows.collaborators.delete(app.id, bobby)
    assert not rows.collaborators.delete(app.id, bobby)
    assert rows.repositories.names(Viewer(bobby), "", 10) == [WEB]
    assert rows.blobs.mountable(Viewer(bobby), digest("layer")) is None
    rows.moves.hide(web.id, 60)
    assert rows.collaborators.shared(bobby, 10) == []


def test_more_columns_of_a_repository(rows: Rows) -> None:
    alice = person(rows, "alice")
    app = repository(rows, APP)
    rows.repositories.change(app.id, pushed_by=alice, archived=70, categories=["databases", "security"])
    changed = rows.repositories.get(APP)
    assert changed is not None
    assert (changed.pushed_by, changed.archived, changed.categories) == (alice, 70, ("databases", "security"))
    rows.repositories.change(app.id, archived=0, categories=[])
    changed = rows.repositories.get(APP)
    assert changed is not None
    assert (changed.archived, changed.categories) == (None, ())
