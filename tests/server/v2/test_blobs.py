"""Blobs: whole, by range, by several ranges, or not again; and taken out of a repository."""

import re

import anyio
import pytest

from tests.support.documents import digest_of
from tests.support.inprocess import Caller, InProcess

pytestmark = pytest.mark.anyio

CONTENT = bytes(range(251)) * 4000
DIGEST = digest_of(CONTENT)
URL = f"/v2/alice/app/blobs/{DIGEST}"
LAST = len(CONTENT) - 1


@pytest.fixture
async def reader(alice: Caller) -> Caller:
    """Alice, whose repository holds the blob."""
    await alice.push_blob("alice/app", CONTENT)
    return alice


@pytest.mark.spec("blob-200", "blob-digest", "blob-digest-true")
async def test_the_whole_blob(reader: Caller):
    reply = await reader.get(URL)
    assert (reply.status, reply["docker-content-digest"], reply["content-length"]) == (200, DIGEST, str(len(CONTENT)))
    assert (reply["content-type"], reply["accept-ranges"]) == ("application/octet-stream", "bytes")
    assert reply.body == CONTENT


async def test_the_whole_blob_is_handed_to_the_kernel_where_the_server_can(reader: Caller):
    reply = await reader.get(URL, extensions={"http.response.pathsend": {}})
    assert (reply.status, reply["content-length"], reply.body) == (200, str(len(CONTENT)), b"")
    assert await anyio.Path(reply.file).read_bytes() == CONTENT


@pytest.mark.spec("head-200", "head-digest", "head-length")
async def test_head(reader: Caller):
    reply = await reader.head(URL)
    assert (reply.status, reply["docker-content-digest"], reply["content-length"]) == (200, DIGEST, str(len(CONTENT)))
    assert reply.body == b""


async def test_head_has_the_length_of_the_whole_whatever_range_is_asked(reader: Caller):
    reply = await reader.head(URL, {"range": "bytes=0-9"})
    assert (reply.status, reply["content-length"]) == (200, str(len(CONTENT)))


@pytest.mark.spec("blob-404", "head-404")
@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_a_blob_of_another_repository_is_404(reader: Caller, method: str):
    await reader.push_blob("alice/other", b"something else")
    reply = await reader(method, URL.replace("alice/app", "alice/other"))
    assert reply.status == 404
    if method == "GET":
        assert reply.code == "BLOB_UNKNOWN"
        assert DIGEST in reply.message


@pytest.mark.spec("blob-range")
@pytest.mark.parametrize(
    ("asked", "first", "last"),
    [
        ("bytes=0-0", 0, 0),
        ("bytes=0-99", 0, 99),
        ("bytes=1000-", 1000, LAST),
        ("bytes=-7", LAST - 6, LAST),
        (f"bytes={LAST}-", LAST, LAST),
        (f"bytes=5-{LAST + 500}", 5, LAST),
        (f"bytes=-{LAST * 2}", 0, LAST),
        ("bytes=300000-900000", 300000, 900000),
        ("Bytes=3-4", 3, 4),
        (f"bytes=10-19,{LAST + 1}-", 10, 19),
    ],
)
async def test_one_range(reader: Caller, asked: str, first: int, last: int):
    reply = await reader.get(URL, {"range": asked})
    assert (reply.status, reply["content-range"]) == (206, f"bytes {first}-{last}/{len(CONTENT)}")
    assert reply["content-length"] == str(last - first + 1)
    assert reply["docker-content-digest"] == DIGEST
    assert reply.body == CONTENT[first : last + 1]


@pytest.mark.parametrize("asked", [f"bytes={LAST + 1}-", f"bytes={LAST + 1}-{LAST + 9}", "bytes=-0", "bytes=9-3"])
async def test_a_range_outside_is_416_with_the_size(reader: Caller, asked: str):
    reply = await reader.get(URL, {"range": asked})
    assert (reply.status, reply["content-range"]) == (416, f"bytes */{len(CONTENT)}")


@pytest.mark.parametrize(
    "asked",
    [
        "bytes=a-b",
        "bytes=-",
        "bytes=",
        "bytes",
        "lines=1-2",
        "bytes=1-2,x",
        "bytes=" + ",".join(f"{n}-{n}" for n in range(0, 2050, 2)),
        f"bytes=0-{LAST},0-{LAST}",
    ],
)
async def test_a_range_that_makes_no_sense_or_asks_too_much_gets_the_whole(reader: Caller, asked: str):
    reply = await reader.get(URL, {"range": asked})
    assert (reply.status, reply.body) == (200, CONTENT)


async def test_several_ranges_come_as_parts(reader: Caller):
    reply = await reader.get(URL, {"range": "bytes=0-9, 5000-5099,-3"})
    assert reply.status == 206
    found = re.fullmatch(r"multipart/byteranges; boundary=(\w+)", reply["content-type"])
    assert found
    assert reply["content-length"] == str(len(reply.body))
    start, *parts, end = reply.body.split(b"\r\n--" + found[1].encode())
    assert (start, end) == (b"", b"--\r\n")
    wanted = [(0, 9), (5000, 5099), (LAST - 2, LAST)]
    for part, (first, last) in zip(parts, wanted, strict=True):
        head, _, body = part.partition(b"\r\n\r\n")
        assert f"Content-Range: bytes {first}-{last}/{len(CONTENT)}".encode() in head
        assert b"Content-Type: application/octet-stream" in head
        assert body == CONTENT[first : last + 1]


async def test_if_range(reader: Caller):
    etag = (await reader.head(URL))["etag"]
    assert (await reader.get(URL, {"range": "bytes=0-9", "if-range": etag})).status == 206
    for other in ('"sha256:other"', "Wed, 21 Oct 2015 07:28:00 GMT", f"W/{etag}"):
        reply = await reader.get(URL, {"range": "bytes=0-9", "if-range": other})
        assert (reply.status, reply.body) == (200, CONTENT)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_if_none_match(reader: Caller, method: str):
    etag = (await reader.head(URL))["etag"]
    for known in (etag, f'"other", {etag}', f"W/{etag}", "*"):
        reply = await reader(method, URL, {"if-none-match": known})
        assert (reply.status, reply["etag"], reply.body) == (304, etag, b"")
    assert (await reader(method, URL, {"if-none-match": '"other"'})).status == 200


async def test_a_blob_is_no_page_of_this_site(reader: Caller):
    reply = await reader.get(URL)
    assert reply["x-content-type-options"] == "nosniff"
    assert "sandbox" in reply["content-security-policy"]


@pytest.mark.spec("delete-blob-202")
async def test_delete(reader: Caller):
    assert (await reader.delete(URL)).status == 202
    assert (await reader.get(URL)).status == 404


@pytest.mark.spec("delete-blob-404")
async def test_delete_of_what_is_not_there(reader: Caller, inside: InProcess):
    before = inside.snapshot()
    reply = await reader.delete(f"/v2/alice/app/blobs/{digest_of(b'never pushed')}")
    assert (reply.status, reply.code) == (404, "BLOB_UNKNOWN")
    assert inside.snapshot() == before
    assert (await reader.delete(URL)).status == 202
    assert (await reader.delete(URL)).status == 404


async def test_an_empty_blob_and_ranges(alice: Caller):
    await alice.push_blob("alice/app", b"")
    url = f"/v2/alice/app/blobs/{digest_of(b'')}"
    assert (await alice.get(url, {"range": "bytes=0-"})).status == 416
    assert (await alice.get(url)).body == b""
