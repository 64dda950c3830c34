"""Whatever arrives at the registry or the token endpoint, the answer is one that we thought of."""

import asyncio
import string
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support import documents
from tests.support.fuzzing import tries
from tests.support.inprocess import Caller, InProcess, Reply

SETTINGS = tries(200)

ESCAPED = st.one_of(
    st.text(string.ascii_letters + string.digits + "%/:@.-_~!$&'()*+,;= ", max_size=40),
    st.binary(max_size=12).map(lambda raw: "".join(f"%{byte:02x}" for byte in raw)),
)
PARTS = st.one_of(
    ESCAPED,
    st.sampled_from(
        ["alice", "app", "blobs", "uploads", "manifests", "tags", "list", "referrers", "latest", "_catalog", "", ".."]
    ),
    st.just(documents.digest_of(b"x")),
)
PATHS = st.lists(PARTS, max_size=7).map(lambda parts: "/v2/" + "/".join(parts))
NAMES = [
    "digest",
    "mount",
    "from",
    "tag",
    "n",
    "last",
    "artifactType",
    "digest-algorithm",
    "ns",
    "scope",
    "service",
    "account",
]
QUERIES = st.lists(st.tuples(st.one_of(st.sampled_from(NAMES), ESCAPED), ESCAPED), max_size=4).map(
    lambda pairs: "&".join(f"{name}={value}" for name, value in pairs)
)
LATIN = st.text(st.characters(max_codepoint=255, exclude_characters="\r\n\0"), max_size=60)
HEADERS = st.dictionaries(
    st.sampled_from(
        ["range", "content-range", "content-length", "content-type", "authorization", "if-none-match", "if-range",
         "accept", "host", "x-request-id", "x-forwarded-for", "x-forwarded-proto", "user-agent", "transfer-encoding"]
    ),
    st.one_of(LATIN, st.sampled_from(["bytes=0-1", "0-3", "4", "Basic Og==", "Bearer x", documents.OCI_INDEX])),
    max_size=4,
)  # fmt: skip
METHODS = st.sampled_from(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW"])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


class Running:
    """A Havre with its own loop, for examples that come one after another."""

    def __init__(self, folder: Path) -> None:
        self.runner = asyncio.Runner()
        self.havre = InProcess(folder)
        self.runner.run(self.havre.__aenter__())
        self.alice = self.runner.run(self.havre.caller("alice", "alice/app"))
        self.runner.run(self.alice.push_blob("alice/app", documents.EMPTY))
        self.runner.run(self.alice.push_image("alice/app", "latest"))

    def ask(self, caller: Caller, *request: object, leave: bool = False) -> Reply:
        reply = self.runner.run(caller(*request, leave=leave))  # type: ignore[arg-type]
        assert reply.status < 500, reply
        if reply.status >= 400 and request[0] != "HEAD":
            assert reply.code
            assert reply.message
        return reply

    def close(self) -> None:
        self.runner.run(self.havre.__aexit__())
        self.runner.close()


@pytest.fixture(scope="module")
def running(people: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Alice's registry, with an image in it."""
    found = Running(tmp_path_factory.mktemp("fuzz"))
    yield found
    found.close()


@SETTINGS
@given(METHODS, PATHS, QUERIES, HEADERS, st.binary(max_size=50), st.booleans())
def test_anything_at_the_registry(
    running: Running, method: str, path: str, query: str, headers: dict[str, str], body: bytes, leave: bool
):
    for caller in (running.alice, Caller(running.havre)):
        running.ask(caller, method, f"{path}?{query}", headers, body, leave=leave)


@SETTINGS
@given(
    st.sampled_from(["GET", "POST", "HEAD", "PUT"]), QUERIES, HEADERS, st.binary(max_size=80) | QUERIES.map(str.encode)
)
def test_anything_at_the_token_endpoint(
    running: Running, method: str, query: str, headers: dict[str, str], body: bytes
):
    running.ask(Caller(running.havre), method, f"/auth/token?{query}", headers, body)


@SETTINGS
@given(
    st.dictionaries(
        st.sampled_from(
            ["schemaVersion", "mediaType", "config", "layers", "manifests", "subject", "annotations", "artifactType"]
        ),
        JSON | st.just(documents.descriptor(documents.EMPTY, documents.OCI_EMPTY)),
    ),
    st.sampled_from([documents.OCI_MANIFEST, documents.OCI_INDEX, documents.DOCKER_MANIFEST, "application/json"]),
)
def test_anything_as_a_manifest(running: Running, fields: dict[str, object], media_type: str):
    content = documents.encoded({"schemaVersion": 2, "layers": [], **fields})
    headers = {"content-type": media_type}
    running.ask(running.alice, "PUT", "/v2/alice/app/manifests/fuzz", headers, content)
    if running.ask(running.alice, "GET", "/v2/alice/app/manifests/fuzz").status == 200:
        running.ask(running.alice, "GET", "/v2/alice/app/referrers/" + documents.digest_of(documents.EMPTY))


@SETTINGS
@given(HEADERS, st.sampled_from(["GET", "HEAD"]))
def test_any_header_on_a_blob_and_a_manifest(running: Running, headers: dict[str, str], method: str):
    for target in (f"blobs/{documents.digest_of(documents.EMPTY)}", "manifests/latest"):
        running.ask(running.alice, method, f"/v2/alice/app/{target}", headers)
