"""Bad input: the status, the code, a sentence that names the value and the rule, and nothing changed anywhere."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest

from tests.support import documents
from tests.support.documents import OCI_CONFIG, OCI_INDEX, OCI_LAYER, OCI_MANIFEST, descriptor, digest_of
from tests.support.inprocess import Body, Caller, InProcess

pytestmark = pytest.mark.anyio

APP = "/v2/alice/app"
LAYER = b"bytes"
DIGEST = digest_of(LAYER)
UPLOADS = f"{APP}/blobs/uploads/"
TAG = {"content-type": OCI_MANIFEST}
GOOD = json.loads(documents.artifact())


@dataclass(frozen=True)
class Bad:
    """A request that is refused. ``{upload}`` in the target stands for an upload that has the bytes 0-4."""

    method: str
    target: str
    status: int
    code: str
    says: tuple[str, ...]
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Body = b""


def refused_manifest(content: bytes, *says: str, media_type: str = OCI_MANIFEST) -> Bad:
    headers = {"content-type": media_type}
    return Bad("PUT", f"{APP}/manifests/latest", 400, "MANIFEST_INVALID", says, headers, content)


def edited(**fields: object) -> bytes:
    return json.dumps({**GOOD, **fields}).encode()


def deep(levels: int) -> bytes:
    return b'{"schemaVersion": 2, "x": ' + b"[" * levels + b"]" * levels + b"}"


UPPER = ("invalid repository name", "lower-case")
NAMES = {
    "a name with capitals": Bad("GET", "/v2/alice/App/tags/list", 400, "NAME_INVALID", ("'alice/App'", *UPPER)),
    "a name with a space": Bad("GET", "/v2/alice/a%20b/tags/list", 400, "NAME_INVALID", ("'alice/a b'", *UPPER)),
    "a name with dots": Bad("GET", "/v2/alice/../tags/list", 400, "NAME_INVALID", ("'alice/..'",)),
    "a name with an empty part": Bad("GET", "/v2/alice//app/tags/list", 400, "NAME_INVALID", ("'alice//app'",)),
    "a name with a percent sign": Bad("POST", "/v2/alice/%2525/blobs/uploads/", 400, "NAME_INVALID", ("'alice/%25'",)),
    "a name with a line": Bad("GET", "/v2/alice/a%0Ab/tags/list", 400, "NAME_INVALID", (r"'alice/a\nb'",)),
    "a name in other letters": Bad("GET", "/v2/alice/%C3%A9/tags/list", 400, "NAME_INVALID", ("'alice/é'",)),
    "a name that is too long": Bad(
        "POST", f"/v2/alice/{'x' * 250}/blobs/uploads/", 400, "NAME_INVALID", ("256 characters, at most 255",)
    ),
    "a name of bytes that are no text": Bad("GET", "/v2/alice/%ff%fe/tags/list", 400, "NAME_INVALID", ("alice/",)),
    "a tag with a space": Bad("PUT", f"{APP}/manifests/a%20b", 400, "NAME_INVALID", ("invalid tag 'a b'",), TAG, b"{}"),
    "a tag that begins with a dot": Bad("PUT", f"{APP}/manifests/.x", 400, "NAME_INVALID", ("'.x'",), TAG, b"{}"),
    "a tag that is too long": Bad(
        "PUT", f"{APP}/manifests/{'t' * 129}", 400, "NAME_INVALID", ("1 to 128",), TAG, b"{}"
    ),
}
DIGESTS = {
    "a digest without digits": Bad("GET", f"{APP}/blobs/sha256:", 400, "DIGEST_INVALID", ("'sha256:'", "needs 64")),
    "a digest without algorithm": Bad("GET", f"{APP}/blobs/{'0' * 64}", 400, "DIGEST_INVALID", ("no algorithm",)),
    "a digest in capitals": Bad("GET", f"{APP}/blobs/sha256:{'A' * 64}", 400, "DIGEST_INVALID", ("lower-case",)),
    "an unknown algorithm": Bad("HEAD", f"{APP}/blobs/md5:{'0' * 32}", 400, "", ()),
    "an unknown algorithm of a manifest": Bad(
        "GET", f"{APP}/manifests/md5:{'0' * 32}", 400, "DIGEST_INVALID", ("md5", "sha256, sha512")
    ),
    "a digest that is too long": Bad("DELETE", f"{APP}/blobs/sha256:{'0' * 65}", 400, "DIGEST_INVALID", ("not 65",)),
    "an unknown algorithm at the start": Bad(
        "POST", f"{UPLOADS}?digest-algorithm=md5", 400, "DIGEST_INVALID", ("'md5'", "sha256, sha512")
    ),
    "a malformed digest at the start": Bad("POST", f"{UPLOADS}?digest=x", 400, "DIGEST_INVALID", ("'x'",), {}, LAYER),
    "a digest of other bytes in one request": Bad(
        "POST", f"{UPLOADS}?digest={digest_of(b'else')}", 400, "DIGEST_INVALID", (DIGEST, digest_of(b"else")), {}, LAYER
    ),
    "a closing request without digest": Bad("PUT", "{upload}", 400, "DIGEST_INVALID", ("?digest=",)),
    "a closing request with a malformed one": Bad("PUT", "{upload}?digest=sha256:1", 400, "DIGEST_INVALID", ("needs 64",)),
    "a closing request with another digest": Bad(
        "PUT", f"{{upload}}?digest={digest_of(b'else')}", 400, "DIGEST_INVALID", (DIGEST, digest_of(b"else"))
    ),
    "a manifest of another digest": Bad(
        "PUT", f"{APP}/manifests/{DIGEST}", 400, "DIGEST_INVALID", (DIGEST, digest_of(documents.artifact())), TAG,
        documents.artifact(),
    ),
}  # fmt: skip
RANGES = {
    text: Bad(
        "PATCH", "{upload}", 400, "BLOB_UPLOAD_INVALID", ("invalid Content-Range",), {"content-range": text}, b"x"
    )
    for text in ("5", "a-b", "9-5", "5-", "-5", "5-5-5", "bytes */5", "5-9999999999999999999999")
} | {
    "a chunk that is shorter than its range": Bad(
        "PATCH", "{upload}", 400, "SIZE_INVALID", ("3 bytes", "announces 5"), {"content-range": "5-9"}, b"abc"
    ),
    "a chunk that is longer than its range": Bad(
        "PATCH",
        "{upload}",
        400,
        "SIZE_INVALID",
        ("7 bytes", "announces 5"),
        {"content-range": "5-9"},
        [b"abc", b"defg"],
    ),
    "a last chunk that is shorter than its range": Bad(
        "PUT", f"{{upload}}?digest={DIGEST}", 400, "SIZE_INVALID", ("announces 5",), {"content-range": "5-9"}, b"abc"
    ),
}
LENGTHS = {
    "a length that is no number": Bad(
        "PATCH", "{upload}", 400, "SIZE_INVALID", ("'many'",), {"content-length": "many"}, b"x"
    ),
    "a negative length": Bad("PATCH", "{upload}", 400, "SIZE_INVALID", ("'-1'",), {"content-length": "-1"}, b"x"),
    "a manifest announced as too large": Bad(
        "PUT", f"{APP}/manifests/latest", 413, "SIZE_INVALID", ("5000000 bytes, at most 4194304",),
        {**TAG, "content-length": "5000000"},
    ),
    "a blob longer than announced": Bad(
        "POST", f"{UPLOADS}?digest={DIGEST}", 400, "SIZE_INVALID", ("longer than the 3 bytes",),
        {"content-length": "3"}, LAYER,
    ),
    "a manifest longer than announced": Bad(
        "PUT", f"{APP}/manifests/latest", 400, "SIZE_INVALID", ("longer than the 10 bytes",),
        {**TAG, "content-length": "10"}, documents.artifact(),
    ),
    "a manifest shorter than announced": Bad(
        "PUT", f"{APP}/manifests/latest", 400, "SIZE_INVALID", ("of the 9999 bytes announced",),
        {**TAG, "content-length": "9999"}, documents.artifact(),
    ),
}  # fmt: skip
PARAMETERS = {
    "too many parameters": Bad("GET", f"{APP}/tags/list?" + "&x=1" * 200, 400, "UNSUPPORTED", ("more than 128",)),
    "NUL in a parameter": Bad("GET", f"{APP}/tags/list?last=a%00b", 400, "UNSUPPORTED", ("'last'", "NUL")),
    "n that is no number": Bad("GET", "/v2/_catalog?n=ten", 400, "UNSUPPORTED", ("n='ten'", "number")),
    "no upload": Bad("PATCH", f"{UPLOADS}00000000-0000-0000-0000-000000000000", 404, "BLOB_UPLOAD_UNKNOWN", ("0000",)),
    "an upload with NUL": Bad("GET", f"{UPLOADS}%00", 404, "BLOB_UPLOAD_UNKNOWN", ("start again",)),
}
MANIFESTS = {
    "no JSON": refused_manifest(b"{", "not valid JSON"),
    "no text": refused_manifest(b"\xff\xfe", "UTF-8"),
    "nothing": refused_manifest(b"", "not valid JSON"),
    "an array": refused_manifest(b"[]", "not a JSON object"),
    "NaN": refused_manifest(b'{"schemaVersion": NaN}', "NaN"),
    "a thousand levels": refused_manifest(deep(1000), "deeper than 100 levels"),
    "a million levels": refused_manifest(deep(1_000_000), "JSON objects and arrays"),
    "a huge number": refused_manifest(b'{"schemaVersion": ' + b"9" * 100_000 + b"}", "JSON"),
    "another schema": refused_manifest(edited(schemaVersion=1), "schemaVersion is 1, it must be 2"),
    "another media type inside": refused_manifest(edited(mediaType=OCI_INDEX), OCI_INDEX, OCI_MANIFEST),
    "no config": refused_manifest(edited(config=None), "config is not a descriptor"),
    "no layers": refused_manifest(edited(layers=None), "layers is missing"),
    "layers that are an object": refused_manifest(edited(layers={}), "layers is missing or not an array"),
    "a layer that is text": refused_manifest(edited(layers=["x"]), "layers[0] is not a descriptor"),
    "a layer without size": refused_manifest(
        edited(layers=[{**descriptor(b"", OCI_LAYER), "size": None}]), "layers[0].size"
    ),
    "a layer of negative size": refused_manifest(
        edited(layers=[{**descriptor(b"", OCI_LAYER), "size": -1}]), "layers[0].size"
    ),
    "a layer with a malformed digest": refused_manifest(
        edited(layers=[{**descriptor(b"", OCI_LAYER), "digest": "sha256:x"}]), "layers[0].digest", "'sha256:x'"
    ),
    "annotations that are a list": refused_manifest(edited(annotations=["x"]), "annotations must be"),
    "an annotation that is a number": refused_manifest(edited(annotations={"x": 1}), "values are strings"),
    "half a character in an annotation": refused_manifest(
        documents.artifact(annotations={"x": "?"}).replace(b'"?"', rb'"\ud800"'), "manifest"
    ),
    "half a character in a type": refused_manifest(edited(artifactType="?").replace(b'"?"', rb'"\udfff"'), "manifest"),
    "NUL in a type": refused_manifest(edited(artifactType="a\0b"), "NUL character"),
    "an artifact type that is a number": refused_manifest(edited(artifactType=1), "artifactType is not a"),
    "a subject that is text": refused_manifest(edited(subject="x"), "subject is not a descriptor"),
    "an index of numbers": refused_manifest(
        documents.index([1]),  # type: ignore[list-item]
        "manifests[0] is not a descriptor", media_type=OCI_INDEX,
    ),
    "too many children": refused_manifest(
        documents.index([{}] * 20_001), "20001 entries, at most 20000", media_type=OCI_INDEX
    ),
    "no media type": refused_manifest(documents.artifact(), "'nonsense' is not a media type", media_type="nonsense"),
    "a media type with a page in it": refused_manifest(
        documents.artifact(), "is not a media type", media_type="text/<script>"
    ),
    "a config that is not here": Bad(
        "PUT", f"{APP}/manifests/latest", 404, "MANIFEST_BLOB_UNKNOWN", (digest_of(b"absent"), "push them first"), TAG,
        documents.manifest(descriptor(b"absent", OCI_CONFIG), []),
    ),
}  # fmt: skip
EVERY = {**NAMES, **DIGESTS, **RANGES, **LENGTHS, **PARAMETERS, **MANIFESTS}


@pytest.fixture
async def owner(alice: Caller) -> Caller:
    """Alice, whose repository has a blob and a tag."""
    await alice.push_blob("alice/app", documents.EMPTY)
    await alice.push_manifest("alice/app", "before", documents.artifact())
    return alice


@pytest.mark.spec(
    "name-grammar",
    "tag-grammar",
    "tag-length",
    "put-reference",
    "digest-400",
    "post-length",
    "post-digest",
    "error-json",
    "error-codes",
    "chunk-span",
    "chunk-grammar",
    "close-digest",
    "error-message",
)
@pytest.mark.parametrize("bad", EVERY.values(), ids=EVERY)
async def test_is_refused_and_changes_nothing(owner: Caller, inside: InProcess, bad: Bad):
    location = await owner.start_upload("alice/app")
    assert (await owner("PATCH", location, {"content-range": "0-4"}, LAYER)).status == 202
    before = inside.snapshot()
    reply = await owner(bad.method, bad.target.replace("{upload}", location), bad.headers, bad.body)
    assert reply.status == bad.status, reply.body
    if bad.method != "HEAD":
        assert reply.code == bad.code
        missing = [part for part in bad.says if part not in reply.message]
        assert not missing, reply.message
        assert len(reply.message) < 1000
    after = inside.snapshot()
    # Bytes that arrived but do not count may lie behind those that do, until the next chunk overwrites them.
    assert [key for key in {**before, **after} if before.get(key) != after.get(key) and "uploads/" not in key] == []
    assert (await owner.get(location))["range"] == "0-4"
    assert (await owner("PATCH", location, {"content-range": "5-5"}, b"!")).status == 202
    assert (await owner("PUT", f"{location}?digest={digest_of(LAYER + b'!')}")).status == 201
