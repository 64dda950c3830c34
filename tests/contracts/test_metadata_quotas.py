"""The contract of QuotaRows, and the figures that storage is counted by, on each engine."""

import random

from sqlalchemy import select, update

from havre.metadata import Rows
from havre.metadata.schema import (
    blobs,
    namespace_blobs,
    namespaces,
    plans,
    repositories,
    repository_blobs,
    storage_changes,
    users,
)
from havre.metadata.storage_figures import begin_counting, fold, waiting
from havre.oci.names import Namespace, RepositoryName
from havre.registry.quota_ports import UNLIMITED, Limits
from havre.registry.records import BlobRecord, Visibility
from tests.support.content import digest, linked_blob, person, repository

ALICE = Namespace("alice")


def stored(rows: Rows, name: str) -> int:
    quota = rows.quotas.of(Namespace(name))
    assert quota is not None
    return quota.stored


def limit(rows: Rows, **limits: int | None) -> None:
    rows.connection.execute(update(plans).where(plans.c.is_default).values(limits))


def hide(rows: Rows, repository_id: int, at: int | None) -> None:
    rows.connection.execute(update(repositories).where(repositories.c.id == repository_id).values(deleted=at))


def move(rows: Rows, repository_id: int, name: str) -> None:
    target = select(namespaces.c.id).where(namespaces.c.name == name).scalar_subquery()
    rows.connection.execute(
        update(repositories).where(repositories.c.id == repository_id).values(namespace_id=target, name="moved")
    )


def test_the_default_plan_counts_for_who_has_none(rows: Rows) -> None:
    person(rows, "alice")
    quota = rows.quotas.of(ALICE)
    assert quota is not None
    assert (quota.plan, quota.limits, quota.private_used, quota.stored) == ("Free", Limits(1, None, None), 0, 0)
    assert rows.quotas.of(Namespace("nobody")) is None


def test_official_images_and_administrators_have_no_limits(rows: Rows) -> None:
    person(rows, "carol", is_admin=True)
    for name in ("library", "carol"):
        quota = rows.quotas.of(Namespace(name))
        assert quota is not None
        assert (quota.plan, quota.limits) == ("", UNLIMITED)


def test_private_repositories_are_counted_unless_deleted(rows: Rows) -> None:
    person(rows, "alice")
    for name in ("one", "two", "three"):
        repository(rows, f"alice/{name}", Visibility.PRIVATE)
    repository(rows, "alice/open")
    gone = rows.repositories.get(RepositoryName("alice/three"))
    assert gone is not None
    hide(rows, gone.id, 50)
    quota = rows.quotas.of(ALICE)
    assert quota is not None
    assert quota.private_used == 2


def test_before_a_push_one_statement_says_what_matters(rows: Rows) -> None:
    alice = person(rows, "alice")
    repository(rows, "alice/secret", Visibility.PRIVATE)
    linked_blob(rows, repository(rows, "alice/app").id, "layer")
    found = rows.quotas.before_push(RepositoryName("alice/app"))
    assert found is not None
    assert (found[1], found[0].room) == (None, None)
    found = rows.quotas.before_push(RepositoryName("alice/new"))
    assert found is not None
    assert (found[1], found[0].private_used) == (Visibility.PUBLIC, 0)
    rows.connection.execute(update(users).where(users.c.id == alice).values(default_visibility="private"))
    limit(rows, storage=100)
    found = rows.quotas.before_push(RepositoryName("alice/new"))
    assert found is not None
    assert (found[1], found[0].private_used, found[0].room) == (Visibility.PRIVATE, 1, 95)
    assert rows.quotas.before_push(RepositoryName("nobody/new")) is None


def test_content_shared_within_a_namespace_counts_once(rows: Rows) -> None:
    for name in ("alice", "bobby"):
        person(rows, name)
    app, web, other = (repository(rows, name) for name in ("alice/app", "alice/web", "bobby/app"))
    layer = linked_blob(rows, app.id, "layer")
    for one in (app, web, other):
        rows.blobs.link(one.id, layer.digest, 20)
    assert (stored(rows, "alice"), stored(rows, "bobby")) == (5, 5)
    assert rows.quotas.holds(ALICE, layer.digest)
    assert not rows.quotas.holds(ALICE, digest("other"))
    rows.blobs.unlink(app.id, layer.digest)
    assert stored(rows, "alice") == 5
    rows.repositories.delete(web.id)
    assert stored(rows, "alice") == 0
    assert not rows.quotas.holds(ALICE, layer.digest)
    assert rows.quotas.holds(Namespace("bobby"), layer.digest)


def truth(rows: Rows, namespace_id: int) -> int:
    """What the running figure must be, by looking at everything."""
    every = (
        select(blobs.c.id, blobs.c.size)
        .join_from(repository_blobs, blobs)
        .join(repositories, repositories.c.id == repository_blobs.c.repository_id)
        .where(repositories.c.namespace_id == namespace_id, repositories.c.deleted.is_(None))
        .distinct()
    )
    return sum(size for _, size in rows.connection.execute(every))


def whole(rows: Rows) -> None:
    """Every figure is what looking at everything says, whatever was folded until now."""
    table = repositories.c
    for namespace_id, name in rows.connection.execute(select(namespaces.c.id, namespaces.c.name)).all():
        assert stored(rows, name) == truth(rows, namespace_id), name
    while fold(rows.connection):
        pass
    assert not waiting(rows.connection)
    for namespace_id, name, figure in rows.connection.execute(
        select(namespaces.c.id, namespaces.c.name, namespaces.c.storage)
    ).all():
        assert figure == truth(rows, namespace_id), name
    for repository_id, figure in rows.connection.execute(select(table.id, table.storage)).all():
        sizes = select(blobs.c.size).join(repository_blobs).where(repository_blobs.c.repository_id == repository_id)
        assert figure == sum(rows.connection.execute(sizes).scalars())
    assert not rows.connection.execute(select(namespace_blobs).where(namespace_blobs.c.links <= 0)).all()


def test_figures_hold_whatever_happens(rows: Rows) -> None:
    """A thousand changes in a random order, the same each time."""
    chance = random.Random(4)
    names = ("alice", "bobby", "dora")
    for name in names:
        person(rows, name)
    content = [rows.blobs.add(BlobRecord(digest(n), 10**n, f"blobs/{n}"), 1).digest for n in range(12)]
    alive: dict[int, bool] = {}
    for step in range(1000):
        choice = chance.random()
        one = chance.choice(list(alive)) if alive else 0
        if choice < 0.1 or not alive:
            alive[repository(rows, f"{chance.choice(names)}/r{step}").id] = True
        elif choice < 0.6:
            rows.blobs.link(one, chance.choice(content), step)
        elif choice < 0.75:
            rows.blobs.unlink(one, chance.choice(content))
        elif choice < 0.83:
            hide(rows, one, step if alive[one] else None)
            alive[one] = not alive[one]
        elif choice < 0.93:
            name = chance.choice(names)
            move(rows, one, name)
            rows.connection.execute(update(repositories).where(repositories.c.id == one).values(name=f"m{step}"))
        elif choice < 0.97:
            rows.repositories.delete(one)
            del alive[one]
        else:
            fold(rows.connection)
        if step % 100 == 99:
            whole(rows)
    assert len(alive) > 10


def test_counting_from_the_beginning_finds_the_same(rows: Rows) -> None:
    person(rows, "alice")
    app = repository(rows, "alice/app")
    for text in ("layer", "config"):
        linked_blob(rows, app.id, text)
    linked_blob(rows, repository(rows, "alice/web").id, "layer")
    rows.connection.execute(update(namespaces).values(storage=77))
    begin_counting(rows.connection)
    assert stored(rows, "alice") == len("layer") + len("config")
    assert rows.connection.execute(select(storage_changes)).all() == []
    whole(rows)
