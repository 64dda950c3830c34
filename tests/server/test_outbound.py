"""The guard of requests to the outside: only public addresses, whatever they are written as or lead on to; all bounded."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable

import pytest

from havre.errors import HavreError, InputInvalid, Unreachable
from havre.server import outbound
from havre.server.outbound import MAX_REDIRECTS, Outbound, check_url
from tests.support.scripted import Reply, Request, Scripted

pytestmark = pytest.mark.anyio

HERE = (ipaddress.ip_network("127.0.0.0/8"),)


@pytest.mark.parametrize(
    ("address", "allowed"),
    [
        ("93.184.215.14", True),
        ("2606:2800:21f:cb07:6820:80da:af6b:8b2c", True),
        ("127.0.0.1", False),
        ("0.0.0.0", False),
        ("10.1.2.3", False),
        ("172.16.0.1", False),
        ("192.168.1.1", False),
        ("169.254.169.254", False),
        ("100.64.0.1", False),
        ("192.0.2.1", False),
        ("224.0.0.1", False),
        ("240.0.0.1", False),
        ("255.255.255.255", False),
        ("::", False),
        ("::1", False),
        ("fe80::1", False),
        ("fc00::1", False),
        ("ff02::1", False),
        ("::ffff:127.0.0.1", False),
        ("::ffff:10.0.0.1", False),
        ("2002:7f00:1::", False),
        ("2002:a00:1::", False),
        ("64:ff9b::7f00:1", False),
        ("64:ff9b::a9fe:a9fe", False),
    ],
)
def test_only_public_addresses(address: str, allowed: bool) -> None:
    assert Outbound().allows(ipaddress.ip_address(address)) is allowed


def test_networks_that_the_settings_allow() -> None:
    guard = Outbound((ipaddress.ip_network("10.1.0.0/16"),))
    assert guard.allows(ipaddress.ip_address("10.1.2.3"))
    assert guard.allows(ipaddress.ip_address("::ffff:10.1.2.3"))
    assert not guard.allows(ipaddress.ip_address("10.2.0.1"))


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "127.1", "2130706433", "0x7f000001", "localhost", "[::1]", "[::ffff:127.0.0.1]", "0"]
)
async def test_this_machine_however_it_is_written(host: str) -> None:
    async with Scripted(lambda _: Reply()) as server:
        with pytest.raises(HavreError) as refusal:
            await Outbound().get(f"http://{host}:{server.host.rpartition(':')[2]}/", 1000)
        assert isinstance(refusal.value, (InputInvalid, Unreachable))
        assert server.requests == []


@pytest.mark.parametrize(
    "url",
    [
        "ftp://a.example/x",
        "file:///etc/passwd",
        "http://",
        "http:///x",
        "http://user:secret@a.example/",
        "http://a.example:99999/",
        "http://a.example/ x",
        "http://a.example/\r\nx",
        "http://[::1",
        "//a.example/x",
        "gopher://a.example",
        "http://a.example/" + "x" * 2000,
    ],
)
def test_what_is_no_address_of_the_web(url: str) -> None:
    with pytest.raises(InputInvalid):
        check_url(url)


def test_letters_of_other_scripts_are_written_as_the_web_does() -> None:
    assert check_url("https://é.example/ü?q=ß") == "https://xn--9ca.example/%C3%BC?q=%C3%9F"


async def test_what_is_fetched(tmp_path: object) -> None:
    async with Scripted(lambda _: Reply(200, {"Content-Type": "text/plain"}, b"hello")) as server:
        answer = await Outbound(HERE).get(f"{server.url}/a?b=c", 5, "image/png")
        assert (answer.status, answer.body, answer.headers["content-type"]) == (200, b"hello", "text/plain")
        (asked,) = server.requests
        sent = {name.lower(): value for name, value in asked.headers.items()}
        assert asked.target == "/a?b=c"
        assert (sent["accept"], sent["accept-encoding"]) == ("image/png", "identity")
        assert not {"cookie", "authorization", "referer"} & set(sent)


async def test_redirects_are_followed_and_each_is_checked() -> None:
    def answer(request: Request) -> Reply:
        if request.path == "/1":
            return Reply(302, {"Location": "/2"})
        return Reply(200, {}, b"there") if request.path == "/2" else Reply(302, {"Location": "http://10.0.0.1/secret"})

    async with Scripted(answer) as server:
        guard = Outbound(HERE)
        found = await guard.get(f"{server.url}/1", 100)
        assert (found.body, found.url) == (b"there", f"{server.url}/2")
        with pytest.raises(InputInvalid, match=r"10\.0\.0\.1 is not on the public internet"):
            await guard.get(f"{server.url}/inside", 100)


@pytest.mark.parametrize("target", ["file:///etc/passwd", "http://u:p@127.0.0.1/"])
async def test_redirects_out_of_the_web(target: str) -> None:
    async with Scripted(lambda _: Reply(301, {"Location": target})) as server:
        with pytest.raises(InputInvalid):
            await Outbound(HERE).get(server.url, 100)


async def test_redirects_without_an_end() -> None:
    async with Scripted(lambda _: Reply(302, {"Location": "/again"})) as server:
        with pytest.raises(Unreachable, match="leads on too often"):
            await Outbound(HERE).get(server.url, 100)
        assert len(server.requests) == MAX_REDIRECTS + 1


@pytest.mark.parametrize(
    "answer",
    [
        lambda _: Reply(200, {}, b"x" * 1001),
        lambda _: Reply(200, {}, b"x" * 1001, chunked=True),
        lambda _: Reply(200, {"Content-Encoding": "gzip"}, b"x"),
        lambda _: Reply(200, {}, b"x" * 100, cut=10),
    ],
    ids=["too long", "too long in pieces", "compressed", "broken off"],
)
async def test_answers_that_are_not_taken(answer: Callable[[Request], Reply]) -> None:
    async with Scripted(answer) as server:
        with pytest.raises(Unreachable):
            await Outbound(HERE).get(server.url, 1000)


async def test_nobody_there() -> None:
    async with Scripted(lambda _: Reply()) as server:
        gone = server.url
    with pytest.raises(Unreachable, match="could not be asked"):
        await Outbound(HERE).get(gone, 100)
    with pytest.raises(Unreachable, match="can not be found"):
        await Outbound().get("http://nobody.invalid/", 100)


async def test_the_connection_goes_to_the_address_that_was_checked() -> None:
    """A name with a public and a private address: only the public one is ever connected to."""

    class TwoFaced(Outbound):
        """Knows a name that is here and, says the name server, elsewhere too."""

        lookups = 0

        async def _look_up(self, host: str, port: int) -> list[outbound.Address]:
            self.lookups += 1
            return [ipaddress.ip_address("10.0.0.1"), ipaddress.ip_address("127.0.0.1")]

    async with Scripted(lambda _: Reply(200, {}, b"here")) as server:
        guard = TwoFaced(HERE)
        port = server.host.rpartition(":")[2]
        assert (await guard.get(f"http://two.example:{port}/", 100)).body == b"here"
        assert guard.lookups == 1
        assert server.requests[0].headers.get("Host", server.requests[0].headers.get("host")) == f"two.example:{port}"
