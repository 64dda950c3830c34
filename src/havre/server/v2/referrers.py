"""Referrers: ``GET /v2/<name>/referrers/<digest>`` (end-12a, end-12b)."""

from __future__ import annotations

from collections.abc import Collection

import orjson

from havre.oci import mediatypes
from havre.oci.digest import Digest
from havre.server import urls
from havre.server.http import Response
from havre.server.v2.call import Call

PAGE = 500
"""Descriptors in one answer."""

MAX_INDEX = 4 * 1024 * 1024 - 1024
"""Bytes of descriptors in one answer, so that it stays below the 4 MiB that clients accept for an index."""

_BATCH = 50
# Annotations may fill a manifest: read in small steps, however many megabytes refer to one subject.


async def get(call: Call) -> Response:
    """An index of what refers to the digest; empty, never 404, when nothing does."""
    subject = Digest.parse(call.tail)
    types = [one for one in call.request.parameters("artifactType") if one]
    entries, last = await _page(call, subject, types, call.request.parameter("last") or "")
    index = {
        "schemaVersion": 2,
        "mediaType": mediatypes.OCI_INDEX,
        "manifests": [orjson.Fragment(entry) for entry in entries],
    }
    headers = [("content-type", mediatypes.OCI_INDEX)]
    if types:
        headers.append(("oci-filters-applied", "artifactType"))
    if last:
        headers.append(("link", urls.next_page(call.request.path, last=last, artifactType=types)))
    return Response(200, headers, orjson.dumps(index))


async def _page(call: Call, subject: Digest, types: Collection[str], last: str) -> tuple[list[bytes], str]:
    """The descriptors of one page, and the digest after which the next one begins: empty if there is none."""
    entries: list[bytes] = []
    size = 0
    while True:
        batch = await call.app.referrers.page(call.name, subject, types, last, _BATCH)
        for one in batch:
            entry = orjson.dumps(one.descriptor.to_json())
            if entries and (len(entries) == PAGE or size + len(entry) > MAX_INDEX):
                return entries, last
            entries.append(entry)
            size += len(entry) + 1
            last = one.digest
        if len(batch) < _BATCH:
            return entries, ""
