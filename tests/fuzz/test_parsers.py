"""Whatever people and programs send to our parsers is read, or refused in a sentence; nothing else happens."""

import asyncio
import gzip
import io
import json
import re
from contextlib import suppress

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from starlette.requests import Request as StarletteRequest

from havre.access.scopes import parse_scopes
from havre.errors import HavreError, InputInvalid
from havre.layers.scan import Scan
from havre.oci import mediatypes
from havre.oci.digest import Digest
from havre.oci.manifest import parse
from havre.oci.names import RepositoryName, Tag
from havre.oci.ranges import parse_chunk, parse_range
from havre.oci.reference import parse_reference
from havre.server import urls
from havre.server.auth.caller import parse_basic
from havre.server.http import Request, parse_fields
from havre.server.v2.call import matches
from havre.web.languages import choose, read_po
from havre.web.markdown import to_html
from havre.web.security import local_target, same_origin, session_secret
from tests.support import documents
from tests.support.fuzzing import tries
from tests.support.layers import tar

TEXT = st.text(max_size=80)
LATIN = st.text(st.characters(max_codepoint=255, exclude_characters="\r\n"), max_size=120)
PIECES = st.lists(
    st.sampled_from(
        ["alice", "/", ":", "@", "sha256", "latest", "a" * 64, "..", "%2f", "\0", "é", "registry.example:5000", "_", "-",
         "repository", "pull,push", "*", " ", "bytes=", "0-", "-5", ",", "=", ";", '"', "W/", "http://", "//", "\\", "["]
    ) | st.text(max_size=3),
    max_size=8,
).map("".join)  # fmt: skip


def request(*headers: tuple[str, str], query: str = "") -> Request:
    async def nothing() -> dict[str, object]:
        await asyncio.sleep(0)
        return {"type": "http.disconnect"}

    scope = {
        "type": "http",
        "method": "GET",
        "path": "/",
        "scheme": "http",
        "query_string": query.encode("utf-8", "replace"),
        "headers": [(name.encode(), value.encode("latin-1", "replace")) for name, value in headers],
    }
    return Request(scope, nothing)


@tries(150)
@given(PIECES)
@pytest.mark.parametrize(
    "reader", [parse_reference, Digest.parse, RepositoryName.parse, Tag.parse, parse_chunk, parse_basic]
)
def test_words(reader: object, text: str):
    assert callable(reader)
    with suppress(HavreError):
        reader(text)


@tries(200)
@given(PIECES, st.integers(0, 2**40))
def test_ranges(text: str, size: int):
    with suppress(HavreError):
        for one in parse_range(f"bytes={text}", size) or ():
            assert 0 <= one.start < one.start + one.length <= size


@tries(200)
@given(st.lists(PIECES, max_size=5))
def test_scopes(texts: list[str]):
    granted = parse_scopes(texts)
    assert parse_scopes([str(granted)]) == granted


@tries(200)
@given(TEXT | PIECES, LATIN)
def test_headers_queries_and_forms(text: str, header: str):
    with suppress(HavreError):
        assert all("\0" not in value for _, value in parse_fields(text))
    one = request(("host", header), ("content-length", header), ("if-none-match", header), query=text)
    with suppress(HavreError):
        assert (one.content_length or 0) >= 0
    with suppress(HavreError):
        assert one.query is one.query
    matches(one, '"x"')
    origin = urls.origin(one, "")
    assert re.fullmatch(r"http://[A-Za-z0-9.\-:\[\]]{1,300}", origin)


@tries(200)
@given(LATIN, LATIN | PIECES, LATIN)
@example("", "http://[", "")
@example("", "https://hub.example.org]", "")
@example("havre_session=", "http://hub.example.org@evil.example", "fr;q=x,;,en;q=-1")
def test_cookies_origins_and_languages(cookie: str, origin: str, accepted: str):
    headers = [("cookie", cookie), ("origin", origin), ("referer", origin), ("host", "hub.example.org")]
    scope = request(*headers).scope
    asked = StarletteRequest(dict(scope))
    for secure in (False, True):
        assert len(session_secret(asked, secure=secure)) <= 200
    try:
        ours = same_origin(asked, "https://hub.example.org")
    except ValueError:
        pytest.fail(f"{origin!r} broke the rule of same origin")
    if ours:
        assert re.match(r"https?://hub\.example\.org(?:$|[/?#])", origin.lower())
    assert choose("", cookie, "", accepted) in {"en", "fr"}


@tries(200)
@given(PIECES | LATIN)
def test_places_to_go_to(text: str):
    target = local_target(text)
    assert target.startswith("/")
    assert not target.startswith(("//", "/\\"))
    assert target.isprintable()


@tries(150)
@given(
    st.lists(
        st.sampled_from(
            ["<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "[a](javascript:alert(1))", "`", "```", "# ",
             "![x](//e)", "<svg onload=x>", "<a href='data:text/html,x'>", "\n", "> ", "- [x] ", "|a|b|\n|-|-|\n", "**",
             "<iframe srcdoc='<script>'>", "<style>", "&#x3c;script&#x3e;", "[a]: javascript:x", "<math><mi//xlink:href=x>"]
        ) | TEXT,
        max_size=8,
    ).map("".join)
)  # fmt: skip
def test_markdown_never_runs(text: str):
    html = to_html(text)
    tags = {found.lower() for found in re.findall(r"<([a-zA-Z][a-zA-Z0-9]*)", html)}
    assert not tags & {
        "script",
        "style",
        "iframe",
        "svg",
        "math",
        "object",
        "embed",
        "form",
        "input",
        "base",
        "link",
        "meta",
    }
    for attributes in re.findall(r"<[a-zA-Z][^>]*>", html):
        assert not re.search(r"\son[a-z]+\s*=", attributes)
        assert not re.search(r"(?:href|src)\s*=\s*[\"']?\s*(?:javascript|data|vbscript):", attributes, re.IGNORECASE)


@tries(150)
@given(
    st.lists(
        st.sampled_from(['msgid "', 'msgstr "', 'msgctxt "x"', '"', "\n", "\\n", "#", "msgstr[1] ", "%(a)s"]) | TEXT
    ).map("".join)
)
def test_catalogues(text: str):
    with suppress(ValueError):
        list(read_po(text))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)
WHOLE = documents.image("fuzz").content
TYPES = st.sampled_from([documents.OCI_MANIFEST, documents.OCI_INDEX, documents.DOCKER_MANIFEST, "text/html", ""])


@tries(200)
@given(TYPES, st.binary(max_size=60) | JSON.map(lambda value: json.dumps(value).encode()))
@example(documents.OCI_MANIFEST, b"[" * 100_000)
@example(documents.OCI_INDEX, b'{"a":' * 50_000)
@example(documents.OCI_MANIFEST, b"9" * 5000)
def test_manifests(media_type: str, content: bytes):
    with suppress(HavreError):
        parse(media_type, content)
    mediatypes.is_media_type(media_type)


@tries(200)
@given(st.integers(0, len(WHOLE)), st.integers(0, 30), st.binary(max_size=12), TYPES)
def test_manifests_with_mutations(at: int, length: int, new: bytes, media_type: str):
    with suppress(HavreError):
        parse(media_type, WHOLE[:at] + new + WHOLE[at + length :])


LAYER = tar([("etc", None), ("etc/passwd", b"root"), ("bin/sh", "busybox"), ("x" * 150, b"y"), ("a/.wh.b", b"")])


@tries(150)
@given(
    st.lists(st.tuples(st.integers(0, len(LAYER) - 1), st.binary(min_size=1, max_size=12)), max_size=6),
    st.integers(0, len(LAYER)),
    st.sampled_from(["plain", "gzip", "cut gzip", "bent gzip"]),
)
def test_layers_with_mutations(changes: list[tuple[int, bytes]], end: int, packing: str):
    content = bytearray(LAYER)
    for at, new in changes:
        content[at : at + len(new)] = new
    data = bytes(content[: max(end, 512)])
    if packing != "plain":
        data = gzip.compress(data, mtime=0)
        if packing == "cut gzip":
            data = data[: len(data) // 2]
        elif packing == "bent gzip":
            data = data[:12] + bytes([data[12] ^ 0x55]) + data[13:]
    scan = Scan()
    with suppress(InputInvalid):
        scan.read(io.BytesIO(data))
        for entry in scan.entries():
            assert b".." not in entry.path.split(b"/")
            assert not entry.path.startswith(b"/")
