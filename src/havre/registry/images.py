"""Images: what a tag or digest holds, as people look at it: platforms, config, layers and what made them."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from havre.errors import BlobUnknown, ManifestInvalid
from havre.oci import mediatypes
from havre.oci.descriptor import Descriptor
from havre.oci.digest import Digest
from havre.oci.manifest import Manifest, load_object, parse
from havre.oci.names import RepositoryName
from havre.oci.reference import Reference
from havre.registry.blobs import Blobs
from havre.registry.manifests import MAX_CONFIG, Manifests
from havre.registry.naming import follow
from havre.registry.ports import Metadata, Rows
from havre.registry.records import ManifestRecord


@dataclass(frozen=True, slots=True)
class PlatformView:
    """One child of an index."""

    platform: str
    digest: Digest
    size: int
    """Bytes of its config and layers; 0 if it is not here."""


@dataclass(frozen=True, slots=True)
class LayerView:
    """One layer; ``instruction`` is what made it, as the config's history tells."""

    digest: Digest
    size: int
    media_type: str
    instruction: str


@dataclass(frozen=True, slots=True)
class ImageView:
    """All that a page shows of one manifest. ``config`` is None where there is none that we can read."""

    manifest: ManifestRecord
    kind: str
    platforms: Sequence[PlatformView]
    config: dict[str, Any] | None
    layers: Sequence[LayerView]
    labels: dict[str, str]
    created: str


class Images:
    """Reads manifests for people."""

    def __init__(self, metadata: Metadata, manifests: Manifests, blobs: Blobs) -> None:
        self._metadata = metadata
        self._manifests = manifests
        self._blobs = blobs

    async def inspect(self, name: RepositoryName, reference: Reference) -> ImageView:
        """Look into a manifest; raises NameUnknown or ManifestUnknown."""
        record = await self._manifests.get(name, reference, pull=False)
        manifest = parse(record.media_type, record.content)
        config = await self._config(name, manifest)
        labels, history, created = _read_config(config)
        return ImageView(
            record,
            manifest.kind,
            await self._platforms(name, manifest),
            config,
            _layers(manifest.layers, history),
            labels,
            created,
        )

    async def _config(self, name: RepositoryName, manifest: Manifest) -> dict[str, Any] | None:
        if manifest.config is None or manifest.config.media_type not in mediatypes.CONFIGS:
            return None
        with contextlib.suppress(BlobUnknown, ManifestInvalid):
            content = await self._blobs.read_whole(await self._blobs.stat(name, manifest.config.digest), MAX_CONFIG)
            return load_object(content) if content else None
        return None

    async def _platforms(self, name: RepositoryName, manifest: Manifest) -> list[PlatformView]:
        if not manifest.manifests:
            return []

        def work(rows: Rows) -> dict[Digest, int]:
            return rows.manifests.sizes(follow(rows, name).id, [one.digest for one in manifest.manifests])

        sizes = await self._metadata.read(work)
        return [
            PlatformView(str(one.platform) if one.platform else "", one.digest, sizes.get(one.digest, 0))
            for one in manifest.manifests
        ]


def _read_config(config: dict[str, Any] | None) -> tuple[dict[str, str], list[dict[str, Any]], str]:
    """Labels, history and time of a config whose every part may be missing or of another kind."""
    if config is None:
        return {}, [], ""
    inner = config.get("config")
    labels = inner.get("Labels") if isinstance(inner, dict) else None
    history = config.get("history")
    created = config.get("created")
    return (
        {str(key): str(value) for key, value in labels.items()} if isinstance(labels, dict) else {},
        [one for one in history if isinstance(one, dict)] if isinstance(history, list) else [],
        created if isinstance(created, str) else "",
    )


def _layers(layers: Sequence[Descriptor], history: list[dict[str, Any]]) -> list[LayerView]:
    made = [str(step.get("created_by") or step.get("comment") or "") for step in history if not step.get("empty_layer")]
    # A history that does not match the layers one to one tells nothing certain about any of them.
    made = made if len(made) == len(layers) else [""] * len(layers)
    return [LayerView(one.digest, one.size, one.media_type, by) for one, by in zip(layers, made, strict=True)]
