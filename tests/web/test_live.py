"""A push as it happens: what is sent to who watches, and when it ends."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from typing import Any

import pytest

from havre.oci.names import RepositoryName
from havre.registry.records import Role
from havre.server.streams import MAX_PER_ACCOUNT, MAX_STREAMS
from tests.support.inprocess import HOST, InProcess
from tests.web.conftest import Visitor

pytestmark = pytest.mark.anyio

EVENTS = "/r/alice/app/-/events"


class Watcher:
    """Someone whose browser holds a stream open."""

    def __init__(self, site: InProcess, secret: str, path: str = EVENTS) -> None:
        self.site = site
        self.text = ""
        self.status = 0
        self.headers: dict[str, str] = {}
        self.ended = False
        self._gone = asyncio.Event()
        self._grown = asyncio.Condition()
        cookie = [(b"cookie", f"havre_session={secret}".encode())]
        self._scope: dict[str, Any] = {
            "type": "http",
            "http_version": "1.1",
            "method": "GET",
            "scheme": "http",
            "path": path,
            "raw_path": path.encode(),
            "query_string": b"",
            "headers": [(b"host", HOST.encode()), (b"user-agent", b"Firefox/140"), *cookie],
            "client": ("198.51.100.7", 50000),
            "server": ("127.0.0.1", 5000),
            "extensions": {},
        }
        self._asked = False

    async def _receive(self) -> dict[str, Any]:
        if not self._asked:
            self._asked = True
            return {"type": "http.request", "body": b"", "more_body": False}
        await self._gone.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Any) -> None:
        async with self._grown:
            if message["type"] == "http.response.start":
                self.status = message["status"]
                self.headers = {name.decode(): value.decode() for name, value in message["headers"]}
            else:
                self.text += message.get("body", b"").decode()
                self.ended = not message.get("more_body", False)
            self._grown.notify_all()

    @asynccontextmanager
    async def watching(self) -> AsyncIterator[Watcher]:
        task = asyncio.create_task(self.site.app(self._scope, self._receive, self._send))
        try:
            yield self
        finally:
            self._gone.set()
            async with asyncio.timeout(10):
                await task

    async def sees(self, text: str) -> None:
        """Wait until ``text`` has arrived."""
        async with asyncio.timeout(10), self._grown:
            await self._grown.wait_for(lambda: text in self.text)

    async def sees_the_end(self) -> None:
        async with asyncio.timeout(20), self._grown:
            await self._grown.wait_for(lambda: self.ended)


async def session_of(site: InProcess, name: str) -> str:
    user_id = (await site.actor(name)).user_id
    assert user_id is not None
    return await site.app.sessions.open(user_id, "198.51.100.7", "Firefox/140")


async def test_an_upload_grows_and_a_tag_arrives(stocked: InProcess) -> None:
    caller = await stocked.caller("alice", "alice/app")
    async with Watcher(stocked, await session_of(stocked, "alice")).watching() as seen:
        await seen.sees("retry: 3000")
        assert (seen.status, seen.headers["content-type"]) == (200, "text/event-stream; charset=utf-8")
        assert (seen.headers["x-accel-buffering"], "content-length" in seen.headers) == ("no", False)
        location = await caller.start_upload("alice/app")
        await seen.sees("event: uploads")
        await seen.sees("A push is under way.")
        await caller("PATCH", location, (), b"x" * 1_234_000)
        await seen.sees("1.23\u00a0MB")
        await caller("DELETE", location)
        await caller.push_image("alice/app", "9.9", seed="new")
        await seen.sees("9.9 has arrived.")
        await seen.sees('data-copy="docker pull hub.example.org:5000/alice/app:9.9"')
    assert stocked.app.streams.number == 0


async def test_bytes_are_seen_while_they_come(stocked: InProcess) -> None:
    app, name = stocked.app, RepositoryName("alice/app")
    upload = await app.uploads.start(name, (await stocked.actor("alice")).user_id)
    repository = await app.repositories.get(name)
    halfway, go_on, more = asyncio.Event(), asyncio.Event(), itertools.count()

    async def body() -> AsyncIterator[bytes]:
        yield b"x" * 3_000_000
        while app.uploads.arriving().get(upload.id, 0) < 3_000_000:  # what is hashed counts, and a thread hashes
            next(more)
            yield b"y"
        halfway.set()
        await go_on.wait()

    sending = asyncio.create_task(app.uploads.append(upload, body()))
    await halfway.wait()
    (one,) = (await app.watching.look(repository, None)).uploads
    assert one.size >= 3_000_000
    assert (await app.uploads.get(name, upload.id)).size == 0, "nothing is acknowledged yet"
    # What another worker sees is what this one reported.
    await app.uploads.report()
    (row,) = await app.database.read(lambda rows: rows.live.uploads(name, 10))
    assert row.size >= 3_000_000
    go_on.set()
    assert (await sending).size == 3_000_000 + next(more)
    assert app.uploads.arriving() == {}
    await app.uploads.report()


async def test_who_may_not_push_any_more_sees_no_more(stocked: InProcess) -> None:
    secret = await session_of(stocked, "alice")
    async with Watcher(stocked, secret).watching() as seen:
        await seen.sees("retry")
        found = await stocked.app.sessions.resolve(secret)
        assert found is not None
        await stocked.app.accounts.disable("alice")
        await seen.sees_the_end()


async def test_it_ends_when_the_server_stops(stocked: InProcess) -> None:
    async with Watcher(stocked, await session_of(stocked, "alice")).watching() as seen:
        await seen.sees("retry")
        stocked.app.wind_down()
        await seen.sees_the_end()


async def test_windows_are_bounded(stocked: InProcess) -> None:
    alice = (await stocked.actor("alice")).user_id
    assert alice is not None
    secret = await session_of(stocked, "alice")
    watchers = [Watcher(stocked, secret) for _ in range(MAX_PER_ACCOUNT)]
    tasks = []
    for one in watchers:
        context = one.watching()
        tasks.append(context)
        await context.__aenter__()
        await one.sees("retry")
    async with Watcher(stocked, await session_of(stocked, "carol")).watching() as other:
        await other.sees("retry")
        async with Watcher(stocked, secret).watching() as newest:
            await newest.sees("retry")
            await watchers[0].sees_the_end()
            assert "event: enough" in watchers[0].text
            assert stocked.app.streams.number == MAX_PER_ACCOUNT + 1
            assert not any(one.ended for one in (newest, other, *watchers[1:]))
    for context in tasks:
        await context.__aexit__(None, None, None)
    assert stocked.app.streams.number == 0


async def test_a_full_worker_refuses(stocked: InProcess) -> None:
    with ExitStack() as others:
        for number in range(MAX_STREAMS):
            others.enter_context(stocked.app.streams.one(number))
        async with Watcher(stocked, await session_of(stocked, "alice")).watching() as refused:
            await refused.sees_the_end()
            assert (refused.status, refused.headers["retry-after"]) == (429, "30")
    assert stocked.app.streams.number == 0


async def test_who_may_push_watches_on_the_repository_s_own_page(stocked: InProcess) -> None:
    async def watches(name: str) -> bool:
        someone = Visitor(stocked.app)
        reply = await (await someone.sign_in(name) if name else someone).get("/r/alice/app")
        assert reply.status_code == 200
        return f'data-live="{EVENTS}"' in reply.text

    assert [await watches(name) for name in ("", "alice", "bobby")] == [False, True, False]
    for role, wanted in ((Role.READ, False), (Role.WRITE, True)):
        await stocked.app.collaborators.put(RepositoryName("alice/app"), "bobby", role)
        assert await watches("bobby") is wanted
