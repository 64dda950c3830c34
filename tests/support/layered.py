"""Images made of layers with files in them, pushed by a caller in this process."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable
from typing import Any

from tests.support import documents
from tests.support.inprocess import Caller
from tests.support.layers import Content, tar

Members = Iterable[tuple[str, Content]]


async def push_layers(
    caller: Caller, repository: str, tag: str, *layers: Members | bytes, architecture: str = "amd64", **config: Any
) -> str:
    """Push an image of these layers, each of members or as bytes; returns its digest."""
    packed = [one if isinstance(one, bytes) else gzip.compress(tar(one), mtime=0) for one in layers]
    document = {
        "architecture": architecture,
        "os": "linux",
        "config": config,
        "history": [{"created_by": f"COPY {number} /"} for number, _ in enumerate(packed, 1)],
    }
    content = json.dumps(document).encode()
    for blob in (content, *packed):
        await caller.push_blob(repository, blob)
    manifest = documents.manifest(
        documents.descriptor(content, documents.OCI_CONFIG),
        [documents.descriptor(layer, documents.OCI_LAYER) for layer in packed],
    )
    reply = await caller.push_manifest(repository, tag, manifest)
    assert reply.status == 201, reply
    return documents.digest_of(manifest)


async def push_index(caller: Caller, repository: str, tag: str, **digests: str) -> None:
    """Push an index of images that are there already, by architecture."""
    children = []
    for architecture, digest in digests.items():
        content = (await caller.get(f"/v2/{repository}/manifests/{digest}")).body
        platform = {"os": "linux", "architecture": architecture}
        children.append(documents.descriptor(content, documents.OCI_MANIFEST, platform=platform))
    reply = await caller.push_manifest(repository, tag, documents.index(children), documents.OCI_INDEX)
    assert reply.status == 201, reply
