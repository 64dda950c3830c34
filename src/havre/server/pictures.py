"""Pictures in overviews: fetched by this server, kept for a while, and shown from its own address.

Browsers of visitors ask nobody else, so nobody learns who reads what. Addresses are signed: only pictures that some
overview shows are fetched, so this is no proxy for everyone. What comes is served only if its first bytes are those of
a picture that can not run anything; SVG, which can, is not.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import hmac
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote

from havre.errors import HavreError, NameUnknown, Unavailable, Unreachable
from havre.server.outbound import Outbound

if TYPE_CHECKING:
    from havre.metadata.engine import Database
    from havre.storage.pictures import PictureFiles

PATH = "/pictures/"

MAX_PICTURE = 5 * 1024 * 1024
"""Bytes of one picture."""

FRESH = 24 * 3600
"""Seconds for which a picture is shown without asking again."""

FAILED = 300
"""Seconds for which one that failed is not asked for again."""

MAX_FETCHES = 8
"""Pictures that one worker fetches at once."""

MAX_WAITING = 64
MAX_FAILURES = 2000
_KEY = "picture_key"
_SIGNATURE = 22

ACCEPT = "image/avif,image/webp,image/png,image/jpeg,image/gif;q=0.9"

_SIGNS = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
)


def media_type(content: bytes) -> str:
    """What kind of picture it is by its first bytes; empty if it is none of ours."""
    for sign, kind in _SIGNS:
        if content.startswith(sign):
            return kind
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return "image/webp"
    return "image/avif" if content[4:12] in {b"ftypavif", b"ftypavis"} else ""


@dataclass(frozen=True, slots=True)
class Addresses:
    """Makes the address under which a picture is shown; two with the same key are the same."""

    key: bytes

    def of(self, url: str) -> str:
        """A path of this server that stands for the picture at ``url``."""
        encoded = base64.urlsafe_b64encode(url.encode(errors="replace")).decode().rstrip("=")
        return f"{PATH}{self.sign(encoded)}/{quote(encoded)}"

    def sign(self, encoded: str) -> str:
        """The signature of an encoded address."""
        mac = hmac.digest(self.key, encoded.encode(), hashlib.sha256)
        return base64.urlsafe_b64encode(mac).decode()[:_SIGNATURE]

    def read(self, signature: str, encoded: str) -> str:
        """The address that was signed; raises NameUnknown."""
        if not hmac.compare_digest(self.sign(encoded).encode(), signature.encode(errors="replace")):
            raise NameUnknown("there is no such picture")
        try:
            return base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)).decode()
        except (binascii.Error, ValueError) as error:
            raise NameUnknown("there is no such picture") from error


class Pictures:
    """Fetches pictures and keeps them. One per worker; the files are shared."""

    def __init__(self, database: Database, outbound: Outbound, files: PictureFiles) -> None:
        self._database = database
        self._outbound = outbound
        self._files = files
        self._addresses: Addresses | None = None
        self._fetches: dict[str, asyncio.Task[bytes]] = {}
        self._turn = asyncio.Semaphore(MAX_FETCHES)
        self._failures: dict[str, float] = {}

    async def addresses(self) -> Addresses:
        """What signs addresses. The key is made once, kept in the settings, and the same for all workers."""
        if self._addresses is None:
            key = await self._database.read(lambda rows: rows.settings.get(_KEY))
            if key is None:
                fresh = secrets.token_hex(32)
                key = await self._database.write(lambda rows: rows.settings.put_first(_KEY, fresh))
            self._addresses = Addresses(bytes.fromhex(key))
        return self._addresses

    async def get(self, signature: str, encoded: str) -> tuple[bytes, str]:
        """The picture and its media type. Raises NameUnknown for an address that was never signed or is no picture,
        Unreachable, and Unavailable if too many wait.
        """
        url = (await self.addresses()).read(signature, encoded)
        kept = await asyncio.to_thread(self._files.get, url)
        if kept is None or kept[1] > FRESH:
            try:
                content = await self._fetched(url)
            except HavreError:
                # What was shown yesterday is better than nothing.
                if kept is None:
                    raise
                content = kept[0]
        else:
            content = kept[0]
        return content, media_type(content)

    async def _fetched(self, url: str) -> bytes:
        """Fetched now, once however many ask."""
        now = asyncio.get_running_loop().time()
        if self._failures.get(url, 0.0) > now:
            raise Unreachable("the picture could not be fetched a moment ago")
        task = self._fetches.get(url)
        if task is None:
            if len(self._fetches) >= MAX_WAITING:
                raise Unavailable("too many pictures are being fetched: try again", retry_after=5)
            task = asyncio.create_task(self._fetch(url))
            self._fetches[url] = task
            task.add_done_callback(lambda _: self._fetches.pop(url, None))
        return await asyncio.shield(task)

    async def _fetch(self, url: str) -> bytes:
        async with self._turn:
            try:
                answer = await self._outbound.get(url, MAX_PICTURE, ACCEPT)
                if answer.status != 200 or not media_type(answer.body):
                    raise NameUnknown("there is no picture that can be shown at that address")
            except HavreError:
                self._remember_failure(url)
                raise
        await asyncio.to_thread(self._files.put, url, answer.body)
        return answer.body

    def _remember_failure(self, url: str) -> None:
        while len(self._failures) >= MAX_FAILURES:
            del self._failures[next(iter(self._failures))]
        self._failures[url] = asyncio.get_running_loop().time() + FAILED
