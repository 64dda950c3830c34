"""Uploads: a whole blob in one or two requests, a stream, and chunks in order."""

import re

import pytest

from tests.support.documents import digest_of
from tests.support.inprocess import OCTETS, Caller, InProcess

pytestmark = pytest.mark.anyio

REPO = "alice/app"
UPLOADS = f"/v2/{REPO}/blobs/uploads/"
CONTENT = bytes(range(256)) * 40
DIGEST = digest_of(CONTENT)
UUID = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"


async def pulled(caller: Caller, location: str) -> bytes:
    reply = await caller.get(location)
    assert reply.status == 200
    return reply.body


@pytest.mark.spec("upload-202", "upload-location", "upload-uuid", "upload-relative", "upload-query")
async def test_post_answers_202_with_a_relative_location(alice: Caller):
    reply = await alice("POST", UPLOADS)
    assert (reply.status, reply.body) == (202, b"")
    assert re.fullmatch(rf"{UPLOADS}{UUID}", reply["location"])
    assert reply["location"].endswith(reply["docker-upload-uuid"])
    assert reply["range"] == "0-0"


async def test_post_without_the_last_slash_is_the_same(alice: Caller):
    assert (await alice("POST", UPLOADS.rstrip("/"))).status == 202


@pytest.mark.spec("upload-201", "upload-blob")
async def test_post_then_put(alice: Caller):
    location = await alice.start_upload(REPO)
    reply = await alice("PUT", f"{location}?digest={DIGEST}", [OCTETS], CONTENT)
    assert (reply.status, reply["docker-content-digest"]) == (201, DIGEST)
    assert await pulled(alice, reply["location"]) == CONTENT


async def test_put_of_unknown_length(alice: Caller):
    location = await alice.start_upload(REPO)
    reply = await alice("PUT", f"{location}?digest={DIGEST}", [OCTETS], [CONTENT[:5000], CONTENT[5000:]])
    assert reply.status == 201
    assert await pulled(alice, reply["location"]) == CONTENT


@pytest.mark.spec("post-offered", "post-201", "post-blob")
async def test_single_post(alice: Caller):
    reply = await alice("POST", f"{UPLOADS}?digest={DIGEST}", [OCTETS], CONTENT)
    assert (reply.status, reply["docker-content-digest"]) == (201, DIGEST)
    assert await pulled(alice, reply["location"]) == CONTENT


@pytest.mark.spec("post-202")
async def test_single_post_without_a_body_begins_an_upload(alice: Caller):
    reply = await alice("POST", f"{UPLOADS}?digest={DIGEST}")
    assert reply.status == 202
    assert (await alice("PUT", f"{reply['location']}?digest={DIGEST}", [OCTETS], CONTENT)).status == 201


@pytest.mark.parametrize("size", [1, 1000, len(CONTENT)])
@pytest.mark.spec("chunk-202", "chunk-location", "chunk-range", "close-put", "close-201", "close-blob")
async def test_chunks_of_any_size(alice: Caller, size: int):
    content = CONTENT[: size * 7]
    location = await alice.start_upload(REPO)
    for start in range(0, len(content), size):
        chunk = content[start : start + size]
        last = start + len(chunk) - 1
        reply = await alice("PATCH", location, [OCTETS, ("content-range", f"{start}-{last}")], chunk)
        assert (reply.status, reply["range"]) == (202, f"0-{last}")
        location = reply["location"]
    reply = await alice("PUT", f"{location}?digest={digest_of(content)}")
    assert reply.status == 201
    assert await pulled(alice, reply["location"]) == content


@pytest.mark.spec("chunk-closing", "close-put")
async def test_last_chunk_in_the_closing_request(alice: Caller):
    location = await alice.start_upload(REPO)
    location = (await alice("PATCH", location, {"content-range": "0-999"}, CONTENT[:1000]))["location"]
    headers = {"content-range": f"1000-{len(CONTENT) - 1}"}
    reply = await alice("PUT", f"{location}?digest={DIGEST}", headers, CONTENT[1000:])
    assert reply.status == 201
    assert await pulled(alice, reply["location"]) == CONTENT


@pytest.mark.spec("chunk-last", "chunk-closing", "close-put", "close-digest")
@pytest.mark.parametrize("length", [1, 99, 101, 5000])
async def test_the_last_chunk_has_any_length(alice: Caller, length: int):
    location, content = await alice.start_upload(REPO), CONTENT[: 200 + length]
    for first, last in ((0, 99), (100, 199), (200, len(content) - 1)):
        chunk = content[first : last + 1]
        location = (await alice("PATCH", location, {"content-range": f"{first}-{last}"}, chunk))["location"]
    assert (await alice("PUT", f"{location}?digest={digest_of(content[200:])}")).status == 400
    assert (await alice("PUT", f"{location}?digest={digest_of(content)}")).status == 201


async def test_chunks_need_no_content_range(alice: Caller):
    location = await alice.start_upload(REPO)
    for part in (CONTENT[:4000], CONTENT[4000:8000], CONTENT[8000:]):
        assert (await alice("PATCH", location, [OCTETS], part)).status == 202
    assert (await alice("PUT", f"{location}?digest={DIGEST}")).status == 201


async def test_one_stream_of_unknown_length(alice: Caller):
    location = await alice.start_upload(REPO)
    reply = await alice("PATCH", location, [OCTETS], [CONTENT[:1], b"", CONTENT[1:9000], CONTENT[9000:]])
    assert (reply.status, reply["range"]) == (202, f"0-{len(CONTENT) - 1}")
    assert reply["docker-upload-uuid"] in reply["location"]
    assert (await alice("PUT", f"{location}?digest={DIGEST}", {"content-length": "0"})).status == 201


@pytest.mark.parametrize("span", ["1-1000", "500-1499", "999-1998", "1001-2000", "2000-2999"])
@pytest.mark.spec("chunk-order", "chunk-416")
async def test_a_chunk_out_of_order_is_416_and_says_where_to_go_on(alice: Caller, inside: InProcess, span: str):
    location = await alice.start_upload(REPO)
    assert (await alice("PATCH", location, {"content-range": "0-999"}, CONTENT[:1000])).status == 202
    before = inside.snapshot()
    reply = await alice("PATCH", location, {"content-range": span}, CONTENT[:1000])
    assert (reply.status, reply.code) == (416, "BLOB_UPLOAD_INVALID")
    assert (reply["location"], reply["range"]) == (location, "0-999")
    assert inside.snapshot() == before
    assert (await alice("PATCH", location, {"content-range": "1000-1999"}, CONTENT[1000:2000])).status == 202


@pytest.mark.spec("chunk-first", "chunk-416")
async def test_the_first_chunk_begins_with_0(alice: Caller):
    location = await alice.start_upload(REPO)
    reply = await alice("PATCH", location, {"content-range": "1-10"}, CONTENT[1:11])
    assert (reply.status, reply["range"], reply["location"]) == (416, "0-0", location)


@pytest.mark.spec("close-416")
async def test_a_final_chunk_out_of_order_is_416(alice: Caller):
    location = await alice.start_upload(REPO)
    assert (await alice("PATCH", location, {"content-range": "0-999"}, CONTENT[:1000])).status == 202
    late = {"content-range": f"1001-{len(CONTENT) - 1}"}
    reply = await alice("PUT", f"{location}?digest={DIGEST}", late, CONTENT[1001:])
    assert (reply.status, reply["location"], reply["range"]) == (416, location, "0-999")
    right = {"content-range": f"1000-{len(CONTENT) - 1}"}
    assert (await alice("PUT", f"{location}?digest={DIGEST}", right, CONTENT[1000:])).status == 201


@pytest.mark.spec("status-204", "status-headers")
@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_status_is_204(alice: Caller, method: str):
    location = await alice.start_upload(REPO)
    reply = await alice(method, location)
    assert (reply.status, reply["location"], reply["range"], reply.body) == (204, location, "0-0", b"")
    await alice("PATCH", location, (), CONTENT[:1234])
    reply = await alice(method, location)
    assert (reply.status, reply["location"], reply["range"]) == (204, location, "0-1233")


@pytest.mark.spec("cancel-204")
async def test_cancel_removes_every_trace(alice: Caller, inside: InProcess):
    before = inside.snapshot()
    location = await alice.start_upload(REPO)
    await alice("PATCH", location, (), CONTENT)
    reply = await alice.delete(location)
    assert (reply.status, reply.body) == (204, b"")
    assert inside.snapshot() == before
    for again in (await alice.get(location), await alice.delete(location), await alice("PATCH", location, (), b"x")):
        assert (again.status, again.code) == (404, "BLOB_UPLOAD_UNKNOWN")


async def test_a_finished_upload_is_gone(alice: Caller, inside: InProcess):
    location = await alice.start_upload(REPO)
    assert (await alice("PUT", f"{location}?digest={DIGEST}", (), CONTENT)).status == 201
    assert (await alice.get(location)).status == 404
    assert inside.files("uploads") == []


async def test_resume_after_the_connection_broke(alice: Caller):
    location = await alice.start_upload(REPO)
    reply = await alice("PATCH", location, (), [CONTENT[:3000], CONTENT[3000:5000]], leave=True)
    assert reply.status == 400
    status = await alice.get(location)
    assert (status.status, status["range"]) == (204, "0-4999")
    headers = {"content-range": f"5000-{len(CONTENT) - 1}"}
    assert (await alice("PATCH", status["location"], headers, CONTENT[5000:])).status == 202
    done = await alice("PUT", f"{location}?digest={DIGEST}")
    assert done.status == 201
    assert await pulled(alice, done["location"]) == CONTENT


async def test_a_final_put_that_broke_can_be_sent_again(alice: Caller):
    location = await alice.start_upload(REPO)
    assert (await alice("PUT", f"{location}?digest={DIGEST}", (), [CONTENT[:100]], leave=True)).status == 400
    assert (await alice.get(location)).status == 204
    assert (await alice("PUT", f"{location}?digest={DIGEST}", (), CONTENT)).status == 201
    assert await pulled(alice, f"/v2/{REPO}/blobs/{DIGEST}") == CONTENT


@pytest.mark.spec("post-length")
async def test_a_single_post_that_broke_leaves_nothing(alice: Caller, inside: InProcess):
    before = inside.snapshot()
    reply = await alice("POST", f"{UPLOADS}?digest={DIGEST}", {"content-length": "10240"}, [CONTENT[:100]], leave=True)
    assert reply.status == 400
    assert inside.snapshot() == before


@pytest.mark.parametrize("form", ["put", "post", "patch"])
async def test_a_blob_of_no_bytes(alice: Caller, form: str):
    empty = digest_of(b"")
    if form == "post":
        reply = await alice("POST", f"{UPLOADS}?digest={empty}")
    else:
        location = await alice.start_upload(REPO)
        if form == "patch":
            assert (await alice("PATCH", location, {"content-length": "0"}))["range"] == "0-0"
        reply = await alice("PUT", f"{location}?digest={empty}")
    assert reply.status == 201
    pull = await alice.get(reply["location"])
    assert (pull.status, pull.body, pull["content-length"]) == (200, b"", "0")


@pytest.mark.spec("chunk-algorithm")
@pytest.mark.parametrize("declared", ["?digest-algorithm=sha512", ""])
@pytest.mark.parametrize("parts", [1, 3])
async def test_sha512_declared_or_not(alice: Caller, declared: str, parts: int):
    digest = digest_of(CONTENT, "sha512")
    location = await alice.start_upload(REPO, declared)
    step = -(-len(CONTENT) // parts)
    for start in range(0, len(CONTENT), step):
        assert (await alice("PATCH", location, (), CONTENT[start : start + step])).status == 202
    reply = await alice("PUT", f"{location}?digest={digest}")
    assert (reply.status, reply["docker-content-digest"]) == (201, digest)
    assert await pulled(alice, reply["location"]) == CONTENT


async def test_sha512_in_a_single_post(alice: Caller):
    await alice.push_blob(REPO, CONTENT, "sha512")
    assert await pulled(alice, f"/v2/{REPO}/blobs/{digest_of(CONTENT, 'sha512')}") == CONTENT


async def test_sha512_in_the_body_of_the_closing_request(alice: Caller):
    digest = digest_of(CONTENT, "sha512")
    location = await alice.start_upload(REPO)
    assert (await alice("PATCH", location, (), CONTENT[:1000])).status == 202
    assert (await alice("PUT", f"{location}?digest={digest}", (), CONTENT[1000:])).status == 201


async def test_declared_sha512_and_named_by_sha256_after_all(alice: Caller):
    location = await alice.start_upload(REPO, "?digest-algorithm=sha512")
    assert (await alice("PATCH", location, (), CONTENT)).status == 202
    assert (await alice("PUT", f"{location}?digest={DIGEST}")).status == 201


async def test_the_same_blob_again_is_201_and_kept_once(alice: Caller, inside: InProcess):
    await alice.push_blob(REPO, CONTENT)
    await alice.push_blob(REPO, CONTENT)
    await alice.push_blob("alice/other", CONTENT)
    assert len(inside.files("blobs")) == 1
    for repository in (REPO, "alice/other"):
        assert await pulled(alice, f"/v2/{repository}/blobs/{DIGEST}") == CONTENT


async def test_an_upload_belongs_to_its_repository(alice: Caller):
    location = (await alice.start_upload(REPO)).replace(REPO, "alice/other")
    for reply in (await alice.get(location), await alice("PATCH", location, (), b"x"), await alice.delete(location)):
        assert (reply.status, reply.code) == (404, "BLOB_UPLOAD_UNKNOWN")


async def test_a_wrong_digest_leaves_the_upload_as_it_was(alice: Caller, inside: InProcess):
    location = await alice.start_upload(REPO)
    await alice("PATCH", location, (), CONTENT[:6000])
    rows = inside.snapshot()["table uploads"]
    reply = await alice("PUT", f"{location}?digest={digest_of(b'else')}", (), CONTENT[6000:])
    assert (reply.status, reply.code) == (400, "DIGEST_INVALID")
    assert inside.snapshot()["table uploads"] == rows
    assert inside.files("blobs") == []
    assert (await alice("PUT", f"{location}?digest={DIGEST}", (), CONTENT[6000:])).status == 201
    assert await pulled(alice, f"/v2/{REPO}/blobs/{DIGEST}") == CONTENT
