"""A push as clients do it, in raw HTTP: token, blobs, manifest."""

from __future__ import annotations

from urllib.parse import urlencode

import httpx

from tests.conftest import PASSWORD
from tests.support import documents
from tests.support.server import HavreProcess


def push(havre: HavreProcess, name: str, repository: str, *tags: str, password: str = PASSWORD) -> str:
    """Push a small image under some tags, as ``name``; returns its digest."""
    image = documents.image(repository)
    with httpx.Client(base_url=havre.url, trust_env=False) as client:
        scope = urlencode({"service": havre.host, "scope": f"repository:{repository}:pull,push"})
        reply = client.get(f"/auth/token?{scope}", auth=(name, password)).raise_for_status()
        client.headers["Authorization"] = f"Bearer {reply.json()['token']}"
        for blob in image.blobs:
            query = f"?digest={documents.digest_of(blob)}"
            headers = {"Content-Type": "application/octet-stream"}
            client.post(f"/v2/{repository}/blobs/uploads/{query}", content=blob, headers=headers).raise_for_status()
        for tag in tags:
            headers = {"Content-Type": documents.OCI_MANIFEST}
            client.put(f"/v2/{repository}/manifests/{tag}", content=image.content, headers=headers).raise_for_status()
    return image.digest
