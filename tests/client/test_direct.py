"""Blobs straight from the socket: large pieces, connections that serve again, and every way in which one may end."""

import asyncio
import socket
import ssl
import struct
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from havre.client import Client
from havre.client.direct import LARGEST_PIECE, DirectTransport
from havre.client.keychain import Keychain
from havre.oci.descriptor import Descriptor
from havre.oci.digest import Digest
from havre.oci.mediatypes import OCI_MANIFEST
from tests.support.images import Image, layer, noise
from tests.support.peer_fixtures import QUICK
from tests.support.scripted import Reply, Request, Scripted
from tests.support.server import free_port
from tests.support.terminal import Terminal

pytestmark = pytest.mark.anyio

CONTENT = noise("direct", 5_000_000)
Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def serving(talk: Talk) -> AsyncIterator[str]:
    """A server that says whatever ``talk`` writes to whoever connects; gives its address."""

    async def one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await talk(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async with await asyncio.start_server(one, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"


@asynccontextmanager
async def direct() -> AsyncIterator[httpx.AsyncClient]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    transport = DirectTransport(context, connect_timeout=5, read_timeout=5, connections=4)
    async with httpx.AsyncClient(transport=transport, trust_env=False) as client:
        yield client


async def pieces_of(client: httpx.AsyncClient, url: str) -> list[bytes]:
    async with client.stream("GET", url) as response:
        return [piece async for piece in response.aiter_raw()]


@pytest.mark.parametrize("chunked", [False, True])
async def test_pieces_grow_and_connections_serve_again(chunked: bool) -> None:
    ports = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        ports.append(writer.get_extra_info("peername")[1])
        while True:
            await reader.readuntil(b"\r\n\r\n")
            if chunked:
                writer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
                writer.write(f"{len(CONTENT):x}\r\n".encode() + CONTENT + b"\r\n0\r\n\r\n")
            else:
                writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(CONTENT) + CONTENT)

    async with serving(talk) as url, direct() as client:
        for _ in range(3):
            pieces = await pieces_of(client, url)
            assert b"".join(pieces) == CONTENT
            assert LARGEST_PIECE in {len(piece) for piece in pieces}
            assert len(pieces) < 15
    assert len(ports) == 1


async def test_a_connection_that_grew_stale_is_replaced() -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")

    async with serving(talk) as url, direct() as client:
        assert [await pieces_of(client, url) for _ in range(3)] == [[b"ok"]] * 3


async def test_hints_before_the_answer_are_passed_over() -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")

    async with serving(talk) as url, direct() as client:
        assert await pieces_of(client, url) == [b"ok"]


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (b"", httpx.TransportError),
        (b"SSH-2.0-OpenSSH\r\n\r\n", httpx.RemoteProtocolError),
        (b"HTTP/1.1 200 OK\r\nx: " + b"y" * 100_000, httpx.RemoteProtocolError),
        (b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 200 + b"\r\n", httpx.RemoteProtocolError),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nshort", httpx.RemoteProtocolError),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nff\r\nshort", httpx.RemoteProtocolError),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nxyz\r\nshort", httpx.RemoteProtocolError),
    ],
    ids=["nothing", "another protocol", "an endless line", "many headers", "cut", "cut chunk", "no chunk"],
)
async def test_what_is_no_whole_answer_is_an_error(answer: bytes, error: type[httpx.TransportError]) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        await writer.drain()

    async with serving(talk) as url, direct() as client:
        with pytest.raises(error):
            await pieces_of(client, url)


async def test_most_of_what_came_before_a_reset_counts() -> None:
    blob = Descriptor("application/octet-stream", Digest.of(CONTENT), len(CONTENT))
    starts = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        if b"GET /v2/ " in head:
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
            await writer.drain()
            return
        start = int(head.partition(b"range: bytes=")[2].partition(b"-")[0] or b"0")
        starts.append(start)
        said = b"206 Partial\r\ncontent-range: bytes %d-%d/*" % (start, len(CONTENT) - 1) if start else b"200 OK"
        writer.write(b"HTTP/1.1 %b\r\ncontent-length: %d\r\n\r\n" % (said, len(CONTENT) - start))
        writer.write(CONTENT[start : start + 900_000])
        await writer.drain()
        if start + 900_000 < len(CONTENT):
            # As a router that has forgotten the connection: without a farewell.
            wire = writer.get_extra_info("socket")
            wire.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    async with serving(talk) as url, Client(QUICK, Keychain([])) as client:
        repository = client.repository(f"{url.removeprefix('http://')}marin/app")
        assert b"".join([piece async for piece in repository.blob(blob)]) == CONTENT
    assert starts == sorted(set(starts))
    assert len(starts) > 5


async def test_whoever_stops_waiting_is_not_kept() -> None:
    asked = asyncio.Event()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n12345")
        asked.set()
        await reader.read()

    async with serving(talk) as url, direct() as client:
        task = asyncio.create_task(pieces_of(client, url))
        await asked.wait()
        started = time.monotonic()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert time.monotonic() - started < 2


async def test_silence_has_a_limit() -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    transport = DirectTransport(
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), connect_timeout=5, read_timeout=0.05, connections=1
    )
    async with serving(talk) as url, httpx.AsyncClient(transport=transport) as client:
        with pytest.raises(httpx.ReadTimeout):
            await client.get(url)
        with pytest.raises(httpx.ConnectError):
            await client.get(f"http://127.0.0.1:{free_port()}/")


async def test_where_a_proxy_is_set_blobs_go_through_it_too(tmp_path: Path) -> None:
    image = Image("proxied", (layer({"a": noise("proxied", 300_000)}),))
    config = Descriptor("", Digest.of(image.config), len(image.config))
    blobs = {str(config.digest): image.config, image.layers[0].digest: image.layers[0].gz}

    def proxy(request: Request) -> Reply:
        _, _, path = request.target.partition("http://hub.test")
        if "/manifests/" in path:
            said = {"content-type": OCI_MANIFEST, "docker-content-digest": str(Digest.of(image.manifest))}
            return Reply(200, said, image.manifest)
        return Reply(200, body=blobs.get(path.rpartition("/")[2], b""))

    async with Scripted(proxy) as server:
        marin = Terminal(tmp_path / "marin")
        marin.environ |= {"HTTP_PROXY": server.url, "http_proxy": server.url}
        pulled = await asyncio.to_thread(marin, "pull", "-q", "--insecure", "hub.test/marin/proxied")
        assert pulled.lines == ["hub.test/marin/proxied:latest"]
        assert len(server.asked("GET", "http://hub.test/v2/marin/proxied/blobs/")) == 2
