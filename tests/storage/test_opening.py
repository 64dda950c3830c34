"""Opening a store by its address: what is offered, and what a folder must be like."""

import stat
import threading
from pathlib import Path

import pytest

from havre.errors import ConfigError
from havre.oci.digest import Digest, Hasher
from havre.storage import open_storage
from tests.storage.parts import append, body, run
from tests.support.requirements import require, require_root

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("url", ["", "file:", "file://"])
def test_the_data_folder_is_the_default(tmp_path: Path, url: str) -> None:
    open_storage(url, tmp_path / "data")
    assert sorted(path.name for path in (tmp_path / "data").iterdir()) == ["blobs", "uploads"]


@pytest.mark.parametrize("host", ["", "localhost"])
async def test_a_folder_of_its_own(tmp_path: Path, host: str) -> None:
    storage = open_storage(f"file://{host}{tmp_path}/with%20space/deep", tmp_path / "data")
    await append(storage.uploads, "u1", 0, body(b"hello"), Hasher())
    key = await storage.uploads.finish("u1", Digest.of(b"hello"), 5)
    storage.close()
    assert (tmp_path / "with space/deep/blobs" / key).read_bytes() == b"hello"
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("url", ["ftp://bucket", "http://host/", "/var/lib/havre", "C:\\data", "x"])
def test_other_addresses_are_refused_with_what_is_offered(tmp_path: Path, url: str) -> None:
    with pytest.raises(ConfigError, match="this version offers file:///path/to/folder"):
        open_storage(url, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_two_slashes_are_explained(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="write file:///var/lib/havre"):
        open_storage("file://var/lib/havre", tmp_path)


def test_uploads_are_private(tmp_path: Path) -> None:
    open_storage("", tmp_path)
    assert stat.S_IMODE((tmp_path / "uploads").stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "blobs").stat().st_mode) & 0o007 == 0


def modes(root: Path) -> list[int]:
    return [stat.S_IMODE(path.stat().st_mode) for path in root.rglob("*")]


async def test_files_are_not_for_everyone(tmp_path: Path) -> None:
    storage = open_storage("", tmp_path)
    await append(storage.uploads, "u1", 0, body(b"hello"), Hasher())
    await append(storage.uploads, "u2", 0, body(b"hello"), Hasher())
    await storage.uploads.finish("u1", Digest.of(b"hello"), 5)
    storage.close()
    assert {mode & 0o027 for mode in modes(tmp_path)} == {0}


def test_opening_starts_no_thread(tmp_path: Path) -> None:
    before = threading.active_count()
    open_storage("", tmp_path)
    assert threading.active_count() == before


@pytest.mark.parametrize("name", ["blobs", "uploads"])
def test_a_file_where_a_folder_should_be(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("in the way")
    with pytest.raises(ConfigError, match=f"storage folder .*{name} can not be used"):
        open_storage("", tmp_path)


def test_a_read_only_file_system(tmp_path: Path) -> None:
    require_root()
    require("mount")
    open_storage("", tmp_path)
    run("mount", "--bind", "-o", "ro", tmp_path, tmp_path)
    try:
        with pytest.raises(ConfigError, match=r"(not writable|Read-only file system)"):
            open_storage("", tmp_path)
    finally:
        run("umount", tmp_path)


def test_two_file_systems(tmp_path: Path) -> None:
    require_root()
    (tmp_path / "uploads").mkdir()
    run(require("mount"), "-t", "tmpfs", "none", tmp_path / "uploads")
    try:
        with pytest.raises(ConfigError, match="lie on different file systems"):
            open_storage("", tmp_path)
    finally:
        run("umount", tmp_path / "uploads")
