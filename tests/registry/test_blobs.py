"""Blobs: content that is reached through the repositories that link it, and through nothing else."""

import pytest

from havre.errors import BlobUnknown, NameUnknown
from havre.oci.digest import Digest
from havre.oci.names import RepositoryName
from havre.oci.ranges import ByteRange
from havre.registry.blobs import Blobs
from havre.registry.ports import LocalFile
from havre.registry.records import Viewer, Visibility
from tests.support.inprocess import Caller, InProcess

pytestmark = pytest.mark.anyio

APP, OTHER, THEIRS = RepositoryName("alice/app"), RepositoryName("alice/other"), RepositoryName("bobby/app")
CONTENT = bytes(range(256)) * 100
DIGEST = Digest.of(CONTENT)


@pytest.fixture
async def blobs(alice: Caller, inside: InProcess) -> Blobs:
    """Of a registry where alice/app links the content."""
    await alice.push_blob(APP, CONTENT)
    return inside.app.blobs


async def test_a_blob_is_there_only_where_it_is_linked(blobs: Blobs, alice: Caller):
    found = await blobs.stat(APP, DIGEST)
    assert (found.digest, found.size) == (DIGEST, len(CONTENT))
    with pytest.raises(NameUnknown):
        await blobs.stat(OTHER, DIGEST)
    await alice.push_blob(OTHER, b"else")
    with pytest.raises(BlobUnknown, match=f"alice/other has no blob {DIGEST}"):
        await blobs.stat(OTHER, DIGEST)


async def test_reading(blobs: Blobs):
    blob = await blobs.stat(APP, DIGEST)
    assert await blobs.read_whole(blob, len(CONTENT)) == CONTENT
    assert await blobs.read_whole(blob, len(CONTENT) - 1) is None
    assert b"".join([piece async for piece in blobs.read(blob, ByteRange(100, 5000))]) == CONTENT[100:5000]
    assert isinstance(await blobs.locate(blob), LocalFile)


async def test_mounting_from_a_source(blobs: Blobs):
    blob = await blobs.mount(OTHER, DIGEST, APP, Viewer())
    assert blob == await blobs.stat(OTHER, DIGEST)
    assert await blobs.mount(OTHER, DIGEST, APP, Viewer()) == blob
    for digest, source in ((Digest.of(b"none"), APP), (DIGEST, RepositoryName("alice/none"))):
        assert await blobs.mount(OTHER, digest, source, Viewer()) is None


@pytest.mark.parametrize(("person", "visibility", "found"), [
    ("bobby", Visibility.PUBLIC, True),
    ("bobby", Visibility.PRIVATE, False),
    ("alice", Visibility.PRIVATE, True),
    ("carol", Visibility.PRIVATE, True),
])  # fmt: skip
async def test_without_a_source_only_what_the_caller_may_pull(
    blobs: Blobs, inside: InProcess, person: str, visibility: Visibility, found: bool
):
    await inside.app.repositories.set_visibility(APP, visibility)
    viewer = (await inside.actor(person)).viewer
    assert (await blobs.mount(THEIRS, DIGEST, None, viewer) is not None) is found


async def test_a_mount_that_finds_nothing_makes_no_repository(blobs: Blobs, inside: InProcess):
    before = inside.snapshot()
    assert await blobs.mount(OTHER, Digest.of(b"none"), None, Viewer()) is None
    assert inside.snapshot() == before


async def test_a_namespace_without_account_takes_no_mount(blobs: Blobs):
    with pytest.raises(NameUnknown, match="there is no account nobody"):
        await blobs.mount(RepositoryName("nobody/app"), DIGEST, APP, Viewer())


async def test_taken_out_of_one_repository_alone(blobs: Blobs):
    await blobs.mount(OTHER, DIGEST, APP, Viewer())
    await blobs.unlink(APP, DIGEST)
    with pytest.raises(BlobUnknown):
        await blobs.stat(APP, DIGEST)
    with pytest.raises(BlobUnknown):
        await blobs.unlink(APP, DIGEST)
    assert await blobs.read_whole(await blobs.stat(OTHER, DIGEST), len(CONTENT)) == CONTENT


async def test_bytes_that_were_lost_are_told(blobs: Blobs, inside: InProcess):
    (file,) = inside.files("blobs")
    file.unlink()
    blob = await blobs.stat(APP, DIGEST)
    assert await blobs.locate(blob) is None
    with pytest.raises(BlobUnknown):
        await blobs.read_whole(blob, len(CONTENT))
