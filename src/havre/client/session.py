"""Session: requests to one registry, with its address found, its challenges answered and its errors named.

The first request is preceded by ``GET /v2/`` without credentials, as every client does: it tells whether the registry
speaks TLS, and which challenge to answer from then on.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace

import httpx

from havre.client.auth import Authenticator, Credential, Scope, Scopes, parse_challenges
from havre.client.failures import failure
from havre.client.references import api_host
from havre.client.transport import MAX_DOCUMENT, Answer, BodyFactory, Transport, origin, read_answer
from havre.errors import HavreError, Unauthorized, Unavailable

NO_SCOPES: Scopes = frozenset()


class Session:
    """A registry as this client talks to it. ``registry`` is its name, such as ``docker.io`` or ``localhost:5000``."""

    def __init__(
        self, transport: Transport, registry: str, credentials: Callable[[], Awaitable[Credential | None]]
    ) -> None:
        self.registry = registry
        self.transport = transport
        self.auth = Authenticator(transport, registry, credentials)
        self._base: httpx.URL | None = None
        self._connecting = asyncio.Lock()

    async def connect(self) -> httpx.URL:
        """Find the registry, and what it asks for. Raises Unavailable when nothing there speaks the registry API."""
        async with self._connecting:
            if self._base is None:
                self._base = await self._find()
            return self._base

    @asynccontextmanager
    async def open(
        self,
        method: str,
        path: str,
        scopes: Scopes,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | BodyFactory | None = None,
        attempts: int | None = None,
        bulk: bool = False,
    ) -> AsyncIterator[httpx.Response]:
        """Send to ``path``, which is an absolute path or an address that the registry gave.

        ``bulk`` as for `Transport.open`. A 401 is answered once with another token; the next one is the caller's to read.
        """
        base = await self.connect()
        url = base.join(path)
        if (url.scheme, base.scheme) == ("http", "https") and url.netloc == base.netloc:
            # A registry behind a TLS proxy may not know how it was reached.
            url = url.copy_with(scheme="https")
        wanted = scopes
        for again in (True, False):
            sent = dict(headers or {})
            # An upload may go on at another host: it has its own key in the address, and ours is none of its business.
            authorization = await self.auth.header(wanted) if origin(url) == origin(base) else ""
            if authorization:
                sent["authorization"] = authorization
            async with self.transport.open(
                method, str(url), headers=sent, body=body, attempts=attempts, bulk=bulk
            ) as response:
                if response.status_code != 401 or not again or origin(response.url) != origin(base):
                    yield response
                    return
                answer = await read_answer(response)
            wanted = self._rechallenged(answer, wanted, authorization)

    async def fetch(
        self,
        method: str,
        path: str,
        scopes: Scopes = NO_SCOPES,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        ok: tuple[int, ...] = (200,),
        doing: str = "",
    ) -> Answer:
        """Send and read the whole answer. Raises the registry's error unless the status is one of ``ok``.

        ``doing`` tells the person what failed, for instance ``marin/app:1``.
        """
        answer = await self.exchange(method, path, scopes, headers=headers, body=body)
        if answer.status not in ok:
            raise await self.failure(answer, doing)
        return answer

    async def exchange(
        self,
        method: str,
        path: str,
        scopes: Scopes = NO_SCOPES,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        limit: int = MAX_DOCUMENT,
    ) -> Answer:
        """Send and read the whole answer, whatever its status; sent again when the answer breaks off.

        Raises TooLarge for more than ``limit`` bytes.
        """
        settings = self.transport.settings
        for left in reversed(range(settings.attempts)):
            async with self.open(method, path, scopes, headers=headers, body=body) as response:
                try:
                    return await read_answer(response, limit)
                except Unavailable:
                    if not left:
                        raise
            await asyncio.sleep(settings.first_pause)
        raise AssertionError

    async def failure(self, answer: Answer, doing: str = "") -> HavreError:
        """The error that an answer stands for, with the remedy where it is a login."""
        where = f"{self.registry}: {doing}" if doing else self.registry
        error = failure(answer.status, answer.headers, answer.body, where)
        if isinstance(error, Unauthorized):
            who = await self.auth.credential()
            error.message += (
                f"; you are logged in as {who.username or 'the holder of an identity token'}, who may not do this"
                if who
                else f"; log in first: havre login {self.registry}"
            )
            error.args = (error.message,)
        return error

    def _rechallenged(self, answer: Answer, scopes: Scopes, refused: str) -> Scopes:
        """Learn from a 401: forget what was refused, and widen the scopes to what is asked for now."""
        if refused:
            self.auth.refuse(refused)
        challenges = parse_challenges(answer.all_challenges)
        if not challenges:
            return scopes
        self.auth.accept(replace(answer, url=str(self._base)))
        asked = {
            scope
            for challenge in challenges
            for text in challenge.parameters.get("scope", "").split()
            if (scope := Scope.parse(text))
        }
        return scopes | frozenset(asked)

    async def _find(self) -> httpx.URL:
        host = api_host(self.registry)
        schemes = ("https", "http") if self.transport.trusts_blindly(host) else ("https",)
        problem: HavreError = Unavailable(f"cannot reach {host}")
        for scheme in schemes:
            base = httpx.URL(f"{scheme}://{host}/")
            try:
                answer = await self.transport.fetch("GET", str(base.join("/v2/")), attempts=1)
            except Unavailable as error:
                problem = error
                continue
            return await self._greeted(base, answer)
        if len(schemes) == 1 and "wrong version number" in problem.message.lower().replace("_", " "):
            problem = Unavailable(f"{host} does not speak TLS; if that is meant, allow plain HTTP with --insecure")
        raise problem

    async def _greeted(self, base: httpx.URL, answer: Answer) -> httpx.URL:
        if answer.status not in {200, 401}:
            # Overloaded for the moment: now with pauses and further tries.
            answer = await self.transport.fetch("GET", str(base.join("/v2/")))
        if answer.status == 401:
            # A registry may greet under another name (a redirect): the challenge counts for the one asked.
            self.auth.accept(answer)
            return base
        if answer.status == 200:
            return base
        error = failure(answer.status, answer.headers, answer.body, self.registry)
        if answer.status == 404:
            raise Unavailable(f"{self.registry} is no container registry: it answers 404 to GET /v2/")
        raise error
