"""Our stylesheet, modules and pictures, under names that carry a hash of their content.

A name never stands for other bytes, so browsers may keep them for ever, and a new version needs no clearing of caches.
They are read once and kept: all of them together are a few dozen kilobytes.
"""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

_TYPES = {
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}


@dataclass(frozen=True, slots=True)
class Asset:
    """One file as it is sent."""

    content: bytes
    compressed: bytes
    """The same with gzip: they are public and hold no secret that its length could tell."""
    media_type: str


@dataclass(frozen=True, slots=True)
class Assets:
    """All files, by the hashed name under ``/static/``, and the hashed names by plain name."""

    by_name: Mapping[str, Asset]
    names: Mapping[str, str]

    def url(self, name: str) -> str:
        """The address of ``havre.css`` and its like. Raises KeyError for a file that is not there."""
        return f"/static/{self.names[name]}"


@cache
def assets() -> Assets:
    """Read ``static/`` once."""
    by_name, names = {}, {}
    for file in (files("havre.web") / "static").iterdir():
        stem, _, suffix = file.name.rpartition(".")
        if suffix in _TYPES:
            content = file.read_bytes()
            names[file.name] = f"{stem}.{hashlib.sha256(content).hexdigest()[:12]}.{suffix}"
            by_name[names[file.name]] = Asset(content, gzip.compress(content, mtime=0), _TYPES[suffix])
    return Assets(by_name, names)
