"""``havre serve`` as a process: what only sockets, signals and several workers can show."""

import hashlib
import http.client
import json
import os
import signal
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.certificates import certificate
from tests.support.documents import digest_of
from tests.support.inprocess import PASSWORD, basic, data_with_people
from tests.support.server import HavreProcess

REPO = "/v2/alice/app"
UPLOADS = f"{REPO}/blobs/uploads/"
MEGABYTE = os.urandom(1024 * 1024)
TIMEOUT = 30


@dataclass(frozen=True)
class Answer:
    status: int
    headers: http.client.HTTPMessage
    body: bytes


class Client:
    """Talks to a server, over a new connection for each request, so that any worker may get it."""

    def __init__(self, server: HavreProcess, trust: ssl.SSLContext | None = None) -> None:
        self.server = server
        self.trust = trust
        answer = self("GET", "/auth/token?scope=repository:alice/app:pull,push,delete", basic("alice", PASSWORD))
        assert answer.status == 200, answer
        self.bearer = {"authorization": "Bearer " + json.loads(answer.body)["token"]}

    def connection(self) -> http.client.HTTPConnection:
        if self.trust:
            return http.client.HTTPSConnection("127.0.0.1", self.server.port, timeout=TIMEOUT, context=self.trust)
        return http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=TIMEOUT)

    def __call__(
        self, method: str, path: str, headers: dict[str, str] | None = None, body: bytes | Iterable[bytes] | None = None
    ) -> Answer:
        connection = self.connection()
        try:
            sent = getattr(self, "bearer", {}) if headers is None else headers
            connection.request(method, path, body, sent, encode_chunked=not isinstance(body, bytes | None))
            response = connection.getresponse()
            return Answer(response.status, response.headers, response.read())
        finally:
            connection.close()

    def begin(self) -> str:
        answer = self("POST", UPLOADS)
        assert answer.status == 202, answer
        return str(answer.headers["location"])

    def push(self, content: bytes) -> str:
        answer = self("PUT", f"{self.begin()}?digest={digest_of(content)}", None, content)
        assert answer.status == 201, answer
        return digest_of(content)

    def head_of(self, method: str, path: str, **headers: object) -> bytes:
        """A request's head, to be sent by hand."""
        fields = {"Host": self.server.host, "Authorization": self.bearer["authorization"], **headers}
        lines = [f"{name.replace('_', '-')}: {value}" for name, value in fields.items()]
        return "\r\n".join([f"{method} {path} HTTP/1.1", *lines, "", ""]).encode()

    def socket(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.server.port), timeout=TIMEOUT)


def received(connection: socket.socket, end: bytes = b"\r\n\r\n") -> bytes:
    """What the server says, up to ``end`` or until it hangs up."""
    data = b""
    while end not in data and (piece := connection.recv(65536)):
        data += piece
    return data


def workers(server: HavreProcess) -> list[int]:
    """The processes that serve requests."""
    return [int(pid) for pid in Path(f"/proc/{server.pid}/task/{server.pid}/children").read_text().split()]


Start = Callable[..., HavreProcess]


@pytest.fixture(scope="module")
def folder(people: None, tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Path]:
    """Make folders that hold the data of a registry with people."""

    def make() -> Path:
        made = tmp_path_factory.mktemp("serving")
        data_with_people(made / "data")
        return made

    return make


@pytest.fixture
def start(folder: Callable[[], Path]) -> Iterator[Start]:
    """Start servers with these flags and settings; all of them end with the test."""
    running = []

    def begin(*flags: str, **settings: str) -> HavreProcess:
        running.append(HavreProcess(folder(), *flags, **{"workers": "1", **settings}))
        return running[-1].start()

    yield begin
    for server in running:
        server.kill()


@pytest.fixture(scope="module")
def shared(folder: Callable[[], Path]) -> Iterator[HavreProcess]:
    """One server with three workers, for tests that leave it running."""
    with HavreProcess(folder(), workers="3") as server:
        yield server


@pytest.fixture
def alice(shared: HavreProcess) -> Client:
    return Client(shared)


# ---------------------------------------------------------------- bytes


def test_a_download_has_the_bytes_of_the_upload(alice: Client):
    content = MEGABYTE * 5 + b"the end"
    digest = alice.push(content)
    answer = alice("GET", f"{REPO}/blobs/{digest}")
    assert (answer.status, answer.headers["content-length"]) == (200, str(len(content)))
    assert answer.body == content
    assert answer.headers["docker-content-digest"] == digest
    head = alice("HEAD", f"{REPO}/blobs/{digest}")
    assert (head.status, head.headers["content-length"], head.body) == (200, str(len(content)), b"")
    part = alice("GET", f"{REPO}/blobs/{digest}", {**alice.bearer, "Range": "bytes=1000000-4000000"})
    assert (part.status, part.body) == (206, content[1000000:4000001])


def test_a_stream_of_unknown_length(alice: Client):
    pieces = [MEGABYTE[:1000], MEGABYTE[1000:500_000], MEGABYTE[500_000:]]
    location = alice.begin()
    patched = alice("PATCH", location, {**alice.bearer, "Transfer-Encoding": "chunked"}, pieces)
    assert (patched.status, patched.headers["range"]) == (202, f"0-{len(MEGABYTE) - 1}")
    assert alice("PUT", f"{location}?digest={digest_of(MEGABYTE)}", None, b"").status == 201


def test_any_worker_goes_on_with_any_upload(alice: Client, shared: HavreProcess):
    assert len(workers(shared)) == 3
    for _ in range(3):
        content, location = os.urandom(30_000), alice.begin()
        for start in range(0, len(content), 3000):
            chunk = content[start : start + 3000]
            headers = {**alice.bearer, "Content-Range": f"{start}-{start + len(chunk) - 1}"}
            assert alice("PATCH", location, headers, chunk).status == 202
            status = alice("GET", location)
            assert (status.status, status.headers["range"]) == (204, f"0-{start + len(chunk) - 1}")
        assert alice("PUT", f"{location}?digest={digest_of(content)}", None, b"").status == 201
        assert alice("GET", f"{REPO}/blobs/{digest_of(content)}").body == content


def test_figures_are_those_of_all_workers(alice: Client):
    def count() -> int:
        lines = alice("GET", "/metrics").body.decode().splitlines()
        name = 'havre_requests_total{area="registry",method="GET",status="404"} '
        return int(sum(float(line.removeprefix(name)) for line in lines if line.startswith(name)))

    before = count()
    for number in range(12):
        assert alice("GET", f"{REPO}/manifests/none-{number}").status == 404
    wait_for(lambda: count() >= before + 12)
    assert count() == before + 12


def test_memory_stays_flat_whatever_is_pushed_and_pulled(start: Start):
    client = Client(start())
    (worker,) = workers(client.server)
    small = client.push(b"warm")
    assert client("GET", f"{REPO}/blobs/{small}").status == 200

    def peak() -> int:
        """The most memory so far, in megabytes."""
        lines = Path(f"/proc/{worker}/status").read_text().splitlines()
        return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) // 1024

    before, location = peak(), client.begin()
    headers = {**client.bearer, "Transfer-Encoding": "chunked"}
    assert client("PATCH", location, headers, (MEGABYTE for _ in range(200))).status == 202
    whole = hashlib.sha256()
    for _ in range(200):
        whole.update(MEGABYTE)
    assert client("PUT", f"{location}?digest=sha256:{whole.hexdigest()}", None, b"").status == 201
    for span in ({}, {"Range": "bytes=1-"}):
        connection = client.connection()
        connection.request("GET", f"{REPO}/blobs/sha256:{whole.hexdigest()}", headers={**client.bearer, **span})
        response = connection.getresponse()
        size = sum(len(piece) for piece in iter(lambda: response.read(1024 * 1024), b""))  # noqa: B023 - read at once
        assert size == 200 * 1024 * 1024 - len(span)
        connection.close()
    assert peak() - before < 60


# ---------------------------------------------------------------- the protocol


def test_a_body_is_asked_for_with_100_continue(alice: Client):
    digest = digest_of(b"expected")
    with alice.socket() as connection:
        connection.sendall(
            alice.head_of("PUT", f"{alice.begin()}?digest={digest}", Content_Length=8, Expect="100-continue")
        )
        assert received(connection).startswith(b"HTTP/1.1 100 Continue")
        connection.sendall(b"expected")
        assert received(connection).startswith(b"HTTP/1.1 201 ")


def test_a_refusal_asks_for_no_body(alice: Client):
    with alice.socket() as connection:
        head = alice.head_of("POST", "/v2/bobby/app/blobs/uploads/?digest=" + digest_of(b"x"), Content_Length=10_000_000,
                             Expect="100-continue")  # fmt: skip
        connection.sendall(head)
        assert received(connection).startswith(b"HTTP/1.1 403 ")


def test_a_tls_hello_on_the_plain_port_is_told_so_in_http(shared: HavreProcess):
    # docker tries https first, and falls back to http only if this is the answer.
    context = ssl.create_default_context()
    hello, incoming = ssl.MemoryBIO(), ssl.MemoryBIO()
    wrapped = context.wrap_bio(incoming, hello, server_hostname="localhost")
    with pytest.raises(ssl.SSLWantReadError):
        wrapped.do_handshake()
    with socket.create_connection(("127.0.0.1", shared.port), timeout=TIMEOUT) as connection:
        connection.sendall(hello.read())
        assert received(connection).startswith(b"HTTP/1.1 400")


def test_a_connection_serves_many_requests(alice: Client):
    connection = alice.connection()
    for _ in range(5):
        connection.request("GET", "/v2/", headers=alice.bearer)
        response = connection.getresponse()
        assert (response.status, response.read()) == (200, b"{}")
    connection.close()


@pytest.mark.parametrize("name", ["X-Long", "Cookie", "Authorization"])
def test_a_head_without_end_is_refused(shared: HavreProcess, name: str):
    with socket.create_connection(("127.0.0.1", shared.port), timeout=TIMEOUT) as connection:
        head = f"GET /v2/ HTTP/1.1\r\nHost: {shared.host}\r\n{name}: {'x' * 2_000_000}\r\n\r\n".encode()
        sender = threading.Thread(target=_send_what_is_taken, args=(connection, head))
        sender.start()
        assert received(connection)[:12] in {b"HTTP/1.1 431", b"HTTP/1.1 400", b""}
        sender.join(TIMEOUT)
    assert shared.answers()


def _send_what_is_taken(connection: socket.socket, data: bytes) -> None:
    try:
        connection.sendall(data)
    except OSError:
        return


def test_tls_from_files(folder: Callable[[], Path]):
    place = folder()
    chain, key = certificate(place)
    flags = "--tls-certificate", str(chain), "--tls-key", str(key)
    with HavreProcess(place, *flags, scheme="https", workers="1") as server:
        client = Client(server, ssl.create_default_context(cafile=str(chain)))
        ping = client("GET", "/v2/", {})
        assert ping.status == 401
        assert f'realm="https://{server.host}/auth/token"' in ping.headers["www-authenticate"]
        digest = client.push(MEGABYTE)
        assert client("GET", f"{REPO}/blobs/{digest}").body == MEGABYTE


def test_a_renewed_certificate_is_served_after_sighup(folder: Callable[[], Path]):
    place = folder()
    chain, key = certificate(place)
    flags = "--tls-certificate", str(chain), "--tls-key", str(key)
    with HavreProcess(place, *flags, scheme="https", workers="1") as server:
        certificate(place)
        renewed = chain.read_text()
        os.kill(server.pid, signal.SIGHUP)
        # Old and new workers answer side by side for a moment, and no connection is refused.
        wait_for(lambda: all(ssl.get_server_certificate(("127.0.0.1", server.port)) == renewed for _ in range(12)))
        assert server.answers()


@pytest.mark.parametrize("fault", ["missing", "no certificate", "another key"])
def test_tls_files_that_can_not_work_are_told_in_one_sentence(folder: Callable[[], Path], fault: str):
    place = folder()
    chain, key = certificate(place)
    if fault == "missing":
        chain.unlink()
    elif fault == "no certificate":
        chain.write_text("not a certificate")
    else:
        (place / "other").mkdir()
        key = certificate(place / "other")[1]
    server = HavreProcess(place)
    with pytest.raises(RuntimeError) as failure:
        server.command("serve", "--tls-certificate", str(chain), "--tls-key", str(key))
    assert f"tls_certificate is {chain} and tls_key is {key}, but they can not be used" in str(failure.value)
    assert "Traceback" not in str(failure.value)


def test_a_port_that_is_taken_is_told_in_one_sentence(shared: HavreProcess, folder: Callable[[], Path]):
    second = HavreProcess(folder(), port=shared.port)
    with pytest.raises(RuntimeError, match=f"listen is {shared.host}, but that can not be had: Address already in use"):
        second.command("serve")
    assert shared.answers()


# ---------------------------------------------------------------- stopping


def test_a_stop_lets_an_upload_in_flight_finish(start: Start):
    client = Client(start())
    location = client.begin()
    with client.socket() as connection:
        connection.sendall(client.head_of("PATCH", location, Content_Length=len(MEGABYTE)) + MEGABYTE[:300_000])
        wait_for(lambda: any(client.server.data.glob("uploads/*")))
        codes: list[int] = []
        stopping = threading.Thread(target=lambda: codes.append(client.server.stop()))
        stopping.start()
        wait_for(lambda: not accepts(client.server.port))
        connection.sendall(MEGABYTE[300_000:])
        answer = received(connection)
        assert answer.startswith(b"HTTP/1.1 202 ")
        assert f"range: 0-{len(MEGABYTE) - 1}".encode() in answer.lower()
        stopping.join(TIMEOUT)
    assert codes == [0]
    client.server.start()
    status = client("GET", location)
    assert (status.status, status.headers["range"]) == (204, f"0-{len(MEGABYTE) - 1}")


def test_what_was_acknowledged_is_there_after_a_kill(start: Start):
    client = Client(start(workers="2"))
    pushed, location = client.push(b"finished"), client.begin()
    assert client("PATCH", location, {**client.bearer, "Content-Range": "0-399999"}, MEGABYTE[:400_000]).status == 202
    manifest = b'{"schemaVersion":2,"any":"thing"}'
    headers = {**client.bearer, "Content-Type": "application/vnd.example+json"}
    assert client("PUT", f"{REPO}/manifests/latest", headers, manifest).status == 201
    client.server.kill()
    client.server.start()
    assert client("GET", f"{REPO}/blobs/{pushed}").body == b"finished"
    assert client("GET", f"{REPO}/manifests/latest").body == manifest
    status = client("GET", location)
    assert (status.status, status.headers["range"]) == (204, "0-399999")
    resumed = client("PATCH", location, {**client.bearer, "Content-Range": "400000-1048575"}, MEGABYTE[400_000:])
    assert resumed.status == 202
    assert client("PUT", f"{location}?digest={digest_of(MEGABYTE)}", None, b"").status == 201
    assert client("GET", f"{REPO}/blobs/{digest_of(MEGABYTE)}").body == MEGABYTE


def test_bytes_of_a_connection_that_broke_are_kept(alice: Client):
    location = alice.begin()
    with alice.socket() as connection:
        connection.sendall(alice.head_of("PATCH", location, Content_Length=len(MEGABYTE)) + MEGABYTE[:500_000])
    wait_for(lambda: alice("GET", location).headers["range"] == "0-499999")
    headers = {**alice.bearer, "Content-Range": "500000-1048575"}
    assert alice("PATCH", location, headers, MEGABYTE[500_000:]).status == 202
    assert alice("PUT", f"{location}?digest={digest_of(MEGABYTE)}", None, b"").status == 201


def test_a_worker_that_dies_is_replaced(start: Start):
    client = Client(start(workers="2"))
    first = set(workers(client.server))
    os.kill(min(first), 9)
    wait_for(lambda: len(set(workers(client.server)) - first) == 1 and client.server.answers())
    assert client("GET", "/v2/").status == 200


def wait_for(condition: Callable[[], bool]) -> None:
    """Wait for something that another process brings about; raises TimeoutError."""
    deadline = time.monotonic() + TIMEOUT
    while not condition():
        if time.monotonic() > deadline:
            message = "it did not happen in time"
            raise TimeoutError(message)
        time.sleep(0.02)


def accepts(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True
