"""Telling the audit trail over real rows: who commits late is not passed over, and two servers share the work."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest

from havre.access.forwarding import Forwarding
from havre.metadata import Database
from havre.registry.audit import OPERATOR, record
from havre.registry.jobs import LEASE, Jobs, LeaseLost
from havre.server.sinks import open_sinks
from tests.support.databases import migrated
from tests.support.inprocess import TestClock
from tests.support.postgresql import Cluster

pytestmark = pytest.mark.anyio


async def happen(database: Database, clock: TestClock, *subjects: str) -> None:
    for subject in subjects:
        await database.write(lambda rows, name=subject: record(rows, OPERATOR, "account.create", name, at=clock()))


def forwarding(database: Database, clock: TestClock, path: Path) -> tuple[Forwarding, str]:
    sinks = open_sinks(f"file://{path}")
    return Forwarding(database, sinks, clock), sinks[0].kind


@pytest.mark.postgresql
async def test_an_event_that_is_committed_late_is_told_before_those_that_came_after(
    postgresql_cluster: Cluster, tmp_path: Path
) -> None:
    url, clock = postgresql_cluster.create(migrated(postgresql_cluster)), TestClock()
    database = Database.open(url)
    await database.start()
    slow = psycopg.connect(url)
    try:
        told, kind = forwarding(database, clock, tmp_path / "audit")
        await told.behind()
        slow.execute(
            "INSERT INTO audit_events (at, actor, action, subject, address, detail)"
            " VALUES (%s, 'slow', 'account.create', 'first', '', '{}')",
            (clock(),),
        )
        await happen(database, clock, "second")
        assert await told._next(kind) == []
        slow.commit()
        assert [one.subject for one in await told._next(kind)] == ["first", "second"]
        slow.execute("SELECT nextval('audit_events_id_seq')")
        await happen(database, clock, "third")
        assert [one.subject for one in await told._next(kind)] == ["first", "second"]
        clock.forward(seconds=61)
        assert [one.subject for one in await told._next(kind)] == ["first", "second", "third"]
    finally:
        slow.close()
        await database.close()


async def test_who_lost_the_lease_does_not_move_the_position(database: Database, tmp_path: Path) -> None:
    clock, path = TestClock(), tmp_path / "audit"
    told, kind = forwarding(database, clock, path)
    jobs = Jobs(database, clock)
    assert not await told.schedule()
    await happen(database, clock, "one")
    assert await told.schedule()
    first = await jobs.take([kind], "a")
    assert first is not None
    assert await jobs.take([kind], "b") is None
    clock.forward(seconds=LEASE / 1000 + 1)
    second = await jobs.take([kind], "b")
    assert second is not None
    with pytest.raises(LeaseLost):
        await told.work(first, lambda *_: None)
    assert await told.behind() == {kind: 1}
    assert len(await told._next(kind)) == 1
    assert path.read_bytes().count(b"\n") == 1, "told once, and once more by whoever has the lease: at least once"
