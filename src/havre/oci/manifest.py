"""Manifests: parsed views over bytes that are kept untouched (OCI image spec, manifest.md and image-index.md)."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import chain
from typing import Any, NoReturn

from havre.errors import ManifestInvalid
from havre.oci import mediatypes
from havre.oci.descriptor import Descriptor, string_map

MAX_SIZE = 4 * 1024 * 1024
"""Bytes in a manifest: what the specification asks registries to accept, and containerd's own cap."""

MAX_DEPTH = 100
"""Nesting of JSON objects and arrays."""

MAX_DESCRIPTORS = 20_000
"""Entries of a manifest, so that 4 MiB of tiny descriptors stay affordable."""

MAX_CONTAINERS = 100_000
"""JSON objects and arrays of a manifest: 4 MiB of empty ones would take 100 MB to hold."""

_NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")
"""The escape of a NUL, which databases refuse to store; the backslash before the ``u`` is not itself escaped."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a manifest points at. ``kind`` is ``image``, ``index`` or ``other`` (unknown media types)."""

    media_type: str
    kind: str
    config: Descriptor | None = None
    layers: tuple[Descriptor, ...] = ()
    manifests: tuple[Descriptor, ...] = ()
    subject: Descriptor | None = None
    artifact_type: str = ""
    """As the referrers API reports it: the manifest's own, else an image's config media type."""
    annotations: Mapping[str, str] = field(default_factory=dict)

    @property
    def blobs(self) -> tuple[Descriptor, ...]:
        """The blobs it needs: its config and layers."""
        return (self.config, *self.layers) if self.config else self.layers


def parse(media_type: str, content: bytes) -> Manifest:
    """Read a manifest sent as ``media_type``.

    Known types are checked; content of an unknown type is accepted as it is, and only its subject is read.
    Raises ManifestInvalid, which names the place in the document.
    """
    if media_type in mediatypes.OBSOLETE:
        # Clients that can send another form do so after this refusal.
        raise ManifestInvalid("manifests of Docker's schema 1 are not accepted: push as schema 2 or OCI")
    kind = _kind(media_type)
    try:
        document = load_object(content)
    except ManifestInvalid:
        if kind == "other":
            return Manifest(media_type, kind)
        raise
    if kind != "other":
        _check_known(media_type, document)
    subject = document.get("subject")
    if kind == "other":
        return Manifest(media_type, kind, subject=_subject_of_unknown(subject))
    artifact_type = document.get("artifactType")
    if artifact_type is not None and artifact_type != "" and not mediatypes.is_media_type(artifact_type):
        raise ManifestInvalid("artifactType is not a media type: write 1 to 255 printable ASCII characters")
    config = Descriptor.from_json(document.get("config"), "config") if kind == "image" else None
    return Manifest(
        media_type,
        kind,
        config,
        _descriptors(document, "layers") if kind == "image" else (),
        _descriptors(document, "manifests") if kind == "index" else (),
        Descriptor.from_json(subject, "subject") if subject is not None else None,
        artifact_type or (config.media_type if config else ""),
        string_map(document.get("annotations"), "annotations"),
    )


def load_object(content: bytes) -> dict[str, Any]:
    """Read a JSON object from outside, bounded in depth and number of parts; raises ManifestInvalid."""
    if content.count(b"{") + content.count(b"[") > MAX_CONTAINERS:
        raise ManifestInvalid(f"the manifest has more than {MAX_CONTAINERS} JSON objects and arrays")
    try:
        text = content.decode("utf-8")
        document = json.loads(text, parse_constant=_refuse_constant)
    except UnicodeDecodeError as error:
        raise ManifestInvalid("the manifest is not UTF-8 text") from error
    except RecursionError as error:
        raise _too_deep() from error
    except ValueError as error:
        raise ManifestInvalid(f"the manifest is not valid JSON: {error}") from error
    if not isinstance(document, dict):
        raise ManifestInvalid("the manifest is not a JSON object")
    _check_depth(document)
    if "\\u" in text:
        _check_characters(text, document)
    return document


def _kind(media_type: str) -> str:
    if media_type in mediatypes.IMAGES:
        return "image"
    return "index" if media_type in mediatypes.INDEXES else "other"


def _check_known(media_type: str, document: dict[str, Any]) -> None:
    if document.get("schemaVersion") != 2:
        raise ManifestInvalid(f"schemaVersion is {_shown(document.get('schemaVersion'))}, it must be 2")
    inner = document.get("mediaType")
    if inner is not None and inner != media_type:
        raise ManifestInvalid(
            f"the manifest says mediaType {_shown(inner)}, the Content-Type header says {media_type!r}"
        )


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 100 else text[:97] + "..."


def _descriptors(document: dict[str, Any], key: str) -> tuple[Descriptor, ...]:
    values = document.get(key)
    if values is None and key == "manifests":
        values = []
    if not isinstance(values, list):
        raise ManifestInvalid(f"{key} is missing or not an array")
    if len(values) > MAX_DESCRIPTORS:
        raise ManifestInvalid(f"{key} has {len(values)} entries, at most {MAX_DESCRIPTORS} are allowed")
    return tuple(Descriptor.from_json(value, f"{key}[{index}]") for index, value in enumerate(values))


def _subject_of_unknown(value: object) -> Descriptor | None:
    """The subject in content of an unknown type; what is no descriptor there has a meaning of its own."""
    try:
        return Descriptor.from_json(value, "subject")
    except ManifestInvalid:
        return None


def _check_depth(document: dict[str, Any]) -> None:
    level: list[Any] = [document]
    for _ in range(MAX_DEPTH):
        values = chain.from_iterable(part.values() if isinstance(part, dict) else part for part in level)
        level = [value for value in values if isinstance(value, dict | list)]
        if not level:
            return
    raise _too_deep()


def _too_deep() -> ManifestInvalid:
    return ManifestInvalid(f"the manifest nests deeper than {MAX_DEPTH} levels")


def _check_characters(text: str, document: dict[str, Any]) -> None:
    """Refuse what JSON can escape and no database or UTF-8 document can hold: a NUL, and half a surrogate pair."""
    if _NUL.search(text):
        raise ManifestInvalid("the manifest holds a NUL character (\\u0000)")
    try:
        json.dumps(document, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        raise ManifestInvalid("the manifest holds half of a surrogate pair (\\ud800 to \\udfff)") from error


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")
