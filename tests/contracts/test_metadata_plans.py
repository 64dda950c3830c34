"""The contracts of PlanRows, UsageRows and AdministrationRows, on each engine."""

from sqlalchemy import insert, update

from havre.access.administration_ports import ContentCount, RepositoryOrder, Shown, UserOrder
from havre.metadata import Rows
from havre.metadata.schema import pulls_daily, repositories
from havre.oci.names import Namespace, RepositoryName
from havre.registry.quota_ports import Limits
from havre.registry.records import BlobRecord, Visibility
from tests.support.content import digest, linked_blob, person, repository

SMALL = Limits(3, 10**9, 0)


def test_the_free_plan_is_there_and_everyones(rows: Rows) -> None:
    alice = person(rows, "alice")
    (free,) = rows.plans.all()
    assert (free.name, free.title, free.is_default, free.limits) == ("free", "Free", True, Limits(1, None, None))
    assert free.accounts == 1
    mine = rows.plans.of(alice)
    assert mine is not None
    assert mine.id == free.id
    assert rows.plans.of(999) is None


def test_a_plan_is_given_and_taken_back(rows: Rows) -> None:
    alice, _ = person(rows, "alice"), person(rows, "bobby")
    small = rows.plans.add("small", "Small", SMALL, 5)
    assert small is not None
    assert (small.limits, small.is_default, small.created, small.accounts) == (SMALL, False, 5, 0)
    assert rows.plans.add("small", "Again", SMALL, 6) is None
    assert rows.plans.assign(alice, small.id)
    assert not rows.plans.assign(999, small.id)
    assert [(plan.name, plan.accounts) for plan in rows.plans.all()] == [("free", 1), ("small", 1)]
    quota = rows.quotas.of(Namespace("alice"))
    assert quota is not None
    assert (quota.plan, quota.limits) == ("Small", SMALL)
    assert not rows.plans.delete(small.id)
    assert rows.plans.assign(alice, None)
    assert rows.plans.delete(small.id)
    assert rows.plans.get("small") is None


def test_there_is_one_default(rows: Rows) -> None:
    alice = person(rows, "alice")
    small = rows.plans.add("small", "Small", SMALL, 5)
    free = rows.plans.get("free")
    assert small is not None
    assert free is not None
    assert not rows.plans.delete(free.id)
    rows.plans.make_default(small.id)
    rows.plans.change(small.id, "Tiny", Limits())
    mine = rows.plans.of(alice)
    assert mine is not None
    assert (mine.name, mine.title, mine.limits, mine.is_default) == ("small", "Tiny", Limits(), True)
    assert [plan.is_default for plan in rows.plans.all()] == [True, False]
    assert rows.plans.delete(free.id)


def test_usage_lists_the_largest_first_with_recent_pulls(rows: Rows) -> None:
    person(rows, "alice")
    alice = Namespace("alice")
    app, web = repository(rows, "alice/app"), repository(rows, "alice/web", Visibility.PRIVATE)
    gone = repository(rows, "alice/gone")
    for one, text in ((app, "ab"), (web, "abcd"), (gone, "abcdefgh")):
        linked_blob(rows, one.id, text)
    rows.connection.execute(update(repositories).where(repositories.c.id == gone.id).values(deleted=5))
    for day, tag, pulls in ((10, "1.0", 5), (11, "1.0", 2), (11, "latest", 3), (12, "", 1)):
        values = {"repository_id": web.id, "day": day, "tag": tag, "client": "docker", "pulls": pulls}
        rows.connection.execute(insert(pulls_daily).values(values))
    assert rows.usage.waiting()
    while rows.usage.fold():
        pass
    assert not rows.usage.waiting()
    largest = rows.usage.largest(alice, 11, 10)
    assert [(one.name, one.storage, one.pulls) for one in largest] == [("alice/web", 4, 6), ("alice/app", 2, 0)]
    assert largest[0].visibility is Visibility.PRIVATE
    assert rows.usage.largest(alice, 11, 1) == largest[:1]
    assert rows.usage.repositories(alice) == 2
    assert rows.usage.pulls(alice, 11) == [(11, 5), (12, 1)]


def test_counts(rows: Rows) -> None:
    person(rows, "carol", is_admin=True)
    alice = person(rows, "alice")
    rows.accounts.change(alice, disabled=True)
    repository(rows, "alice/app")
    repository(rows, "alice/web", Visibility.PRIVATE)
    counts = rows.administration.counts()
    assert (counts.users, counts.administrators, counts.disabled) == (2, 1, 1)
    assert (counts.repositories, counts.private, counts.deleted) == (2, 1, 0)
    assert (counts.uploads, counts.upload_bytes) == (0, 0)
    assert counts.schema >= "0002"
    assert counts.engine.startswith(("SQLite 3.", "PostgreSQL "))


def test_content_is_counted_in_slices(rows: Rows) -> None:
    app, gone = repository(rows, "python"), repository(rows, "golang")
    for one, text in ((app, "a"), (app, "bb"), (gone, "bb"), (gone, "cccc")):
        linked_blob(rows, one.id, text)
    rows.blobs.add(BlobRecord(digest("dddddddd"), 8, "blobs/d"), 10)
    rows.connection.execute(update(repositories).where(repositories.c.id == gone.id).values(deleted=5))
    sums, after, slices = [0, 0, 0, 0], 0, 0
    while (found := rows.administration.content(after, 3)) is not None:
        after, part = found
        slices += 1
        sums = [a + b for a, b in zip(sums, (part.blobs, part.bytes, part.unlinked, part.deleted), strict=True)]
    assert sums == [4, 15, 8, 4]
    assert slices == 2
    assert rows.administration.remember(None) is None
    count = ContentCount(7, *sums)
    for one in (ContentCount(1, 2, 3, 4, 5), count):
        rows.administration.remember(one)
    assert rows.administration.remember(None) == count


def test_users_are_searched_sorted_and_paged(rows: Rows) -> None:
    for name in ("dora", "alice", "bobby"):
        person(rows, name)
    linked_blob(rows, repository(rows, "bobby/app", Visibility.PRIVATE).id, "layer")
    while rows.usage.fold():
        pass
    names = {order: [one.name for one in rows.administration.users("", order, 0, 10)[0]] for order in UserOrder}
    assert names[UserOrder.NAME] == ["alice", "bobby", "dora"]
    assert names[UserOrder.NEWEST] == ["bobby", "alice", "dora"]
    assert names[UserOrder.STORAGE][0] == "bobby"
    found, total = rows.administration.users("OB", UserOrder.NAME, 0, 10)
    assert ([one.name for one in found], total) == (["bobby"], 1)
    found, total = rows.administration.users("example.org", UserOrder.NAME, 1, 1)
    assert ([one.name for one in found], total) == (["bobby"], 3)
    bobby = rows.administration.user("bobby")
    assert bobby == found[0]
    assert bobby is not None
    assert (bobby.plan, bobby.private_used, bobby.stored) == ("Free", 1, 5)
    assert rows.administration.user("nobody") is None


def test_administrators_are_made_and_counted(rows: Rows) -> None:
    alice, carol = person(rows, "alice"), person(rows, "carol", is_admin=True)
    assert rows.administration.administrators() == 1
    rows.administration.change(alice, is_admin=True)
    assert rows.administration.administrators() == 2
    rows.accounts.change(carol, disabled=True)
    assert rows.administration.administrators() == 1
    account = rows.administration.user("alice")
    assert account is not None
    assert (account.is_admin, account.plan) == (True, "")


def test_repositories_are_searched_sorted_and_filtered(rows: Rows) -> None:
    for name in ("alice", "bobby"):
        person(rows, name)
    app, web = repository(rows, "alice/app"), repository(rows, "bobby/web", Visibility.PRIVATE)
    gone = repository(rows, "alice/gone")
    for one, text in ((app, "a"), (web, "abc")):
        linked_blob(rows, one.id, text)
    rows.repositories.count_pulls([(app.id, 9)])
    values = {"path": "~1", "name": "~1", "deleted": 5, "deleted_path": "alice/gone"}
    rows.connection.execute(update(repositories).where(repositories.c.id == gone.id).values(values))
    while rows.usage.fold():
        pass

    def listed(text: str, shown: Shown = Shown.ALL, order: RepositoryOrder = RepositoryOrder.NAME) -> list[str]:
        found, total = rows.administration.repositories(text, shown, order, 0, 10)
        assert len(found) == total
        return [one.path for one in found]

    assert listed("") == ["alice/app", "bobby/web"]
    assert listed("", order=RepositoryOrder.STORAGE) == ["bobby/web", "alice/app"]
    assert listed("", order=RepositoryOrder.PULLS) == ["alice/app", "bobby/web"]
    assert len(listed("", order=RepositoryOrder.PUSHED)) == 2
    assert listed("ALICE/") == ["alice/app"]
    assert listed("", Shown.PRIVATE) == ["bobby/web"]
    assert listed("", Shown.PUBLIC) == ["alice/app"]
    assert listed("", Shown.DELETED) == listed("gone", Shown.DELETED) == ["alice/gone"]
    (web_row,) = rows.administration.repositories("web", Shown.ALL, RepositoryOrder.NAME, 0, 10)[0]
    assert (web_row.storage, web_row.visibility, web_row.deleted) == (3, Visibility.PRIVATE, None)
    assert rows.repositories.get(RepositoryName("alice/gone")) is None
