"""The hot units of work, with keys drawn as people draw them. Each calls the rows as the product does."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import groupby
from random import Random

from bench.simulation.shape import DAY, NOW, STACK_LAYERS, Shape, account, blob_digest, hashed, tag
from havre.access.actors import Action, Actor
from havre.access.permissions import allowed
from havre.metadata.rows import Rows
from havre.oci.digest import Digest
from havre.oci.names import RepositoryName, Tag
from havre.registry.blobs import linked
from havre.registry.facets import Kind
from havre.registry.gc import BATCH, reached
from havre.registry.naming import ensure, follow
from havre.registry.records import BlobRecord, ManifestRecord, PullFigure, TagOrder, TagPlace, Viewer
from havre.registry.search_ports import SearchOrder, SearchQuery
from havre.registry.tag_names import SLICE
from havre.registry.tags import assign

Work = Callable[[Rows, Shape, Random], object]
PAGE = 100
GRACE = NOW - 86_400_000


@dataclass(frozen=True, slots=True)
class Query:
    """A unit of work that is asked often."""

    name: str
    work: Work
    writes: bool = False
    walks: Sequence[str] = ()
    """Tables that it reads from one end and may: it says exactly how many there are."""


def _public(shape: Shape, made: Random) -> int:
    while (found := shape.pulled(made)) % 5 == 0:
        pass
    return found


def _some(shape: Shape, made: Random) -> int:
    return made.randint(1, shape.sizes.repositories)


def _by_tag(rows: Rows, shape: Shape, made: Random) -> object:
    one = shape.pulled(made)
    found = rows.manifests.tagged(follow(rows, shape.name(one)).id, tag(made.randrange(shape.tags[one])))
    assert found
    return found


def _by_digest(rows: Rows, shape: Shape, made: Random) -> object:
    one = shape.pulled(made)
    digest = shape.manifest(one, made.randrange(shape.manifests[one]))
    found = rows.manifests.get(follow(rows, shape.name(one)).id, digest)
    assert found
    return found


def _blob(rows: Rows, shape: Shape, made: Random) -> object:
    one = shape.pulled(made)
    return linked(rows, shape.name(one), blob_digest(shape.blob(one, made.randrange(shape.links[one]))))


def _rights(rows: Rows, shape: Shape, made: Random) -> object:
    one = _public(shape, made)
    who = made.randint(1, shape.sizes.accounts)
    actions = allowed(rows, Actor(who, account(who)), shape.name(one), list(Action))
    assert Action.PULL in actions
    return actions


def _personal_token(rows: Rows, shape: Shape, made: Random) -> object:
    found = rows.access_tokens.find(sha256(f"token/{made.randint(1, shape.sizes.accounts)}".encode()).digest())
    assert found
    return found


def _tags_first(rows: Rows, shape: Shape, made: Random) -> object:
    return rows.tags.names(follow(rows, shape.name(shape.pulled(made))).id, "", PAGE)


def _tags_deep(rows: Rows, shape: Shape, made: Random) -> object:
    here = follow(rows, shape.name(shape.largest)).id
    return rows.tags.names(here, tag(made.randrange(shape.tags[shape.largest])), PAGE)


def _catalogue(rows: Rows, shape: Shape, made: Random) -> object:
    return rows.repositories.names(Viewer(), shape.name(_some(shape, made)), PAGE)


def _catalogue_own(rows: Rows, shape: Shape, made: Random) -> object:
    viewer = Viewer(made.randint(1, shape.sizes.accounts))
    return rows.repositories.names(viewer, shape.name(_some(shape, made)), PAGE)


def _mount(rows: Rows, shape: Shape, made: Random) -> object:
    one = _some(shape, made)
    digest = blob_digest(shape.blob(one, made.randrange(STACK_LAYERS, shape.links[one])))
    return rows.blobs.mountable(Viewer(made.randint(1, shape.sizes.accounts)), digest)


def _mount_common(rows: Rows, shape: Shape, made: Random) -> object:
    found = rows.blobs.mountable(
        Viewer(made.randint(1, shape.sizes.accounts)), blob_digest(made.randint(1, STACK_LAYERS))
    )
    assert found
    return found


def _fresh(made: Random) -> Digest:
    return hashed(f"new/{made.getrandbits(128)}")


def _push_blob(rows: Rows, shape: Shape, made: Random) -> object:
    name, digest = shape.name(_some(shape, made)), _fresh(made)
    rows.quotas.before_push(name)
    here = ensure(rows, name, NOW)
    rows.blobs.add(BlobRecord(digest, 5000, f"sha256/new/{digest[7:]}"), NOW)
    rows.blobs.link(here.id, digest, NOW)
    return here


def _push_manifest(rows: Rows, shape: Shape, made: Random) -> object:
    one, digest = _some(shape, made), _fresh(made)
    children = [blob_digest(shape.blob(one, place)) for place in range(min(8, shape.links[one]))]
    here = ensure(rows, shape.name(one), NOW)
    rows.blobs.acquit(here.id, set(children))
    assert not rows.manifests.absent(here.id, children)
    record = ManifestRecord(
        digest, "application/vnd.oci.image.manifest.v1+json", b"{}" + b" " * 1198, NOW, 1200, platform="linux/amd64"
    )
    edges = [(child, "layer" if place else "config") for place, child in enumerate(children)]
    rows.manifests.add(here.id, record, edges)
    assign(rows, here, Tag(f"new-{made.getrandbits(32)}"), digest, shape.namespaces[one], NOW)
    rows.repositories.change(here.id, updated=NOW, pushed_by=shape.namespaces[one])
    return here


def _tag_move(rows: Rows, shape: Shape, made: Random) -> object:
    one = shape.pulled(made)
    here = ensure(rows, shape.name(one), NOW)
    target = shape.manifest(one, made.randrange(shape.manifests[one]))
    assign(rows, here, tag(made.randrange(shape.tags[one])), target, shape.namespaces[one], NOW)
    rows.repositories.change(here.id, updated=NOW, pushed_by=shape.namespaces[one])
    return here


def _referrers(rows: Rows, shape: Shape, made: Random) -> object:
    one = shape.pulled(made)
    subject = shape.manifest(one, min(4, shape.manifests[one] - 1))
    return rows.manifests.referrers(follow(rows, shape.name(one)).id, subject, (), "", PAGE)


def _find(**asked: object) -> Work:
    def work(rows: Rows, shape: Shape, made: Random) -> object:
        return rows.search.find(Viewer(made.randint(1, shape.sizes.accounts)), SearchQuery(**asked), 0, 25)  # type: ignore[arg-type]

    return work


def _profile(order: SearchOrder, largest: bool) -> Work:
    def work(rows: Rows, shape: Shape, made: Random) -> object:
        namespace = account(1 if largest else shape.namespaces[_some(shape, made)])
        return rows.search.find(Viewer(), SearchQuery(namespace=namespace, order=order), 0, 25)

    return work


def _search_rare(rows: Rows, shape: Shape, made: Random) -> object:
    words = shape.leaf(_public(shape, made)).split("-")
    found, _ = rows.search.find(Viewer(), SearchQuery(f"{words[0]} {words[2]}"), 0, 25)
    assert found
    return found


def _sorted_tags(order: TagOrder, deep: bool) -> Work:
    def work(rows: Rows, shape: Shape, made: Random) -> object:
        here, after = follow(rows, shape.name(shape.largest)).id, None
        if deep:
            value = {TagOrder.NAME: 0, TagOrder.SIZE: made.randrange(10**5, 8 * 10**8)}.get(
                order, NOW - made.randrange(10**10)
            )
            after = TagPlace(value, tag(made.randrange(shape.tags[shape.largest])))
        places = rows.tag_lists.places(here, order, "", after, None, False, 25)
        rows.tag_lists.count(here, 10_001)
        return rows.tag_lists.views(here, [place.name for place in places])

    return work


def _names(rows: Rows, shape: Shape, made: Random) -> object:
    here = follow(rows, shape.name(shape.largest)).id
    return rows.tag_lists.joined(here, tag(made.randrange(shape.tags[shape.largest])), SLICE)


def _quota(rows: Rows, shape: Shape, made: Random) -> object:
    return rows.quotas.of(account(shape.namespaces[_some(shape, made)]))


def _quota_largest(rows: Rows, _shape: Shape, _made: Random) -> object:
    return rows.quotas.of(account(1))


def _before_push(rows: Rows, shape: Shape, made: Random) -> object:
    return rows.quotas.before_push(shape.name(_some(shape, made)))


def _usage(rows: Rows, shape: Shape, made: Random) -> object:
    namespace = account(shape.namespaces[_some(shape, made)])
    return rows.usage.largest(namespace, DAY - 30, 20), rows.usage.pulls(namespace, DAY - 30)


def _untagged(rows: Rows, shape: Shape, made: Random) -> object:
    page, _ = rows.untagged.page(made.randint(shape.before[-1] // 2, shape.before[-1]), BATCH)
    return reached(rows, [one.id for one in page])


def _links(rows: Rows, shape: Shape, made: Random) -> object:
    return rows.garbage.links((_some(shape, made), 0), GRACE, BATCH)


def _settle_links(rows: Rows, shape: Shape, made: Random) -> object:
    page = rows.garbage.links((_some(shape, made), 0), GRACE, BATCH)
    changed = [one for one in page if one.needed is (one.condemned is not None)]
    for here, links in groupby(changed, lambda one: one.repository_id):
        rows.garbage.settle_links(here, [one.blob_id for one in links], NOW, GRACE)
    return page


def _contents(rows: Rows, shape: Shape, made: Random) -> object:
    return rows.garbage.contents(made.randrange(shape.sizes.blobs), BATCH)


def _settle_contents(rows: Rows, shape: Shape, made: Random) -> object:
    first = made.randrange(shape.sizes.blobs)
    return rows.garbage.settle_contents(range(first, first + BATCH), NOW)


def _origins(rows: Rows, shape: Shape, made: Random) -> object:
    one = shape.pulled(made)
    return rows.pulls.origins(one, shape.manifest(one, made.randrange(shape.manifests[one])))


def _count_pulls(rows: Rows, shape: Shape, made: Random) -> object:
    figures = {}
    for one in (shape.pulled(made) for _ in range(PAGE)):
        figures[one] = PullFigure(one, DAY, tag(made.randrange(min(shape.tags[one], 3))), "docker", 3)
    rows.pulls.add(list(figures.values()), NOW)
    return figures


def _fold(rows: Rows, _shape: Shape, _made: Random) -> object:
    return rows.usage.fold()


def _pull_chart(rows: Rows, shape: Shape, _made: Random) -> object:
    one = shape.sizes.repositories // 20 * 20
    return rows.pulls.daily(one, DAY - 30), rows.pulls.by_tag(one, DAY - 30, 10)


def _moves(rows: Rows, shape: Shape, made: Random) -> object:
    return rows.tags.events(shape.pulled(made), None, 25)


def _gone(rows: Rows, _shape: Shape, made: Random) -> object:
    return rows.repositories.get(RepositoryName(f"nobody/nothing-{made.getrandbits(40)}"))


QUERIES = (
    Query("manifest by tag", _by_tag),
    Query("manifest by digest", _by_digest),
    Query("blob in repository", _blob),
    Query("repository that is not there", _gone),
    Query("token's rights", _rights),
    Query("personal token", _personal_token),
    Query("tag list, first page", _tags_first),
    Query("tag list, deep in the largest", _tags_deep),
    Query("catalogue page", _catalogue),
    Query("catalogue page, signed in", _catalogue_own),
    Query("mount, seldom layer", _mount),
    Query("mount, layer that a seventh have", _mount_common),
    Query("referrers", _referrers),
    Query("before a push: quota", _before_push),
    Query("push of a blob", _push_blob, writes=True),
    Query("push of a manifest, 8 blobs", _push_manifest, writes=True),
    Query("tag move", _tag_move, writes=True),
    Query("profile", _profile(SearchOrder.RECENT, largest=False)),
    Query("profile of the largest", _profile(SearchOrder.RECENT, largest=True)),
    Query("profile of the largest, by pulls", _profile(SearchOrder.PULLS, largest=True)),
    Query("all repositories, counted", _find(), walks=("repositories",)),
    Query("search, name and number", _search_rare),
    Query("search, word of many names", _find(text="harbour")),
    Query("search, word of all texts", _find(text="image")),
    Query("search, two letters", _find(text="ha")),
    Query("search, one letter", _find(text="h")),
    Query("search with filters", _find(text="light", platform="linux/arm64", kind=Kind.IMAGE, order=SearchOrder.STARS)),
    *(
        Query(f"tags of the largest by {order.value}{', deep' if deep else ''}", _sorted_tags(order, deep))
        for order in TagOrder
        for deep in (False, True)
    ),
    Query("names of tags, one slice", _names),
    Query("moves of tags", _moves),
    Query("quota and use", _quota),
    Query("quota and use of the largest", _quota_largest),
    Query("use by repository and day", _usage),
    Query("pulls by day and tag", _pull_chart),
    Query("collection: 200 manifests", _untagged),
    Query("collection: 200 links", _links),
    Query("collection: links settled", _settle_links, writes=True),
    Query("collection: 200 blobs", _contents),
    Query("collection: blobs settled", _settle_contents, writes=True),
    Query("where a pull by digest came from", _origins),
    Query("counting 100 pulled tags", _count_pulls, writes=True),
    Query("storage, added up", _fold, writes=True),
)
