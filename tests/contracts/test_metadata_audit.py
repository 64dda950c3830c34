"""The contract of AuditRows, on each engine."""

from dataclasses import replace

import pytest

from havre.access.records import AuditQuery
from havre.metadata import Rows
from havre.registry.audit import MAX_FACT, MAX_SUBJECT, OPERATOR, record
from havre.registry.records import AuditEvent

RENAMED = AuditEvent(200, 7, "alice", "repository.rename", "alice/app", 3, "198.51.100.7", {"to": "alice/web", "n": 2})


def test_an_event_comes_back_whole(rows: Rows) -> None:
    rows.audit.add(RENAMED)
    (found,) = rows.audit.page(AuditQuery(), None, 10)
    assert found.id > 0
    assert replace(found, id=0) == RENAMED


def test_pages_go_back_in_time_and_hold_each_event_once(rows: Rows) -> None:
    for at in (300, 100, 200, 200, 200):
        rows.audit.add(replace(RENAMED, at=at))
    seen: list[tuple[int, int]] = []
    while found := rows.audit.page(AuditQuery(), seen[-1] if seen else None, 2):
        seen += [(one.at, one.id) for one in found]
    assert [at for at, _ in seen] == [300, 200, 200, 200, 100]
    assert len(set(seen)) == 5
    assert seen == sorted(seen, reverse=True)


@pytest.mark.parametrize(
    ("query", "times"),
    [
        (AuditQuery(actor="bobby"), [3, 2]),
        (AuditQuery(action="token.create"), [3]),
        (AuditQuery(subject="alice/app"), [1]),
        (AuditQuery(repository_id=3), [1]),
        (AuditQuery(since=2), [3, 2]),
        (AuditQuery(until=2), [1]),
        (AuditQuery(since=2, until=3, actor="bobby"), [2]),
        (AuditQuery(actor="alice", action="token.create"), []),
        (AuditQuery(actor="ali"), []),
    ],
)
def test_filters_narrow_together(rows: Rows, query: AuditQuery, times: list[int]) -> None:
    rows.audit.add(replace(RENAMED, at=1))
    rows.audit.add(AuditEvent(2, 8, "bobby", "account.sign_in", "bobby"))
    rows.audit.add(AuditEvent(3, 8, "bobby", "token.create", "laptop"))
    assert [one.at for one in rows.audit.page(query, None, 10)] == times


def test_sweep_forgets_the_oldest_first(rows: Rows) -> None:
    for at in (1, 2, 3, 4):
        rows.audit.add(replace(RENAMED, at=at))
    assert rows.audit.sweep(4, 2) == 2
    assert [one.at for one in rows.audit.page(AuditQuery(), None, 10)] == [4, 3]
    assert rows.audit.sweep(4, 2) == 1
    assert rows.audit.sweep(4, 2) == 0


def test_record_keeps_texts_within_bounds(rows: Rows) -> None:
    record(rows, OPERATOR, "account.disable", "x\0" * 1000, at=5, detail={"why": "y" * 1000, "size": 2**40})
    (found,) = rows.audit.page(AuditQuery(), None, 10)
    assert (found.actor_id, found.actor, found.at) == (None, "command line", 5)
    assert found.subject == "x" * MAX_SUBJECT
    assert found.detail == {"why": "y" * MAX_FACT, "size": 2**40}


def test_an_action_is_a_noun_and_a_verb(rows: Rows) -> None:
    with pytest.raises(ValueError, match=r"noun\.verb"):
        record(rows, OPERATOR, "renamed", "alice/app", at=5)


def test_events_come_in_the_order_of_their_ids_for_those_that_are_told(rows: Rows) -> None:
    assert (rows.audit.last(), list(rows.audit.after(0, 9))) == (0, [])
    for at in (300, 100, 200):
        rows.audit.add(replace(RENAMED, at=at))
    found = rows.audit.after(0, 9)
    assert [one.at for one in found] == [300, 100, 200]
    assert rows.audit.last() == found[-1].id
    assert [one.at for one in rows.audit.after(found[0].id, 1)] == [100]


def test_a_sink_goes_on_where_it_was(rows: Rows) -> None:
    assert rows.audit_sinks.position("audit.one") is None
    rows.audit_sinks.begin("audit.one", 3)
    rows.audit_sinks.begin("audit.one", 9)
    rows.audit_sinks.begin("audit.two", 1)
    assert rows.audit_sinks.position("audit.one") == 3
    rows.audit_sinks.move("audit.one", 5, 100)
    assert [rows.audit_sinks.position(one) for one in ("audit.one", "audit.two")] == [5, 1]
