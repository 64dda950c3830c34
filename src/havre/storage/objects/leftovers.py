"""Leftovers: parts of objects that never became whole, because who sent them died. They are in no list, and cost money.

Only S3 needs this, and only with keys that were written down; what a machine's role may do, obstore alone can ask for:
then a rule of the bucket (AbortIncompleteMultipartUpload) has to do it, as in Google Cloud Storage. Azure forgets such
parts by itself after a week.
"""

from __future__ import annotations

import http.client
import os
import re
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from datetime import datetime
from html import unescape

from havre.errors import Unavailable
from havre.registry.byte_ports import SEGMENTS, Clock
from havre.storage.filesystem import BATCH, Threads
from havre.storage.objects.place import Credentials, Place, credentials
from havre.storage.objects.signing import request

OLD = 24 * 60 * 60 * 1000
"""Milliseconds after which parts are left over, if the upload that they belong to has no row any more."""

_MAX_PAGES = 100
_UPLOAD = re.compile(r"<Upload>(.*?)</Upload>", re.DOTALL)
_FIELD = re.compile(r"<(Key|UploadId|Initiated|IsTruncated|NextKeyMarker|NextUploadIdMarker)>([^<]*)</")


@dataclass(frozen=True, slots=True)
class Begun:
    """An object that is being sent in parts, or was."""

    key: str
    """With the place's prefix."""
    identity: str
    at: int
    """Milliseconds since 1970, UTC: when it was begun."""


class Leftovers:
    """Finds them and has the store forget them."""

    def __init__(self, place: Place, threads: Threads, clock: Clock) -> None:
        self._place = place
        self._threads = threads
        self._clock = clock
        self._prefix = f"{place.prefix}/{SEGMENTS}".lstrip("/")

    async def remove(self, known: Callable[[Collection[str]], Awaitable[Collection[str]]]) -> int:
        """Have the store forget what is old and of no upload that ``known`` knows; returns how many."""
        keys = credentials(os.environ) if self._place.scheme == "s3" else None
        if keys is None:
            return 0
        before, removed = self._clock() - OLD, 0
        begun = [one for one in await self._threads.run(self._list, keys) if one.at < before]
        for start in range(0, len(begun), BATCH):
            owners = {one: one.key.removeprefix(self._prefix).partition("/")[0] for one in begun[start : start + BATCH]}
            there = set(await known(set(owners.values())))
            for one, owner in owners.items():
                if owner not in there:
                    removed += await self._threads.run(self._abort, keys, one)
        return removed

    def _list(self, keys: Credentials) -> list[Begun]:
        found: list[Begun] = []
        query = {"uploads": "", "prefix": self._prefix, "max-uploads": "1000"}
        for _ in range(_MAX_PAGES):
            status, answer = self._ask(keys, "GET", "", query)
            if status != 200:
                # Some stores do not offer the list.
                return found
            text = answer.decode(errors="replace")
            found += [one for upload in _UPLOAD.findall(text) if (one := self._read(upload))]
            rest = dict(_FIELD.findall(_UPLOAD.sub("", text)))
            if rest.get("IsTruncated") != "true" or not rest.get("NextKeyMarker"):
                return found
            query["key-marker"] = unescape(rest["NextKeyMarker"])
            query["upload-id-marker"] = unescape(rest.get("NextUploadIdMarker", ""))
        return found

    def _read(self, text: str) -> Begun | None:
        fields = {name: unescape(value) for name, value in _FIELD.findall(text)}
        try:
            at = datetime.fromisoformat(fields["Initiated"])
            begun = Begun(fields["Key"], fields["UploadId"], int(at.timestamp() * 1000))
        except (KeyError, ValueError):
            return None
        return begun if begun.key.startswith(self._prefix) else None

    def _abort(self, keys: Credentials, begun: Begun) -> bool:
        status, _ = self._ask(keys, "DELETE", begun.key, {"uploadId": begun.identity})
        return status == 204

    def _ask(self, keys: Credentials, method: str, key: str, query: dict[str, str]) -> tuple[int, bytes]:
        try:
            return request(self._place, keys, method, key, query)
        except (OSError, http.client.HTTPException) as error:
            raise Unavailable(
                "the registry's object store did not answer (while looking for what was left over): try again later",
                retry_after=10,
            ) from error
