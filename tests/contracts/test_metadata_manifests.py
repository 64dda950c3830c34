"""The contract of ManifestRows, on each engine."""

import pytest
from sqlalchemy import func, select

from havre.metadata import Rows
from havre.metadata.schema import manifest_edges
from havre.oci.digest import Digest
from havre.oci.names import Tag
from havre.registry.records import ManifestRecord
from tests.support.content import digest, linked_blob, manifest, repository


@pytest.fixture
def python(rows: Rows) -> int:
    return repository(rows, "python").id


@pytest.fixture
def golang(rows: Rows) -> int:
    return repository(rows, "golang").id


def edges(rows: Rows) -> int:
    return rows.connection.execute(select(func.count()).select_from(manifest_edges)).scalar_one()


def test_every_byte_and_field_comes_back(rows: Rows, python: int) -> None:
    content = bytes(range(256)) * 9000
    whole = ManifestRecord(
        Digest.of(content),
        "application/vnd.oci.image.index.v1+json",
        content,
        1_700_000_000_123,
        len(content),
        "application/spdx+json",
        digest("subject"),
        "linux/arm64/v8",
        2**41,
        {"org.opencontainers.image.title": "façade", "empty": ""},
    )
    rows.manifests.add(python, whole, [(digest("child"), "manifest")])
    assert rows.manifests.get(python, whole.digest) == whole


def test_what_is_not_known_is_empty(rows: Rows, python: int) -> None:
    plain = manifest("plain")
    rows.manifests.add(python, plain, [])
    found = rows.manifests.get(python, plain.digest)
    assert found == plain
    assert found is not None
    assert (found.subject, found.artifact_type, found.platform, found.annotations) == (None, "", "", {})
    assert isinstance(found.digest, Digest)


def test_a_manifest_belongs_to_its_repository(rows: Rows, python: int, golang: int) -> None:
    rows.manifests.add(python, manifest("app"), [])
    assert rows.manifests.get(golang, digest("app")) is None
    assert rows.manifests.get(python, digest("other")) is None
    assert not rows.manifests.delete(golang, digest("app"))
    assert rows.manifests.get(python, digest("app")) == manifest("app")


def test_storing_again_does_nothing(rows: Rows, python: int) -> None:
    rows.manifests.add(python, manifest("app"), [(digest("layer"), "layer")])
    rows.manifests.add(python, manifest("app", created=99, platform="linux/amd64"), [(digest("other"), "layer")])
    assert rows.manifests.get(python, digest("app")) == manifest("app")
    assert edges(rows) == 1


def test_the_same_child_may_be_listed_twice(rows: Rows, python: int) -> None:
    rows.manifests.add(python, manifest("child"), [])
    rows.manifests.add(python, manifest("index"), [(digest("child"), "manifest")] * 2)
    assert rows.manifests.children(python, digest("index")) == [manifest("child")] * 2


def test_a_tag_leads_to_its_manifest(rows: Rows, python: int, golang: int) -> None:
    rows.manifests.add(python, manifest("one"), [])
    rows.manifests.add(python, manifest("two"), [])
    rows.tags.put(python, Tag("latest"), digest("one"), None, 30)
    assert rows.manifests.tagged(python, Tag("latest")) == manifest("one")
    rows.tags.put(python, Tag("latest"), digest("two"), None, 31)
    assert rows.manifests.tagged(python, Tag("latest")) == manifest("two")
    assert rows.manifests.tagged(python, Tag("Latest")) is None
    assert rows.manifests.tagged(golang, Tag("latest")) is None


def test_delete_takes_the_edges_along(rows: Rows, python: int) -> None:
    rows.manifests.add(python, manifest("app"), [(digest("config"), "config"), (digest("layer"), "layer")])
    assert edges(rows) == 2
    assert rows.manifests.delete(python, digest("app"))
    assert not rows.manifests.delete(python, digest("app"))
    assert edges(rows) == 0


def test_absent_knows_blobs_and_manifests_of_the_repository(rows: Rows, python: int, golang: int) -> None:
    linked_blob(rows, python, "layer")
    linked_blob(rows, golang, "elsewhere")
    rows.manifests.add(python, manifest("child"), [])
    rows.manifests.add(golang, manifest("foreign"), [])
    asked = [digest(text) for text in ("layer", "child", "elsewhere", "foreign", "nothing", "nothing")]
    assert rows.manifests.absent(python, asked) == {digest("elsewhere"), digest("foreign"), digest("nothing")}
    assert rows.manifests.absent(python, asked[:2]) == set()
    assert rows.manifests.absent(python, []) == set()


def test_absent_takes_any_number(rows: Rows, python: int) -> None:
    for number in (0, 999, 1200):
        linked_blob(rows, python, number)
    missing = rows.manifests.absent(python, {digest(number) for number in range(1201)})
    assert missing == {digest(number) for number in range(1201)} - {digest(0), digest(999), digest(1200)}


def test_children_are_the_manifests_here_in_the_order_of_the_index(rows: Rows, python: int, golang: int) -> None:
    names = ["zeta", "alpha", "mid"]
    for name in names:
        rows.manifests.add(python, manifest(name), [])
    rows.manifests.add(golang, manifest("foreign"), [])
    listed = [(digest(name), "manifest") for name in ("zeta", "foreign", "alpha", "mid")]
    rows.manifests.add(python, manifest("index"), [*listed, (digest("mid"), "layer")])
    assert rows.manifests.children(python, digest("index")) == [manifest(name) for name in names]
    assert rows.manifests.children(golang, digest("index")) == []
    assert rows.manifests.children(python, digest("mid")) == []


def test_referrers_come_by_digest_and_type(rows: Rows, python: int, golang: int) -> None:
    subject = digest("subject")
    for number in range(6):
        kind = "sbom" if number % 2 else "signature"
        rows.manifests.add(python, manifest(number, subject=subject, artifact_type=kind, annotations={"n": "1"}), [])
    rows.manifests.add(python, manifest("other", subject=digest("else"), artifact_type="sbom"), [])
    rows.manifests.add(golang, manifest("foreign", subject=subject, artifact_type="sbom"), [])
    every = sorted(digest(number) for number in range(6))
    found = rows.manifests.referrers(python, subject, [], "", 10)
    assert [one.digest for one in found] == every
    assert {one.content for one in found} == {b""}
    assert {one.size for one in found} == {1}
    assert found[0].annotations == {"n": "1"}
    assert [one.digest for one in rows.manifests.referrers(python, subject, [], every[1], 3)] == every[2:5]
    some = rows.manifests.referrers(python, subject, ["sbom", "unknown"], "", 10)
    assert [one.digest for one in some] == sorted(digest(number) for number in (1, 3, 5))
    assert rows.manifests.referrers(python, digest("nobody"), [], "", 10) == []


def test_sizes(rows: Rows, python: int, golang: int) -> None:
    rows.manifests.add(python, manifest("small", total_size=5), [])
    rows.manifests.add(python, manifest("large", total_size=2**40), [])
    asked = [digest("small"), digest("large"), digest("nothing")]
    assert rows.manifests.sizes(python, asked) == {digest("small"): 5, digest("large"): 2**40}
    assert rows.manifests.sizes(golang, asked) == {}
    assert rows.manifests.sizes(python, []) == {}
