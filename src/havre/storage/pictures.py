"""Pictures of elsewhere, kept as files for some time: ``pictures/<first two letters>/<sha256 of the address>``.

All of it can be deleted at any moment; it is fetched again. Writes are atomic and not synced.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import time
from pathlib import Path

MAX_BYTES = 256 * 1024 * 1024
"""Of all pictures together; beyond, the oldest go."""

MAX_FILES = 20_000
_TRIM_EVERY = 100
"""Writes between two looks at the whole."""


class PictureFiles:
    """Keeps pictures in a folder, shared by all workers. Blocking: call it in a thread."""

    def __init__(self, folder: Path, limit: int = MAX_BYTES) -> None:
        self._folder = folder
        self._limit = limit
        self._writes = 0

    def get(self, url: str) -> tuple[bytes, float] | None:
        """The picture and its age in seconds, None if it is not here."""
        try:
            with self._path(url).open("rb") as file:
                return file.read(), max(0.0, time.time() - os.fstat(file.fileno()).st_mtime)
        except OSError:
            return None

    def put(self, url: str, content: bytes) -> None:
        """Keep it. A full disk only means that it is fetched again."""
        path = self._path(url)
        passing = path.with_name(f".{secrets.token_hex(8)}")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            passing.write_bytes(content)
            passing.replace(path)
        except OSError:
            passing.unlink(missing_ok=True)
            return
        self._writes += 1
        if self._writes % _TRIM_EVERY == 1:
            self.trim()

    def trim(self) -> int:
        """Remove the oldest until all fit; returns how many went."""
        kept = []
        for path in self._folder.glob("*/*"):
            try:
                found = path.stat()
            except OSError:
                continue
            kept.append((found.st_mtime, found.st_size, path))
        kept.sort(reverse=True, key=lambda one: one[0])
        total, removed = 0, 0
        for place, (_, size, path) in enumerate(kept):
            total += size
            if total > self._limit or place >= MAX_FILES:
                path.unlink(missing_ok=True)
                removed += 1
        return removed

    def _path(self, url: str) -> Path:
        name = hashlib.sha256(url.encode()).hexdigest()
        return self._folder / name[:2] / name
