"""Addresses that we give out: by the host the client came to, and never by what someone slips into a header."""

import pytest

from havre.oci.digest import Digest
from havre.oci.names import RepositoryName
from havre.server import urls
from havre.server.http import Request
from tests.support.inprocess import Caller, InProcess

EXTERNAL = "https://hub.example.org"


def arriving(host: str | None, scheme: str = "http") -> Request:
    """A request as it comes in."""

    async def nothing() -> dict[str, object]:
        return {"type": "http.disconnect"}

    headers = [] if host is None else [(b"host", host.encode("latin-1"))]
    return Request({"type": "http", "method": "GET", "path": "/", "scheme": scheme, "headers": headers}, nothing)


@pytest.mark.parametrize(
    "host",
    ["localhost", "localhost:5000", "127.0.0.1:41234", "[::1]:5000", "[fe80::1]", "a-b.example.org", "REGISTRY:80"],
)
def test_the_realm_is_on_the_host_and_port_the_client_used(host: str):
    for scheme in ("http", "https"):
        assert urls.token_realm(arriving(host, scheme), "") == f"{scheme}://{host}/auth/token"


TRICKS = [
    "",
    "a b",
    "evil.org/path",
    "user@evil.org",
    'x",service="evil',
    "x\r\nSet-Cookie: a=b",
    "evil.org:port",
    "evil.org:123456",
    "[::1",
    "::1",
    "evil.org?x",
    "evil.org#x",
    "\xe9vil.org",
    "-evil.org",
    "<script>",
    "x" * 300,
    "evil.org, hub.example.org",
]


@pytest.mark.parametrize("host", [*TRICKS, None])
def test_a_host_header_that_is_none_is_not_repeated(host: str | None):
    assert urls.token_realm(arriving(host), "") == "http://localhost/auth/token"
    assert urls.host(arriving(host), EXTERNAL) == "hub.example.org"


def test_a_proxy_that_ends_tls_is_known_by_its_own_address():
    assert urls.origin(arriving("hub.example.org"), EXTERNAL) == EXTERNAL
    assert urls.origin(arriving("10.0.0.5:5000"), EXTERNAL) == "http://10.0.0.5:5000"


@pytest.mark.anyio
@pytest.mark.parametrize("host", TRICKS)
async def test_no_trick_reaches_an_answer(anyone: Caller, inside: InProcess, host: str):
    alice = await inside.caller("alice", "alice/app")
    for reply in (
        await anyone.get("/v2/", {"host": host}),
        await alice("POST", "/v2/alice/app/blobs/uploads/", {"host": host}),
        await anyone.get("/login", {"host": host}),
    ):
        said = "\n".join(value for _, value in reply.headers) + reply.body.decode()
        assert "evil" not in said
        assert "\xe9vil" not in said
        assert "Set-Cookie: a=b" not in said


def test_locations_are_paths():
    name, digest = RepositoryName("alice/app"), Digest.of(b"x")
    assert urls.blob(name, digest) == f"/v2/alice/app/blobs/{digest}"
    assert urls.manifest(name, digest) == f"/v2/alice/app/manifests/{digest}"
    assert urls.upload(name, "id") == "/v2/alice/app/blobs/uploads/id"


def test_links_escape_what_they_carry():
    link = urls.next_page("/v2/alice/app/tags/list", n=5, last='a">; rel="x&y=1')
    assert link == '</v2/alice/app/tags/list?n=5&last=a%22%3E%3B+rel%3D%22x%26y%3D1>; rel="next"'
    assert urls.next_page("/v2/_catalog", t=["a/b", "c"]) == '</v2/_catalog?t=a%2Fb&t=c>; rel="next"'
