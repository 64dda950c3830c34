"""Registry: one registry's repositories, by the OCI distribution specification.

    async with Client() as client:
        image = client.parse("python:3")
        descriptor, content = await client.repository(image).manifest(image.reference)

Everything read is checked against the digest it was asked by, or that the registry announced.
"""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import quote, urlencode

from havre.client.auth import CATALOG, Scope, Scopes
from havre.client.downloads import read_blob
from havre.client.session import NO_SCOPES, Session
from havre.client.transport import Answer
from havre.client.uploads import Moved, Opener, push_blob
from havre.client.verify import Pieces, verified
from havre.errors import (
    BlobUnknown,
    DigestInvalid,
    HavreError,
    InputInvalid,
    ManifestUnknown,
    NameUnknown,
    TooLarge,
    Unavailable,
    Unsupported,
    WrongCredentials,
)
from havre.oci import mediatypes
from havre.oci.descriptor import Descriptor
from havre.oci.digest import Digest
from havre.oci.manifest import MAX_SIZE, load_object, parse
from havre.oci.names import Tag
from havre.oci.reference import Reference

ACCEPT = (
    f"{mediatypes.OCI_INDEX}, {mediatypes.OCI_MANIFEST}, {mediatypes.DOCKER_LIST}, {mediatypes.DOCKER_MANIFEST},"
    " application/json;q=0.5, */*;q=0.1"
)
"""What may come as a manifest; old registries answer with schema 1 unless they see the newer types."""

MAX_PAGES = 10_000
"""Pages of one list; a registry that links in circles ends here."""

_SCHEMA_1 = "application/vnd.docker.distribution.manifest.v1"
_NEXT = re.compile(r'<([^>]*)>\s*;[^,]*\brel="?next"?', re.IGNORECASE)


class Registry:
    """A registry as a whole: its ping, its catalogue, its search, a login."""

    def __init__(self, session: Session) -> None:
        self.session = session

    @property
    def name(self) -> str:
        """As image names say it."""
        return self.session.registry

    def repository(self, path: str) -> Repository:
        """One of its repositories; whether it exists shows at its first use."""
        return Repository(self.session, path)

    async def ping(self) -> None:
        """Is it there? Raises Unavailable."""
        await self.session.connect()

    async def check_login(self) -> str:
        """Try the credentials as ``docker login`` does; gives the identity token if the registry offers one.

        Raises WrongCredentials.
        """
        await self.session.connect()
        auth = self.session.auth
        refresh_token = ""
        if auth.scheme == "bearer":
            try:
                refresh_token = (await auth.fetch_token(NO_SCOPES, offline=True)).refresh_token
            except WrongCredentials as error:
                raise WrongCredentials(f"{self.name}: wrong user name, password or access token") from error
        answer = await self.session.exchange("GET", "/v2/")
        if answer.status == 401:
            raise WrongCredentials(f"{self.name}: wrong user name, password or access token")
        if answer.status != 200:
            raise await self.session.failure(answer)
        return refresh_token

    async def catalogue(self, limit: int = 1000) -> AsyncIterator[str]:
        """The paths of all repositories that may be seen, asked for ``limit`` at a time."""
        path = f"/v2/_catalog?n={limit}"
        async for document in _pages(self.session, path, frozenset({CATALOG}), "the catalogue"):
            for name in _strings(document, "repositories"):
                yield name

    async def search(self, text: str, limit: int = 25) -> list[dict[str, Any]]:
        """Repositories that match ``text``: ``name``, ``description``, ``star_count``, ``is_official``.

        Registries without search (404) are searched by their catalogue, as podman does.
        """
        query = urlencode({"q": text, "n": limit})
        # Docker Hub answers searches at another host than pulls.
        address = f"https://index.docker.io/v1/search?{query}" if self.name == "docker.io" else f"/v1/search?{query}"
        scopes = frozenset({Scope("registry", "catalog", frozenset({"search"}))})
        answer = await self.session.exchange("GET", address, scopes)
        if answer.status == 200:
            results = _document(answer, self.name).get("results")
            found = [row for row in results if isinstance(row, dict)] if isinstance(results, list) else []
            return found[:limit]
        if answer.status not in {401, 403, 404, 405}:
            raise await self.session.failure(answer, f"searching for {text!r}")
        names: list[dict[str, Any]] = []
        async for name in self.catalogue():
            if text in name:
                names.append({"name": name, "description": "", "star_count": 0, "is_official": False})
            if len(names) >= limit:
                break
        return names


class Repository:
    """A repository in a registry: manifests, blobs, tags, referrers. Source and sink of copies."""

    checks = False
    """As a sink: the registry checks digests, but bytes that are known to be wrong are not even sent to it."""

    def __init__(self, session: Session, path: str) -> None:
        self.session = session
        self.path = path
        self._pull: Scopes = frozenset({Scope.repository(path, "pull")})
        self._push: Scopes = frozenset({Scope.repository(path, "pull", "push")})
        self._delete: Scopes = frozenset({Scope.repository(path, "delete", "pull")})

    @property
    def name(self) -> str:
        """Registry and path."""
        return f"{self.session.registry}/{self.path}"

    # ------------------------------------------------------------ manifests

    async def head(self, reference: Reference) -> Descriptor:
        """What a tag or digest is now. Raises ManifestUnknown."""
        async with self.session.open(
            "HEAD", self._manifest(reference), self._pull, headers={"accept": ACCEPT}
        ) as response:
            headers, status = response.headers, response.status_code
        digest, length = headers.get("docker-content-digest", ""), headers.get("content-length", "")
        if status != 200 or not digest or not length.isdigit():
            # Some registries know no HEAD, or say too little; and only a GET has words for what went wrong.
            return (await self.manifest(reference))[0]
        return Descriptor(_media_type(headers.get("content-type", "")), Digest.parse(digest), int(length))

    async def manifest(self, reference: Reference) -> tuple[Descriptor, bytes]:
        """A manifest's exact bytes. Raises ManifestUnknown, TooLarge, DigestInvalid, or Unsupported for schema 1."""
        shown = self._shown(reference)
        answer = await self.session.exchange(
            "GET", self._manifest(reference), self._pull, headers={"accept": ACCEPT}, limit=MAX_SIZE
        )
        if answer.status != 200:
            raise await self._manifest_failure(answer, reference)
        media_type = _media_type(answer.headers.get("content-type", ""))
        if media_type.startswith(_SCHEMA_1):
            raise Unsupported(f"{shown} is an image of Docker's old schema 1; push it again with a newer client")
        if media_type in {"", "application/json", "text/plain", mediatypes.OCTET_STREAM}:
            inner = load_object(answer.body).get("mediaType")
            media_type = inner if isinstance(inner, str) else media_type
        return Descriptor(media_type, self._checked(reference, answer), len(answer.body)), answer.body

    async def put_manifest(self, descriptor: Descriptor, content: bytes, tag: Tag | None = None) -> None:
        """Store a manifest by its digest, or under a tag. Raises ManifestBlobUnknown, Denied and more."""
        if len(content) > MAX_SIZE:
            raise TooLarge(f"the manifest has {len(content)} bytes; registries take at most {MAX_SIZE}")
        reference: Reference = tag or descriptor.digest
        subject = parse(descriptor.media_type, content).subject
        answer = await self.session.fetch(
            "PUT",
            self._manifest(reference),
            self._push,
            headers={"content-type": descriptor.media_type},
            body=content,
            ok=(200, 201, 202),
            doing=f"pushing {self._shown(reference)}",
        )
        stored = answer.headers.get("docker-content-digest", str(descriptor.digest))
        if stored != descriptor.digest and stored.startswith(f"{descriptor.digest.algorithm}:"):
            raise DigestInvalid(f"{self.name} stored the manifest as {stored} in place of {descriptor.digest}")
        if subject and "oci-subject" not in answer.headers:
            await self._tag_referrer(descriptor, content, subject.digest)

    async def delete(self, reference: Reference) -> None:
        """Remove a tag, or an image with all its tags. Raises ManifestUnknown, Unsupported, Denied."""
        answer = await self.session.exchange("DELETE", self._manifest(reference), self._delete)
        if answer.status in {200, 202, 204}:
            return
        if answer.status in {400, 404, 405} and isinstance(reference, Tag):
            # Registries that delete by digest only answer a tag with one of these.
            digest = (await self.head(reference)).digest
            raise Unsupported(
                f"{self.name} does not remove single tags; havre delete {self.name}@{digest} deletes the image"
                " with all its tags"
            )
        raise await self._manifest_failure(answer, reference)

    # ------------------------------------------------------------ blobs

    async def has_blob(self, descriptor: Descriptor) -> bool:
        """Is this content there, with this length?"""
        path = f"/v2/{self.path}/blobs/{descriptor.digest}"
        async with self.session.open("HEAD", path, self._pull) as response:
            length = response.headers.get("content-length", "")
            status = response.status_code
        if status == 200:
            return not length.isdigit() or int(length) == descriptor.size
        if status in {404, 405, 403, 401}:
            return False
        raise await self.session.failure(Answer(status, response.headers), f"looking for {descriptor.digest}")

    def open_blob(self, descriptor: Descriptor, offset: int = 0) -> Pieces:
        """A blob's bytes from ``offset`` on, not yet checked; goes on where a connection broke."""
        return read_blob(self.session, self.path, self._pull, descriptor, offset)

    def blob(self, descriptor: Descriptor) -> Pieces:
        """A blob, checked: the last piece comes only when size and digest are right."""
        return verified(self.open_blob(descriptor), descriptor, self.name)

    async def write_blob(self, descriptor: Descriptor, opener: Opener, origin: str = "") -> Moved:
        """Store a blob unless it is there. ``origin`` is another repository of this registry that may have it."""
        if await self.has_blob(descriptor):
            return Moved.EXISTS
        return await push_blob(self.session, self.path, self._push, descriptor, opener, origin)

    async def delete_blob(self, digest: Digest) -> None:
        """Remove a blob from this repository. Raises BlobUnknown, Unsupported."""
        path = f"/v2/{self.path}/blobs/{digest}"
        await self.session.fetch("DELETE", path, self._delete, ok=(200, 202, 204), doing=f"deleting {digest}")

    # ------------------------------------------------------------ lists

    async def tags(self, limit: int = 1000) -> AsyncIterator[str]:
        """All tags, asked for ``limit`` at a time. Raises NameUnknown."""
        path = f"/v2/{self.path}/tags/list?n={limit}"
        async for document in _pages(self.session, path, self._pull, f"the tags of {self.path}"):
            for tag in _strings(document, "tags"):
                yield tag

    async def referrers(self, digest: Digest, artifact_type: str = "") -> list[Descriptor]:
        """What refers to an image: signatures, attestations and the like; with the fallback tag where needed."""
        query = f"?artifactType={quote(artifact_type, safe='')}" if artifact_type else ""
        found: list[Descriptor] = []
        try:
            async for document in _pages(
                self.session, f"/v2/{self.path}/referrers/{digest}{query}", self._pull, f"the referrers of {digest}"
            ):
                found += _manifests(document)
        except (NameUnknown, ManifestUnknown, BlobUnknown, Unsupported, InputInvalid):
            found = await self._tagged_referrers(digest)
        return [one for one in found if not artifact_type or one.artifact_type == artifact_type]

    # ------------------------------------------------------------ within

    def _manifest(self, reference: Reference) -> str:
        return f"/v2/{self.path}/manifests/{reference}"

    def _shown(self, reference: Reference) -> str:
        return f"{self.path}{'@' if isinstance(reference, Digest) else ':'}{reference}"

    def _checked(self, reference: Reference, answer: Answer) -> Digest:
        """The digest of a manifest, by what was asked for and what the registry says."""
        announced = answer.headers.get("docker-content-digest", "")
        expected = reference if isinstance(reference, Digest) else Digest.parse(announced) if announced else None
        found = Digest.of(answer.body, expected.algorithm if expected else "sha256")
        if expected and found != expected:
            raise DigestInvalid(
                f"{self.session.registry} sent a manifest with the digest {found} for {self._shown(reference)},"
                f" which should be {expected}"
            )
        return found

    async def _manifest_failure(self, answer: Answer, reference: Reference) -> HavreError:
        error = await self.session.failure(answer, self._shown(reference))
        if answer.status == 404 and isinstance(error, NameUnknown) and not answer.body.startswith(b"{"):
            return ManifestUnknown(error.message)
        return error

    async def _tagged_referrers(self, digest: Digest) -> list[Descriptor]:
        try:
            _, content = await self.manifest(fallback_tag(digest))
        except (ManifestUnknown, NameUnknown):
            return []
        return _manifests(load_object(content))

    async def _tag_referrer(self, descriptor: Descriptor, content: bytes, subject: Digest) -> None:
        """Keep the index of referrers by hand where the registry does not (distribution spec, "Referrers tag schema")."""
        known = await self._tagged_referrers(subject)
        if any(one.digest == descriptor.digest for one in known):
            return
        read = parse(descriptor.media_type, content)
        entry = Descriptor(
            descriptor.media_type, descriptor.digest, descriptor.size, None, read.artifact_type, read.annotations
        )
        index = {
            "schemaVersion": 2,
            "mediaType": mediatypes.OCI_INDEX,
            "manifests": [one.to_json() for one in (*known, entry)],
        }
        body = json.dumps(index, separators=(",", ":")).encode()
        found = Descriptor(mediatypes.OCI_INDEX, Digest.of(body), len(body))
        await self.put_manifest(found, body, fallback_tag(subject))


def fallback_tag(digest: Digest) -> Tag:
    """The tag that stands for the referrers of ``digest`` (distribution spec, "Referrers tag schema")."""
    return Tag.parse(f"{digest.algorithm}-{digest.encoded[:64]}")


async def _pages(session: Session, path: str, scopes: Scopes, doing: str) -> AsyncIterator[dict[str, Any]]:
    """Follow the ``Link`` headers of a list (RFC 5988), at this registry only."""
    base = await session.connect()
    address = path
    for _ in range(MAX_PAGES):
        answer = await session.fetch("GET", address, scopes, doing=doing)
        yield _document(answer, session.registry)
        following = _NEXT.search(answer.headers.get("link", ""))
        if not following:
            return
        url = base.join(address).join(following[1])
        if url.host != base.host:
            raise Unavailable(f"{session.registry} links the next page of {doing} to another host, {url.host}")
        # Behind a proxy a registry may not know how it is reached: only the path counts.
        following_address = url.raw_path.decode("ascii")
        if following_address == address:
            raise Unavailable(f"{session.registry} gives {doing} in circles")
        address = following_address
    raise Unavailable(f"{session.registry} gives more than {MAX_PAGES} pages for {doing}")


def _document(answer: Answer, registry: str) -> dict[str, Any]:
    try:
        document = json.loads(answer.body)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        raise Unavailable(f"{registry} sent no JSON object; is it a container registry?")
    return document


def _strings(document: dict[str, Any], key: str) -> list[str]:
    values = document.get(key)
    return [value for value in values if isinstance(value, str)] if isinstance(values, list) else []


def _manifests(document: dict[str, Any]) -> list[Descriptor]:
    values = document.get("manifests")
    return [Descriptor.from_json(value, "manifests") for value in values] if isinstance(values, list) else []


def _media_type(header: str) -> str:
    return header.partition(";")[0].strip()
