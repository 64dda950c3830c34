"""Layouts: OCI image layouts (OCI image specification, image-layout.md): one in a folder or a tar, or a tree of folders.

In one layout, images are told apart by the names in ``index.json``: a whole name (``docker.io/team/app:1``) says the
repository too, a mere tag leaves that to whoever imports. In a tree, such as zot's, the folder is the repository.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

from havre.adopt.source import Content, Files, Foreign, ForeignTag, Unreadable, read_small
from havre.errors import BlobUnknown, HavreError, InputInvalid
from havre.images.layout import FULL_NAME, MAX_INDEX, REF_NAME
from havre.images.tarindex import TarIndex
from havre.oci.descriptor import Descriptor
from havre.oci.digest import Digest
from havre.oci.manifest import MAX_SIZE, load_object, parse
from havre.registry.records import Instant

MAX_DEPTH = 32
"""Folders within folders that are looked into for layouts."""


class FolderContent(Files):
    """The blobs of a layout in a folder."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def where(self, digest: Digest) -> Path:
        """Where content of that digest lies, or would."""
        return self._root / "blobs" / digest.algorithm / digest.encoded


class TarContent:
    """The blobs of a layout in a tar."""

    def __init__(self, tar: TarIndex) -> None:
        self._tar = tar

    def size(self, digest: Digest) -> int | None:
        """As in `Content`."""
        member = self._tar.find(f"blobs/{digest.algorithm}/{digest.encoded}")
        return None if member is None else member.size

    def pieces(self, digest: Digest) -> Iterator[bytes]:
        """As in `Content`."""
        member = self._tar.find(f"blobs/{digest.algorithm}/{digest.encoded}")
        if member is None:
            raise BlobUnknown(f"{digest} is missing in {self._tar.shown}")
        return self._tar.pieces(member)

    def file(self, digest: Digest) -> Path | None:
        """None: it lies inside the tar."""
        del digest
        return None


class OneLayout:
    """A layout, by its index and its content. ``stem`` names what has no name there."""

    def __init__(self, shown: str, stem: str, index: bytes, content: Content, tar: TarIndex | None = None) -> None:
        self.shown = shown
        self._stem = stem
        self._content = content
        self._tar = tar
        self._groups = _grouped(shown, index, content)

    def names(self) -> Sequence[str]:
        """The repositories that its index names; the empty name is that of images with a tag alone."""
        return sorted(self._groups)

    def repository(self, name: str) -> Foreign:
        """The images of one of them."""
        return _foreign(name or self._stem, self._groups[name], self._content, given=bool(name))

    def close(self) -> None:
        """Let go of the tar."""
        if self._tar is not None:
            self._tar.close()


class LayoutTree:
    """Folders that are layouts, below one folder; their paths are the names of repositories."""

    def __init__(self, root: Path, names: Sequence[str]) -> None:
        self.shown = str(root)
        self._root = root
        self._names = names

    def names(self) -> Sequence[str]:
        """Paths of the layouts."""
        return self._names

    def repository(self, name: str) -> Foreign:
        """All images of one, by the last part of their names."""
        folder = self._root / name
        content = FolderContent(folder)
        groups = _grouped(str(folder), read_index(folder), content)
        entries = [(tag, descriptor) for group in sorted(groups) for tag, descriptor in groups[group]]
        return _foreign(name, entries, content, given=True)

    def close(self) -> None:
        """Nothing is open."""


def find_below(root: Path) -> list[str]:
    """Paths of the layouts below ``root``, in order."""
    return list(_walk(root, "", 0))


def read_index(folder: Path) -> bytes:
    """``index.json`` of a layout. Raises InputInvalid."""
    try:
        with (folder / "index.json").open("rb") as file:
            content = file.read(MAX_INDEX + 1)
    except OSError as error:
        raise InputInvalid(f"{folder}/index.json can not be read: {error.strerror}") from error
    if len(content) > MAX_INDEX:
        raise InputInvalid(f"{folder}/index.json is larger than {MAX_INDEX} bytes")
    return content


_Entries = list[tuple[str, Descriptor]]


def _walk(folder: Path, name: str, depth: int) -> Iterator[str]:
    if name and (folder / "oci-layout").is_file() and (folder / "index.json").is_file():
        yield name
    try:
        with os.scandir(folder) as entries:
            below = sorted(one.name for one in entries if one.is_dir(follow_symlinks=False) and one.name != "blobs")
    except OSError as error:
        raise InputInvalid(f"{folder} can not be read: {error.strerror}") from error
    for entry in below if depth < MAX_DEPTH else ():
        if not entry.startswith("."):
            yield from _walk(folder / entry, f"{name}/{entry}" if name else entry, depth + 1)


def _grouped(shown: str, index: bytes, content: Content) -> dict[str, _Entries]:
    """The entries of an index, by the repository they name; what names none goes with its subject."""
    try:
        entries = load_object(index).get("manifests") or []
        descriptors = [Descriptor.from_json(value, f"manifests[{n}]") for n, value in enumerate(entries)]
    except (HavreError, TypeError) as error:
        why = error.message if isinstance(error, HavreError) else "manifests is not an array"
        raise InputInvalid(f"{shown}: index.json is not that of an image layout: {why}") from error
    groups: dict[str, _Entries] = defaultdict(list)
    nameless = []
    for descriptor in descriptors:
        full = descriptor.annotations.get(FULL_NAME) or descriptor.annotations.get(REF_NAME) or ""
        repository, tag = split_name(full)
        if repository or tag:
            groups[repository].append((tag, descriptor))
        else:
            nameless.append(descriptor)
    _settle(groups, nameless, content)
    return groups


def _settle(groups: dict[str, _Entries], nameless: list[Descriptor], content: Content) -> None:
    """Put what has no name beside what it refers to; else to the other images without a repository."""
    if len(groups) == 1:
        groups[next(iter(groups))] += [("", one) for one in nameless]
        return
    home = {one.digest: group for group, entries in groups.items() for _, one in entries}
    subjects = {one.digest: _subject(one, content) for one in nameless}
    for one in nameless:
        seen, at = {one.digest}, subjects[one.digest]
        while at is not None and at not in home and at in subjects and at not in seen:
            seen.add(at)
            at = subjects[at]
        groups[home.get(at, "") if at else ""].append(("", one))


def _subject(descriptor: Descriptor, content: Content) -> Digest | None:
    try:
        read = parse(descriptor.media_type, read_small(content, descriptor.digest, MAX_SIZE))
    except HavreError:
        return None
    return read.subject.digest if read.subject else None


def _foreign(name: str, entries: _Entries, content: Content, *, given: bool) -> Foreign:
    # A layout says nothing about times: 0 is before everything that was pushed here, and shown as the time of import.
    at: Instant = 0
    manifests = {one.digest: at for _, one in entries}
    tags: dict[str, list[tuple[Instant, Digest]]] = {}
    unreadable = []
    for tag, one in entries:
        if tag and tag in tags and tags[tag][-1][1] != one.digest:
            unreadable.append(Unreadable(f"tag {tag}", f"the index names {tags[tag][-1][1]} and {one.digest} so"))
        if tag:
            tags.setdefault(tag, [(at, one.digest)])
    return Foreign(
        name,
        content,
        [(at, digest) for digest in manifests],
        [ForeignTag(tag, targets) for tag, targets in tags.items()],
        {one.digest: one.media_type for _, one in entries},
        unreadable,
        given,
    )


def split_name(text: str) -> tuple[str, str]:
    """Repository and tag of a name in an index: ``docker.io/team/app:1``, ``app:1``, or a tag alone."""
    text = text.partition("@")[0]
    head, slash, last = text.rpartition("/")
    leaf, colon, tag = last.partition(":")
    if not slash and not colon:
        return "", leaf
    parts = [*head.split("/"), leaf] if slash else [leaf]
    if len(parts) > 1 and ("." in parts[0] or ":" in parts[0] or parts[0] == "localhost"):
        del parts[0]
    return "/".join(parts), tag if colon else "latest"
