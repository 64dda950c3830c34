"""A filter over so many tags that their names are kept: it finds what a walk finds, and what changed since."""

import random

import pytest

from havre.metadata.rows import Rows
from havre.metadata.schema import tags as table
from havre.oci.names import RepositoryName, Tag
from havre.registry import tag_names
from havre.registry.records import TagOrder, TagPlace
from havre.registry.tag_names import TagNames
from havre.registry.tags import FIRST_SLICE
from tests.support.inprocess import Caller, InProcess

pytestmark = pytest.mark.anyio

APP = RepositoryName("alice/app")
MANY = FIRST_SLICE + 2_000


@pytest.fixture
async def repository_id(alice: Caller, inside: InProcess) -> int:
    """A repository with so many tags that a first slice does not hold them."""
    await alice.push_image(APP, "Latest")
    repository = await inside.app.repositories.get(APP)
    made = random.Random(1)

    def work(rows: Rows) -> None:
        manifest = rows.connection.execute(table.select()).one().manifest_id
        values = [
            {"repository_id": repository.id, "name": f"v{number:05}{'-RARE' if number % 500 == 0 else ''}"}
            | {"manifest_id": manifest, "updated": made.randrange(50), "pulled": made.randrange(3), "size": 7}
            for number in range(MANY)
        ]
        made.shuffle(values)
        rows.connection.execute(table.insert(), values)

    await inside.app.database.write(work)
    return repository.id


def expected(rows: Rows, repository_id: int, order: TagOrder, text: str) -> list[TagPlace]:
    """What a walk in one piece finds."""
    return list(rows.tag_lists.places(repository_id, order, text, None, None, False, MANY))


@pytest.mark.parametrize("order", TagOrder)
async def test_pages_of_a_rare_text_are_those_of_a_walk(inside: InProcess, repository_id: int, order: TagOrder) -> None:
    repository = await inside.app.repositories.get(APP)
    every = await inside.app.database.read(lambda rows: expected(rows, repository_id, order, "rare"))
    page = await inside.app.tags.page(repository, "rare", order, per_page=5)
    assert (page.total, page.exact, len(every)) == (len(every), True, 12)
    pages = [page]
    while pages[-1].next:
        pages.append(await inside.app.tags.page(repository, "rare", order, after=pages[-1].next, per_page=5))
    names = [str(place.name) for place in every]
    assert [view.tag.name for one in pages for view in one.items] == names
    before = await inside.app.tags.page(repository, "rare", order, before=pages[2].previous, per_page=5)
    assert [view.tag.name for view in before.items] == names[5:10]
    first = await inside.app.tags.page(repository, "rare", order, before=before.previous, per_page=5)
    assert ([view.tag.name for view in first.items], first.previous) == (names[:5], None)
    assert (await inside.app.tags.page(repository, "absent", order)).total == 0
    assert (await inside.app.tags.page(repository, "a/b", order)).total == 0


async def test_what_was_made_or_removed_since_is_known(alice: Caller, inside: InProcess, repository_id: int) -> None:
    repository = await inside.app.repositories.get(APP)
    assert (await inside.app.tags.page(repository, "fresh")).total == 0
    image = await alice.push_image(APP, "really-Fresh", "fresh-too")
    await alice.push_image(RepositoryName("alice/other"), "fresh-elsewhere")
    found = await inside.app.tags.page(repository, "fresh", TagOrder.NAME)
    assert [view.tag.name for view in found.items] == ["fresh-too", "really-Fresh"]
    await alice.delete(f"/v2/{APP}/manifests/fresh-too")
    assert (await inside.app.tags.page(repository, "fresh")).total == 1
    await alice.delete(f"/v2/{APP}/manifests/{image.digest}")
    assert (await inside.app.tags.page(repository, "fresh")).total == 0


async def test_names_are_read_anew_after_a_while_and_when_ids_went_back(inside: InProcess, repository_id: int) -> None:
    clock = [0.0]
    names = TagNames(inside.app.database, lambda: clock[0])
    assert await names.containing(repository_id, "LATEST", 10) == [Tag("Latest")]
    newest = await inside.app.database.read(lambda rows: rows.tag_lists.made(repository_id, "", 0, 0)[0])

    def reuse(rows: Rows) -> None:
        # Ids so far below the last one known that nobody looks there.
        low = table.c.id == newest - tag_names.OVERLAP - 100
        rows.connection.execute(table.update().where(low).values(name="latest-of-all"))

    await inside.app.database.write(reuse)
    assert await names.containing(repository_id, "latest", 10) == [Tag("Latest")]
    clock[0] += tag_names.SECONDS + 1
    assert sorted(await names.containing(repository_id, "latest", 10) or []) == ["Latest", "latest-of-all"]

    def shrink(rows: Rows) -> None:
        rows.connection.execute(table.delete().where(table.c.id > newest - 10))
        low = table.c.id == newest - tag_names.OVERLAP - 200
        rows.connection.execute(table.update().where(low).values(name="latest-again"))

    await inside.app.database.write(shrink)
    assert Tag("latest-again") in (await names.containing(repository_id, "latest", 10) or [])


async def test_bounds(inside: InProcess, repository_id: int) -> None:
    names = TagNames(inside.app.database)
    assert await names.containing(repository_id, "v", 10) is None
    assert len(await names.containing(repository_id, "-rare", 12) or []) == 12
    assert await names.containing(repository_id, "-rare", 11) is None
