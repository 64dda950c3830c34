"""Descriptors: read from JSON, written as the specification writes them."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from havre.errors import ManifestInvalid
from havre.oci.descriptor import Descriptor, Platform, string_map
from havre.oci.digest import Digest
from tests.oci.texts import JSON

MEDIA_TYPES = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=255)

DESCRIPTORS = st.builds(
    Descriptor,
    MEDIA_TYPES,
    st.builds(Digest.of, st.binary(max_size=8), st.sampled_from(["sha256", "sha512"])),
    st.integers(0, 2**63 - 1),
    st.none() | st.builds(Platform, st.text(max_size=8), st.text(max_size=8), st.text(max_size=8)),
    st.just("") | MEDIA_TYPES,
    st.dictionaries(st.text(max_size=8), st.text(max_size=8), max_size=3),
    st.lists(st.text(max_size=20), max_size=3).map(tuple),
)

RIGHT: dict[str, Any] = {"mediaType": "application/x", "size": 5, "digest": str(Digest.of(b"hello"))}


@given(DESCRIPTORS)
def test_what_is_written_is_read_back(descriptor: Descriptor) -> None:
    assert Descriptor.from_json(descriptor.to_json(), "config") == descriptor


def test_what_is_absent_is_not_written() -> None:
    assert Descriptor.from_json(RIGHT, "config").to_json() == RIGHT


@given(
    st.fixed_dictionaries({}, optional=dict.fromkeys([*RIGHT, "platform", "annotations", "urls", "artifactType"], JSON))
)
def test_any_object_is_read_or_refused(changes: dict[str, Any]) -> None:
    value = RIGHT | changes
    try:
        found = Descriptor.from_json(value, "layers[3]")
    except ManifestInvalid as error:
        assert error.message.startswith("layers[3]")  # noqa: PT017 - most objects are refused, some are read
        return
    assert (found.media_type, found.size, found.digest) == (value["mediaType"], value["size"], value["digest"])


@pytest.mark.parametrize("value", [None, [], "x", 5, True])
def test_only_an_object_is_a_descriptor(value: object) -> None:
    with pytest.raises(ManifestInvalid, match=r"^config is not a descriptor: a JSON object is needed$"):
        Descriptor.from_json(value, "config")


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("mediaType", None, "config.mediaType is missing or not"),
        ("mediaType", "", "config.mediaType is missing or not"),
        ("mediaType", "x" * 256, "config.mediaType is missing or not 1 to 255 printable ASCII characters"),
        ("mediaType", "a/b\n", "config.mediaType is missing or not"),
        ("mediaType", "é/b", "config.mediaType is missing or not"),
        ("size", None, "config.size is missing or not a number of bytes"),
        ("size", True, "config.size"),
        ("size", -1, "config.size"),
        ("size", 2**63, "config.size"),
        ("size", 5.0, "config.size"),
        ("size", "5", "config.size"),
        ("digest", None, "config.digest is missing or not a string"),
        ("digest", 5, "config.digest is missing or not a string"),
        ("digest", "sha256:x", "config.digest: invalid digest 'sha256:x'"),
        ("annotations", {"a": 1}, "config.annotations must be a JSON object whose values are strings"),
        ("annotations", ["a"], "config.annotations must be a JSON object"),
    ],
)
def test_a_refusal_names_the_place(key: str, value: object, words: str) -> None:
    with pytest.raises(ManifestInvalid) as caught:
        Descriptor.from_json(RIGHT | {key: value}, "config")
    assert words in caught.value.message


@pytest.mark.parametrize(
    ("value", "platform"),
    [
        ({"os": "linux", "architecture": "arm64", "variant": "v8"}, "linux/arm64/v8"),
        ({"os": "linux", "architecture": "amd64"}, "linux/amd64"),
        ({"os": "linux", "architecture": "amd64", "variant": 8}, "linux/amd64"),
        ({"os": "linux"}, "None"),
        ("linux/amd64", "None"),
    ],
)
def test_platforms(value: object, platform: str) -> None:
    assert str(Descriptor.from_json(RIGHT | {"platform": value}, "config").platform) == platform


def test_no_annotations() -> None:
    assert string_map(None, "annotations") == {}
