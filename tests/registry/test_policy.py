"""Rules that are asked before a write: what a manifest needs, and how many uploads may run."""

import pytest

from havre.errors import ManifestBlobUnknown, TooManyRequests
from havre.oci.digest import Digest
from havre.oci.manifest import parse
from havre.registry.policy import check_complete, check_uploads, needed
from tests.support import documents
from tests.support.documents import OCI_CONFIG, OCI_INDEX, OCI_LAYER, OCI_MANIFEST, descriptor

CONFIG, LAYER, FOREIGN, SUBJECT = b"config", b"layer", b"foreign", b"subject"
IMAGE = parse(
    OCI_MANIFEST,
    documents.manifest(
        descriptor(CONFIG, OCI_CONFIG),
        [descriptor(LAYER, OCI_LAYER), descriptor(FOREIGN, "application/vnd.oci.image.layer.nondistributable.v1.tar")],
        subject=descriptor(SUBJECT, OCI_MANIFEST),
    ),
)
INDEX = parse(OCI_INDEX, documents.index([descriptor(b"one", OCI_MANIFEST), descriptor(LAYER, OCI_LAYER)]))


def test_an_image_needs_its_config_and_layers_but_neither_its_subject_nor_what_lies_elsewhere():
    assert needed(IMAGE) == {Digest.of(CONFIG), Digest.of(LAYER)}


def test_an_index_needs_everything_it_lists():
    assert needed(INDEX) == {Digest.of(b"one"), Digest.of(LAYER)}


def test_something_unknown_needs_nothing():
    assert needed(parse("application/vnd.example+json", documents.index([descriptor(LAYER, OCI_LAYER)]))) == set()


@pytest.mark.parametrize(("manifest", "word"), [(IMAGE, "blobs"), (INDEX, "manifests or blobs")])
def test_what_is_absent_is_named(manifest, word):
    absent = sorted(needed(manifest))
    with pytest.raises(ManifestBlobUnknown) as refusal:
        check_complete(manifest, absent, sparse=False)
    assert f"refers to {word} that" in refusal.value.message
    assert f"{absent[0]} and 1 more" in refusal.value.message
    assert refusal.value.detail == [{"digest": str(one)} for one in absent]


def test_nothing_absent_or_sparse_manifests_accepted():
    check_complete(IMAGE, [], sparse=False)
    check_complete(IMAGE, needed(IMAGE), sparse=True)


def test_a_thousand_absent_children_make_a_short_answer():
    absent = [Digest.of(str(number).encode()) for number in range(1000)]
    with pytest.raises(ManifestBlobUnknown) as refusal:
        check_complete(INDEX, absent, sparse=False)
    assert "and 999 more" in refusal.value.message
    assert isinstance(refusal.value.detail, list)
    assert len(refusal.value.detail) == 20


def test_uploads_are_limited():
    check_uploads(99, 100)
    with pytest.raises(TooManyRequests, match="100 uploads of this account") as refusal:
        check_uploads(100, 100)
    assert refusal.value.retry_after > 0
