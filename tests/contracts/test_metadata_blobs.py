"""The contract of BlobRows, on each engine."""

import pytest

from havre.errors import BlobUnknown
from havre.metadata import Rows
from havre.oci.digest import Digest
from havre.registry.records import BlobRecord, Viewer, Visibility
from tests.support.content import digest, linked_blob, person, repository


def test_content_is_found_by_its_digest(rows: Rows) -> None:
    blob = BlobRecord(digest("layer"), 2**40, "blobs/layer")
    assert rows.blobs.find(blob.digest) is None
    assert rows.blobs.add(blob, 10) == blob
    assert rows.blobs.find(blob.digest) == blob
    found = rows.blobs.find(blob.digest)
    assert found is not None
    assert isinstance(found.digest, Digest)


def test_the_first_record_stands(rows: Rows) -> None:
    first = BlobRecord(digest("layer"), 5, "first")
    rows.blobs.add(first, 10)
    assert rows.blobs.add(BlobRecord(digest("layer"), 5, "second"), 20) == first


def test_a_repository_sees_what_it_links(rows: Rows) -> None:
    python, golang = repository(rows, "python"), repository(rows, "golang")
    blob = linked_blob(rows, python.id, "layer")
    assert rows.blobs.linked(python.id, blob.digest) == blob
    assert rows.blobs.linked(golang.id, blob.digest) is None
    rows.blobs.link(golang.id, blob.digest, 20)
    assert rows.blobs.linked(golang.id, blob.digest) == blob


def test_linking_again_does_nothing(rows: Rows) -> None:
    python = repository(rows, "python")
    blob = linked_blob(rows, python.id, "layer")
    rows.blobs.link(python.id, blob.digest, 99)
    assert rows.blobs.unlink(python.id, blob.digest)
    assert rows.blobs.linked(python.id, blob.digest) is None


def test_unknown_content_can_not_be_linked(rows: Rows) -> None:
    python = repository(rows, "python")
    with pytest.raises(BlobUnknown, match=digest("layer")):
        rows.blobs.link(python.id, digest("layer"), 20)


def test_unlinking_touches_one_repository(rows: Rows) -> None:
    python, golang = repository(rows, "python"), repository(rows, "golang")
    blob = linked_blob(rows, python.id, "layer")
    linked_blob(rows, golang.id, "layer")
    assert rows.blobs.unlink(python.id, blob.digest)
    assert not rows.blobs.unlink(python.id, blob.digest)
    assert not rows.blobs.unlink(python.id, digest("unknown"))
    assert rows.blobs.linked(golang.id, blob.digest) == blob
    assert rows.blobs.find(blob.digest) == blob


def test_content_is_mounted_from_where_the_viewer_may_pull(rows: Rows) -> None:
    alice, bob = person(rows, "alice"), person(rows, "bobby")
    secret = repository(rows, "alice/secret", Visibility.PRIVATE)
    blob = linked_blob(rows, secret.id, "layer")
    assert rows.blobs.mountable(Viewer(), blob.digest) is None
    assert rows.blobs.mountable(Viewer(bob), blob.digest) is None
    assert rows.blobs.mountable(Viewer(alice), blob.digest) == blob
    assert rows.blobs.mountable(Viewer(is_admin=True), blob.digest) == blob
    rows.blobs.link(repository(rows, "bobby/open").id, blob.digest, 20)
    assert rows.blobs.mountable(Viewer(), blob.digest) == blob


def test_content_that_nobody_links_is_not_mounted(rows: Rows) -> None:
    rows.blobs.add(BlobRecord(digest("layer"), 5, "key"), 10)
    assert rows.blobs.mountable(Viewer(is_admin=True), digest("layer")) is None
    assert rows.blobs.mountable(Viewer(), digest("unknown")) is None
