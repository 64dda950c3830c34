"""Requests that fail, wait, wander and grow too large."""

import datetime as dt
import ipaddress
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from havre.client.session import Session
from havre.client.transport import Transport, TransportSettings, read_answer
from havre.errors import TooLarge, Unavailable
from tests.support.peer_fixtures import QUICK
from tests.support.scripted import Reply, Request, Scripted
from tests.support.server import free_port

pytestmark = pytest.mark.anyio


class InTurn:
    """Gives one reply after the other, and the last one for ever."""

    def __init__(self, *replies: Reply) -> None:
        self._replies: Iterator[Reply] = iter(replies[:-1])
        self._last = replies[-1]

    def __call__(self, _: Request) -> Reply:
        return next(self._replies, self._last)


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
async def test_later_is_tried_again(status: int) -> None:
    async with (
        Scripted(InTurn(Reply(status), Reply(status), Reply(200, body=b"ok"))) as server,
        Transport(QUICK) as web,
    ):
        assert (await web.fetch("GET", server.url)).body == b"ok"
        assert len(server.requests) == 3


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 416, 507])
async def test_a_refusal_is_not_tried_again(status: int) -> None:
    async with Scripted(lambda _: Reply(status)) as server, Transport(QUICK) as web:
        assert (await web.fetch("GET", server.url)).status == status
        assert len(server.requests) == 1


async def test_tries_end() -> None:
    async with Scripted(lambda _: Reply(503)) as server, Transport(QUICK) as web:
        assert (await web.fetch("GET", server.url)).status == 503
        assert len(server.requests) == QUICK.attempts


async def test_retry_after_is_honoured_up_to_a_limit() -> None:
    soon, ok = Reply(429, {"retry-after": "0"}), Reply(200)
    slow = TransportSettings(attempts=4, first_pause=3600)
    async with Scripted(InTurn(soon, soon, ok)) as server, Transport(slow) as web:
        assert (await web.fetch("GET", server.url)).status == 200
    async with Scripted(InTurn(Reply(429, {"retry-after": "3000"}), ok)) as server, Transport(slow) as web:
        assert (await web.fetch("GET", server.url)).status == 429
        assert len(server.requests) == 1
        async with web.open("GET", server.url) as response:
            assert response.status_code == 200


async def test_a_connection_that_breaks_is_made_again() -> None:
    replies = InTurn(Reply(200, body=b"whole", cut=2), Reply(200, body=b"whole"))
    async with Scripted(replies) as server, Transport(QUICK) as web:
        assert (await web.fetch("GET", server.url)).body == b"whole"


async def test_nobody_there_is_explained() -> None:
    async with Transport(QUICK) as web:
        with pytest.raises(Unavailable, match=r"cannot reach 127\.0\.0\.1:\d+: Connection refused; check the name"):
            await web.fetch("GET", f"http://127.0.0.1:{free_port()}/")
        with pytest.raises(Unavailable, match=r"cannot reach nowhere\.invalid"):
            await web.fetch("GET", "http://nowhere.invalid/", attempts=1)


@pytest.mark.parametrize("chunked", [False, True])
async def test_a_document_has_a_limit(chunked: bool) -> None:
    async with Scripted(lambda _: Reply(200, body=b"x" * 1001, chunked=chunked)) as server, Transport(QUICK) as web:
        assert len((await web.fetch("GET", server.url, limit=1001)).body) == 1001
        with pytest.raises(TooLarge):
            await web.fetch("GET", server.url, limit=1000)


async def test_a_compressed_answer_is_refused() -> None:
    async with Scripted(lambda _: Reply(200, {"content-encoding": "gzip"}, b"x")) as server, Transport(QUICK) as web:
        with pytest.raises(Unavailable, match="compressed"):
            await web.fetch("GET", server.url)
        assert server.requests[0].headers["accept-encoding"] == "identity"


async def test_credentials_stay_with_their_origin() -> None:
    secret = {"authorization": "Basic secret", "cookie": "a=b", "range": "bytes=5-"}
    async with Scripted(lambda _: Reply(200)) as storage, Transport(QUICK) as web:
        async with Scripted(
            InTurn(Reply(307, {"location": "/here"}), Reply(307, {"location": f"{storage.url}/x?sig=1"}))
        ) as server:
            assert (await web.fetch("GET", server.url, headers=secret)).status == 200
            assert [one.headers.get("authorization") for one in server.requests] == ["Basic secret"] * 2
        [there] = storage.requests
        assert str(there) == "GET /x?sig=1"
        assert not {"authorization", "cookie"} & set(there.headers)
        assert there.headers["range"] == "bytes=5-"


async def test_a_body_follows_a_307_and_not_a_303() -> None:
    async with Transport(QUICK) as web:
        async with Scripted(InTurn(Reply(307, {"location": "/b"}), Reply(200))) as server:
            await web.fetch("PUT", f"{server.url}/a", body=b"content")
            assert [(one.method, one.body) for one in server.requests] == [("PUT", b"content")] * 2
        async with Scripted(InTurn(Reply(303, {"location": "/b"}), Reply(200))) as server:
            await web.fetch("POST", f"{server.url}/a", body=b"content")
            assert [(one.method, one.body) for one in server.requests] == [("POST", b"content"), ("GET", b"")]


@pytest.mark.parametrize("location", ["ftp://x.test/", "file:///etc/passwd", "/again"])
async def test_redirects_that_are_not_followed(location: str) -> None:
    async with Scripted(lambda _: Reply(302, {"location": location})) as server, Transport(QUICK) as web:
        with pytest.raises(Unavailable, match="redirects"):
            await web.fetch("GET", server.url, attempts=1)
        assert len(server.requests) < 12


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate of our own, and its key, in one file; it names 0.0.0.0, an address of this machine too."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "hub")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("0.0.0.0"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "both.pem"
    encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    path.write_bytes(made.public_bytes(encoding) + key.private_bytes(encoding, form, serialization.NoEncryption()))
    return path


def tls(certificate: Path) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    return context


async def test_certificates_are_checked_unless_that_was_waived(certificate: Path) -> None:
    async with Scripted(lambda _: Reply(200), tls=tls(certificate)) as server:
        # An address of this machine that does not look like it: 127.0.0.1 needs no certificate.
        url = server.url.replace("127.0.0.1", "0.0.0.0")
        host = url.removeprefix("https://")
        async with Transport(QUICK) as strict:
            with pytest.raises(Unavailable, match=r"cannot trust .*SSL_CERT_FILE or --ca"):
                await strict.fetch("GET", url, attempts=1)
            assert (await strict.fetch("GET", server.url)).status == 200
        async with Transport(TransportSettings(insecure=frozenset({host}))) as waived:
            assert (await waived.fetch("GET", url)).status == 200
        async with Transport(TransportSettings(ca_file=str(certificate))) as informed:
            assert (await informed.fetch("GET", url)).status == 200


async def test_large_answers_come_over_checked_connections_too(certificate: Path) -> None:
    content = bytes(range(256)) * 10_000
    async with Scripted(lambda _: Reply(200, body=content), tls=tls(certificate)) as server:
        url = server.url.replace("127.0.0.1", "0.0.0.0")
        async with Transport(TransportSettings(ca_file=str(certificate))) as informed:
            for _ in range(2):
                async with informed.open("GET", url, bulk=True) as response:
                    assert (await read_answer(response)).body == content
        async with Transport(QUICK) as strict:
            with pytest.raises(Unavailable, match=r"cannot trust .*SSL_CERT_FILE or --ca"):
                async with strict.open("GET", url, bulk=True, attempts=1):
                    pass
        assert len(server.requests) == 2


async def test_encryption_is_not_given_up_on_the_way(certificate: Path) -> None:
    astray = Reply(302, {"location": "http://hub.example.org/"})
    async with Scripted(lambda _: astray, tls=tls(certificate)) as server, Transport(QUICK) as web:
        with pytest.raises(Unavailable, match="without encryption"):
            await web.fetch("GET", server.url, attempts=1)


async def nobody() -> None:
    return None


async def test_a_registry_is_found_with_tls_first(certificate: Path) -> None:
    async with Transport(QUICK) as web:
        async with Scripted(lambda _: Reply(200), tls=tls(certificate)) as server:
            assert (await Session(web, server.host, nobody).connect()).scheme == "https"
        async with Scripted(lambda _: Reply(200)) as server:
            assert (await Session(web, server.host, nobody).connect()).scheme == "http"


async def test_plain_http_elsewhere_only_when_allowed() -> None:
    async with Scripted(lambda _: Reply(200)) as server:
        host = server.host.replace("127.0.0.1", "0.0.0.0")
        async with Transport(QUICK) as web:
            with pytest.raises(Unavailable, match="--insecure"):
                await Session(web, host, nobody).connect()
        assert server.requests == []
        async with Transport(TransportSettings(insecure=frozenset({host}))) as web:
            assert (await Session(web, host, nobody).connect()).scheme == "http"


async def test_what_is_no_registry_is_said_to_be_none() -> None:
    async with Scripted(lambda _: Reply(404)) as server, Transport(QUICK) as web:
        with pytest.raises(Unavailable, match="no container registry"):
            await Session(web, server.host, nobody).connect()
