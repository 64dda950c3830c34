"""The contract of GarbageRows and UntaggedRows where much is alike: the first looks and the long walks, on each engine."""

from typing import Any

import pytest
from sqlalchemy import select

from havre.metadata import Rows
from havre.metadata.schema import blobs, manifests, repositories
from havre.metadata.untagged import WALK
from havre.oci.names import Tag
from havre.registry.gc_ports import Link
from tests.support.content import digest, linked_blob, manifest, repository

NOW, LATER = 1_000, 2_000
FEW = 100
"""Manifests of anybody that are looked at before those of the repository."""


def link_of(rows: Rows, repository_id: int) -> Link:
    """The only link of a repository, as collection sees it long after it was made."""
    (link,) = [one for one in rows.garbage.links((repository_id, 0), LATER, 10) if one.repository_id == repository_id]
    return link


def settled(rows: Rows, link: Link) -> tuple[int, int, int]:
    """How many were condemned, acquitted and removed."""
    condemned, acquitted, removed = rows.garbage.settle_links(link.repository_id, [link.blob_id], LATER, LATER)
    return condemned, acquitted, len(removed)


@pytest.mark.parametrize("others", [0, 1, FEW - 1, FEW, FEW + 20])
def test_a_link_is_needed_by_a_manifest_of_its_repository_however_many_others_name_the_content(
    rows: Rows, others: int
) -> None:
    popular, named, unnamed = (repository(rows, name).id for name in ("popular", "named", "unnamed"))
    blob = linked_blob(rows, named, "layer")
    linked_blob(rows, unnamed, "layer")
    for number in range(others):
        rows.manifests.add(popular, manifest(f"other {number}"), [(blob.digest, "layer")])
    rows.manifests.add(unnamed, manifest("without it"), [(digest("another"), "layer")])
    rows.manifests.add(named, manifest("with it"), [(digest("another"), "config"), (blob.digest, "layer")])
    assert link_of(rows, named).needed
    assert not link_of(rows, unnamed).needed
    assert settled(rows, link_of(rows, named)) == (0, 0, 0)
    assert settled(rows, link_of(rows, unnamed)) == (1, 0, 0)
    rows.manifests.add(unnamed, manifest("now with it"), [(blob.digest, "layer")])
    assert settled(rows, link_of(rows, unnamed)) == (0, 1, 0)


def test_content_is_needed_as_long_as_one_of_many_repositories_links_it(rows: Rows) -> None:
    homes = [repository(rows, f"home-{number}").id for number in range(3)]
    for home in homes:
        blob = linked_blob(rows, home, "layer")
    (content,) = rows.garbage.contents(0, 10)
    assert content.needed
    for home in homes:
        assert rows.garbage.settle_contents([content.id], NOW) == (0, 0)
        rows.blobs.unlink(home, blob.digest)
    assert rows.garbage.settle_contents([content.id], NOW) == (1, 0)
    assert rows.connection.execute(select(blobs.c.condemned)).scalar_one() == NOW


def test_a_page_of_untagged_manifests_leaves_out_tagged_ones_and_says_where_to_go_on(rows: Rows) -> None:
    here = repository(rows, "here").id
    first = manifest("first, untagged")
    rows.manifests.add(here, first, [])
    tagged = manifest("tagged")
    rows.manifests.add(here, tagged, [])
    rows.tags.put(here, Tag("latest"), tagged.digest, None, NOW)
    rows.connection.execute(manifests.insert(), [_untold(here, number) for number in range(WALK)])
    page, on = rows.untagged.page(2**62, 10)
    assert len(page) == 10
    assert on == page[-1].id
    last = page[0].id
    # Past the tagged one, to the end.
    rows.connection.execute(manifests.delete().where(manifests.c.id != last, manifests.c.media_type == "untold"))
    assert [one.digest for one in rows.untagged.page(last, 10)[0]] == [first.digest]
    assert rows.untagged.page(last, 10)[1] is None


def test_a_walk_without_anything_found_goes_on_behind_it(rows: Rows) -> None:
    here = repository(rows, "here").id
    rows.manifests.add(here, manifest("untagged"), [])
    hidden = repository(rows, "hidden").id
    rows.connection.execute(manifests.insert(), [_untold(hidden, number) for number in range(WALK)])
    # Of a repository that was deleted, none is shown.
    rows.connection.execute(repositories.update().where(repositories.c.id == hidden).values(deleted=NOW))
    page, on = rows.untagged.page(2**62, WALK + 5)
    assert page == []
    assert on is not None
    again, end = rows.untagged.page(on, 10)
    assert [one.digest for one in again] == [manifest("untagged").digest]
    assert end is None


def _untold(repository_id: int, number: int) -> dict[str, Any]:
    return {
        "repository_id": repository_id,
        "digest": digest(f"untold {number}"),
        "media_type": "untold",
        "size": 2,
        "created": NOW,
        "content": b"{}",
    }
