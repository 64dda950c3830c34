"""Files: what the contract can not ask of every store. Real faults come from real file systems."""

import asyncio
import time
import tracemalloc
from collections.abc import AsyncIterator, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from havre.errors import ClientGone, StorageFull, Unavailable
from havre.oci.digest import Digest, Hasher
from havre.oci.ranges import ByteRange
from havre.registry.ports import LocalFile, Swept
from havre.storage import open_storage
from tests.storage.parts import (
    Stores,
    TurnedClock,
    append,
    body,
    content,
    cut,
    files_below,
    joined,
    loop_turned,
    open_below,
    run,
    torn,
)
from tests.support.requirements import require, require_root

pytestmark = pytest.mark.anyio

MIB = 1024 * 1024


@contextmanager
def opened(root: Path) -> Iterator[Stores]:
    clock = TurnedClock(0)
    storage = open_storage("", root, clock)
    yield Stores(storage.blobs, storage.uploads, clock)
    storage.close()
    assert open_below(root) == []


@pytest.fixture
def stores(tmp_path: Path) -> Iterator[Stores]:
    with opened(tmp_path) as stores:
        yield stores


@contextmanager
def mounted(folder: Path, *words: str | Path) -> Iterator[Path]:
    """A file system of its own at ``folder``."""
    require_root()
    folder.mkdir(exist_ok=True)
    run(require("mount"), *words, folder)
    try:
        yield folder
    finally:
        run("umount", folder)


# ---------------------------------------------------------------- a full disk


async def test_a_full_disk_cuts_back_and_goes_on(tmp_path: Path) -> None:
    with mounted(tmp_path / "small", "-t", "tmpfs", "-o", "size=4m", "none") as root, opened(root) as stores:
        kept = await stores.push("other", content(MIB))
        await stores.append("u1", 0, content(1000))
        with pytest.raises(StorageFull, match=r"storage is full \(No space left on device, while writing an upload\)"):
            await stores.append("u1", 1000, *cut(content(8 * MIB), 100_000))
        assert (root / "uploads/u1").stat().st_size == 1000
        assert await stores.stored("u1", 1000) == content(1000)
        assert await stores.whole(kept) == content(MIB)

        await stores.blobs.delete(kept)
        rest = content(3 * MIB)
        assert await stores.append("u1", 1000, *cut(rest, 100_000)) == 1000 + 3 * MIB
        assert await stores.whole(await stores.finish("u1", content(1000) + rest)) == content(1000) + rest


async def test_a_client_that_leaves_while_the_disk_is_full(tmp_path: Path) -> None:
    with mounted(tmp_path / "small", "-t", "tmpfs", "-o", "size=1m", "none") as root, opened(root) as stores:
        with pytest.raises(StorageFull) as caught:
            await append(stores.uploads, "u1", 0, torn(content(MIB + 1)[:-1], b"x"), Hasher())
        assert isinstance(caught.value.__context__, ClientGone | OSError)
        assert (root / "uploads/u1").stat().st_size == 0


async def test_no_room_for_another_file(tmp_path: Path) -> None:
    options = "size=1m,nr_inodes=6"  # the root, blobs, uploads, and three more
    with mounted(tmp_path / "small", "-t", "tmpfs", "-o", options, "none") as root, opened(root) as stores:
        for number in range(3):
            await stores.append(f"u{number}", 0, b"x")
        with pytest.raises(StorageFull, match="while opening an upload"):
            await stores.append("u3", 0, b"x")
        with pytest.raises(StorageFull, match="while finishing an upload"):
            await stores.finish("u2", b"x")
        await stores.uploads.discard("u0")
        await stores.uploads.discard("u1")
        assert await stores.whole(await stores.finish("u2", b"x")) == b"x"


async def test_a_disk_that_runs_full_behind_the_file_system(tmp_path: Path) -> None:
    """Thin provisioning: every write is accepted, the sync finds no room, and the bytes are never taken for stored."""
    with mounted(tmp_path / "backing", "-t", "tmpfs", "-o", "size=8m", "none") as backing:
        image = backing / "image"
        with image.open("wb") as file:
            file.truncate(64 * MIB)
        run(require("mkfs.ext2"), "-q", image)
        with mounted(tmp_path / "thin", "-o", "loop", image) as root, opened(root) as stores:
            data = content(24 * MIB)
            await stores.append("u1", 0, *cut(data, MIB))
            with pytest.raises((Unavailable, StorageFull), match="while finishing an upload"):
                await stores.finish("u1", data)
            assert files_below(root) == []


# ---------------------------------------------------------------- a disk that refuses


async def test_a_disk_that_becomes_read_only(tmp_path: Path) -> None:
    with mounted(tmp_path / "disk", "-t", "tmpfs", "none") as root, opened(root) as stores:
        key = await stores.push("u1", b"content")
        await stores.append("u2", 0, b"more")
        run("mount", "-o", "remount,ro", root)
        for refused in (
            stores.append("u3", 0, b"x"),
            stores.append("u2", 4, b"x"),
            stores.finish("u2", b"more"),
            stores.uploads.discard("u2"),
            stores.blobs.delete(key),
        ):
            with pytest.raises(Unavailable, match="Read-only file system") as caught:
                await refused
            assert str(root) not in caught.value.message
        assert await stores.whole(key) == b"content"
        run("mount", "-o", "remount,rw", root)
        assert await stores.whole(await stores.finish("u2", b"more")) == b"more"


@pytest.mark.parametrize("depth", [1, 2])
async def test_a_file_where_a_folder_should_be(tmp_path: Path, stores: Stores, depth: int) -> None:
    digest = Digest.of(b"content")
    in_the_way = tmp_path / "blobs" / "/".join(["sha256", digest.encoded[:2]][:depth])
    in_the_way.parent.mkdir(exist_ok=True)
    in_the_way.write_text("in the way")
    await stores.append("u1", 0, b"content")
    with pytest.raises(Unavailable, match="Not a directory"):
        await stores.finish("u1", b"content")
    in_the_way.unlink()
    assert await stores.whole(await stores.finish("u1", b"content")) == b"content"


async def test_a_folder_where_the_blob_should_be(tmp_path: Path, stores: Stores) -> None:
    digest = Digest.of(b"content")
    blob = tmp_path / "blobs/sha256" / digest.encoded[:2] / digest.encoded
    blob.mkdir(parents=True)
    assert await stores.whole(await stores.push("u1", b"content")) == b"content"


async def test_folders_lost_under_a_running_server_are_made_again(tmp_path: Path, stores: Stores) -> None:
    key = await stores.push("u1", b"content")
    await stores.blobs.delete(key)
    for folder in ((tmp_path / "blobs" / key).parent, tmp_path / "blobs/sha256"):
        folder.rmdir()
    assert await stores.push("u2", b"content") == key


async def test_an_upload_that_is_a_link_is_not_followed(tmp_path: Path, stores: Stores) -> None:
    key = await stores.push("u1", b"content")
    (tmp_path / "uploads/u2").symlink_to(tmp_path / "blobs" / key)
    with pytest.raises(Unavailable):
        await stores.append("u2", 0, b"overwritten")
    assert await stores.whole(key) == b"content"


# ---------------------------------------------------------------- damage


@pytest.mark.parametrize("damage", [b"", b"cont", b"content and more"])
async def test_what_lies_under_a_digest_is_never_replaced(tmp_path: Path, stores: Stores, damage: bytes) -> None:
    key = await stores.push("u1", b"content")
    (tmp_path / "blobs" / key).write_bytes(damage)
    other = await stores.push("u2", b"content")
    assert other == f"{key}.u2"
    assert await stores.whole(other) == b"content"
    assert (tmp_path / "blobs" / key).read_bytes() == damage


async def test_files_of_others_are_no_strays(tmp_path: Path, stores: Stores) -> None:
    key = await stores.push("u1", b"content")
    folder = (tmp_path / "blobs" / key).parent
    foreign = [tmp_path / "blobs/README", folder / ".nfs0001", folder / f"{key[-64:]}.", tmp_path / "blobs/sha256/x"]
    for path in foreign:
        path.write_text("x")
    stores.clock.now = time.time_ns() // 1_000_000 + 2 * 3600 * 1000

    async def none(_: Collection[str]) -> Collection[str]:
        return ()

    assert await stores.blobs.strays(none) == Swept("", 3, 1, 7)
    assert all(path.exists() for path in foreign)


async def test_a_blob_that_lost_its_end(tmp_path: Path, stores: Stores) -> None:
    data = content(3 * MIB)
    key = await stores.push("u1", data)
    with (tmp_path / "blobs" / key).open("r+b") as file:
        file.truncate(2 * MIB)
    found: list[bytes] = []

    async def read() -> None:
        async for piece in stores.blobs.read(key, ByteRange(0, len(data))):
            found.append(piece)  # noqa: PERF401 - what came before the failure counts

    with pytest.raises(Unavailable, match=r"holds only 2097152 bytes of .*, 3145728 were expected"):
        await read()
    assert b"".join(found) == data[: 2 * MIB]


async def test_an_upload_that_lost_bytes(tmp_path: Path, stores: Stores) -> None:
    await stores.append("u1", 0, b"0123456789")
    with (tmp_path / "uploads/u1").open("r+b") as file:
        file.truncate(5)
    with pytest.raises(Unavailable):
        await stores.stored("u1", 10)


async def test_a_blob_being_read_survives_its_deletion(stores: Stores) -> None:
    data = content(4 * MIB)
    key = await stores.push("u1", data)
    reading = stores.blobs.read(key, ByteRange(0, len(data)))
    first = await anext(reading)
    await stores.blobs.delete(key)
    assert first + await joined(reading) == data


# ---------------------------------------------------------------- the rest


async def test_the_server_is_told_the_file(tmp_path: Path, stores: Stores) -> None:
    key = await stores.push("u1", b"content")
    assert await stores.blobs.locate(key) == LocalFile(str(tmp_path / "blobs" / key))


async def test_memory_does_not_grow_with_the_layer(stores: Stores) -> None:
    chunk = content(100_000)

    async def layer() -> AsyncIterator[bytes]:
        for _ in range(1000):
            yield chunk

    tracemalloc.start()
    try:
        size = await append(stores.uploads, "u1", 0, layer(), Hasher())
        _, appending = tracemalloc.get_traced_memory()
        tracemalloc.reset_peak()
        async for piece in stores.uploads.read("u1", size):
            assert piece
        _, reading = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert size == 100_000_000
    assert appending < 8 * MIB
    assert reading < 8 * MIB


async def test_tiny_chunks_do_not_pile_up(stores: Stores) -> None:
    async def drops() -> AsyncIterator[bytes]:
        for _ in range(500_000):
            yield b"x"

    tracemalloc.start()
    try:
        assert await append(stores.uploads, "u1", 0, drops(), Hasher()) == 500_000
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 8 * MIB


@pytest.mark.parametrize("turns", [*range(12), 20, 40, 80])
async def test_cancelled_at_any_moment(tmp_path: Path, turns: int) -> None:
    """After ``turns`` turns of the loop: what is stored is a beginning of the body, and nothing stays open."""
    data = content(6 * MIB)
    clock = TurnedClock(0)
    storage = open_storage("", tmp_path, clock)
    stores = Stores(storage.blobs, storage.uploads, clock)
    for upload in ("once", "twice"):
        hasher = Hasher()
        writing = asyncio.create_task(append(stores.uploads, upload, 0, body(*cut(data, 300_000)), hasher))
        await loop_turned(turns)
        writing.cancel()
        if upload == "twice":
            await asyncio.wait([writing], timeout=0)
            writing.cancel()
        await asyncio.wait([writing])
    storage.close()
    assert open_below(tmp_path) == []
    for name in files_below(tmp_path):
        stored = (tmp_path / name).read_bytes()
        assert stored == data[: len(stored)]


async def test_many_uploads_at_once(stores: Stores) -> None:
    contents = [content(700_000 + number, number) for number in range(40)]
    keys = await asyncio.gather(*[stores.push(f"u{number}", data) for number, data in enumerate(contents)])
    for key, data in zip(keys, contents, strict=True):
        assert await stores.whole(key) == data
