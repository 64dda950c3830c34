"""Uploads: ``/v2/<name>/blobs/uploads/`` (end-4 to end-6, end-11, end-13, end-14) in every form that clients use."""

from __future__ import annotations

from havre.access.actors import Action
from havre.errors import DigestInvalid, HavreError, NameInvalid, OverPlan, UploadRangeInvalid, UploadsFull
from havre.oci.digest import Digest
from havre.oci.names import RepositoryName
from havre.oci.ranges import ByteRange, parse_chunk
from havre.registry.records import BlobRecord, UploadRecord
from havre.server import urls
from havre.server.authorization import permits
from havre.server.http import Request, Response
from havre.server.v2.call import Call


async def post(call: Call) -> Response:
    """Begin an upload; or mount a blob that is here already; or take a whole blob in this one request."""
    parameter = call.request.parameter
    mount, digest_text = parameter("mount"), parameter("digest")
    if mount:
        blob = await _mount(call, Digest.parse(mount), parameter("from"))
        if blob:
            return _created(call, blob)
    elif digest_text:
        digest = Digest.parse(digest_text)
        # A client that sends a digest and no bytes wants to be told where to put them.
        if _has_body(call.request) or digest == Digest.of(b"", digest.algorithm):
            announced = _announced(call.request)
            upload = await call.app.uploads.start(call.name, call.actor.user_id, digest.algorithm, announced)
            return await _single(call, upload, digest)
    upload = await call.app.uploads.start(call.name, call.actor.user_id, parameter("digest-algorithm") or "sha256")
    return _status(202, upload)


async def get(call: Call) -> Response:
    """Where the upload stands."""
    return _status(204, await call.app.uploads.get(call.name, call.tail))


async def patch(call: Call) -> Response:
    """Take the next chunk, or all of the bytes as one stream of unknown length."""
    upload = await call.app.uploads.get(call.name, call.tail)
    try:
        after = await call.app.uploads.append(
            upload, call.request.stream(), _span(call.request), _announced(call.request)
        )
    except UploadRangeInvalid as error:
        raise _located(error, upload) from error
    return _status(202, after)


async def put(call: Call) -> Response:
    """Close the upload, with its last bytes or without."""
    upload = await call.app.uploads.get(call.name, call.tail)
    digest_text = call.request.parameter("digest")
    if not digest_text:
        raise DigestInvalid("the closing request must name the blob: add ?digest=<digest>")
    body = call.request.stream() if _has_body(call.request) else None
    span = _span(call.request) if body else None
    try:
        blob = await call.app.uploads.finish(upload, Digest.parse(digest_text), body, span, _announced(call.request))
    except UploadRangeInvalid as error:
        raise _located(error, upload) from error
    return _created(call, blob)


async def delete(call: Call) -> Response:
    """Cancel the upload."""
    await call.app.uploads.cancel(await call.app.uploads.get(call.name, call.tail))
    return Response(204)


async def _single(call: Call, upload: UploadRecord, digest: Digest) -> Response:
    """Take a whole blob in the request that began it; the client never learns of an upload, so none is left."""
    try:
        body, announced = call.request.stream(), _announced(call.request)
        return _created(call, await call.app.uploads.finish(upload, digest, body, announced=announced))
    except (OverPlan, UploadsFull):
        # Nothing is left of it already.
        raise
    except HavreError:
        await call.app.uploads.cancel(upload)
        raise


async def _mount(call: Call, digest: Digest, source_text: str | None) -> BlobRecord | None:
    """Link a blob of another repository, if the caller may pull from there; else None, and the client sends it."""
    source = None
    if source_text:
        try:
            source = RepositoryName.parse(source_text)
        except NameInvalid:
            return None
        if not await permits(call.app, call.identity, source, Action.PULL):
            return None
    return await call.app.blobs.mount(call.name, digest, source, call.actor.viewer)


def _has_body(request: Request) -> bool:
    length = request.content_length
    if length is not None:
        return length > 0
    return request.header("transfer-encoding") is not None or not request.scope["http_version"].startswith("1")


def _announced(request: Request) -> int:
    """How many bytes come; 0 when the client does not say."""
    return request.content_length or 0


def _span(request: Request) -> ByteRange | None:
    text = request.header("content-range")
    return parse_chunk(text) if text else None


def _status(status: int, upload: UploadRecord) -> Response:
    # docker parses "%d-%d" with a last byte of 0 or more, even when nothing has come yet.
    return Response(
        status,
        [
            ("location", urls.upload(upload.repository, upload.id)),
            ("range", f"0-{max(0, upload.size - 1)}"),
            ("docker-upload-uuid", upload.id),
        ],
    )


def _created(call: Call, blob: BlobRecord) -> Response:
    return Response(201, [("location", urls.blob(call.name, blob.digest)), ("docker-content-digest", blob.digest)])


def _located(error: UploadRangeInvalid, upload: UploadRecord) -> UploadRangeInvalid:
    location = urls.upload(upload.repository, upload.id)
    return UploadRangeInvalid(error.message, location=location, size=error.size, detail=error.detail)
