"""How SQLite keeps the promises of Metadata: group commit, savepoints, syncing, and turns between processes."""

import asyncio
import signal
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError

from havre.errors import ConfigError, Conflict, StorageFull, Unavailable
from havre.metadata import Database, Rows, upgrade
from havre.metadata.schema import uploads
from havre.metadata.sqlite_connection import Turnstile
from havre.metadata.sqlite_writer import MAX_WAITING
from tests.support.content import digest, manifest, repository
from tests.support.requirements import require, require_root
from tests.support.writing import upload, writer_process

pytestmark = pytest.mark.anyio


def commits(path: Path) -> int:
    """Transactions in the write-ahead log: frames that say how large the database is (sqlite.org/fileformat2.html)."""
    log = path.with_name(path.name + "-wal").read_bytes()
    page = int.from_bytes(log[8:12], "big")
    salts = log[16:24]
    frames = [log[start : start + 24] for start in range(32, len(log), 24 + page)]
    return sum(frame[4:8] != bytes(4) for frame in frames if frame[8:16] == salts)


def number_of_uploads(rows: Rows) -> int:
    return rows.connection.execute(select(func.count()).select_from(uploads)).scalar_one()


async def together(
    database: Database, path: Path, *units: Callable[[Rows], object], durable: bool = True
) -> list[object]:
    """Run units in one batch: they are asked for while another process has its turn."""
    turnstile = Turnstile(path)
    with turnstile.turn():
        asked = [asyncio.ensure_future(database.write(unit, durable=durable)) for unit in units]
        await asyncio.sleep(0)
    ends = await asyncio.gather(*asked, return_exceptions=True)
    turnstile.close()
    return list(ends)


async def test_units_that_wait_share_a_commit(sqlite: Database, path: Path) -> None:
    before = commits(path)
    await sqlite.write(upload("alone"))
    assert commits(path) == before + 1
    await together(sqlite, path, *(upload(str(number)) for number in range(100)))
    assert commits(path) == before + 2
    assert await sqlite.read(number_of_uploads) == 101


async def test_a_batch_is_bounded(sqlite: Database, path: Path) -> None:
    before = commits(path)
    await together(sqlite, path, *(upload(str(number)) for number in range(600)))
    assert commits(path) == before + 3


async def test_a_failing_unit_does_not_undo_its_neighbours(sqlite: Database, path: Path) -> None:
    def fail(rows: Rows) -> None:
        upload("failed")(rows)
        raise Conflict("no")

    before = commits(path)
    first, second, third, fourth = await together(sqlite, path, upload("a"), fail, upload("a"), upload("b"))
    assert (first, fourth) == (None, None)
    assert isinstance(second, Conflict)
    assert isinstance(third, IntegrityError)
    assert commits(path) == before + 1
    assert await sqlite.read(lambda rows: set(rows.uploads.known(["a", "b", "failed"]))) == {"a", "b"}


async def test_when_the_commit_fails_every_unit_of_the_batch_has_failed(sqlite: Database, path: Path) -> None:
    def break_at_commit(rows: Rows) -> None:
        rows.connection.exec_driver_sql("PRAGMA defer_foreign_keys = ON")
        rows.connection.exec_driver_sql(
            "INSERT INTO repository_blobs (repository_id, blob_id, linked) VALUES (77, 77, 0)"
        )

    def own_failure(rows: Rows) -> None:
        number_of_uploads(rows)
        raise Conflict("seen in a state that was never committed")

    ends = await together(sqlite, path, upload("a"), break_at_commit, own_failure, upload("b"))
    assert [type(end) for end in ends] == [sqlite3.IntegrityError] * 4
    assert await sqlite.read(number_of_uploads) == 0
    await sqlite.write(upload("c"))
    assert await sqlite.read(number_of_uploads) == 1


async def test_a_durable_unit_is_synced_and_its_batch_with_it(sqlite: Database, path: Path) -> None:
    def synchronous(rows: Rows) -> int:
        return int(rows.connection.exec_driver_sql("PRAGMA synchronous").scalar_one())

    normal, full = 1, 2
    for durable, level in ((True, full), (False, normal), (True, full)):
        assert await sqlite.write(synchronous, durable=durable) == level
    turnstile = Turnstile(path)
    with turnstile.turn():
        asked = [asyncio.ensure_future(sqlite.write(synchronous, durable=durable)) for durable in (False, True, False)]
        await asyncio.sleep(0)
    assert await asyncio.gather(*asked) == [full] * 3
    turnstile.close()


async def test_foreign_keys_are_kept(sqlite: Database) -> None:
    with pytest.raises(IntegrityError, match="FOREIGN KEY"):
        await sqlite.write(lambda rows: rows.manifests.add(99, manifest("app"), []))


async def test_a_bounded_number_may_wait(sqlite: Database, path: Path) -> None:
    turnstile = Turnstile(path)
    with turnstile.turn():
        asked = [asyncio.ensure_future(sqlite.write(number_of_uploads, durable=False)) for _ in range(MAX_WAITING)]
        await asyncio.sleep(0)
        with pytest.raises(Unavailable, match=str(MAX_WAITING)):
            await sqlite.write(upload("one too many"))
        # Reads do not wait for anybody.
        assert await sqlite.read(number_of_uploads) == 0
    await asyncio.gather(*asked)
    turnstile.close()


async def test_nobody_else_may_read_the_files(sqlite: Database, path: Path) -> None:
    await sqlite.write(upload("one"))
    files = sorted(path.parent.iterdir())
    assert [file.name for file in files] == ["havre.db", "havre.db-shm", "havre.db-wal", "havre.db.lock"]
    assert {file.stat().st_mode & 0o777 for file in files} == {0o600}


async def test_what_was_acknowledged_survives_a_kill(sqlite: Database, path: Path) -> None:
    await sqlite.write(lambda rows: repository(rows, "python"))
    process = writer_process(f"sqlite:///{path}", "killed", writers=8, count=100_000)
    assert process.stdout is not None
    acknowledged = [await asyncio.to_thread(process.stdout.readline) for _ in range(200)]
    process.send_signal(signal.SIGKILL)
    rest, _ = await asyncio.to_thread(process.communicate)
    names = {line.strip() for line in [*acknowledged, *rest.splitlines()]}
    assert process.returncode == -signal.SIGKILL
    assert await sqlite.read(lambda rows: set(rows.uploads.known(names))) == names
    # Whatever it held, it let go.
    await sqlite.write(upload("after"))


async def test_a_process_that_leaves_takes_nothing_of_the_others_along(sqlite: Database, path: Path) -> None:
    """The last process to close folds the log into the database; one that is not the last must not."""
    await sqlite.write(lambda rows: repository(rows, "python"))
    for name in ("first", "second"):
        process = writer_process(f"sqlite:///{path}", name, writers=1, count=3)
        output, _ = await asyncio.to_thread(process.communicate)
        assert (process.returncode, len(output.splitlines())) == (0, 3), output
        await sqlite.write(upload(f"after {name}"))
    assert await sqlite.read(number_of_uploads) == 8
    visitor = sqlite3.connect(path)
    assert visitor.execute("SELECT count(*) FROM uploads").fetchone() == (8,)
    visitor.close()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of two megabytes: the empty tables take almost half of one, and their log as much."""
    require_root()
    folder = tmp_path / "disk"
    folder.mkdir()
    subprocess.run([require("mount"), "-t", "tmpfs", "-o", "size=2m", "none", folder], check=True)
    yield folder
    subprocess.run([require("umount"), "--lazy", folder], check=True)


async def test_a_full_disk_refuses_writes_and_goes_on_reading(small_disk: Path) -> None:
    upgrade(f"sqlite:///{small_disk}/havre.db")
    database = Database.open(f"sqlite:///{small_disk}/havre.db")
    await database.start()
    made = await database.write(lambda rows: repository(rows, "python"))
    large = manifest("x" * 1_900_000)
    ends = await together(
        database,
        small_disk / "havre.db",
        upload("neighbour"),
        lambda rows: rows.manifests.add(made.id, large, [(digest("layer"), "layer")]),
    )
    assert [type(end) for end in ends] == [StorageFull, StorageFull]
    assert await database.read(lambda rows: rows.repositories.get(made.name)) == made
    assert await database.read(lambda rows: rows.manifests.get(made.id, large.digest)) is None
    await database.write(upload("small enough"))
    assert await database.read(number_of_uploads) == 1
    await database.close()


async def test_a_database_that_can_not_be_opened_is_named(tmp_path: Path) -> None:
    database = Database.open(f"sqlite:///{tmp_path}/missing/havre.db")
    with pytest.raises(Unavailable, match=r"missing/havre\.db"):
        await database.start()
    await database.close()


@pytest.mark.parametrize(
    "url", ["sqlite://", "sqlite:///:memory:", "mysql://root:secret@host/db", "secret", "", "oracle://secret@x/y"]
)
def test_an_address_that_can_not_work_is_refused_without_repeating_it(url: str) -> None:
    with pytest.raises(ConfigError, match="write sqlite:////path") as refused:
        Database.open(url)
    assert "secret" not in refused.value.message
