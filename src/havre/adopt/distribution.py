"""Distribution: the folder of the CNCF distribution registry (``registry:2``, ``registry:3``, Debian's docker-registry).

    ROOT/docker/registry/v2/
    ├── blobs/sha256/6c/6c3c…/data                       content, each once
    └── repositories/PATH/
        ├── _manifests/revisions/sha256/6c3c…/link       a manifest; without the link it was deleted
        ├── _manifests/tags/TAG/current/link             what a tag points at
        ├── _manifests/tags/TAG/index/sha256/6c3c…/link  what it ever pointed at
        └── _layers/…, _uploads/…                        not read: manifests say what they need

A link is a file that holds a digest; its time is when it was written: of a push, or of a tag's move.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from havre.adopt.source import Files, Foreign, ForeignTag, Unreadable
from havre.errors import DigestInvalid, InputInvalid
from havre.oci.digest import ALGORITHMS, Digest
from havre.registry.records import Instant

MAX_LINK = 200
"""Bytes of a link."""

MAX_DEPTH = 128
"""Parts of a repository's path: as many as fit into its 255 characters."""

_BELOW = ("docker/registry/v2", "registry/v2", "v2", ".")


def find(folder: Path) -> Path | None:
    """The ``v2`` folder of a registry whose storage is ``folder``, or a part of the way there; None if there is none."""
    for below in _BELOW:
        found = folder / below
        if (found / "repositories").is_dir() and (found / "blobs").is_dir():
            return found
    return None


class DistributionTree:
    """Such a folder. It may go on being written to: what comes meanwhile is found or not."""

    def __init__(self, root: Path) -> None:
        self._repositories = root / "repositories"
        self._content = _Blobs(root / "blobs")
        self.shown = str(root)

    def names(self) -> Sequence[str]:
        """Every path that has manifests, in order."""
        return list(self._walk(self._repositories, "", 0))

    def repository(self, name: str) -> Foreign:
        """Its revisions and tags. A tag whose link is damaged is named as unreadable."""
        folder = self._repositories / name / "_manifests"
        trouble: list[Unreadable] = []
        manifests = sorted(_links(folder / "revisions", "manifest", trouble))
        tags = []
        for entry in _folders(folder / "tags"):
            moves = sorted(_links(folder / "tags" / entry / "index", f"history of tag {entry}", trouble))
            current = _link(folder / "tags" / entry / "current" / "link", f"tag {entry}", trouble)
            if current is not None:
                # What it points at now comes last, whatever copies of the tree did to the times.
                tags.append(ForeignTag(entry, [move for move in moves if move[1] != current[1]] + [current]))
        return Foreign(name, self._content, manifests, tags, unreadable=trouble)

    def close(self) -> None:
        """Nothing is open."""

    def _walk(self, folder: Path, name: str, depth: int) -> Iterator[str]:
        if depth > MAX_DEPTH:
            raise InputInvalid(f"{folder} lies deeper than any repository can")
        below = _folders(folder)
        if "_manifests" in below:
            yield name
        for entry in below:
            # Parts of a path begin with a letter or digit; what does not is a registry's own.
            if not entry.startswith("_"):
                yield from self._walk(folder / entry, f"{name}/{entry}" if name else entry, depth + 1)


class _Blobs(Files):
    def __init__(self, root: Path) -> None:
        self._root = root

    def where(self, digest: Digest) -> Path:
        return self._root / digest.algorithm / digest.encoded[:2] / digest.encoded / "data"


def _links(folder: Path, what: str, trouble: list[Unreadable]) -> Iterator[tuple[Instant, Digest]]:
    """The links below ``folder/ALGORITHM/HEX``."""
    for algorithm in ALGORITHMS:
        for encoded in _folders(folder / algorithm):
            path = folder / algorithm / encoded / "link"
            found = _link(path, what, trouble)
            if found is None:
                continue
            if found[1] == f"{algorithm}:{encoded}":
                yield found
            else:
                trouble.append(Unreadable(what, f"{path} leads to {found[1]}"))


def _link(path: Path, what: str, trouble: list[Unreadable]) -> tuple[Instant, Digest] | None:
    try:
        with path.open("rb") as file:
            written = os.fstat(file.fileno()).st_mtime_ns // 1_000_000
            return written, Digest.parse(file.read(MAX_LINK).decode("ascii", "replace").strip())
    except (FileNotFoundError, NotADirectoryError):
        return None
    except DigestInvalid as error:
        trouble.append(Unreadable(what, f"the link {path} is damaged: {error.message}"))
    except OSError as error:
        trouble.append(Unreadable(what, f"the link {path} can not be read: {error.strerror}"))
    return None


def _folders(path: Path) -> list[str]:
    """Names of the folders in a folder, in order; links are not followed. Raises InputInvalid if it can not be read."""
    try:
        with suppress(FileNotFoundError), os.scandir(path) as entries:
            return sorted(entry.name for entry in entries if entry.is_dir(follow_symlinks=False))
    except OSError as error:
        raise InputInvalid(
            f"{path} can not be read ({error.strerror}): run this as a user that may read the whole tree"
        ) from error
    return []
