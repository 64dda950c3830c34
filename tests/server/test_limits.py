"""Limits as clients meet them: 429 with Retry-After, and nothing else for those who did not ask for too much."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import httpx
import pytest

from tests.support import documents
from tests.support.inprocess import OCTETS, PASSWORD, Caller, InProcess, basic

pytestmark = pytest.mark.anyio

Make = Callable[..., Awaitable[InProcess]]


@pytest.mark.parametrize("path", ["/", "/login", "/v2/", "/auth/token", "/api/v1/repositories", "/static/havre.css"])
async def test_requests_of_one_address(people: None, tmp_path: Path, path: str):
    async with InProcess(tmp_path, requests_per_address="5") as havre:
        here, elsewhere = Caller(havre), Caller(havre, client="203.0.113.9")
        assert [(await here.get(path)).status for _ in range(5)].count(429) == 0
        refused = await here.get(path)
        assert refused.status == 429
        assert refused["retry-after"] == "12"
        assert refused.code == "TOOMANYREQUESTS"
        assert (await here.get("/healthz")).status == 200
        assert (await elsewhere.get(path)).status != 429
        havre.clock.forward(seconds=12)
        assert (await here.get(path)).status != 429


async def test_behind_a_proxy_people_are_told_apart(people: None, tmp_path: Path):
    async with InProcess(tmp_path, requests_per_address="2", trusted_proxies="10.0.0.0/8") as havre:
        proxy = Caller(havre, client="10.0.0.1")

        async def ask(person: str) -> int:
            return (await proxy.get("/v2/", {"x-forwarded-for": person})).status

        assert [await ask("198.51.100.1") for _ in range(3)] == [401, 401, 429]
        assert await ask("198.51.100.2") == 401
        # Who writes addresses of others in front gains nothing: the last hop is the proxy's word.
        assert await ask("198.51.100.99, 198.51.100.1") == 429


async def test_requests_of_one_account_wherever_it_is(people: None, tmp_path: Path):
    async with InProcess(tmp_path, requests_per_account="4") as havre:
        token, other = await havre.token("alice"), await havre.token("bobby")
        statuses = [(await Caller(havre, token, f"198.51.100.{number}").get("/v2/")).status for number in range(5)]
        assert statuses == [200, 200, 200, 200, 429]
        assert (await Caller(havre).get("/auth/token", basic("alice", PASSWORD))).status == 429
        assert (await Caller(havre).get("/api/v1/user", basic("alice", PASSWORD))).status == 429
        assert (await Caller(havre, other).get("/v2/")).status == 200
        assert (await Caller(havre).get("/v2/")).status == 401


async def test_pulls_are_counted_as_docker_hub_does(people: None, tmp_path: Path):
    async with InProcess(tmp_path, pulls_per_address="2", pulls_per_account="3") as havre:
        alice = await havre.caller("alice", "alice/app")
        image = await alice.push_image("alice/app", "latest")
        anyone, latest = Caller(havre), "/v2/alice/app/manifests/latest"
        for _ in range(5):
            looked = await anyone.head(latest)
            assert looked["ratelimit-remaining"] == "2;w=21600"
        assert (await anyone.get("/v2/alice/app/manifests/nothing")).status == 404
        pulled = [await anyone.get(latest), await anyone.get(f"/v2/alice/app/manifests/{image.digest}")]
        assert [one["ratelimit-limit"] for one in pulled] == ["2;w=21600"] * 2
        assert [one["ratelimit-remaining"] for one in pulled] == ["1;w=21600", "0;w=21600"]
        assert pulled[0]["docker-ratelimit-source"] == "198.51.100.7"
        refused = await anyone.get(latest)
        assert (refused.status, refused.code) == (429, "TOOMANYREQUESTS")
        assert refused["retry-after"] == "21600"
        # Blobs and lists go on, and so does whoever signs in.
        assert (await anyone.get(f"/v2/alice/app/blobs/{documents.digest_of(image.blobs[0])}")).status == 200
        assert (await anyone.get("/v2/alice/app/tags/list")).status == 200
        signed = await alice.get(latest)
        assert signed["ratelimit-remaining"] == "2;w=21600"
        assert signed["docker-ratelimit-source"] == "alice"
        havre.clock.forward(hours=6)
        assert (await anyone.get(latest)).status == 200


async def test_without_a_limit_nothing_is_said(inside: InProcess):
    alice = await inside.caller("alice", "alice/app")
    await alice.push_image("alice/app", "latest")
    pulled = await Caller(inside).get("/v2/alice/app/manifests/latest")
    assert not [name for name, _ in pulled.headers if "ratelimit" in name]


async def sign_up(havre: InProcess, name: str, email: str = "", address: str = "198.51.100.7") -> httpx.Response:
    transport = httpx.ASGITransport(app=havre.app, client=(address, 50000))  # type: ignore[arg-type]
    async with httpx.AsyncClient(transport=transport, base_url="http://hub.example.org:5000") as browser:
        fields = {"name": name, "email": email or f"{name}@example.org", "password": "a long passphrase"}
        return await browser.post("/signup", data=fields, headers={"Origin": "http://hub.example.org:5000"})


async def test_one_address_makes_so_many_accounts(people: None, tmp_path: Path):
    async with InProcess(tmp_path, signups_per_address="2") as havre:
        assert (await sign_up(havre, "x")).status_code == 400  # what breaks a rule is not counted
        assert (await sign_up(havre, "dora")).status_code == 303
        # Asking whether there is an account with some address is counted like making one.
        assert (await sign_up(havre, "emil", "alice@example.org")).status_code == 409
        assert (await sign_up(havre, "emil")).status_code == 429
        assert (await sign_up(havre, "emil", address="203.0.113.5")).status_code == 303
        havre.clock.forward(seconds=901)
        assert (await sign_up(havre, "frida")).status_code == 303


async def test_one_network_makes_so_many_accounts(people: None, tmp_path: Path):
    async with InProcess(tmp_path, signups_per_address="1") as havre:
        statuses = [
            (await sign_up(havre, "alice", address=f"2001:db8:7:{number:x}::1")).status_code for number in range(11)
        ]
        assert statuses == [409] * 10 + [429]
        assert (await sign_up(havre, "gustav", address="2001:db8:8::1")).status_code == 303


MEGABYTE = bytes(1024 * 1024)


async def test_bytes_of_unfinished_uploads(people: None, tmp_path: Path):
    async with InProcess(tmp_path, upload_bytes_per_account=str(3 * 2**20), uploads_per_account="3") as havre:
        alice, bobby = await havre.caller("alice", "alice/app"), await havre.caller("bobby", "bobby/app")
        places = [await alice.start_upload("alice/app") for _ in range(3)]
        for place in places[:2]:
            assert (await alice("PATCH", place, [OCTETS], MEGABYTE)).status == 202
        # Announced or not, what is too much is refused, and that upload is gone.
        refused = await alice("PATCH", places[0], [OCTETS], MEGABYTE + b"x")
        assert (refused.status, refused.code) == (429, "TOOMANYREQUESTS")
        assert "unfinished uploads of one account may have 3145728 bytes" in refused.message
        assert refused["retry-after"] == "30"
        assert (await alice.get(places[0])).status == 404
        streamed = await alice("PATCH", places[2], [OCTETS], [MEGABYTE] * 4)
        assert streamed.status == 429
        assert (await alice.get(places[2])).status == 404
        assert len(havre.files("uploads")) == 1
        # Others are not concerned, and what fits goes on.
        assert (await bobby("PATCH", await bobby.start_upload("bobby/app"), [OCTETS], [MEGABYTE] * 3)).status == 202
        await alice.push_blob("alice/app", MEGABYTE * 2)
        assert (await alice("PUT", f"{places[1]}?digest={documents.digest_of(MEGABYTE)}")).status == 201
        await alice.push_blob("alice/app", MEGABYTE * 3)


async def test_one_blob_larger_than_all_is_refused_before_it_is_sent(people: None, tmp_path: Path):
    async with InProcess(tmp_path, upload_bytes_per_account=str(2**20)) as havre:
        alice = await havre.caller("alice", "alice/app")
        digest = documents.digest_of(MEGABYTE * 2)
        target = f"/v2/alice/app/blobs/uploads/?digest={digest}"
        refused = await alice("POST", target, [OCTETS, ("content-length", str(2**21))], [])
        assert refused.status == 429
        assert not havre.files("uploads")


async def test_at_the_same_time_accounts_stay_within(people: None, tmp_path: Path):
    async with InProcess(tmp_path, upload_bytes_per_account=str(4 * 2**20), uploads_per_account="20") as havre:
        alice = await havre.caller("alice", "alice/app")
        places = [await alice.start_upload("alice/app") for _ in range(10)]
        replies = await asyncio.gather(*(alice("PATCH", place, [OCTETS], MEGABYTE) for place in places))
        # What is on its way at the same moment may go over once, and no further.
        assert {reply.status for reply in replies} <= {202, 429}
        assert (await alice("PATCH", await alice.start_upload("alice/app"), [OCTETS], MEGABYTE * 4)).status == 429
