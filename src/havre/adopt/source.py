"""Source: what a foreign tree holds: repositories, their manifests and tags, and content by digest.

Nothing is believed but bytes whose digest was checked. Everything here blocks, and is called in threads.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from havre.errors import BlobUnknown, SizeInvalid
from havre.oci.digest import Digest
from havre.registry.records import Instant

PIECE = 1024 * 1024
"""Bytes read at a time."""


class Content(Protocol):
    """Content of a tree, by digest. Unchecked: a file may hold something else than its name says."""

    def size(self, digest: Digest) -> int | None:
        """Bytes there; None if there is nothing."""

    def pieces(self, digest: Digest) -> Iterator[bytes]:
        """The bytes in order. Raises BlobUnknown if there is nothing or it can not be read."""

    def file(self, digest: Digest) -> Path | None:
        """The file that holds exactly this; None if it lies inside another one, or is not there."""


@dataclass(frozen=True, slots=True)
class ForeignTag:
    """A tag, and what it pointed at since when, oldest first; the last one is what it points at now."""

    name: str
    targets: Sequence[tuple[Instant, Digest]]


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Something in the tree that can not be what it should be, and why."""

    what: str
    why: str


@dataclass(frozen=True, slots=True)
class Foreign:
    """A repository as it was elsewhere."""

    name: str
    content: Content
    manifests: Sequence[tuple[Instant, Digest]]
    """Every manifest that is not merely a child of these, and since when; oldest first."""
    tags: Sequence[ForeignTag]
    media_types: Mapping[Digest, str] = field(default_factory=dict)
    """What the tree says manifests are, for those that do not say so themselves."""
    unreadable: Sequence[Unreadable] = ()
    given: bool = True
    """Has it a name of its own there, or only that of the file it lies in?"""


class Source(Protocol):
    """A whole tree, open for reading."""

    @property
    def shown(self) -> str:
        """For messages."""

    def names(self) -> Sequence[str]:
        """What its repositories are called, in order. Raises InputInvalid if the tree can not be read."""

    def repository(self, name: str) -> Foreign:
        """One of them. Raises InputInvalid if it can not be read."""

    def close(self) -> None:
        """Let go of files."""


def read_small(content: Content, digest: Digest, limit: int) -> bytes:
    """Content whole, unchecked. Raises BlobUnknown if it is not there, SizeInvalid beyond ``limit`` bytes."""
    size = content.size(digest)
    if size is None:
        raise BlobUnknown(f"{digest} is missing in the source")
    if size > limit:
        raise SizeInvalid(f"{digest} has {size} bytes, at most {limit} are read of such content")
    return b"".join(content.pieces(digest))


class Files:
    """Content that lies in one file each; ``where`` gives its path."""

    def where(self, digest: Digest) -> Path:
        """Where content of that digest lies, or would."""
        raise NotImplementedError

    def size(self, digest: Digest) -> int | None:
        """As in `Content`."""
        try:
            return self.where(digest).stat().st_size
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise unreadable(digest, error) from error

    def pieces(self, digest: Digest) -> Iterator[bytes]:
        """As in `Content`."""
        try:
            with self.where(digest).open("rb", buffering=0) as file:
                while piece := file.read(PIECE):
                    yield piece
        except OSError as error:
            raise unreadable(digest, error) from error

    def file(self, digest: Digest) -> Path | None:
        """As in `Content`."""
        path = self.where(digest)
        return path if path.is_file() else None


def unreadable(digest: Digest, error: OSError) -> BlobUnknown:
    """The failure when content is there and can not be read."""
    return BlobUnknown(f"{digest} can not be read in the source: {error.strerror or error}")
