"""Other processes, and their deaths: one writer among all, and never part of a content behind a digest."""

import hashlib
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from havre.errors import UploadBusy, UploadInvalid
from havre.oci.digest import Digest, Hasher
from havre.storage import open_storage
from tests.storage.child import ENTRY
from tests.storage.parts import Stores, TurnedClock, append, body, content, files_below
from tests.support.requirements import require

pytestmark = pytest.mark.anyio


@pytest.fixture
def stores(tmp_path: Path) -> Iterator[Stores]:
    clock = TurnedClock(0)
    storage = open_storage("", tmp_path, clock)
    yield Stores(storage.blobs, storage.uploads, clock)
    storage.close()


@contextmanager
def child(*words: object, before: tuple[object, ...] = ()) -> Iterator[subprocess.Popen[bytes]]:
    """Another process at the same store."""
    command = [str(word) for word in (*before, *ENTRY, *words)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        try:
            yield process
        finally:
            process.kill()


def traced(log: Path, call: str, *, at: Path | None = None, fault: str = "") -> tuple[object, ...]:
    """Run a child under strace, which writes down a system call, and may fail it or kill the child at it.

    ``at`` is the one file or folder that matters. strace counts calls (``when=2``) for each thread by itself.
    """
    place = ("-P", at) if at else ()
    inject = ("-e", f"inject={call}:{fault}") if fault else ()
    return (require("strace"), "-f", "-qq", "-y", "-o", log, "-e", f"trace={call}", *place, *inject)


def assert_whole(root: Path) -> None:
    """Every blob has the digest that it is named by."""
    for path in (root / "blobs").rglob("*"):
        if path.is_file():
            assert hashlib.sha256(path.read_bytes()).hexdigest() == path.name


async def test_one_writer_among_processes(tmp_path: Path, stores: Stores) -> None:
    with child(tmp_path, "append", "u1", 0) as other:
        assert other.stdin
        assert other.stdout
        other.stdin.write(b"hello ")
        other.stdin.flush()
        assert other.stdout.readline() == b"writing\n"
        with pytest.raises(UploadBusy):
            await append(stores.uploads, "u1", 0, body(b"mine"), Hasher())
        with pytest.raises(UploadBusy):
            await stores.uploads.finish("u1", Digest.of(b""), 0)
        other.stdin.write(b"there")
        other.stdin.close()
        assert other.stdout.readline() == b"11\n"
    assert await stores.append("u1", 11, b"!") == 12
    assert await stores.whole(await stores.finish("u1", b"hello there!")) == b"hello there!"


async def test_a_killed_writer_frees_its_upload_and_what_it_wrote_is_in_order(tmp_path: Path, stores: Stores) -> None:
    data = content(5_000_000)
    with child(tmp_path, "append", "u1", 0) as other:
        assert other.stdin
        assert other.stdout
        other.stdin.write(data)
        other.stdin.flush()
        assert other.stdout.readline() == b"writing\n"
        other.kill()
        other.wait()
    size = (tmp_path / "uploads/u1").stat().st_size
    assert await stores.stored("u1", size) == data[:size]
    assert await stores.append("u1", size, data[size:]) == len(data)
    assert await stores.whole(await stores.finish("u1", data)) == data


@pytest.mark.parametrize("after", [1, 2, 5, 9])
async def test_a_killed_server_has_all_it_acknowledged(tmp_path: Path, stores: Stores, after: int) -> None:
    with child(tmp_path, "pushes", 1000, 2_500_000) as other:
        assert other.stdout
        acknowledged = [other.stdout.readline().decode().strip() for _ in range(after)]
        other.kill()
        other.wait()
    assert_whole(tmp_path)
    for number, key in enumerate(acknowledged):
        assert await stores.whole(key) == content(2_500_000, number)
    assert len(files_below(tmp_path / "uploads")) <= 1


MANY_PIECES = content(18 * 1024 * 1024)
"""More pieces than there are threads, so that one of them writes twice."""

DIGEST = hashlib.sha256(MANY_PIECES).hexdigest()

BLOB = f"blobs/sha256/{DIGEST[:2]}/{DIGEST}"

MKDIR, LINK, UNLINK = "/^mkdir(at)?$", "/^link(at)?$", "/^unlink(at)?$"
"""These have other names on other processors."""

DEATHS = [
    ("pwrite64", "uploads/u1", "signal=KILL:when=2"),
    ("fdatasync", "uploads/u1", "signal=KILL"),
    (MKDIR, "blobs/sha256", "signal=KILL"),
    ("fsync", "blobs", "signal=KILL"),
    (MKDIR, f"blobs/sha256/{DIGEST[:2]}", "signal=KILL"),
    ("fsync", "blobs/sha256", "signal=KILL"),
    (LINK, "uploads/u1", "signal=KILL"),
    ("fsync", f"blobs/sha256/{DIGEST[:2]}", "signal=KILL"),
    (UNLINK, "uploads/u1", "signal=KILL"),
]


@pytest.mark.parametrize(("call", "place", "fault"), DEATHS)
async def test_killed_at_each_step(tmp_path: Path, call: str, place: str, fault: str) -> None:
    fresh = tmp_path / "fresh"
    with child(fresh, "push", "u1", before=traced(tmp_path / "log", call, at=fresh / place, fault=fault)) as other:
        out, _ = other.communicate(MANY_PIECES)
        assert (out, other.returncode) == (b"", -9)
    assert_whole(fresh)
    with child(fresh, "finish", "u1") as other:
        said = other.communicate(MANY_PIECES)[0].decode().strip()
    if call == "pwrite64":
        assert re.match(rf"UploadInvalid: \d+ bytes of the upload u1 are stored, not {len(MANY_PIECES)}", said)
        assert files_below(fresh) == ["uploads/u1"]
    else:
        assert f"blobs/{said}" == BLOB
        assert (fresh / BLOB).read_bytes() == MANY_PIECES
        assert files_below(fresh) == [BLOB]


async def test_bytes_are_synced_before_they_get_their_name_and_that_after_it(tmp_path: Path) -> None:
    calls = f"pwrite64,fdatasync,fsync,{LINK},{UNLINK},{MKDIR}"
    fresh = tmp_path / "fresh"
    with child(fresh, "push", "u1", before=traced(tmp_path / "log", calls)) as other:
        key = other.communicate(b"hello")[0].decode().strip()
    lines = (tmp_path / "log").read_text().splitlines()
    steps = [re.sub(r"^\d+ +|AT_FDCWD<.*?>, ", "", line).replace(str(fresh), "") for line in lines]
    named = [re.sub(r"\(\w*<?\"?(/[^\">,]*).*", r" \1", step) for step in steps]
    first = named.index("pwrite64 /uploads/u1")
    algorithm, two, _ = key.split("/")
    assert [re.sub(r"(mkdir|link)at\b", r"\1", step) for step in named[first:]] == [
        "pwrite64 /uploads/u1",
        "fdatasync /uploads/u1",
        f"mkdir /blobs/{algorithm}",
        "fsync /blobs",
        f"mkdir /blobs/{algorithm}/{two}",
        f"fsync /blobs/{algorithm}",
        "link /uploads/u1",
        f"fsync /blobs/{algorithm}/{two}",
        "unlink /uploads/u1",
    ]


FAILURES = [
    (
        "pwrite64",
        "ENOSPC:when=2",
        "StorageFull: the registry's storage is full (No space left on device, while writing",
    ),
    ("pwrite64", "EDQUOT:when=2", "StorageFull: the registry's storage is full (Disk quota exceeded, while writing"),
    ("pwrite64", "EIO:when=1", "Unavailable: the registry's storage failed (Input/output error, while writing"),
    ("flock", "ENOLCK", "Unavailable: the registry's storage failed (No locks available, while opening an upload)"),
    ("fdatasync", "EIO", "Unavailable: the registry's storage failed (Input/output error, while finishing"),
    ("fdatasync", "ENOSPC", "StorageFull: the registry's storage is full (No space left on device, while finishing"),
    (LINK, "EROFS", "Unavailable: the registry's storage failed (Read-only file system, while finishing"),
]


@pytest.mark.parametrize(("call", "fault", "sentence"), FAILURES)
async def test_a_disk_that_fails(tmp_path: Path, call: str, fault: str, sentence: str) -> None:
    fresh = tmp_path / "fresh"
    failing = traced(tmp_path / "log", call, at=fresh / "uploads/u1", fault=f"error={fault}")
    with child(fresh, "push", "u1", before=failing) as other:
        said = other.communicate(MANY_PIECES)[0].decode()
    assert said.startswith(sentence)
    assert str(fresh) not in said
    sizes = {name: (fresh / name).stat().st_size for name in files_below(fresh)}
    if call == "pwrite64":
        assert sizes == {"uploads/u1": 0}, "cut back to where it began"
    elif call == "fdatasync":
        assert sizes == {}, "after a failed sync nobody knows which bytes are on the disk"
    else:
        assert list(sizes) == ["uploads/u1"]
    with child(fresh, "push", "u2") as other:
        assert other.communicate(MANY_PIECES)[0].decode().strip() == BLOB.removeprefix("blobs/")
    assert (fresh / BLOB).read_bytes() == MANY_PIECES


async def test_a_name_that_can_not_be_synced_is_not_promised(tmp_path: Path) -> None:
    failing = traced(tmp_path / "log", "fsync", at=tmp_path / BLOB.rpartition("/")[0], fault="error=EIO")
    with child(tmp_path, "push", "u1", before=failing) as other:
        said = other.communicate(MANY_PIECES)[0].decode()
    assert said.startswith("Unavailable: the registry's storage failed (Input/output error, while finishing an upload)")
    assert_whole(tmp_path)


async def test_a_blob_that_can_not_be_read(tmp_path: Path, stores: Stores) -> None:
    key = await stores.push("u1", content(2_000_000))
    failing = traced(tmp_path / "log", "pread64", at=tmp_path / "blobs" / key, fault="error=EIO:when=2+")
    with child(tmp_path, "read", key, before=failing) as other:
        said = other.communicate()[0].decode()
    assert said.startswith("Unavailable: the registry's storage failed (Input/output error, while reading)")


async def test_more_bytes_than_the_rows_know_never_count(tmp_path: Path, stores: Stores) -> None:
    """A server killed between writing and committing: its rows say less than the file holds."""
    with child(tmp_path, "append", "u1", 0) as other:
        other.communicate(b"committed, not committed")
    assert await stores.append("u1", 9, b"!") == 10
    with pytest.raises(UploadInvalid):
        await stores.uploads.finish("u1", Digest.of(b""), 11)
    assert await stores.whole(await stores.finish("u1", b"committed!")) == b"committed!"
