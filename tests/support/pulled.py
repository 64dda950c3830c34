"""Everything that a registry holds for one account, pulled and checked byte by byte."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import urlencode

import httpx

from tests.support import documents
from tests.support.server import HavreProcess

PASSWORD = "correct horse 9"


@dataclass
class Pulled:
    """Tags with the digests they point at, and what could not be pulled."""

    tags: dict[str, str] = field(default_factory=dict)
    broken: list[str] = field(default_factory=list)


@contextmanager
def session(havre: HavreProcess, name: str, *repositories: str) -> Iterator[httpx.Client]:
    """A client that may do everything in the repositories."""
    with httpx.Client(base_url=havre.url, trust_env=False, timeout=30) as client:
        scopes = [("scope", f"repository:{one}:pull,push,delete") for one in repositories]
        query = urlencode([("service", havre.host), *scopes])
        reply = client.get(f"/auth/token?{query}", auth=(name, PASSWORD)).raise_for_status()
        client.headers["Authorization"] = f"Bearer {reply.json()['token']}"
        yield client


def push_image(client: httpx.Client, repository: str, tag: str, image: documents.Image) -> None:
    """Push an image as clients do: what is there is not sent."""
    for blob in image.blobs:
        digest = documents.digest_of(blob)
        if client.head(f"/v2/{repository}/blobs/{digest}").status_code == 200:
            continue
        headers = {"Content-Type": "application/octet-stream"}
        query = f"/v2/{repository}/blobs/uploads/?digest={digest}"
        client.post(query, content=blob, headers=headers).raise_for_status()
    headers = {"Content-Type": documents.OCI_MANIFEST}
    client.put(f"/v2/{repository}/manifests/{tag}", content=image.content, headers=headers).raise_for_status()


def pull_all(havre: HavreProcess, name: str, *repositories: str) -> Pulled:
    """Pull every tag of the repositories completely."""
    found = Pulled()
    with session(havre, name, *repositories) as client:
        for repository in repositories:
            listed = client.get(f"/v2/{repository}/tags/list").raise_for_status().json()["tags"]
            for tag in listed or []:
                _pull(client, repository, tag, found)
    return found


def _pull(client: httpx.Client, repository: str, tag: str, found: Pulled) -> None:
    accept = {"Accept": f"{documents.OCI_MANIFEST}, {documents.OCI_INDEX}"}
    reply = client.get(f"/v2/{repository}/manifests/{tag}", headers=accept)
    name = f"{repository}:{tag}"
    if reply.status_code != 200:
        found.broken.append(f"{name}: {reply.status_code}")
        return
    digest = documents.digest_of(reply.content)
    if digest != reply.headers["Docker-Content-Digest"]:
        found.broken.append(f"{name}: {digest}")
    found.tags[name] = digest
    document = reply.json()
    for one in [document["config"], *document["layers"]]:
        blob = client.get(f"/v2/{repository}/blobs/{one['digest']}")
        if blob.status_code != 200 or documents.digest_of(blob.content) != one["digest"]:
            found.broken.append(f"{name}: {one['digest']} {blob.status_code}")
