"""Images: what a tag or digest holds, as people look at it: platforms, config, layers and what made them."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from havre.errors import BlobUnknown, DigestInvalid, ManifestInvalid
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
    about: Digest | None = None
    """The child that this one only tells something about, as BuildKit's attestations do."""


@dataclass(frozen=True, slots=True)
class StepView:
    """One step of an image's history: what was done, and the layer that came of it, if any."""

    instruction: str
    layer: LayerView | None
    created: str
    comment: str


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
    steps: Sequence[StepView] = ()
    """The history; empty if there is none, or if it does not fit the layers."""
    document: dict[str, Any] | None = None
    """The config of an artifact that is no image, such as a chart's; None where there is none that we can read."""
    config_type: str = ""
    """The media type of the config."""


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
        document = await self._config(name, manifest)
        config_type = manifest.config.media_type if manifest.config else ""
        config = document if config_type in mediatypes.CONFIGS else None
        labels, history, created = _read_config(config)
        layers = _layers(manifest.layers, history)
        return ImageView(
            record,
            manifest.kind,
            await self._platforms(name, manifest),
            config,
            layers,
            labels,
            created,
            _steps(layers, history),
            None if config is not None else document,
            config_type,
        )

    async def _config(self, name: RepositoryName, manifest: Manifest) -> dict[str, Any] | None:
        if manifest.config is None or not _is_json(manifest.config.media_type):
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
            PlatformView(str(one.platform) if one.platform else "", one.digest, sizes.get(one.digest, 0), _subject(one))
            for one in manifest.manifests
        ]


def _is_json(media_type: str) -> bool:
    return media_type in mediatypes.CONFIGS or (media_type.endswith("json") and media_type != mediatypes.OCI_EMPTY)


def _subject(child: Descriptor) -> Digest | None:
    """What a child of an index tells about, if it is an attestation of BuildKit's kind."""
    if child.annotations.get("vnd.docker.reference.type") != "attestation-manifest":
        return None
    try:
        return Digest.parse(child.annotations.get("vnd.docker.reference.digest", ""))
    except DigestInvalid:
        return None


def _steps(layers: Sequence[LayerView], history: list[dict[str, Any]]) -> list[StepView]:
    if sum(not step.get("empty_layer") for step in history) != len(layers):
        return []
    left, steps = iter(layers), []
    for step in history:
        instruction, created, comment = (step.get(key) for key in ("created_by", "created", "comment"))
        steps.append(
            StepView(
                str(instruction or comment or ""),
                None if step.get("empty_layer") else next(left),
                created if isinstance(created, str) else "",
                comment if isinstance(comment, str) else "",
            )
        )
    return steps


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
