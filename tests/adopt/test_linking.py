"""``havre import --link``: one file with two names, and what that means for both sides."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from havre.oci.digest import Digest
from havre.registry.ports import LocalFile
from havre.storage import open_storage
from havre.storage.memory import MemoryBlobs, MemoryUploads
from tests.adopt.test_distribution import blob, report
from tests.support import documents
from tests.support.foreign import Wire, assert_same, needed_blobs, revisions, their_wire
from tests.support.peers import DockerRegistry
from tests.support.requirements import require_root
from tests.support.server import HavreProcess

MakeHavre = Callable[[], HavreProcess]


def test_linked_files_are_one_and_outlive_the_source(tree: Path, havre: MakeHavre, filled: DockerRegistry) -> None:
    theirs = their_wire(filled)
    contents = {path.stat().st_ino: path.read_bytes() for path in tree.rglob("data") if path.is_file()}
    with havre() as server:
        done = report(server, tree, "--into", "bobby", "--link")
        assert done["linked"] == done["brought"]["bytes"] > 0
        stored = [path for path in (server.data / "blobs").rglob("*") if path.is_file()]
        assert all(path.stat().st_ino in contents for path in stored)
        assert {path.stat().st_ino: path.read_bytes() for path in tree.rglob("data")} == contents
        for path in tree.rglob("data"):
            path.unlink()
        assert_same(theirs, Wire(server.host), "alice/many", "alice/many", revisions(filled, "alice/many"))


def test_a_damaged_file_is_not_linked(tree: Path, havre: MakeHavre, filled: DockerRegistry) -> None:
    layer = needed_blobs(their_wire(filled).manifest("alice/moved", "latest").body)[-1]
    path = blob(tree, layer)
    path.write_bytes(b"?" * path.stat().st_size)
    server = havre()
    told = report(server, tree, "--into", "bobby", "--link", code=1)
    assert [one["what"] for one in told["damaged"]] == [layer]
    assert path.stat().st_nlink == 1, "no name of it is left here"


def test_what_can_not_be_linked_is_copied(tree: Path, havre: MakeHavre) -> None:
    """Another file system has no second names for ours; /dev/shm is one, and takes no clones either."""
    require_root()
    import shutil
    import tempfile

    with tempfile.TemporaryDirectory(dir="/dev/shm") as memory:
        shutil.copytree(tree, f"{memory}/tree")
        done = report(havre(), f"{memory}/tree", "--into", "bobby", "--link")
    assert done["brought"]["manifests"] == 12
    assert done["linked"] == 0


@pytest.mark.anyio
async def test_an_upload_becomes_a_file_by_a_second_name(tmp_path: Path) -> None:
    content = os.urandom(100_000)
    (tmp_path / "source").write_bytes(content)
    file = LocalFile(str(tmp_path / "source"))
    storage = open_storage("", tmp_path / "data")
    try:
        assert await storage.uploads.adopt("one", file, len(content) - 1, link=True) == "", "of another size"
        assert await storage.uploads.adopt("one", file, len(content), link=True) == "linked"
        read = b"".join([piece async for piece in storage.uploads.read("one", len(content))])
        assert read == content
        key = await storage.uploads.finish("one", Digest.of(content), len(content))
        assert await storage.blobs.size(key) == len(content)
        assert await storage.uploads.adopt("two", LocalFile(str(tmp_path / "none")), 5, link=True) == ""
        await storage.blobs.delete(key)
        assert (tmp_path / "source").read_bytes() == content
    finally:
        storage.close()


@pytest.mark.anyio
async def test_memory_adopts_nothing(tmp_path: Path) -> None:
    (tmp_path / "source").write_bytes(documents.EMPTY)
    uploads = MemoryUploads(MemoryBlobs(lambda: 1), lambda: 1)
    assert await uploads.adopt("one", LocalFile(str(tmp_path / "source")), 2, link=True) == ""
