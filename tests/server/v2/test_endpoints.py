"""All endpoints of the specification, by the names it gives them: each is here, and what all answers have in common."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import pytest

from havre import errors
from tests.support import documents
from tests.support.documents import OCI_MANIFEST, digest_of
from tests.support.inprocess import OCTETS, Body, Caller, Headers

pytestmark = pytest.mark.anyio

APP, OTHER = "/v2/alice/app", "/v2/alice/other"
UPLOADS = f"{APP}/blobs/uploads/"
IMAGE = documents.image("endpoints")
LAYER, NEW = IMAGE.blobs[1], b"a blob that is not here yet"
DIGEST = digest_of(LAYER)


@dataclass(frozen=True)
class Endpoint:
    """A request to it, and the status of success. ``{upload}`` in the target stands for an upload that was begun."""

    method: str
    target: str
    status: int
    headers: Headers = ()
    body: Body = b""


MANIFEST = {"content-type": OCI_MANIFEST}
ENDPOINTS: Mapping[str, Endpoint] = {
    "end-1": Endpoint("GET", "/v2/", 200),
    "end-2 GET": Endpoint("GET", f"{APP}/blobs/{DIGEST}", 200),
    "end-2 HEAD": Endpoint("HEAD", f"{APP}/blobs/{DIGEST}", 200),
    "end-3 GET": Endpoint("GET", f"{APP}/manifests/latest", 200),
    "end-3 HEAD": Endpoint("HEAD", f"{APP}/manifests/{IMAGE.digest}", 200),
    "end-4a": Endpoint("POST", UPLOADS, 202),
    "end-4b": Endpoint("POST", f"{UPLOADS}?digest={digest_of(NEW)}", 201, [OCTETS], NEW),
    "end-4c": Endpoint("POST", f"{UPLOADS}?digest-algorithm=sha512", 202),
    "end-5": Endpoint("PATCH", "{upload}", 202, [OCTETS], NEW),
    "end-6": Endpoint("PUT", f"{{upload}}?digest={digest_of(NEW)}", 201, [OCTETS], NEW),
    "end-7a": Endpoint("PUT", f"{APP}/manifests/again", 201, MANIFEST, IMAGE.content),
    "end-7b": Endpoint("PUT", f"{APP}/manifests/{IMAGE.digest}?tag=1&tag=2&tag=3", 201, MANIFEST, IMAGE.content),
    "end-8a": Endpoint("GET", f"{APP}/tags/list", 200),
    "end-8b": Endpoint("GET", f"{APP}/tags/list?n=1&last=l", 200),
    "end-9 tag": Endpoint("DELETE", f"{APP}/manifests/latest", 202),
    "end-9 digest": Endpoint("DELETE", f"{APP}/manifests/{IMAGE.digest}", 202),
    "end-10": Endpoint("DELETE", f"{APP}/blobs/{DIGEST}", 202),
    "end-11": Endpoint("POST", f"{OTHER}/blobs/uploads/?mount={DIGEST}&from=alice/app", 201),
    "end-12a": Endpoint("GET", f"{APP}/referrers/{IMAGE.digest}", 200),
    "end-12b": Endpoint("GET", f"{APP}/referrers/{IMAGE.digest}?artifactType=application/example", 200),
    "end-13": Endpoint("GET", "{upload}", 204),
    "end-14": Endpoint("DELETE", "{upload}", 204),
}

CODES = {
    "BLOB_UNKNOWN", "BLOB_UPLOAD_INVALID", "BLOB_UPLOAD_UNKNOWN", "DIGEST_INVALID", "MANIFEST_BLOB_UNKNOWN",
    "MANIFEST_INVALID", "MANIFEST_UNKNOWN", "NAME_INVALID", "NAME_UNKNOWN", "SIZE_INVALID", "UNAUTHORIZED", "DENIED",
    "UNSUPPORTED", "TOOMANYREQUESTS",
}  # fmt: skip


@pytest.mark.spec(
    "categories-pull",
    "categories-others",
    "categories-whole",
    "delete-offered",
    "delete-tags-offered",
    "delete-tag-disabled",
    "delete-manifest-disabled",
    "delete-blob-disabled",
    "redirect",
    "warning",
    "warning-form",
    "warning-date",
    "warning-size",
)
@pytest.mark.parametrize("endpoint", ENDPOINTS.values(), ids=ENDPOINTS)
async def test_every_endpoint_is_offered_without_redirect_or_warning(alice: Caller, endpoint: Endpoint):
    await alice.push_image("alice/app", "latest", seed="endpoints")
    target = endpoint.target.replace("{upload}", await alice.start_upload("alice/app"))
    reply = await alice(endpoint.method, target, endpoint.headers, endpoint.body)
    assert reply.status == endpoint.status, reply.body
    assert "warning" not in reply


@pytest.mark.spec("http")
@pytest.mark.parametrize("target", [one.target for one in ENDPOINTS.values() if one.method == "GET"])
async def test_head_is_get_without_the_body(alice: Caller, target: str):
    await alice.push_image("alice/app", "latest", seed="endpoints")
    target = target.replace("{upload}", await alice.start_upload("alice/app"))
    whole, head = await alice.get(target), await alice.head(target)
    of_each = {"x-request-id", "date"}
    assert (head.status, head.body) == (whole.status, b"")
    assert [one for one in head.headers if one[0] not in of_each] == [
        one for one in whole.headers if one[0] not in of_each
    ]


def named(error: type[errors.HavreError]) -> Iterator[type[errors.HavreError]]:
    yield error
    for kind in error.__subclasses__():
        yield from named(kind)


@pytest.mark.spec("error-code-form", "error-codes")
async def test_every_failure_that_has_a_name_has_one_of_the_fourteen_codes():
    codes = {kind.code for kind in named(errors.HavreError)}
    assert codes <= CODES
    assert all(re.fullmatch("[A-Z_]+", code) for code in codes)
