"""Referrers: ``GET /v2/<name>/referrers/<digest>`` (end-12a, end-12b)."""

from __future__ import annotations

import orjson

from havre.oci import mediatypes
from havre.oci.digest import Digest
from havre.server import urls
from havre.server.http import Response
from havre.server.v2.call import Call

PAGE = 500
"""Descriptors in one answer, so that it stays below the 4 MiB that clients accept for an index."""


async def get(call: Call) -> Response:
    """An index of what refers to the digest; empty, never 404, when nothing does."""
    subject = Digest.parse(call.tail)
    types = [one for one in call.request.parameters("artifactType") if one]
    last = call.request.parameter("last") or ""
    found = await call.app.referrers.page(call.name, subject, types, last, PAGE + 1)
    index = {
        "schemaVersion": 2,
        "mediaType": mediatypes.OCI_INDEX,
        "manifests": [one.descriptor.to_json() for one in found[:PAGE]],
    }
    headers = [("content-type", mediatypes.OCI_INDEX)]
    if types:
        headers.append(("oci-filters-applied", "artifactType"))
    if len(found) > PAGE:
        link = urls.next_page(call.request.path, last=found[PAGE - 1].digest, artifactType=types)
        headers.append(("link", link))
    return Response(200, headers, orjson.dumps(index))
