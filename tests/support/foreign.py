"""What another registry holds, pushed to it by real clients, and how it compares with what came to Havre."""

from __future__ import annotations

import base64
import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from oras.client import OrasClient
from oras.oci import Subject

from tests.support import documents
from tests.support.images import everywhere, small
from tests.support.peers import PASSWORD, DockerRegistry
from tests.support.requirements import require

KINDS = (documents.OCI_MANIFEST, documents.OCI_INDEX, documents.DOCKER_MANIFEST, documents.DOCKER_LIST)
ACCEPTED = ", ".join(KINDS)


@dataclass(frozen=True)
class Answer:
    """A manifest or a blob as a registry gave it."""

    status: int
    media_type: str
    body: bytes


@dataclass(frozen=True)
class Wire:
    """A registry, asked without any client in between."""

    host: str
    login: str = ""

    def get(self, path: str) -> Answer:
        request = self._request(path, headers={"Accept": ACCEPTED})
        try:
            with urlopen(request, timeout=30) as reply:
                return Answer(reply.status, reply.headers["Content-Type"], reply.read())
        except HTTPError as error:
            with error:
                return Answer(error.code, "", error.read())

    def manifest(self, repository: str, reference: str) -> Answer:
        return self.get(f"{repository}/manifests/{reference}")

    def tags(self, repository: str) -> list[str]:
        return sorted(json.loads(self.get(f"{repository}/tags/list").body)["tags"] or [])

    def referrers(self, repository: str, digest: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(self.get(f"{repository}/referrers/{digest}").body)["manifests"]
        return found

    def put_blob(self, repository: str, content: bytes) -> None:
        with urlopen(self._request(f"{repository}/blobs/uploads/", "POST", b"")) as reply:
            place = reply.headers["Location"]
        place = place.removeprefix(f"http://{self.host}/v2/").removeprefix("/v2/")
        mark = "&" if "?" in place else "?"
        octets = {"Content-Type": "application/octet-stream"}
        address = f"{place}{mark}digest={documents.digest_of(content)}"
        with urlopen(self._request(address, "PUT", content, octets)) as reply:
            assert reply.status == 201

    def put_manifest(self, repository: str, reference: str, content: bytes, media_type: str) -> None:
        said = {"Content-Type": media_type}
        with urlopen(self._request(f"{repository}/manifests/{reference}", "PUT", content, said)) as reply:
            assert reply.status == 201

    def push(self, repository: str, tag: str, image: documents.Image) -> None:
        for blob in image.blobs:
            self.put_blob(repository, blob)
        self.put_manifest(repository, tag, image.content, documents.OCI_MANIFEST)

    def _request(
        self, path: str, method: str = "GET", body: bytes | None = None, headers: dict[str, str] | None = None
    ) -> Request:
        request = Request(f"http://{self.host}/v2/{path}", body, headers or {}, method=method)
        if self.login:
            request.add_header("Authorization", "Basic " + base64.b64encode(self.login.encode()).decode())
        return request


def their_wire(registry: DockerRegistry) -> Wire:
    """The registry, with its one login."""
    return Wire(registry.host, f"alice:{PASSWORD}")


def skopeo(*words: str) -> None:
    """Run skopeo against plain HTTP, signed in there."""
    flags = [f"--dest-creds=alice:{PASSWORD}", "--dest-tls-verify=false"]
    program = require("skopeo")
    subprocess.run([program, "--insecure-policy", "copy", "-q", *flags, *words], check=True, timeout=60)


def fill(registry: DockerRegistry, folder: Path) -> None:
    """Several images and what refers to them: multi-platform, in docker's format, moved, signed, and no image at all."""
    host, wire = registry.host, their_wire(registry)
    many, one = everywhere("many"), small("one")
    skopeo("--all", f"oci:{many.layout(folder)}:latest", f"docker://{host}/alice/many:1")
    skopeo("--all", f"oci:{many.layout(folder)}:latest", f"docker://{host}/alice/many:latest")
    for number in ("first", "second"):
        # The tag moves: the first image is left without one.
        skopeo(f"oci:{small(number).layout(folder)}:latest", f"docker://{host}/alice/moved:latest")
    skopeo("--format", "v2s2", f"oci:{one.layout(folder)}:latest", f"docker://{host}/alice/team/docker-format:v2")
    skopeo(f"oci:{one.layout(folder)}:latest", f"docker://{host}/elsewhere/shared:1")
    skopeo(f"oci:{one.layout(folder)}:latest", f"docker://{host}/library/one:1")
    signature = documents.artifact(annotations={"dev.cosignproject.cosign/signature": "c2ln"})
    wire.put_blob("alice/many", documents.EMPTY)
    wire.put_manifest("alice/many", many.digest.replace(":", "-") + ".sig", signature, documents.OCI_MANIFEST)
    _artifacts(registry, folder, many.manifest)


def _artifacts(registry: DockerRegistry, folder: Path, image: bytes) -> None:
    """An artifact, one that refers to it, and one that refers to an image: with oras."""
    client = OrasClient(hostname=registry.host, insecure=True, auth_backend="basic")
    client.login(
        username="alice",
        password=PASSWORD,
        hostname=registry.host,
        tls_verify=False,
        config_path=str(folder / "oras.json"),
    )
    (folder / "notes.txt").write_text("notes")
    pushed = {"files": [str(folder / "notes.txt")], "disable_path_validation": True, "quiet": True}
    target = f"{registry.host}/alice/files"
    client.push(target=f"{target}:notes", manifest_annotations={"kind": "notes"}, **pushed)
    subject = Subject.from_manifest(client.get_manifest(f"{target}:notes"))
    client.push(target=f"{target}:signed", subject=subject, manifest_annotations={"kind": "signature"}, **pushed)
    of_image = Subject(documents.OCI_INDEX, documents.digest_of(image), len(image))
    client.push(target=f"{registry.host}/alice/many:sbom", subject=of_image, **pushed)


def revisions(registry: DockerRegistry, repository: str) -> list[str]:
    """Digests of all manifests that a repository holds there, tagged or not."""
    folder = registry.folder / "data/docker/registry/v2/repositories" / repository / "_manifests/revisions/sha256"
    return [f"sha256:{path.parent.name}" for path in sorted(folder.glob("*/link"))]


def needed_blobs(content: bytes) -> list[str]:
    """Digests of what a manifest needs besides manifests."""
    document = json.loads(content)
    return [one["digest"] for one in [document.get("config"), *document.get("layers", [])] if one]


def assert_same(theirs: Wire, ours: Wire, there: str, here: str, digests: list[str]) -> None:
    """Every tag, every manifest and every blob of a repository is the same in both registries, byte for byte."""
    assert digests
    assert ours.tags(here) == theirs.tags(there)
    for reference in [*digests, *theirs.tags(there)]:
        expected = theirs.manifest(there, reference)
        assert expected.status == 200
        assert ours.manifest(here, reference) == expected
        for blob in needed_blobs(expected.body):
            assert ours.get(f"{here}/blobs/{blob}").body == theirs.get(f"{there}/blobs/{blob}").body
