"""Manifests: accepted with all that they need, in one unit of work with their tags."""

import pytest

from havre.errors import DigestInvalid, ManifestBlobUnknown, ManifestInvalid, ManifestUnknown, NameUnknown
from havre.oci.digest import Digest
from havre.oci.names import RepositoryName, Tag
from havre.registry.audit import ITSELF
from havre.registry.manifests import Manifests
from tests.support import documents
from tests.support.documents import OCI_INDEX, OCI_MANIFEST, descriptor
from tests.support.inprocess import Caller, InProcess

pytestmark = pytest.mark.anyio

APP = RepositoryName("alice/app")
LATEST = Tag("latest")
IMAGE = documents.image("manifests")
DIGEST = Digest.of(IMAGE.content)


@pytest.fixture
async def manifests(alice: Caller, inside: InProcess) -> Manifests:
    """Of a registry where alice/app has the blobs of an image."""
    for blob in (*IMAGE.blobs, documents.EMPTY):
        await alice.push_blob(APP, blob)
    return inside.app.manifests


async def put(manifests: Manifests, content: bytes = IMAGE.content, media_type: str = OCI_MANIFEST, **named: object):
    reference = named.get("reference", LATEST)
    assert isinstance(reference, Tag | Digest)
    return await manifests.put(APP, reference, [], media_type, content, None)


async def test_what_was_read_from_it_is_kept_beside_the_bytes(manifests: Manifests):
    done = await put(manifests)
    assert (done.digest, done.subject, done.tags) == (DIGEST, None, (LATEST,))
    record = await manifests.get(APP, DIGEST)
    assert (record.content, record.size, record.media_type) == (IMAGE.content, len(IMAGE.content), OCI_MANIFEST)
    assert (record.platform, record.total_size) == ("linux/amd64", sum(len(blob) for blob in IMAGE.blobs))
    assert (record.artifact_type, dict(record.annotations)) == (documents.OCI_CONFIG, {})


async def test_tags_are_named_once_each(manifests: Manifests):
    done = await manifests.put(APP, LATEST, [Tag("a"), LATEST, Tag("a")], OCI_MANIFEST, IMAGE.content, None)
    assert done.tags == ("latest", "a")


async def test_a_layer_named_twice_is_counted_once(manifests: Manifests):
    layer = descriptor(IMAGE.blobs[1], documents.OCI_LAYER)
    content = documents.manifest(descriptor(IMAGE.blobs[0], documents.OCI_CONFIG), [layer, layer])
    await put(manifests, content)
    assert (await manifests.get(APP, LATEST)).total_size == len(IMAGE.blobs[0]) + len(IMAGE.blobs[1])


@pytest.mark.parametrize(
    ("content", "media_type", "reference", "failure"),
    [
        (b"{}", OCI_MANIFEST, LATEST, ManifestInvalid),
        (IMAGE.content, OCI_INDEX, LATEST, ManifestInvalid),
        (IMAGE.content, OCI_MANIFEST, Digest.of(b"else"), DigestInvalid),
        (documents.index([descriptor(b"absent", OCI_MANIFEST)]), OCI_INDEX, LATEST, ManifestBlobUnknown),
    ],
)
async def test_what_is_refused_changes_nothing(
    manifests: Manifests,
    inside: InProcess,
    content: bytes,
    media_type: str,
    reference: object,
    failure: type[Exception],
):
    before = inside.snapshot()
    with pytest.raises(failure):
        await put(manifests, content, media_type, reference=reference)
    assert inside.snapshot() == before


async def test_a_manifest_of_another_repository_is_no_child(manifests: Manifests, alice: Caller):
    await put(manifests)
    await alice.push_blob("alice/other", b"x")
    reply = await alice.push_manifest(
        "alice/other", "all", documents.index([descriptor(IMAGE.content, OCI_MANIFEST)]), OCI_INDEX
    )
    assert reply.code == "MANIFEST_BLOB_UNKNOWN"


async def test_the_size_of_an_index_is_that_of_its_children(manifests: Manifests):
    await put(manifests)
    await put(manifests, documents.index([descriptor(IMAGE.content, OCI_MANIFEST)]), OCI_INDEX)
    nested = documents.index([descriptor((await manifests.get(APP, LATEST)).content, OCI_INDEX)])
    await put(manifests, nested, OCI_INDEX)
    record = await manifests.get(APP, LATEST)
    assert (record.content, record.total_size) == (nested, sum(len(blob) for blob in IMAGE.blobs))


async def test_sizes_that_add_up_to_more_than_a_row_holds(manifests: Manifests, inside: InProcess):
    sparse = Manifests(inside.app.database, inside.app.blobs, inside.clock, inside.app.events, sparse=True)
    layers = [{**descriptor(bytes([n]), documents.OCI_LAYER), "size": (1 << 63) - 1} for n in range(3)]
    await put(sparse, documents.manifest(descriptor(documents.EMPTY, documents.OCI_EMPTY), layers))
    assert (await sparse.get(APP, LATEST)).total_size == (1 << 63) - 1


async def test_the_same_again_is_the_same(manifests: Manifests, inside: InProcess):
    await put(manifests, reference=DIGEST)
    before = inside.snapshot()
    await put(manifests, reference=DIGEST)
    assert inside.snapshot() == before


async def test_deleted(manifests: Manifests):
    await put(manifests)
    await manifests.delete(APP, DIGEST, ITSELF)
    for reference in (DIGEST, LATEST):
        with pytest.raises(ManifestUnknown):
            await manifests.get(APP, reference)
    with pytest.raises(ManifestUnknown):
        await manifests.delete(APP, DIGEST, ITSELF)
    with pytest.raises(NameUnknown):
        await manifests.delete(RepositoryName("alice/none"), DIGEST, ITSELF)
