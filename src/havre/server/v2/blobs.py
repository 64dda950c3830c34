"""Blobs: ``/v2/<name>/blobs/<digest>`` (end-2, end-10), whole, in one range or in several."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator

from havre.oci import mediatypes
from havre.oci.digest import Digest
from havre.oci.ranges import ByteRange, parse_range
from havre.registry.blobs import unknown
from havre.registry.ports import Elsewhere, LocalFile
from havre.registry.records import BlobRecord
from havre.server.http import Response
from havre.server.v2.call import INERT, Call, matches


async def get(call: Call) -> Response:
    """The blob, or the parts of it that the Range header asks for (RFC 9110, section 14)."""
    blob = await call.app.blobs.stat(call.name, Digest.parse(call.tail))
    if blob.condemned and call.request.method == "HEAD":
        # It may go before a manifest names it. Who would push it is told to send it, which makes it stay.
        raise unknown(call.name, blob.digest)
    place = await _place(call, blob)
    if place is None and not await call.app.blobs.present(blob):
        # Lost, or set aside by a check: who pushes is told to send it, which heals it.
        raise unknown(call.name, blob.digest)
    etag = f'"{blob.digest}"'
    headers = [
        ("docker-content-digest", blob.digest),
        ("etag", etag),
        ("accept-ranges", "bytes"),
        ("cache-control", "private, max-age=31536000, immutable"),
        *INERT,
    ]
    if matches(call.request, etag):
        return Response(304, headers)
    if call.request.method == "HEAD":
        return Response(200, [*headers, *_whole(blob)])
    if_range = call.request.header("if-range")
    wanted = call.request.header("range")
    ranges = parse_range(wanted, blob.size) if wanted and if_range in (None, etag) else None
    if isinstance(place, Elsewhere):
        # The client asks there for the ranges that it asked us for. The address works for some minutes only.
        told = [("docker-content-digest", str(blob.digest)), ("cache-control", "no-store"), ("content-length", "0")]
        return Response(307, [*told, ("location", place.url), ("referrer-policy", "no-referrer")])
    if ranges is None:
        # The kernel sends a file; where the server can not have that done, the stream stands in.
        response = Response(200, [*headers, *_whole(blob)], call.app.blobs.read(blob, ByteRange(0, blob.size)))
        response.file = place.path if isinstance(place, LocalFile) else ""
        return response
    if len(ranges) == 1:
        response = _partial(call, blob, ranges[0], headers)
        response.file = place.path if isinstance(place, LocalFile) else ""
        response.span = (ranges[0].start, ranges[0].length)
        return response
    return _multipart(call, blob, ranges, headers)


async def _place(call: Call, blob: BlobRecord) -> LocalFile | Elsewhere | None:
    """Where the content can be taken from without us; None if this server has to send it, or has none to send."""
    place = await call.app.blobs.locate(blob)
    if not isinstance(place, Elsewhere):
        return place
    # A HEAD asks whether it is here, which no signed address tells.
    here = call.request.method == "HEAD" or not call.app.redirects.wanted(call.request.client_address)
    return None if here else place


async def delete(call: Call) -> Response:
    """Take the blob out of this repository."""
    await call.app.blobs.unlink(call.name, Digest.parse(call.tail))
    return Response(202)


def _whole(blob: BlobRecord) -> list[tuple[str, str]]:
    return [("content-type", mediatypes.OCTET_STREAM), ("content-length", str(blob.size))]


def _partial(call: Call, blob: BlobRecord, span: ByteRange, headers: list[tuple[str, str]]) -> Response:
    own = [
        ("content-type", mediatypes.OCTET_STREAM),
        ("content-length", str(span.length)),
        ("content-range", span.content_range(blob.size)),
    ]
    return Response(206, [*headers, *own], call.app.blobs.read(blob, span))


def _multipart(call: Call, blob: BlobRecord, ranges: list[ByteRange], headers: list[tuple[str, str]]) -> Response:
    boundary = secrets.token_hex(16)
    heads = [
        f"\r\n--{boundary}\r\nContent-Type: {mediatypes.OCTET_STREAM}\r\n"
        f"Content-Range: {span.content_range(blob.size)}\r\n\r\n".encode()
        for span in ranges
    ]
    tail = f"\r\n--{boundary}--\r\n".encode()
    length = sum(span.length + len(head) for span, head in zip(ranges, heads, strict=True)) + len(tail)

    async def parts() -> AsyncIterator[bytes]:
        for span, head in zip(ranges, heads, strict=True):
            yield head
            async for piece in call.app.blobs.read(blob, span):
                yield piece
        yield tail

    own = [("content-type", f"multipart/byteranges; boundary={boundary}"), ("content-length", str(length))]
    return Response(206, [*headers, *own], parts())
