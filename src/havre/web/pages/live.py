"""A push as it happens: server-sent events (HTML standard, section 9.2) with the pieces of the page that change."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Hashable
from typing import TYPE_CHECKING

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from havre.access.actors import Action
from havre.access.permissions import stand
from havre.errors import HavreError
from havre.registry.records import TagEvent
from havre.web import security
from havre.web.contexts import RepositoryHead
from havre.web.contexts.live import LiveTags, LiveUploads
from havre.web.pages.tags import rows_of
from havre.web.templating import render
from havre.web.visit import Visit

if TYPE_CHECKING:
    from havre.metadata.rows import Rows

LOOK_SECONDS = 0.5
"""Between two looks at whether anything changed."""

CHECK_SECONDS = 5.0
"""Between two looks at whether the visitor is still signed in and may still push."""

HEARTBEAT_SECONDS = 5.0
"""Without news, this often a comment goes out: proxies close what is silent, and that someone left shows in writing."""

LATEST = 5
"""Tags that are sent when one moved."""


async def stream(visit: Visit) -> Response:
    """``…/-/events``: events ``uploads`` and ``tags``, whose data is HTML, and ``say``, whose data is to be read out.

    Raises TooManyRequests when too many windows watch.
    """
    visit.app.streams.check()
    return EventStream(visit)


class EventStream(Response):
    """An answer that goes on until the visitor leaves, may no longer push, or the server stops."""

    media_type = "text/event-stream"

    def __init__(self, visit: Visit) -> None:
        super().__init__(headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
        del self.headers["content-length"]
        self._visit = visit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send events as they come."""
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        if scope["method"] != "HEAD":
            sending = asyncio.create_task(self._send_all(send))
            leaving = asyncio.create_task(_left(receive))
            try:
                await asyncio.wait({sending, leaving}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for task in (sending, leaving):
                    task.cancel()
                ended = await asyncio.gather(sending, leaving, return_exceptions=True)
            if leaving.done() and not leaving.cancelled():
                return
            if isinstance(ended[0], Exception) and not isinstance(ended[0], (HavreError, OSError)):
                raise ended[0]
        with contextlib.suppress(OSError, HavreError):
            await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _send_all(self, send: Send) -> None:
        with self._visit.app.streams.one(self._visit.user_id) as ending:
            async for message in messages(self._visit, ending):
                await send({"type": "http.response.body", "body": message, "more_body": True})


async def messages(visit: Visit, ending: asyncio.Event) -> AsyncIterator[bytes]:
    """What is sent: at once what is in flight, then whatever changes; until ``ending`` is set."""
    app, repository, loop = visit.app, visit.shown, asyncio.get_running_loop()
    yield b"retry: 3000\n\n"
    last: int | None = None
    version: Hashable = None
    shown, in_flight = "", 0
    checked = spoken = loop.time()
    while True:
        present = await app.database.version()
        if present != version or app.uploads.arriving():
            version = present
            sight = await app.watching.look(repository, last)
            last = sight.last
            html = render("live_uploads.html", visit.site(), LiveUploads(sight.uploads)) if sight.uploads else ""
            if html != shown:
                shown, spoken = html, loop.time()
                yield event("uploads", html)
            if len(sight.uploads) > 0 and not in_flight:
                yield event("say", visit.text("A push is under way."))
            in_flight = len(sight.uploads)
            if sight.moves:
                spoken = loop.time()
                yield event("tags", await _tags(visit))
                yield event("say", _told(visit, sight.moves[0]))
        if loop.time() - spoken >= HEARTBEAT_SECONDS:
            spoken = loop.time()
            yield b":\n\n"
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(app.stopping.wait(), LOOK_SECONDS)
            return
        if ending.is_set():
            # Told, so that the window does not come back by itself and push out the next.
            yield event("enough", "")
            return
        if loop.time() - checked >= CHECK_SECONDS:
            checked = loop.time()
            if not await _still_may(visit):
                return


def event(name: str, text: str) -> bytes:
    """One event as it goes over the wire."""
    lines = "\n".join(f"data: {line}" for line in text.splitlines() or [""])
    return f"event: {name}\n{lines}\n\n".encode()


async def _tags(visit: Visit) -> str:
    found = await visit.app.tags.page(visit.shown, per_page=LATEST)
    head = RepositoryHead(visit.shown, visit.may_manage, "general")
    return render("live_tags.html", visit.site(), LiveTags(head, rows_of(found.items)))


def _told(visit: Visit, newest: TagEvent) -> str:
    if newest.after is None:
        return visit.text("A tag was deleted.")
    return visit.text("%(tag)s has arrived.", tag=newest.tag)


async def _still_may(visit: Visit) -> bool:
    """Is the visitor still signed in, and may they still push here?"""
    secret = security.session_secret(visit.request, secure=visit.secure)
    found = await visit.app.sessions.resolve(secret) if secret else None
    if found is None:
        return False
    actor = found[0]

    def work(rows: Rows) -> bool:
        standing = stand(rows, actor, visit.shown.name)
        return standing.repository is not None and Action.PUSH in standing.actions

    return await visit.app.database.read(work)


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
