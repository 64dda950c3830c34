"""Manifests: ``/v2/<name>/manifests/<tag or digest>`` (end-3, end-7, end-9)."""

from __future__ import annotations

import re

import orjson

from havre.access.rates import PULL_WINDOW, Allowance
from havre.errors import InputInvalid, ManifestInvalid, ManifestUnknown, NameInvalid
from havre.oci import mediatypes
from havre.oci.digest import Digest
from havre.oci.names import Tag
from havre.oci.reference import Reference, parse_reference
from havre.registry.statistics import client_family
from havre.server import urls
from havre.server.http import Request, Response
from havre.server.v2.call import INERT, Call, matches

MAX_TAGS = 100
"""Tags in one push; the specification asks for ten."""

_MEDIA_TYPE = re.compile(r"[a-z0-9][a-z0-9!#$&^_.+-]{0,126}/[a-z0-9][a-z0-9!#$&^_.+-]{0,126}", re.ASCII | re.IGNORECASE)


async def get(call: Call) -> Response:
    """The manifest, byte for byte as it was pushed, whatever the Accept header prefers. HEAD does not count as a pull."""
    reference = _existing(call.tail)
    client, pull = client_family(call.request.header("user-agent") or ""), call.request.method == "GET"
    limits = call.app.pull_limits
    allowance = await limits.allowance(call.actor.user_id, call.actor.name, call.request.client_address)
    if allowance and pull:
        limits.check(allowance)
    manifest = await call.app.manifests.get(call.name, reference, pull=pull, client=client)
    etag = f'"{manifest.digest}"'
    headers = [
        ("content-type", manifest.media_type),
        ("docker-content-digest", manifest.digest),
        ("etag", etag),
        # By digest the answer never changes; a tag may move at any moment.
        ("cache-control", "private, max-age=31536000, immutable" if isinstance(reference, Digest) else "no-cache"),
        *INERT,
    ]
    if allowance:
        headers += _told(limits.take(allowance) if pull else allowance)
    if matches(call.request, etag):
        return Response(304, headers)
    return Response(200, headers, manifest.content)


async def put(call: Call) -> Response:
    """Accept a manifest by tag or digest, with more tags as ``?tag=`` parameters."""
    reference = parse_reference(call.tail)
    tags = [Tag.parse(one) for one in call.request.parameters("tag")]
    if len(tags) > MAX_TAGS:
        raise InputInvalid(
            f"{len(tags)} tags in one request, at most {MAX_TAGS} are accepted: send the rest in another"
        )
    content = await call.request.body(call.app.config.manifest_max)
    media_type = _media_type(call.request, content)
    done = await call.app.manifests.put(call.name, reference, tags, media_type, content, call.actor.user_id)
    headers = [("location", urls.manifest(call.name, done.digest)), ("docker-content-digest", done.digest)]
    if done.subject:
        headers.append(("oci-subject", done.subject))
    if tags:
        headers.append(("oci-tag", ", ".join(done.tags)))
    return Response(201, headers)


async def delete(call: Call) -> Response:
    """Remove a tag, or a manifest with all its tags."""
    reference = _existing(call.tail)
    address = call.request.client_address
    if isinstance(reference, Digest):
        await call.app.manifests.delete(call.name, reference, call.actor, address)
    else:
        await call.app.tags.delete(call.name, reference, call.actor, address)
    return Response(202)


def _told(allowance: Allowance) -> list[tuple[str, str]]:
    """What is left to the caller, in the headers of Docker Hub."""
    return [
        ("ratelimit-limit", f"{allowance.limit};w={PULL_WINDOW}"),
        ("ratelimit-remaining", f"{allowance.remaining};w={PULL_WINDOW}"),
        ("docker-ratelimit-source", allowance.source),
    ]


def _existing(text: str) -> Reference:
    """A reference to something that should be there: a tag that can not exist is one that does not."""
    try:
        return parse_reference(text)
    except NameInvalid as error:
        raise ManifestUnknown(error.message, detail=error.detail) from error


def _media_type(request: Request, content: bytes) -> str:
    """What the client says it sent, parameters left aside; else what the manifest says of itself."""
    text = (request.header("content-type") or "").partition(";")[0].strip()
    if not text:
        try:
            document = orjson.loads(content)
        except orjson.JSONDecodeError as error:
            raise ManifestInvalid(f"the manifest is not valid JSON: {error}") from error
        inner = document.get("mediaType") if isinstance(document, dict) else None
        text = inner if isinstance(inner, str) else mediatypes.OCI_MANIFEST
    if not _MEDIA_TYPE.fullmatch(text):
        raise ManifestInvalid(
            f"{text[:100]!r} is not a media type: say what the manifest is in the Content-Type header"
        )
    return text
