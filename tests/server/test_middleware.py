"""What every request passes: its id, the address of the person behind proxies, and one line in the log."""

import json
import logging
import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from havre.registry.events import Event
from havre.server import logs
from tests.support.inprocess import HOST, Caller, InProcess, basic

pytestmark = pytest.mark.anyio

PROXY, OUTER_PROXY, PERSON = "10.0.0.5", "10.9.9.9", "203.0.113.9"


@pytest.fixture
async def behind(people: None, tmp_path: Path) -> AsyncIterator[Caller]:
    """A client whose requests reach us through a proxy that we trust."""
    async with InProcess(tmp_path, trusted_proxies="10.0.0.0/8, 2001:db8::/32") as havre:
        yield Caller(havre, client=PROXY)


class Log:
    """What the server writes to its log."""

    def __init__(self, capture: pytest.CaptureFixture[str]) -> None:
        self._capture = capture
        self.style = "json"

    def configure(self, style: str) -> None:
        self.style = style
        logs.configure(style, "debug")

    def lines(self) -> list[str]:
        """Those written since the last time."""
        return [line for line in self._capture.readouterr().err.split("\n") if line]

    def last(self) -> dict[str, Any]:
        """The fields of the last one."""
        found: dict[str, Any] = json.loads(self.lines()[-1])
        return found


@pytest.fixture
def log(capsys: pytest.CaptureFixture[str]) -> Iterator[Log]:
    """The server's log, in JSON unless a test chooses otherwise."""
    root = logging.getLogger()
    handlers, level, access = root.handlers[:], root.level, logs._access
    found = Log(capsys)
    found.configure("json")
    yield found
    root.handlers[:], logs._access = handlers, access
    root.setLevel(level)


# ---------------------------------------------------------------- the request id


async def test_a_request_id_is_kept_and_told(anyone: Caller, log: Log):
    reply = await anyone.get("/v2/", {"x-request-id": "from-proxy_1.2"})
    assert reply["x-request-id"] == "from-proxy_1.2"
    assert log.last()["request"] == "from-proxy_1.2"


@pytest.mark.parametrize("given", ["", "two words", "x" * 65, "a\r\nb", 'a"b', "é"])
async def test_an_unusable_request_id_is_replaced(anyone: Caller, given: str):
    reply = await anyone.get("/v2/", {"x-request-id": given})
    assert re.fullmatch(r"[0-9a-f]{16}", reply["x-request-id"])


async def test_an_unexpected_failure_tells_its_request_id_and_no_more(inside: InProcess, alice: Caller, log: Log):
    def listener(_event: Event) -> None:
        raise RuntimeError("the secret inside of a bug")

    log.configure("json")
    await alice.push_image("alice/app", "latest")
    inside.app.events.subscribe(listener)
    reply = await alice.get("/v2/alice/app/manifests/latest")
    assert reply.status == 500
    assert reply["x-request-id"] in reply.message
    assert "bug" not in reply.message
    (failure,) = [json.loads(line) for line in log.lines() if "trace" in line]
    assert "the secret inside of a bug" in failure["trace"]
    assert failure["request"] == reply["x-request-id"]


# ---------------------------------------------------------------- forwarded headers


async def test_the_address_of_the_person_behind_the_proxy(behind: Caller, log: Log):
    await behind.get("/v2/", {"x-forwarded-for": PERSON})
    assert log.last()["client"] == PERSON


@pytest.mark.parametrize(
    ("forwarded", "client"),
    [
        ([f"{PERSON}, {OUTER_PROXY}"], PERSON),
        ([PERSON, OUTER_PROXY], PERSON),
        ([f"1.2.3.4, {PERSON}"], PERSON),
        ([f"1.2.3.4, {PERSON}, {OUTER_PROXY}"], PERSON),
        ([f"nonsense, {OUTER_PROXY}"], OUTER_PROXY),
        (["nonsense"], PROXY),
        ([""], PROXY),
        ([OUTER_PROXY], OUTER_PROXY),
        (["2001:db8::1, 2001:db8::2"], "2001:db8::1"),
        (["2a00::7"], "2a00::7"),
        ([", ".join(["10.1.1.1"] * 5000)], "10.1.1.1"),
    ],
)
async def test_hops_count_from_the_right_as_far_as_they_are_trusted(
    behind: Caller, log: Log, forwarded: list[str], client: str
):
    await behind.get("/v2/", [("x-forwarded-for", line) for line in forwarded])
    assert log.last()["client"] == client


async def test_nobody_else_is_believed(behind: Caller, log: Log):
    stranger = Caller(behind.havre, client=PERSON)
    reply = await stranger.get("/v2/", {"x-forwarded-for": "1.2.3.4", "x-forwarded-proto": "https"})
    assert log.last()["client"] == PERSON
    assert f'realm="http://{HOST}/auth/token"' in reply["www-authenticate"]


async def test_without_trusted_proxies_nobody_is_believed(anyone: Caller, log: Log):
    await anyone.get("/v2/", {"x-forwarded-for": "1.2.3.4", "x-forwarded-proto": "https"})
    assert log.last()["client"] == anyone.client


@pytest.mark.parametrize(
    ("proto", "scheme"), [("https", "https"), ("http", "http"), ("javascript", "http"), ("", "http")]
)
async def test_the_scheme_that_the_proxy_was_reached_by(behind: Caller, proto: str, scheme: str):
    reply = await behind.get("/v2/", {"x-forwarded-proto": proto})
    assert f'realm="{scheme}://{HOST}/auth/token"' in reply["www-authenticate"]


async def test_wrong_passwords_count_against_the_person_not_the_proxy(behind: Caller):
    async def attempt(person: str) -> int:
        headers = {**basic("alice", "wrong horse 9"), "x-forwarded-for": person}
        return (await behind.get("/auth/token", headers)).status

    statuses = [await attempt(PERSON) for _ in range(11)]
    assert statuses == [401] * 10 + [429]
    assert await attempt("203.0.113.10") == 401


# ---------------------------------------------------------------- the log


async def test_a_line_says_who_did_what_and_how_it_ended(alice: Caller, log: Log):
    await alice.push_image("alice/app", "latest")
    reply = await alice.get("/v2/alice/app/manifests/latest")
    line = log.last()
    assert (line["message"], line["level"]) == ("GET /v2/alice/app/manifests/latest", "info")
    assert (line["status"], line["client"], line["account"]) == (200, alice.client, "alice")
    assert line["request"] == reply["x-request-id"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line["time"])
    assert line["ms"] >= 0
    log.configure("text")
    await alice.get("/v2/alice/app/manifests/none")
    (text,) = log.lines()
    assert re.match(r"\S+Z info +GET /v2/alice/app/manifests/none status=404 ms=\S+ client=\S+ account=alice ", text)


async def test_health_checks_are_not_logged(anyone: Caller, log: Log):
    for path in ("/healthz", "/readyz", "/metrics"):
        await anyone.get(path)
    assert log.lines() == []


@pytest.mark.parametrize("style", ["text", "json"])
async def test_no_line_holds_a_secret_or_a_query(inside: InProcess, anyone: Caller, log: Log, style: str):
    log.configure(style)
    token = await inside.token("alice", "repository:alice/app:pull,push")
    secrets = ["wrong-horse-9", "hunter2hunter2", token, "hvr_pat_" + "x" * 43, "in-the-query", "in-the-body", "c00kie"]
    wrong, hunter, _, pat, query, body, cookie = secrets
    form = f"grant_type=password&username=alice&password={hunter}".encode()
    await anyone.get(f"/auth/token?scope={query}", basic("alice", wrong))
    await anyone("POST", "/auth/token", (), form)
    await anyone.get("/auth/token", basic("alice", pat))
    await anyone.get("/v2/", {"authorization": f"Bearer {pat}"})
    alice = Caller(inside, token)
    await alice("PUT", f"/v2/alice/app/manifests/latest?tag={query}", {"cookie": cookie}, body.encode())
    await alice.get(f"/search?q={query}", {"cookie": f"havre_session={cookie}"})
    await alice.get("/v2/alice/app/tags/list", {"authorization": f"Digest {hunter}"})
    written = "\n".join(log.lines())
    assert "POST /auth/token" in written
    assert [secret for secret in secrets if secret in written] == []


@pytest.mark.parametrize("style", ["text", "json"])
@pytest.mark.parametrize("path", ["/v2/a%0Aforged line", "/x%0d%0aGET", "/%1b[2J", "/%c2%9b2J", "/" + "x" * 60_000])
async def test_no_path_forges_a_line_or_fills_the_disk(anyone: Caller, log: Log, style: str, path: str):
    log.configure(style)
    await anyone.get(path)
    (line,) = log.lines()
    assert not set(line) & set("\r\x1b")
    assert len(line) < 1000
    if style == "text":
        assert line.isprintable()
