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

STYLESHEET = "havre.css"
"""The one stylesheet that pages load: the sheets of ``static/css/`` in the order of their names."""

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
    folder = files("havre.web") / "static"
    contents = {file.name: file.read_bytes() for file in folder.iterdir() if file.is_file()}
    sheets = sorted((folder / "css").iterdir(), key=lambda file: file.name)
    contents[STYLESHEET] = b"\n".join(sheet.read_bytes() for sheet in sheets)
    by_name, names = {}, {}
    for name, content in contents.items():
        stem, _, suffix = name.rpartition(".")
        if suffix in _TYPES:
            names[name] = f"{stem}.{hashlib.sha256(content).hexdigest()[:12]}.{suffix}"
            by_name[names[name]] = Asset(content, gzip.compress(content, mtime=0), _TYPES[suffix])
    return Assets(by_name, names)
