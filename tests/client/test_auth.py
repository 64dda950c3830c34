"""What registries ask for, and the tokens that answer it."""

import base64
import json
from collections.abc import Callable

import pytest

from havre.client.auth import Authenticator, Challenge, Credential, Scope, choose, parse_challenges
from havre.client.session import Session
from havre.client.transport import Answer, Transport
from havre.errors import HavreError, Unauthorized, Unavailable, WrongCredentials
from tests.support.peer_fixtures import QUICK
from tests.support.scripted import Reply, Request, Scripted

pytestmark = pytest.mark.anyio

PULL = frozenset({Scope.repository("marin/app", "pull")})
PUSH = frozenset({Scope.repository("marin/app", "pull", "push")})
ALICE = Credential("alice", "correct horse 9")


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (['Basic realm="a"'], [("basic", {"realm": "a"})]),
        (
            ['Bearer realm="https://x/token",service="s",scope="repository:a/b:pull,push"'],
            [("bearer", {"realm": "https://x/token", "service": "s", "scope": "repository:a/b:pull,push"})],
        ),
        (
            ['Bearer realm="x", error="insufficient_scope", Basic realm="y"'],
            [("bearer", {"realm": "x", "error": "insufficient_scope"}), ("basic", {"realm": "y"})],
        ),
        (['Negotiate, Basic realm="a, b"', "Bearer realm=z"], [("negotiate", {}), ("basic", {"realm": "a, b"}), ("bearer", {"realm": "z"})]),
        ([r'Basic realm="say \"hi\""'], [("basic", {"realm": 'say "hi"'})]),
        (["BEARER REALM = x"], [("bearer", {"realm": "x"})]),
        (["", "???", 'realm="lost"'], []),
    ],
)  # fmt: skip
def test_challenges_are_read(lines: list[str], expected: list[tuple[str, dict[str, str]]]) -> None:
    assert [(one.scheme, one.parameters) for one in parse_challenges(lines)] == expected


def test_a_challenge_of_endless_text_ends() -> None:
    assert len(parse_challenges(["Basic " * 100_000])) < 2000


def test_bearer_is_answered_before_basic() -> None:
    bearer, basic = Challenge("bearer", {"realm": "x"}), Challenge("basic", {})
    assert choose([basic, bearer]) is bearer
    assert choose([basic, Challenge("bearer", {})]) is basic
    assert choose([Challenge("negotiate", {})]) is None


def test_scopes() -> None:
    scope = Scope.parse("repository:localhost:5000/a:push,pull")
    assert scope == Scope("repository", "localhost:5000/a", frozenset({"pull", "push"}))
    assert str(scope) == "repository:localhost:5000/a:pull,push"
    assert scope.covers(Scope.repository("localhost:5000/a", "pull"))
    assert not scope.covers(Scope.repository("localhost:5000/a", "delete"))
    assert Scope("registry", "catalog", frozenset("*")).covers(Scope("registry", "catalog", frozenset({"search"})))
    assert Scope.parse("nonsense") is None


def test_secrets_do_not_show() -> None:
    assert "correct horse" not in repr(ALICE)
    assert "hunter2" not in repr(Credential("", "", "hunter2"))


class Gate:
    """A registry that wants tokens, and the server that gives them, both on one port."""

    def __init__(self, **token: object) -> None:
        self.token: dict[str, object] = {"token": "t1", **token}
        self.wrong = False
        self.post_status = 200
        self.refused: set[str] = set()
        self.realm = ""
        self.again = ""
        """What a refused token is told besides the realm."""

    def __call__(self, request: Request) -> Reply:
        if request.path == "/token":
            return self.give(request)
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        if not token or token in self.refused:
            realm = self.realm or f"http://{request.headers['host']}/token"
            said = f'Bearer realm="{realm}",service="hub"{self.again if token else ""}'
            return Reply(401, {"www-authenticate": said})
        return Reply(200, body=token.encode())

    def give(self, request: Request) -> Reply:
        if self.wrong:
            return Reply(401, body=b'{"errors":[{"code":"UNAUTHORIZED","message":"incorrect username or password"}]}')
        if request.method == "POST" and self.post_status != 200:
            return Reply(self.post_status)
        return Reply(200, body=json.dumps(self.token).encode())


Opened = Callable[..., Session]


def session(transport: Transport, host: str, credential: Credential | None) -> Session:
    async def given() -> Credential | None:
        return credential

    return Session(transport, host, given)


async def test_a_token_is_asked_for_with_name_and_password_and_used_again() -> None:
    async with Scripted(Gate()) as server, Transport(QUICK) as transport:
        mine = session(transport, server.host, ALICE)
        for _ in range(3):
            assert (await mine.fetch("GET", "/v2/x", PULL)).body == b"t1"
        assert [str(request) for request in server.requests[:2]] == [
            "GET /v2/",
            "GET /token?service=hub&scope=repository%3Amarin%2Fapp%3Apull&account=alice",
        ]
        asked = server.asked("GET", "/token")
        assert len(asked) == 1
        basic = "Basic " + base64.b64encode(b"alice:correct horse 9").decode()
        assert asked[0].headers["authorization"] == basic


async def test_a_wider_token_serves_narrower_wishes_and_another_scope_needs_another() -> None:
    async with Scripted(Gate()) as server, Transport(QUICK) as transport:
        mine = session(transport, server.host, None)
        await mine.fetch("GET", "/v2/x", PUSH)
        await mine.fetch("GET", "/v2/x", PULL)
        assert len(server.asked("GET", "/token")) == 1
        assert "authorization" not in server.asked("GET", "/token")[0].headers
        await mine.fetch("GET", "/v2/x", PULL | {Scope.repository("marin/other", "pull")})
        assert [text for name, text in server.asked("GET", "/token")[1].query if name == "scope"] == [
            "repository:marin/app:pull",
            "repository:marin/other:pull",
        ]


async def test_an_identity_token_goes_by_post_and_by_get_where_that_is_unknown() -> None:
    gate = Gate(token="", access_token="t2")
    async with Scripted(gate) as server, Transport(QUICK) as transport:
        holder = Credential("", "", "identity")
        assert (await session(transport, server.host, holder).fetch("GET", "/v2/x", PULL)).body == b"t2"
        [posted] = server.asked("POST", "/token")
        assert b"grant_type=refresh_token&refresh_token=identity&service=hub" in posted.body
        gate.post_status = 404
        assert (await session(transport, server.host, holder).fetch("GET", "/v2/x", PULL)).body == b"t2"
        assert server.asked("GET", "/token")[0].headers["authorization"].startswith("Basic ")


async def test_an_identity_token_is_not_sent_where_a_redirect_leads() -> None:
    async with Scripted(Gate()) as other, Transport(QUICK) as transport:

        def astray(request: Request) -> Reply:
            if request.path == "/token":
                return Reply(307, {"location": f"{other.url}/token"})
            return Gate()(request)

        async with Scripted(astray) as server:
            with pytest.raises(Unavailable, match="redirects"):
                await session(transport, server.host, Credential("", "", "identity")).fetch("GET", "/v2/x", PULL)
            assert other.requests == []


async def test_wrong_credentials_are_said_to_be_wrong() -> None:
    gate = Gate()
    gate.wrong = True
    async with Scripted(gate) as server, Transport(QUICK) as transport:
        with pytest.raises(WrongCredentials, match=f"havre login {server.host}"):
            await session(transport, server.host, ALICE).fetch("GET", "/v2/x", PULL)
        with pytest.raises(Unauthorized, match="incorrect username or password"):
            await session(transport, server.host, None).fetch("GET", "/v2/x", PULL)


async def test_a_token_refused_on_the_way_is_replaced_once() -> None:
    gate = Gate()
    async with Scripted(gate) as server, Transport(QUICK) as transport:
        mine = session(transport, server.host, ALICE)
        assert (await mine.fetch("GET", "/v2/x", PULL)).body == b"t1"
        gate.refused, gate.token = {"t1"}, {"token": "t2"}
        gate.again = ',error="insufficient_scope",scope="repository:marin/app:pull,push repository:marin/base:pull"'
        assert (await mine.fetch("GET", "/v2/x", PULL)).body == b"t2"
        assert [text for name, text in server.asked("GET", "/token")[1].query if name == "scope"] == [
            "repository:marin/app:pull",
            "repository:marin/app:pull,push",
            "repository:marin/base:pull",
        ]
        gate.refused = {"t2"}
        with pytest.raises(Unauthorized, match="you are logged in as alice, who may not do this"):
            await mine.fetch("GET", "/v2/x", PULL)
        assert len(server.asked("GET", "/token")) == 3


async def test_without_a_login_the_remedy_is_one() -> None:
    gate = Gate()
    gate.refused = {"t1"}
    async with Scripted(gate) as server, Transport(QUICK) as transport:
        with pytest.raises(Unauthorized, match=f"log in first: havre login {server.host}"):
            await session(transport, server.host, None).fetch("GET", "/v2/x", PULL)


@pytest.mark.parametrize(
    "answer", [b"", b"[]", b"no json", b'{"token": 5}', b'{"token": "a\\nb"}', b'{"token": "\\u00e9"}', b'"text"']
)
async def test_answers_that_hold_no_token_are_named(answer: bytes) -> None:
    def gate(request: Request) -> Reply:
        return Reply(200, body=answer) if request.path == "/token" else Gate()(request)

    async with Scripted(gate) as server, Transport(QUICK) as transport:
        with pytest.raises(Unavailable, match="token server"):
            await session(transport, server.host, None).fetch("GET", "/v2/x", PULL)


async def authenticator(at: str, realm: str) -> Authenticator:
    async def nobody() -> Credential | None:
        return ALICE

    found = Authenticator(Transport(QUICK), "hub.example.org", nobody)
    found.accept(Answer(401, {}, b"", (f'Bearer realm="{realm}"',), at))
    return found


@pytest.mark.parametrize(
    ("at", "realm"),
    [
        ("https://hub.example.org/v2/", "http://hub.example.org/token"),
        ("https://hub.example.org/v2/", "http://auth.example.org/token"),
        ("https://hub.example.org/v2/", "https://127.0.0.1/token"),
        ("https://hub.example.org/v2/", "https://10.0.0.7:8443/token"),
        ("https://hub.example.org/v2/", "https://169.254.169.254/latest"),
        ("https://hub.example.org/v2/", "https://localhost/token"),
        ("https://hub.example.org/v2/", "file:///etc/passwd"),
    ],
)
async def test_passwords_are_not_sent_just_anywhere(at: str, realm: str) -> None:
    with pytest.raises(HavreError, match="token server"):
        await (await authenticator(at, realm)).fetch_token(PULL)


async def test_basic_goes_to_the_registry_itself() -> None:
    def basic(request: Request) -> Reply:
        if request.headers.get("authorization") == ALICE.basic:
            return Reply(200)
        return Reply(401, {"www-authenticate": 'Basic realm="x"'})

    async with Scripted(basic) as server, Transport(QUICK) as transport:
        assert (await session(transport, server.host, ALICE).fetch("GET", "/v2/x", PULL)).status == 200
        with pytest.raises(Unauthorized):
            await session(transport, server.host, None).fetch("GET", "/v2/x", PULL)


async def test_an_unknown_scheme_is_named() -> None:
    async with (
        Scripted(lambda _: Reply(401, {"www-authenticate": "Negotiate"})) as server,
        Transport(QUICK) as transport,
    ):
        with pytest.raises(Unauthorized, match="not known here"):
            await session(transport, server.host, ALICE).fetch("GET", "/v2/x", PULL)
