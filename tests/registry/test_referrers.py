"""Referrers: what names a digest as its subject, page by page, in the order of their digests."""

import pytest

from havre.oci.digest import Digest
from havre.oci.names import RepositoryName
from havre.registry.referrers import Referrers
from tests.support import documents
from tests.support.documents import OCI_MANIFEST, descriptor, digest_of
from tests.support.inprocess import Caller, InProcess

pytestmark = pytest.mark.anyio

APP = RepositoryName("alice/app")
SUBJECT = Digest.of(b"subject")
TYPES = ("application/signature", "application/sbom")


@pytest.fixture
async def referrers(alice: Caller, inside: InProcess) -> Referrers:
    """Of a registry where ten manifests refer to the subject, which is not there, and one to something else."""
    await alice.push_blob(APP, documents.EMPTY)
    for number in range(11):
        subject = b"something else" if number == 10 else b"subject"
        content = documents.artifact(
            subject=descriptor(subject, OCI_MANIFEST), artifactType=TYPES[number % 2], annotations={"n": str(number)}
        )
        assert (await alice.push_manifest(APP, digest_of(content), content)).status == 201
    return inside.app.referrers


async def test_in_byte_order_and_in_pages(referrers: Referrers):
    every = [one.digest for one in await referrers.page(APP, SUBJECT, (), "", 100)]
    assert len(every) == 10
    assert every == sorted(every)
    first = [one.digest for one in await referrers.page(APP, SUBJECT, (), "", 4)]
    rest = [one.digest for one in await referrers.page(APP, SUBJECT, (), first[-1], 100)]
    assert first + rest == every


@pytest.mark.parametrize(("types", "count"), [((), 10), (TYPES[:1], 5), (TYPES, 10), (("application/other",), 0)])
async def test_by_type(referrers: Referrers, types: tuple[str, ...], count: int):
    assert len(await referrers.page(APP, SUBJECT, types, "", 100)) == count


async def test_they_are_told_as_descriptors(referrers: Referrers):
    (first, *_) = await referrers.page(APP, SUBJECT, (), "", 1)
    told = first.descriptor.to_json()
    assert (told["mediaType"], told["digest"], told["size"]) == (OCI_MANIFEST, first.digest, first.size)
    assert told["artifactType"] in TYPES
    assert set(told["annotations"]) == {"n"}


async def test_none_where_nothing_is(referrers: Referrers):
    assert list(await referrers.page(APP, Digest.of(b"unknown"), (), "", 10)) == []
    assert list(await referrers.page(RepositoryName("alice/none"), SUBJECT, (), "", 10)) == []
