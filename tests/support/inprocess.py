"""Havre in the test's own process: the real application on a real database and real files, and callers that speak
ASGI to it byte for byte: several lines of one header, bodies in pieces, a client that leaves in the middle.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import shutil
import sqlite3
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path
from tempfile import mkdtemp
from typing import Any, Self
from urllib.parse import unquote_to_bytes

import orjson
from argon2 import PasswordHasher

from havre.access.accounts import Accounts
from havre.access.actors import ANONYMOUS, Actor
from havre.access.passwords import Passwords
from havre.access.scopes import parse_scopes
from havre.config import load
from havre.metadata.migrations import upgrade
from havre.server.app import App, create_app
from havre.server.auth.token import _grant
from tests.support import documents

PASSWORD = "correct horse 9"
PEOPLE = {"alice": False, "bobby": False, "carol": True}
"""Who has an account, and whether they administer."""

HOST = "hub.example.org:5000"
DATABASE = "havre.db"
OCTETS = ("content-type", "application/octet-stream")

Body = bytes | Sequence[bytes]
Headers = Mapping[str, str] | Iterable[tuple[str, str]]


class TestClock:
    """The application's clock, which a test moves on."""

    __test__ = False

    def __init__(self) -> None:
        self.now = time.time_ns() // 1_000_000

    def __call__(self) -> int:
        return self.now

    def forward(self, *, seconds: float = 0, hours: float = 0) -> None:
        self.now += int((seconds + hours * 3600) * 1000)


@dataclass(frozen=True)
class Reply:
    """An answer as it was sent."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes
    file: str = ""

    def __getitem__(self, name: str) -> str:
        """A header that was sent exactly once."""
        (value,) = self.all(name)
        return value

    def __contains__(self, name: str) -> bool:
        return bool(self.all(name))

    def all(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key == name]

    def json(self) -> Any:
        return orjson.loads(self.body)

    @property
    def code(self) -> str:
        """The error's code, of the one error that the body holds."""
        (error,) = self.json()["errors"]
        return str(error["code"])

    @property
    def message(self) -> str:
        return str(self.json()["errors"][0]["message"])


@cache
def _template() -> Path:
    """A data folder with the schema and the people in it, made once."""
    folder = Path(mkdtemp(prefix="havre-test-"))
    upgrade(load({"data": str(folder)}).database_url)

    async def settle() -> None:
        app = create_app(load({"data": str(folder)}))
        await app.start()
        accounts = cheap_accounts(app)
        for name, is_admin in PEOPLE.items():
            await accounts.create(name, f"{name}@example.org", PASSWORD, is_admin=is_admin)
        await app.stop()

    asyncio.run(settle())
    return folder


def prepare() -> None:
    """Make what all of them start from. Call it outside of a running loop."""
    _template()


def data_with_people(folder: Path) -> None:
    """Make a data folder with the schema and the people in it."""
    shutil.copytree(_template(), folder)


def cheap_accounts(app: App) -> Accounts:
    """Accounts whose passwords are hashed by argon2id all the same, at a cost that suits many logins."""
    passwords = Passwords(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
    return Accounts(app.database, passwords, app.clock)


class InProcess:
    """One Havre. ``settings`` are those of the configuration; used as an asynchronous context manager."""

    def __init__(self, folder: Path, **settings: str) -> None:
        self.data = folder / "data"
        data_with_people(self.data)
        self.clock = TestClock()
        self.config = load({"data": str(self.data), **settings})
        self.app: App = create_app(self.config, clock=self.clock)

    async def __aenter__(self) -> Self:
        await self.app.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.app.stop()

    async def actor(self, name: str) -> Actor:
        user = await self.app.accounts.by_name(name)
        assert user is not None, f"nobody is called {name}"
        return Actor(user.id, user.name, user.is_admin)

    async def token(self, name: str, *scopes: str) -> str:
        """What the token endpoint would give this person (nobody, for an empty name) for these scopes."""
        actor = await self.actor(name) if name else ANONYMOUS
        return self.app.bearer.mint(actor, await _grant(self.app, actor, parse_scopes(scopes)), self.clock())

    async def caller(self, name: str, *repositories: str) -> Caller:
        """Someone with a token for everything that they may do in these repositories."""
        return Caller(self, await self.token(name, *(f"repository:{one}:pull,push,delete" for one in repositories)))

    def snapshot(self) -> dict[str, object]:
        """All rows, and all files but the database's own: what must be the same after a request that failed."""
        kept: dict[str, Any] = {
            str(path.relative_to(self.data)): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(self.data.rglob("*"))
            if path.is_file() and not path.name.startswith(DATABASE)
        }
        connection = sqlite3.connect(self.data / DATABASE)
        try:
            tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
            kept |= {f"table {name}": sorted(map(repr, connection.execute(f"SELECT * FROM {name}"))) for name in tables}
            # A figure of the whole registry, which is counted anew every ten minutes, whoever asks for what.
            settings = [row for row in kept["table settings"] if not row.startswith("('content_count',")]
            kept["table settings"] = settings
        finally:
            connection.close()
        return kept

    def files(self, folder: str) -> list[Path]:
        """Every file below a folder of the data."""
        return [path for path in (self.data / folder).rglob("*") if path.is_file()]


class Caller:
    """Someone who sends requests, always with the same token (none, if it is empty)."""

    def __init__(self, havre: InProcess, token: str = "", client: str = "198.51.100.7") -> None:
        self.havre = havre
        self.token = token
        self.client = client

    async def __call__(
        self, method: str, target: str, headers: Headers = (), body: Body = b"", *, leave: bool = False, **scope: object
    ) -> Reply:
        """Send a request. A body of bytes has its length announced, one of pieces is sent in chunks; with ``leave``
        the client goes away after its last piece. ``scope`` replaces parts of the ASGI scope.
        """
        given = [(key.lower(), value) for key, value in (headers.items() if isinstance(headers, Mapping) else headers)]
        names = {key for key, _ in given}
        if "host" not in names:
            given.insert(0, ("host", HOST))
        if self.token and "authorization" not in names:
            given.append(("authorization", f"Bearer {self.token}"))
        if not names & {"content-length", "transfer-encoding"}:
            if not isinstance(body, bytes):
                given.append(("transfer-encoding", "chunked"))
            elif body or method in {"POST", "PUT", "PATCH"}:
                given.append(("content-length", str(len(body))))
        path, _, query = target.partition("?")
        complete = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": unquote_to_bytes(path).decode(errors="replace"),
            "raw_path": path.encode("latin-1"),
            "query_string": query.encode("latin-1"),
            "root_path": "",
            "headers": [(key.encode("latin-1"), value.encode("latin-1")) for key, value in given],
            "client": (self.client, 50000),
            "server": ("127.0.0.1", 5000),
            "extensions": {},
            **scope,
        }
        return await self._exchange(complete, [body] if isinstance(body, bytes) else list(body), leave)

    async def _exchange(self, scope: dict[str, Any], pieces: list[bytes], leave: bool) -> Reply:
        incoming = [{"type": "http.request", "body": piece, "more_body": True} for piece in pieces]
        if not leave:
            incoming.append({"type": "http.request", "body": b"", "more_body": False})
        sent: list[dict[str, Any]] = []

        async def receive() -> dict[str, Any]:
            return incoming.pop(0) if incoming else {"type": "http.disconnect"}

        async def send(message: dict[str, Any]) -> None:
            sent.append(message)

        await self.havre.app(scope, receive, send)
        start, *rest = sent
        assert start["type"] == "http.response.start"
        assert not any(one.get("more_body") for one in rest[-1:]), "the answer does not end"
        return Reply(
            start["status"],
            tuple((key.decode("latin-1").lower(), value.decode("latin-1")) for key, value in start["headers"]),
            b"".join(one.get("body", b"") for one in rest),
            next((one["path"] for one in rest if one["type"] == "http.response.pathsend"), ""),
        )

    async def get(self, target: str, headers: Headers = (), **more: Any) -> Reply:
        return await self("GET", target, headers, **more)

    async def head(self, target: str, headers: Headers = ()) -> Reply:
        return await self("HEAD", target, headers)

    async def delete(self, target: str) -> Reply:
        return await self("DELETE", target)

    async def start_upload(self, repository: str, query: str = "") -> str:
        """Begin an upload; returns its location."""
        reply = await self("POST", f"/v2/{repository}/blobs/uploads/{query}")
        assert reply.status == 202, reply
        return reply["location"]

    async def push_blob(self, repository: str, content: bytes, algorithm: str = "sha256") -> str:
        """Push a blob in one request; returns its digest."""
        digest = documents.digest_of(content, algorithm)
        reply = await self("POST", f"/v2/{repository}/blobs/uploads/?digest={digest}", [OCTETS], content)
        assert reply.status == 201, reply
        return digest

    async def push_manifest(
        self, repository: str, reference: str, content: bytes, media_type: str = documents.OCI_MANIFEST
    ) -> Reply:
        """Push a manifest, whatever the answer is."""
        return await self("PUT", f"/v2/{repository}/manifests/{reference}", {"content-type": media_type}, content)

    async def push_image(self, repository: str, *tags: str, seed: str = "") -> documents.Image:
        """Push a small image with two layers, under its digest and these tags."""
        image = documents.image(seed or repository)
        for blob in image.blobs:
            await self.push_blob(repository, blob)
        for reference in (image.digest, *tags):
            reply = await self.push_manifest(repository, reference, image.content)
            assert reply.status == 201, reply
        return image


async def until(condition: Callable[[], bool], seconds: float = 20) -> None:
    """Wait for something that other tasks bring about; raises TimeoutError."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - files and rows tell nobody when they change
            await asyncio.sleep(0.005)


def basic(name: str, secret: str) -> dict[str, str]:
    """The Authorization header of a name and a password."""
    return {"authorization": "Basic " + base64.b64encode(f"{name}:{secret}".encode()).decode()}


def in_byte_order(names: Sequence[str]) -> bool:
    return all(one.encode() < other.encode() for one, other in pairwise(names))
