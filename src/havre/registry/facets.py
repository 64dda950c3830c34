"""Facets: what a repository holds, as its manifests say, for those who filter a search by it."""

from __future__ import annotations

from enum import StrEnum

from havre.errors import ManifestInvalid
from havre.oci import mediatypes
from havre.oci.manifest import Manifest, parse
from havre.registry.records import ManifestRecord

MAX_VALUE = 100
"""Characters of a facet's value."""

_HELM = "application/vnd.cncf.helm.config.v1+json"
# Signatures, attestations and the like. Some are pushed as images under a tag of their own instead of as referrers.
_ABOUT_OTHERS = ("cosign", "sigstore", "in-toto", "cncf.notary", "dsse")
_UNKNOWN = "unknown/unknown"


class Facet(StrEnum):
    """By what a search can be filtered."""

    KIND = "kind"
    PLATFORM = "platform"


class Kind(StrEnum):
    """What a manifest is."""

    IMAGE = "image"
    HELM = "helm"
    """A Helm chart."""
    ARTIFACT = "artifact"
    """Anything else that stands for itself."""


def facets(record: ManifestRecord) -> list[tuple[Facet, str]]:
    """What this manifest adds to its repository: its kind, and its platform.

    Nothing for what is about another manifest, such as a signature, nor for an index, whose children speak for it.
    """
    if record.subject is not None or record.media_type in mediatypes.INDEXES:
        return []
    try:
        manifest = parse(record.media_type, record.content)
    except ManifestInvalid:
        return []
    kind = _kind(record, manifest)
    found = [] if kind is None else [(Facet.KIND, kind.value)]
    if kind is Kind.IMAGE and record.platform:
        found.append((Facet.PLATFORM, platform(record.platform)))
    return found


def platform(text: str) -> str:
    """A platform as it is counted: without the variant that goes without saying."""
    return text.removesuffix("/v8")[:MAX_VALUE] if text.endswith("/arm64/v8") else text[:MAX_VALUE]


def _kind(record: ManifestRecord, manifest: Manifest) -> Kind | None:
    types = [record.artifact_type, *(layer.media_type for layer in manifest.layers[:8])]
    if any(word in one for one in types for word in _ABOUT_OTHERS) or record.platform == _UNKNOWN:
        return None
    config = manifest.config.media_type if manifest.config else ""
    if config in mediatypes.CONFIGS and record.artifact_type in {"", *mediatypes.CONFIGS}:
        return Kind.IMAGE
    return Kind.HELM if _HELM in {config, record.artifact_type} else Kind.ARTIFACT
