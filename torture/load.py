"""The clients: each has repositories of its own, pushes in every form there is, moves and removes tags, deletes, and pulls."""

from __future__ import annotations

import hashlib
import json
import random
import re
from collections.abc import Mapping
from dataclasses import dataclass

from torture.journal import Document, Fate, Journal, Name, Upload
from torture.line import Answer, Line, Unanswered, Where
from torture.victim import ACCOUNT, Door

SHARED = f"{ACCOUNT}/shared"
"""Everyone pushes here as well, each under tags of its own, and often the same layers at once."""

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"

LIVING = 5
"""Images that a client keeps; it removes as many as it makes beyond."""

TAGS = 6

ALLOWED = {401, 404, 409, 416, 429, 502, 503, 507}
"""Refusals that a client may see while things die: honest ones. 500 is none."""

SIZES = ((200, 5_000), (200, 5_000), (200, 5_000), (50_000, 400_000), (50_000, 400_000), (1_000_000, 3_000_000))

ACTIONS = {"push": 8, "index": 1, "retag": 3, "untag": 1, "remove": 2, "unlink": 1, "leave": 2, "pull": 5}


def digest_of(content: bytes) -> str:
    """The sha256 digest, computed without any of Havre's code."""
    return "sha256:" + hashlib.sha256(content).hexdigest()


@dataclass(frozen=True, slots=True)
class Image:
    """What is pushed: config and layers by digest, and the document that names them."""

    repository: str
    blobs: Mapping[str, bytes]
    document: Document
    tag: str | None

    @property
    def name(self) -> Name:
        """Repository and digest."""
        return self.repository, digest_of(self.document.content)


POOL = tuple(random.Random(number).randbytes(4_000 * (number + 1)) for number in range(20))
"""Layers that many images have, so that the same content is pushed from many sides at once."""


class Refused(Exception):
    """The registry said no."""


class Client:
    """One of them. It does one thing after the other."""

    def __init__(self, number: int, where: Where, journal: Journal, door: Door) -> None:
        self.dice = random.Random(f"client {number}")
        self.journal = journal
        self.repositories = [f"{ACCOUNT}/client{number}-one", f"{ACCOUNT}/client{number}-two", SHARED]
        self.images: dict[Name, Image] = {}
        self.uploads: list[Upload] = []
        self.unfinished: list[Image] = []
        self._number = number
        self._turn = 0
        self._line = Line(where)
        self._door = door

    async def act(self) -> None:
        """Do something. What was not answered is noted, and left to ``heal``."""
        action = self.dice.choices(list(ACTIONS), list(ACTIONS.values()))[0]
        try:
            await getattr(self, action)()
            self.journal.counts["requests for " + action] += 1
        except Unanswered:
            self.journal.counts["unanswered"] += 1
        except Refused:
            self.journal.counts["refused"] += 1

    def leave_for_good(self) -> None:
        """Hang up."""
        self._line.close()

    async def heal(self) -> None:
        """Go on with every upload that was interrupted, and push again what was not acknowledged. All of it must succeed."""
        for upload in list(self.uploads):
            await self._resume(upload)
        for image in list(self.unfinished):
            await self._push(image)
            self.journal.counts["images pushed again"] += 1

    async def ask(
        self, method: str, target: str, body: bytes | list[bytes] = b"", headers: Mapping[str, str] | None = None
    ) -> Answer:
        """A request with this client's rights. Raises Unanswered."""
        bearer = await self._door.headers(*self.repositories)
        answer = await self._line.ask(method, target, {**bearer, **(headers or {})}, body)
        if answer.status >= 400:
            self.journal.counts[f"answers {answer.status}"] += 1
            if answer.status not in ALLOWED or not _honest(answer):
                self.journal.fault(f"{method} {target} was answered {answer.status}: {answer.body[:300]!r}")
        return answer

    # ---------------------------------------------------------------- what it does

    async def push(self) -> None:
        """A new image of one to three layers, under a tag or by its digest alone."""
        await self._push(self._new())
        if len(self.images) > LIVING:
            await self.remove()

    async def index(self) -> None:
        """An index over two images of one repository."""
        repository = self.dice.choice(self.repositories)
        held = [name for name, image in self.images.items() if name[0] == repository and image.blobs]
        parts = self.dice.sample(held, min(2, len(held)))
        if not parts or any(self.journal.manifests[one] is not Fate.THERE for one in parts):
            return
        entries = [_descriptor(self.images[one].document.content, MANIFEST) for one in parts]
        content = json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": entries}).encode()
        document = Document(content, INDEX, manifests=tuple(one[1] for one in parts))
        await self._push(Image(repository, {}, document, self._tag()))

    async def retag(self) -> None:
        """A tag is moved to another image."""
        image = self._some()
        if image:
            await self._put(Image(image.repository, image.blobs, image.document, self._tag()))

    async def untag(self) -> None:
        """A tag is removed."""
        held = [tag for tag, targets in self.journal.tags.items() if self._mine(tag) and None not in targets]
        if not held:
            return
        tag = self.dice.choice(held)
        self.journal.tags[tag].add(None)
        answer = await self.ask("DELETE", f"/v2/{tag[0]}/manifests/{tag[1]}")
        if answer.status != 202:
            raise Refused(answer.status, answer.body)
        self.journal.tags[tag] = {None}

    async def remove(self) -> None:
        """An image that no index names, or may still name, is deleted, with its tags."""
        living = [name for name, fate in self.journal.manifests.items() if fate is not Fate.GONE]
        named = {(name[0], part) for name in living for part in self.journal.documents[name].manifests}
        free = [name for name in self.images if name not in named]
        if not free:
            return
        name = self.dice.choice(free)
        self.journal.removal_asked(name)
        del self.images[name]
        answer = await self.ask("DELETE", f"/v2/{name[0]}/manifests/{name[1]}")
        if answer.status != 202:
            raise Refused(answer.status, answer.body)
        self.journal.removed(name)

    async def unlink(self) -> None:
        """Some layers that no image of a repository of one's own needs are taken out of it."""
        needed = {(image.repository, one) for image in self.unfinished for one in image.blobs}
        needed |= {(upload.repository, upload.digest) for upload in self.uploads}
        for name, fate in self.journal.manifests.items():
            if fate is not Fate.GONE:
                needed |= {(name[0], one) for one in self.journal.documents[name].blobs}
        own = {one for one in self.repositories if one != SHARED}
        blobs = self.journal.blobs.items()
        free = [one for one, fate in blobs if one[0] in own and fate is Fate.THERE and one not in needed]
        for name in self.dice.sample(free, min(8, len(free))):
            self.journal.blobs[name] = Fate.PERHAPS
            answer = await self.ask("DELETE", f"/v2/{name[0]}/blobs/{name[1]}")
            if answer.status != 202:
                raise Refused(answer.status, answer.body)
            self.journal.blobs[name] = Fate.GONE

    async def leave(self) -> None:
        """A layer is begun, and left in the middle for another time; or an earlier one is ended."""
        if self.uploads and self.dice.random() < 0.5:
            await self._resume(self.uploads[0])
            return
        content = self._content()
        upload = await self._begin(self.dice.choice(self.repositories), content)
        await self._chunk(upload, len(content) // 2)

    async def pull(self) -> None:
        """An image by its tag: what it leads to must be one of what it may, and whole."""
        held = [tag for tag, targets in self.journal.tags.items() if self._mine(tag) and None not in targets]
        if not held:
            return
        repository, tag = self.dice.choice(held)
        answer = await self.ask("GET", f"/v2/{repository}/manifests/{tag}", headers={"Accept": f"{MANIFEST}, {INDEX}"})
        if not answer.good:
            if answer.status == 404:
                self.journal.fault(f"{repository}:{tag} is not found, but it was acknowledged")
            raise Refused(answer.status, answer.body)
        if digest_of(answer.body) not in self.journal.tags[repository, tag]:
            self.journal.fault(f"{repository}:{tag} leads to what it was never set to, or not any more")
        document = self.journal.documents.get((repository, digest_of(answer.body)))
        for one in document.blobs if document else ():
            blob = await self.ask("GET", f"/v2/{repository}/blobs/{one}")
            if blob.status == 404 or (blob.good and digest_of(blob.body) != one):
                self.journal.fault(f"{repository}@{one} is missing or has other bytes: {blob.status}")
        self.journal.counts["images pulled"] += 1

    # ---------------------------------------------------------------- pushing

    async def _push(self, image: Image) -> None:
        if image not in self.unfinished:
            self.unfinished.append(image)
        for digest, content in image.blobs.items():
            if self.journal.blobs.get((image.repository, digest)) is not Fate.THERE or self.dice.random() < 0.1:
                await self._push_blob(image.repository, digest, content)
        await self._put(image)
        self.unfinished.remove(image)

    async def _put(self, image: Image) -> None:
        name = image.name
        self.journal.manifest_asked(name, image.document, image.tag)
        target = f"/v2/{image.repository}/manifests/{image.tag or name[1]}"
        answer = await self.ask("PUT", target, image.document.content, {"Content-Type": image.document.media_type})
        if answer.status == 404:
            self.journal.fault(f"{name}: {answer.body!r}, but all that it needs was acknowledged")
        if answer.status != 201:
            raise Refused(answer.status, answer.body)
        self.journal.manifest_kept(name, image.tag)
        self.images[name] = image

    async def _push_blob(self, repository: str, digest: str, content: bytes) -> None:
        self.journal.blob_asked((repository, digest))
        form = self.dice.choice(("in one request", "in two", "in chunks", "as a stream", "by a mount"))
        begin = f"/v2/{repository}/blobs/uploads/"
        if form == "in chunks":
            upload = await self._begin(repository, content)
            while upload.acknowledged < len(content):
                await self._chunk(upload, min(len(content), upload.acknowledged + len(content) // 3 + 1))
            await self._close(upload)
        elif form == "in one request":
            await self._kept(repository, digest, await self.ask("POST", f"{begin}?digest={digest}", content))
        else:
            source = self._holder(digest) if form == "by a mount" else None
            answer = await self.ask("POST", f"{begin}?mount={digest}&from={source}" if source else begin)
            if answer.status == 202:
                target = answer.headers["location"]
                if form == "as a stream":
                    pieces = [content[at : at + 30_000] for at in range(0, len(content), 30_000)]
                    patched = await self.ask("PATCH", target, pieces)
                    if not patched.good:
                        raise Refused(patched.status, patched.body)
                    content = b""
                answer = await self.ask("PUT", f"{target}?digest={digest}", content)
            await self._kept(repository, digest, answer)
        self.journal.counts["blobs pushed " + form] += 1

    async def _kept(self, repository: str, digest: str, answer: Answer) -> None:
        if answer.status != 201:
            raise Refused(answer.status, answer.body)
        self.journal.blob_kept((repository, digest))

    async def _begin(self, repository: str, content: bytes) -> Upload:
        answer = await self.ask("POST", f"/v2/{repository}/blobs/uploads/")
        if answer.status != 202:
            raise Refused(answer.status, answer.body)
        upload = Upload(repository, answer.headers["location"], content, digest_of(content))
        self.journal.blob_asked((repository, upload.digest))
        self.uploads.append(upload)
        return upload

    async def _chunk(self, upload: Upload, end: int) -> None:
        start, upload.sent = upload.acknowledged, max(upload.sent, end)
        span = {"Content-Range": f"{start}-{end - 1}"}
        answer = await self.ask("PATCH", upload.location, upload.content[start:end], span)
        if answer.status != 202:
            raise Refused(answer.status, answer.body)
        upload.acknowledged = end

    async def _close(self, upload: Upload) -> None:
        again, upload.closing = upload.closing, True
        answer = await self.ask("PUT", f"{upload.location}?digest={upload.digest}")
        if answer.status == 404 and again:
            await self._lost(upload)
            return
        await self._kept(upload.repository, upload.digest, answer)
        self.uploads.remove(upload)

    async def _resume(self, upload: Upload) -> None:
        """Go on where the registry says that the upload stands."""
        answer = await self.ask("GET", upload.location)
        if answer.status == 404:
            await self._lost(upload)
            return
        if answer.status != 204:
            raise Refused(answer.status, answer.body)
        last = int(re.fullmatch(r"0-(\d+)", answer.headers["range"])[1])  # type: ignore[index]
        stands = last + 1 if last or upload.acknowledged == 1 else 0
        forgotten = stands < upload.acknowledged and not self.journal.counts["kills of PostgreSQL"]
        if forgotten or stands > upload.sent:
            self.journal.fault(
                f"{upload.location} stands at {stands}, with {upload.acknowledged} acknowledged, {upload.sent} sent"
            )
        upload.acknowledged = stands
        if stands < len(upload.content):
            await self._chunk(upload, len(upload.content))
        await self._close(upload)
        self.journal.counts["uploads resumed"] += 1

    async def _lost(self, upload: Upload) -> None:
        """There is no such upload any more: it became a blob, or died while it was closed, and is begun anew.

        And PostgreSQL, if it was killed itself, may have lost what waits for no disk.
        """
        if not upload.closing and not self.journal.counts["kills of PostgreSQL"]:
            self.journal.fault(f"{upload.location} is gone, and nobody ended it")
        self.uploads.remove(upload)
        target = f"/v2/{upload.repository}/blobs/{upload.digest}"
        if (await self.ask("HEAD", target)).good:
            self.journal.blob_kept((upload.repository, upload.digest))
        else:
            begin = f"/v2/{upload.repository}/blobs/uploads/?digest={upload.digest}"
            await self._kept(upload.repository, upload.digest, await self.ask("POST", begin, upload.content))
        self.journal.counts["uploads that had ended"] += 1

    # ---------------------------------------------------------------- choices

    def _new(self) -> Image:
        self._turn += 1
        repository = self.dice.choice(self.repositories)
        number = self.dice.randint(1, 3)
        layers = self.dice.sample(POOL, number) if repository == SHARED else [self._content() for _ in range(number)]
        tag = self._tag() if self.dice.random() < 0.8 else None
        return image_of(repository, f"{self._number}.{self._turn}", layers, tag)

    def _content(self) -> bytes:
        if self.dice.random() < 0.3:
            return self.dice.choice(POOL)
        return self.dice.randbytes(self.dice.randint(*self.dice.choice(SIZES)))

    def _tag(self) -> str:
        return f"client{self._number}-{self.dice.randrange(TAGS)}"

    def _mine(self, tag: Name) -> bool:
        return tag[0] in self.repositories and tag[1].startswith(f"client{self._number}-")

    def _some(self) -> Image | None:
        held = [image for name, image in self.images.items() if self.journal.manifests[name] is Fate.THERE]
        return self.dice.choice(held) if held else None

    def _holder(self, digest: str) -> str | None:
        held = [
            name[0]
            for name, fate in self.journal.blobs.items()
            if name[1] == digest and fate is Fate.THERE and name[0] in self.repositories
        ]
        return self.dice.choice(held) if held else None


def _honest(answer: Answer) -> bool:
    """Does a refusal say in a sentence what is the matter, and, if it is for now, when to come back?"""
    later = answer.status not in {429, 503} or answer.headers.get("retry-after", "").isdigit()
    if answer.headers.get("content-type", "").startswith("text/plain"):
        return later and len(answer.body) > 10  # of the wire, which knows no nouns
    # An answer to HEAD has no body.
    return later and (not answer.body or len(json.loads(answer.body)["errors"][0]["message"]) > 10)


def _descriptor(content: bytes, media_type: str) -> dict[str, object]:
    return {"mediaType": media_type, "digest": digest_of(content), "size": len(content)}


def image_of(repository: str, made: str, layers: list[bytes], tag: str | None) -> Image:
    """An image of these layers; ``made`` makes it another one than all others."""
    config = json.dumps({"architecture": "amd64", "os": "linux", "made": made}).encode()
    described = [_descriptor(one, LAYER) for one in layers]
    document = {"schemaVersion": 2, "mediaType": MANIFEST, "config": _descriptor(config, CONFIG), "layers": described}
    blobs = {digest_of(one): one for one in (config, *layers)}
    return Image(repository, blobs, Document(json.dumps(document).encode(), MANIFEST, tuple(blobs)), tag)
