"""Manifests: known types are checked, unknown ones pass, and nothing from outside breaks the reader."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from havre.errors import ManifestInvalid
from havre.oci import mediatypes
from havre.oci.digest import Digest
from havre.oci.manifest import MAX_CONTAINERS, MAX_DEPTH, MAX_DESCRIPTORS, MAX_SIZE, load_object, parse
from tests.oci.texts import JSON, swift

ARTIFACT = "application/vnd.example.artifact"
UNKNOWN = "application/vnd.example.unknown+json"
TYPES = st.sampled_from([*sorted(mediatypes.IMAGES | mediatypes.INDEXES), UNKNOWN])


def descriptor(media_type: str, content: bytes = b"hello", **more: object) -> dict[str, Any]:
    return {"mediaType": media_type, "digest": str(Digest.of(content)), "size": len(content), **more}


IMAGE: dict[str, Any] = {
    "schemaVersion": 2,
    "mediaType": mediatypes.OCI_MANIFEST,
    "config": descriptor(mediatypes.OCI_CONFIG),
    "layers": [descriptor(mediatypes.OCI_LAYER_GZIP, b"one"), descriptor(mediatypes.OCI_LAYER_GZIP, b"two")],
}

INDEX: dict[str, Any] = {
    "schemaVersion": 2,
    "mediaType": mediatypes.OCI_INDEX,
    "manifests": [descriptor(mediatypes.OCI_MANIFEST, platform={"os": "linux", "architecture": "arm64"})],
}


def encoded(document: object) -> bytes:
    return json.dumps(document).encode()


def refusal(document: object, media_type: str = mediatypes.OCI_MANIFEST) -> str:
    """Why a manifest is refused; ``document`` may be bytes already."""
    with pytest.raises(ManifestInvalid) as caught:
        parse(media_type, document if isinstance(document, bytes) else encoded(document))
    return caught.value.message


def test_an_image() -> None:
    found = parse(mediatypes.OCI_MANIFEST, encoded(IMAGE | {"annotations": {"a": "b"}}))
    assert found.kind == "image"
    assert [one.digest for one in found.blobs] == [Digest.of(content) for content in (b"hello", b"one", b"two")]
    assert found.artifact_type == mediatypes.OCI_CONFIG
    assert found.annotations == {"a": "b"}
    assert (found.manifests, found.subject) == ((), None)


def test_an_index() -> None:
    found = parse(mediatypes.OCI_INDEX, encoded(INDEX | {"artifactType": ARTIFACT}))
    assert (found.kind, found.artifact_type, found.blobs) == ("index", ARTIFACT, ())
    assert [str(one.platform) for one in found.manifests] == ["linux/arm64"]


def test_docker_forms() -> None:
    image = IMAGE | {"mediaType": mediatypes.DOCKER_MANIFEST}
    assert parse(mediatypes.DOCKER_MANIFEST, encoded(image)).kind == "image"
    assert parse(mediatypes.DOCKER_LIST, encoded(INDEX | {"mediaType": mediatypes.DOCKER_LIST})).kind == "index"


def test_an_artifact_with_a_subject() -> None:
    subject = descriptor(mediatypes.OCI_MANIFEST, b"subject")
    found = parse(mediatypes.OCI_MANIFEST, encoded(IMAGE | {"artifactType": ARTIFACT, "subject": subject}))
    assert found.artifact_type == ARTIFACT
    assert found.subject is not None
    assert found.subject.to_json() == subject


@pytest.mark.parametrize(
    "content",
    [b"", b"not json", b"[]", b"\xff", b'{"subject": 5}', b'{"subject": [{"name": "in-toto"}]}', b'{"layers": "x"}'],
)
def test_unknown_types_pass_as_they_are(content: bytes) -> None:
    found = parse(UNKNOWN, content)
    assert (found.kind, found.blobs, found.subject) == ("other", (), None)


def test_the_subject_of_an_unknown_type_is_read() -> None:
    found = parse(UNKNOWN, encoded({"subject": descriptor(mediatypes.OCI_MANIFEST)}))
    assert found.subject is not None
    assert found.subject.digest == Digest.of(b"hello")


@pytest.mark.parametrize("media_type", sorted(mediatypes.OBSOLETE))
def test_schema_1_is_refused(media_type: str) -> None:
    assert "schema 1" in refusal({"schemaVersion": 1}, media_type)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"schemaVersion": 1}, "schemaVersion is 1, it must be 2"),
        ({"schemaVersion": None}, "schemaVersion is None, it must be 2"),
        ({"mediaType": mediatypes.OCI_INDEX}, "the Content-Type header says"),
        ({"config": None}, "config is not a descriptor"),
        ({"layers": None}, "layers is missing or not an array"),
        ({"layers": [5]}, "layers[0] is not a descriptor"),
        ({"layers": [descriptor("a/b"), descriptor("a/b", size=-1)]}, "layers[1].size"),
        ({"subject": {}}, "subject.mediaType"),
        ({"artifactType": 5}, "artifactType is not a media type"),
        ({"artifactType": "a\nb"}, "artifactType is not a media type"),
        ({"annotations": {"a": None}}, "annotations must be a JSON object whose values are strings"),
        ({"layers": [descriptor("a/b")] * (MAX_DESCRIPTORS + 1)}, f"at most {MAX_DESCRIPTORS} are allowed"),
    ],
)
def test_a_refusal_names_the_place(change: dict[str, Any], words: str) -> None:
    assert words in refusal(IMAGE | change)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "not valid JSON"),
        (b"{", "not valid JSON"),
        (b"[]", "not a JSON object"),
        (b'"x"', "not a JSON object"),
        (b"\xff\xfe{}", "not UTF-8"),
        (b"\xef\xbb\xbf{}", "not valid JSON"),
        (b'{"a": NaN}', "NaN is not JSON"),
        (b'{"a": -Infinity}', "-Infinity is not JSON"),
        (b'{"a": ' + b"9" * 10_000 + b"}", "not valid JSON"),
        (b'{"a": "\\ud800"}', "half of a surrogate pair"),
        (b'{"\\udC00x": 1}', "half of a surrogate pair"),
        (b'{"a": "x\\u0000"}', "NUL character"),
        (b'{"a": "\\\\\\u0000"}', "NUL character"),
        (b'{"a": "\0"}', "not valid JSON"),
    ],
)
def test_broken_documents(content: bytes, words: str) -> None:
    assert words in refusal(content)


@pytest.mark.parametrize("text", ["\\u0000 after a backslash", "😀", "é", "\\", "\x01"])
def test_characters_that_only_look_dangerous(text: str) -> None:
    assert load_object(json.dumps({"a": text}).encode()) == {"a": text}
    assert load_object(json.dumps({"a": text}, ensure_ascii=False).encode()) == {"a": text}


@pytest.mark.parametrize(("before", "after"), [(b"[", b"]"), (b'{"a":', b"}")])
def test_the_depth_is_bounded(before: bytes, after: bytes) -> None:
    def nested(depth: int) -> bytes:
        inner = depth - 1  # the document itself is the first level
        return b'{"a":' + before * inner + b"0" * (before != b"[") + after * inner + b"}"

    assert load_object(nested(MAX_DEPTH))
    for depth in (MAX_DEPTH + 1, 500, 5_000, 50_000):
        assert refusal(nested(depth)) == f"the manifest nests deeper than {MAX_DEPTH} levels"


def test_brackets_in_strings_are_no_depth() -> None:
    assert load_object(encoded({"a": "[{" * 1000, "b": ['"[', "\\"]}))


def filled(unit: bytes) -> bytes:
    """A whole manifest's worth of one thing."""
    head, tail = b'{"schemaVersion":2,"manifests":[],"a":[', b"0]}"
    return head + unit * ((MAX_SIZE - len(head) - len(tail)) // len(unit)) + tail


@pytest.mark.parametrize(
    "content",
    [
        *map(filled, [b"[],", b"{},", b'"",', b"0,", b"1e9,", b'"\\\\",', b'"\\u00e9",', b"[" * 50 + b"]" * 50 + b","]),
        b"[" * MAX_SIZE,
        b'{"a":' * (MAX_SIZE // 5),
        b'"' * MAX_SIZE,
        b'{"a":"' + b"\\" * MAX_SIZE,
        b'{"a":"' + b"\\" * (MAX_SIZE // 2 * 2) + b'\\u0000"}',
        b" " * MAX_SIZE,
        b'{"a":' + b"9" * MAX_SIZE + b"}",
        encoded({"schemaVersion": 2, "manifests": [descriptor("a/b", b"")] * MAX_DESCRIPTORS}),
    ],
    ids=lambda content: repr(content[38:48]),
)
def test_four_mebibytes_of_anything_are_answered_soon(content: bytes) -> None:
    with swift(3.0):
        try:
            parse(mediatypes.OCI_INDEX, content)
        except ManifestInvalid as error:
            assert len(error.message) < 500  # noqa: PT017 - some of these are read


@pytest.mark.parametrize("key", ["schemaVersion", "mediaType", "config", "artifactType"])
@pytest.mark.parametrize("value", ["x" * 1_000_000, [0] * 100_000])
def test_a_refusal_does_not_repeat_what_is_long(key: str, value: object) -> None:
    assert len(refusal(IMAGE | {key: value})) < 300


def test_the_number_of_parts_is_bounded() -> None:
    assert f"more than {MAX_CONTAINERS} JSON objects and arrays" in refusal(filled(b"[],"))


@given(TYPES, st.one_of(st.binary(max_size=60), JSON.map(encoded)))
def test_any_bytes(media_type: str, content: bytes) -> None:
    try:
        found = parse(media_type, content)
    except ManifestInvalid as error:
        assert 10 < len(error.message) < 1000  # noqa: PT017 - most bytes are refused, some are read
        return
    assert found.media_type == media_type


@given(TYPES, st.dictionaries(st.sampled_from([*IMAGE, *INDEX, "subject", "artifactType", "annotations"]), JSON))
def test_any_change_of_a_right_manifest(media_type: str, change: dict[str, Any]) -> None:
    document = (IMAGE | INDEX | {"mediaType": media_type}) | change
    try:
        found = parse(media_type, encoded(document))
    except ManifestInvalid as error:
        assert 10 < len(error.message) < 1000  # noqa: PT017 - most changes are refused, some are read
        return
    assert found.kind == "other" or document["schemaVersion"] == 2


@pytest.mark.parametrize(
    ("media_type", "elsewhere"),
    [
        ("application/vnd.oci.image.layer.nondistributable.v1.tar+gzip", True),
        ("application/vnd.docker.image.rootfs.foreign.diff.tar.gzip", True),
        (mediatypes.OCI_LAYER_GZIP, False),
    ],
)
def test_layers_that_may_be_elsewhere(media_type: str, elsewhere: bool) -> None:
    assert mediatypes.may_be_elsewhere(media_type) == elsewhere
