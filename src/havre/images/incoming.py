"""Incoming: one new blob on its way into a layout, hashed while it is written, named only when it is right."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Self

from havre.errors import DigestInvalid, SizeInvalid
from havre.oci.descriptor import Descriptor
from havre.oci.digest import Digest, Hasher


class Incoming:
    """A file that becomes a blob by `keep`, or disappears when the ``with`` block ends."""

    def __init__(self, path: Path, place: Callable[[Digest], Path], algorithm: str) -> None:
        self._path = path
        self._place = place
        self._algorithm = algorithm
        self._hasher = Hasher(algorithm)
        self._file = path.open("xb", buffering=0)

    @property
    def size(self) -> int:
        """Bytes written so far."""
        return self._hasher.size

    def write(self, data: bytes) -> None:
        """Add bytes."""
        rest = memoryview(data)
        while rest:
            rest = rest[self._file.write(rest) :]
        self._hasher.update(data)

    def keep(self, expected: Descriptor | None = None) -> Digest:
        """Give the content its name. Raises SizeInvalid or DigestInvalid when it is not what was expected."""
        digest = self._hasher.digest(self._algorithm)
        if expected and self.size != expected.size:
            raise SizeInvalid(f"only {self.size} of the {expected.size} bytes of {expected.digest} arrived")
        if expected and digest != expected.digest:
            raise DigestInvalid(f"content with the digest {digest} arrived in place of {expected.digest}")
        # Not synced: what a power cut takes of it shows by its size (`Layout.has_blob`) or its digest, and is fetched
        # anew. Waiting for the disk would take longer than everything else.
        target = self._place(digest)
        target.parent.mkdir(parents=True, exist_ok=True)
        self._path.replace(target)
        return digest

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()
        self._path.unlink(missing_ok=True)
