"""Uploads: one blob into a registry (distribution specification, section "Pushing blobs").

A blob is mounted when another repository of the registry has it; else it is sent in one streamed PATCH and closed by
a PUT with its digest. When the connection breaks, the registry is asked how far it got, and the rest follows. Small
blobs travel in the PUT itself.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from contextlib import AsyncExitStack, aclosing, suppress
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import urlencode

import httpx

from havre.client.auth import Scope, Scopes
from havre.client.session import Session
from havre.client.transport import Answer, read_answer
from havre.client.verify import Pieces
from havre.errors import (
    DigestInvalid,
    HavreError,
    TooLarge,
    TooManyRequests,
    Unavailable,
    UploadInvalid,
    UploadRangeInvalid,
    UploadUnknown,
)
from havre.oci import mediatypes
from havre.oci.descriptor import Descriptor

Opener = Callable[[int], Pieces]
"""Opens the content at an offset, as often as needed."""

SMALL = 256 * 1024
"""Bytes up to which a blob travels with the request that closes its upload."""

LARGEST_CHUNK = 32 * 1024 * 1024
SMALLEST_CHUNK = 512 * 1024
"""Bytes of one request after a proxy on the way has refused a larger one (413): less each time, down to this."""

_ROUNDS = 4
"""Uploads begun anew for one blob: a registry may forget an upload, and a resumed one may turn out damaged."""


class Moved(StrEnum):
    """How a blob got where it is."""

    EXISTS = "exists"
    MOUNTED = "mounted"
    DONE = "done"


async def push_blob(
    session: Session, path: str, scopes: Scopes, descriptor: Descriptor, opener: Opener, origin: str = ""
) -> Moved:
    """Bring a blob into the repository ``path``. ``origin`` is a path in the same registry that may have it.

    Raises the registry's error, or what ``opener`` raises.
    """
    location = ""
    if origin and origin != path:
        location = await _mount(session, path, scopes, descriptor, origin)
        if not location:
            return Moved.MOUNTED
    for rounds in range(_ROUNDS):
        upload = _Upload(session, path, scopes, descriptor, location or await _begin(session, path, scopes, descriptor))
        location = ""
        try:
            await upload.send(opener)
        except (UploadUnknown, UploadRangeInvalid, DigestInvalid) as error:
            # Only an upload that was interrupted may be damaged without anyone's fault.
            if rounds + 1 == _ROUNDS or not (upload.interrupted or isinstance(error, UploadUnknown)):
                await upload.cancel()
                raise
            await upload.cancel()
        except BaseException:
            await upload.cancel()
            raise
        else:
            return Moved.DONE
    raise Unavailable(f"{session.registry} lost the upload of {descriptor.digest} {_ROUNDS} times")


async def _begin(session: Session, path: str, scopes: Scopes, descriptor: Descriptor) -> str:
    algorithm = descriptor.digest.algorithm
    query = "" if algorithm == "sha256" else f"?digest-algorithm={algorithm}"
    answer = await session.fetch(
        "POST", f"/v2/{path}/blobs/uploads/{query}", scopes, body=b"", ok=(202,), doing=f"pushing to {path}"
    )
    return _location(session, answer)


async def _mount(session: Session, path: str, scopes: Scopes, descriptor: Descriptor, origin: str) -> str:
    """Try to mount: empty when the blob is there now, else where an upload has begun instead."""
    query = urlencode({"mount": descriptor.digest, "from": origin})
    wider = scopes | {Scope.repository(origin, "pull")}
    answer = await session.exchange("POST", f"/v2/{path}/blobs/uploads/?{query}", wider, body=b"")
    if answer.status == 201:
        return ""
    if answer.status == 202:
        return _location(session, answer)
    return await _begin(session, path, scopes, descriptor)


def _location(session: Session, answer: Answer, before: str = "") -> str:
    location = answer.headers.get("location", "") or before
    if not location:
        raise Unavailable(f"{session.registry} began an upload but did not say where it goes on")
    return str(httpx.URL(answer.url).join(location)) if answer.url else location


@dataclass
class _Upload:
    """One upload session, from its first byte to its digest."""

    session: Session
    path: str
    scopes: Scopes
    descriptor: Descriptor
    location: str
    offset: int = 0
    chunk: int = 0
    """Bytes of one request at most; 0 for all in one."""
    interrupted: bool = False

    async def send(self, opener: Opener) -> None:
        if self.descriptor.size <= SMALL:
            async with aclosing(opener(0)) as pieces:
                content = b"".join([piece async for piece in pieces])
            await self._close(content)
            return
        fruitless = 0
        while self.offset < self.descriptor.size:
            start = self.offset
            try:
                await self._patch(opener)
            except TooLarge:
                if self.chunk == SMALLEST_CHUNK:
                    raise
                self.chunk = max(self.chunk // 8, SMALLEST_CHUNK) if self.chunk else LARGEST_CHUNK
                if start:
                    await self._ask()
            except (TooManyRequests, UploadRangeInvalid) as error:
                self.interrupted = True
                fruitless = 0 if self.offset > start else fruitless + 1
                settings = self.session.transport.settings
                asked = 0 if isinstance(error, Unavailable | UploadRangeInvalid) else error.retry_after
                if fruitless >= settings.attempts or asked > settings.longest_pause:
                    raise
                await asyncio.sleep(max(asked, min(settings.first_pause * 3**fruitless, settings.longest_pause)))
                await self._ask()
                fruitless = 0 if self.offset > start else fruitless
        await self._close(b"")

    async def cancel(self) -> None:
        """Tell the registry that nothing more will come, if it still listens."""
        with suppress(HavreError, httpx.HTTPError, TimeoutError):
            async with (
                asyncio.timeout(5),
                self.session.open("DELETE", self.location, self.scopes, attempts=1) as response,
            ):
                await read_answer(response)

    async def _patch(self, opener: Opener) -> None:
        """Send from the offset on, up to the chunk's length, and learn how far the registry is."""
        start = self.offset
        stop = min(start + self.chunk, self.descriptor.size) if self.chunk else self.descriptor.size
        headers = {"content-type": mediatypes.OCTET_STREAM, "content-length": str(stop - start)}
        if start or self.chunk:
            headers["content-range"] = f"{start}-{stop - 1}"
        async with AsyncExitStack() as streams:

            def body() -> Pieces:
                part = _part(opener, start, stop)
                streams.push_async_callback(part.aclose)
                return part

            response = await streams.enter_async_context(
                self.session.open("PATCH", self.location, self.scopes, headers=headers, body=body)
            )
            answer = await read_answer(response)
        if answer.status not in {202, 201, 204}:
            raise await self.session.failure(answer, f"pushing {self.descriptor.digest} to {self.path}")
        self.location = _location(self.session, answer, self.location)
        self.offset = _received(answer, stop)
        if self.offset > stop:
            raise UploadInvalid(f"{self.session.registry} says it has more of {self.descriptor.digest} than was sent")

    async def _ask(self) -> None:
        """How much of it is there? Raises UploadUnknown when the registry has forgotten."""
        answer = await self.session.exchange("GET", self.location, self.scopes)
        if answer.status not in {204, 200, 202}:
            error = await self.session.failure(answer, f"resuming {self.descriptor.digest}")
            raise UploadUnknown(error.message) from error
        self.location = _location(self.session, answer, self.location)
        if answer.headers.get("range", "") in {"0-0", "bytes=0-0"}:
            # What registries say for one byte and for none: not worth to find out which.
            raise UploadUnknown(f"{self.session.registry} has nothing yet of {self.descriptor.digest}")
        self.offset = min(_received(answer, 0), self.descriptor.size)

    async def _close(self, content: bytes) -> None:
        separator = "&" if "?" in self.location else "?"
        address = f"{self.location}{separator}{urlencode({'digest': self.descriptor.digest})}"
        headers = {"content-type": mediatypes.OCTET_STREAM}
        try:
            answer = await self.session.exchange("PUT", address, self.scopes, headers=headers, body=content)
        except Unavailable:
            if await self._arrived():
                return
            raise
        if answer.status in {201, 204, 200}:
            stored = answer.headers.get("docker-content-digest", self.descriptor.digest)
            if stored != self.descriptor.digest and not await self._arrived():
                raise DigestInvalid(f"{self.session.registry} stored {self.descriptor.digest} as {stored[:140]}")
            return
        error = await self.session.failure(answer, f"pushing {self.descriptor.digest} to {self.path}")
        # A first answer may have got lost on the way: what counts is whether the blob is there.
        if answer.status in {404, 416, 409} and await self._arrived():
            return
        raise error

    async def _arrived(self) -> bool:
        address = f"/v2/{self.path}/blobs/{self.descriptor.digest}"
        async with self.session.open("HEAD", address, self.scopes) as response:
            return response.status_code == 200


async def _part(opener: Opener, start: int, stop: int) -> Pieces:
    """The bytes from ``start`` up to ``stop``."""
    left = stop - start
    async with aclosing(opener(start)) as pieces:
        async for piece in pieces:
            yield piece[:left]
            left -= len(piece)
            if left <= 0:
                return


def _received(answer: Answer, otherwise: int) -> int:
    """Bytes that the registry has, by its Range header. ``0-0`` is what registries say for none."""
    found = re.fullmatch(r"(?:bytes=)?0-([0-9]{1,18})", answer.headers.get("range", "").strip())
    if not found:
        return otherwise
    return int(found[1]) + 1 if found[1] != "0" else 0
