"""The contract of UploadRows, on each engine."""

from dataclasses import replace

from havre.metadata import Rows
from havre.oci.digest import Digest
from havre.oci.names import RepositoryName
from havre.registry.records import BlobRecord, Segment, UploadRecord
from tests.support.content import digest, person

FRESH = UploadRecord("first", RepositoryName("alice/app"), None, 100, 100)


def test_an_upload_comes_back_whole(rows: Rows) -> None:
    alice = person(rows, "alice")
    prefixes = {"sha256": digest("some"), "sha512": Digest.of(b"some", "sha512")}
    segments = (Segment("uploads/first/0-1f", 2**39), Segment("uploads/first/549755813888-2e", 2**39))
    path = RepositoryName("alice/app")
    upload = UploadRecord("first", path, alice, 100, 200, 2**40, prefixes, "sha512", segments=segments)
    assert rows.uploads.get("first") is None
    rows.uploads.add(upload)
    assert rows.uploads.get("first") == upload
    rows.uploads.add(replace(FRESH, id="second"))
    assert rows.uploads.get("second") == replace(FRESH, id="second")


def test_it_advances_from_where_it_was(rows: Rows) -> None:
    rows.uploads.add(FRESH)
    first = (Segment("uploads/first/0-1f", 10),)
    step = replace(FRESH, size=10, prefixes={"sha256": digest("ten")}, updated=150, segments=first)
    assert rows.uploads.advance(step, 0)
    assert rows.uploads.get("first") == step
    assert not rows.uploads.advance(replace(step, size=20), 0)
    assert not rows.uploads.advance(replace(step, id="unknown"), 0)
    assert rows.uploads.get("first") == step


def test_delete_forgets(rows: Rows) -> None:
    segments = (Segment("uploads/first/0-1f", 10),)
    rows.uploads.add(replace(FRESH, segments=segments))
    rows.uploads.add(replace(FRESH, id="second"))
    assert rows.uploads.delete("first") == segments
    assert rows.uploads.delete("first") is None
    assert rows.uploads.delete("second") == ()
    assert rows.uploads.get("first") is None


def test_segments_are_known_as_long_as_their_upload_is(rows: Rows) -> None:
    rows.uploads.add(FRESH)
    rows.blobs.add(BlobRecord(digest("some"), 4, "uploads/gone/0-1"), 1)
    keys = ["uploads/first/0-1", "uploads/first/lost", "uploads/gone/0-1", "uploads/gone/0-2", "sha256/aa/other"]
    for known_keys in (rows.garbage.known_keys, rows.checks.known_keys):
        assert set(known_keys(keys)) == set(keys[:3])


def test_expired_are_those_not_touched_since_the_oldest_first(rows: Rows) -> None:
    for name, updated in (("new", 300), ("older", 100), ("old", 200)):
        rows.uploads.add(replace(FRESH, id=name, updated=updated))
    assert rows.uploads.expired(300, 10) == ["older", "old"]
    assert rows.uploads.expired(300, 1) == ["older"]
    assert rows.uploads.expired(100, 10) == []


def test_known_are_those_with_a_row(rows: Rows) -> None:
    for number in (1, 700, 1400):
        rows.uploads.add(replace(FRESH, id=str(number)))
    assert set(rows.uploads.known({str(number) for number in range(1500)})) == {"1", "700", "1400"}
    assert not rows.uploads.known([])


def test_count_is_by_account(rows: Rows) -> None:
    alice, bob = person(rows, "alice"), person(rows, "bobby")
    for number, owner in enumerate((alice, alice, None)):
        rows.uploads.add(replace(FRESH, id=str(number), user_id=owner))
    assert [rows.uploads.count(one) for one in (alice, bob, None)] == [2, 0, 1]
