"""Opening: what kind of tree a path leads to."""

from __future__ import annotations

from pathlib import Path

from havre.adopt import distribution
from havre.adopt.layouts import FolderContent, LayoutTree, OneLayout, TarContent, find_below, read_index
from havre.adopt.source import Source
from havre.errors import InputInvalid
from havre.images.layout import MAX_INDEX
from havre.images.tarindex import TarIndex


def open_source(path: Path) -> Source:
    """The tree at ``path``: a distribution registry's folder, an OCI layout, or a folder of layouts.

    Raises InputInvalid for anything else.
    """
    if path.is_file():
        return _archive(path)
    if not path.is_dir():
        raise InputInvalid(f"there is no folder or file {path}")
    found = distribution.find(path)
    if found is not None:
        return distribution.DistributionTree(found)
    if (path / "index.json").is_file() and (path / "blobs").is_dir():
        absolute = path.resolve()
        return OneLayout(str(path), absolute.name, read_index(path), FolderContent(path))
    names = find_below(path)
    if names:
        return LayoutTree(path, names)
    raise InputInvalid(
        f"{path} holds nothing to import: neither docker/registry/v2 with blobs and repositories, nor an OCI layout"
        " (index.json and blobs), nor folders that are layouts"
    )


def _archive(path: Path) -> Source:
    with path.open("rb") as file:
        if file.read(4)[:2] in {b"\x1f\x8b", b"(\xb5", b"BZ", b"\xfd7"}:
            raise InputInvalid(f"{path} is compressed, and is read in place: unpack it first")
    tar = TarIndex(path)
    try:
        if tar.find("index.json") is None:
            raise InputInvalid(
                f"{path} holds no index.json, so it is no OCI layout; havre load and push bring docker's own archives"
            )
        return OneLayout(str(path), path.name.split(".")[0], tar.read("index.json", MAX_INDEX), TarContent(tar), tar)
    except BaseException:
        tar.close()
        raise
