"""Compare: what differs between two images: their layers, how they are run, and every file of their file systems.

Times of files are left out: they differ between builds of the same sources. Owner, rights and content count.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from havre.images.tree import LayerFile, Listing, merge, walk
from havre.oci.digest import Digest


class What(StrEnum):
    """How something of the first image is in the second; the value is the letter that ``docker diff`` has for it."""

    ADDED = "A"
    CHANGED = "C"
    REMOVED = "D"


@dataclass(frozen=True, slots=True)
class Change:
    """A path, or a part of the configuration, that is not the same. Sizes are bytes; 0 where it is absent."""

    what: What
    path: str
    before: str = ""
    after: str = ""
    size_before: int = 0
    size_after: int = 0


@dataclass(frozen=True, slots=True)
class _File:
    """All that counts of a file."""

    kind: str
    mode: int
    owner: tuple[int, int]
    link: str
    device: tuple[int, int]
    attributes: tuple[tuple[str, str], ...]
    size: int
    content: str


Listings = dict[Digest, Listing]
"""Layers that were read already, by digest: images that share some are compared at the cost of the others."""


def snapshot(layers: Sequence[tuple[Digest, LayerFile]], known: Listings) -> dict[str, _File]:
    """Every path of the merged file system. Raises DigestInvalid, InputInvalid, SizeInvalid."""
    for digest, layer in layers:
        if digest not in known:
            known[digest] = layer.listing(contents=True)
    listings = [known[digest] for digest, _ in layers]
    found: dict[str, _File] = {}
    for path, node in walk(merge(listings)):
        entry = node.entry
        content = listings[node.layer].contents[node.number] if node.layer >= 0 else ""
        found[path] = _File(
            entry.kind,
            entry.mode,
            (entry.uid, entry.gid),
            entry.link,
            entry.device,
            tuple(sorted(entry.attributes.items())),
            entry.size,
            content,
        )
    return found


def compare_files(before: Mapping[str, _File], after: Mapping[str, _File]) -> list[Change]:
    """What became of each path, sorted."""
    changes = []
    for path in sorted(before.keys() | after.keys()):
        old, new = before.get(path), after.get(path)
        if old != new:
            changes.append(
                Change(_what(old, new), path, size_before=old.size if old else 0, size_after=new.size if new else 0)
            )
    return changes


def compare_configs(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Change]:
    """What differs in how the images are run, one change for each variable, label or field."""
    old, new = _flat(before), _flat(after)
    return [
        Change(_what(old.get(key), new.get(key)), key, old.get(key, ""), new.get(key, ""))
        for key in sorted(old.keys() | new.keys())
        if old.get(key) != new.get(key)
    ]


def _what(before: object, after: object) -> What:
    return What.ADDED if before is None else What.REMOVED if after is None else What.CHANGED


def _flat(config: Mapping[str, Any]) -> dict[str, str]:
    flat = {key: str(config[key]) for key in ("os", "architecture", "variant", "created") if config.get(key)}
    inner = config.get("config")
    for key, value in (inner if isinstance(inner, dict) else {}).items():
        if isinstance(value, dict):
            flat |= {f"{key} {name}": "" if text in ({}, None) else str(text) for name, text in value.items()}
        elif key == "Env" and isinstance(value, list):
            flat |= {f"Env {name}": text for name, _, text in (str(one).partition("=") for one in value)}
        elif isinstance(value, list):
            flat[str(key)] = " ".join(map(str, value))
        elif value not in (None, "", False):
            flat[str(key)] = str(value)
    return flat
