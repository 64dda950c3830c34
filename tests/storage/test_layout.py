"""The tree on disk: where things are, and that nothing leads out of it."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from havre.errors import BlobUnknown, UploadUnknown
from havre.oci.digest import Digest
from havre.storage.layout import Layout

ROOT = Path("/srv/havre")


@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
def test_a_blob_is_found_by_its_digest(algorithm: str) -> None:
    layout = Layout(ROOT)
    digest = Digest.of(b"hello", algorithm)
    key = layout.key(digest)
    assert key == f"{algorithm}/{digest.encoded[:2]}/{digest.encoded}"
    assert layout.blob(key) == ROOT / "blobs" / algorithm / digest.encoded[:2] / digest.encoded


def test_an_upload_is_found_by_its_id() -> None:
    assert Layout(ROOT).upload("0aB_-9") == ROOT / "uploads/0aB_-9"


TRAPS = st.sampled_from(["..", "/", ".", "\0", "\n", "sha256", "ab", "a" * 64, "%2e", "\\", "é", "a/../.."])
OUTSIDE = st.one_of(st.text(max_size=200), st.lists(TRAPS, max_size=6).map("".join), st.lists(TRAPS).map("/".join))


@given(OUTSIDE)
def test_no_key_leads_out(text: str) -> None:
    layout = Layout(ROOT)
    try:
        path = layout.blob(text)
    except BlobUnknown:
        return
    assert path.parent.parent.parent == ROOT / "blobs"
    assert ".." not in path.parts


@given(OUTSIDE)
def test_no_upload_id_leads_out(text: str) -> None:
    layout = Layout(ROOT)
    try:
        path = layout.upload(text)
    except UploadUnknown:
        return
    assert path.parent == ROOT / "uploads"
    assert path.name not in ("", ".", "..")
