"""Backups: what is copied again, what counts, what is refused, and what a broken one does to nobody."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from havre.errors import Conflict
from havre.metadata import Database
from havre.registry.holds import HOLD, backup_runs
from havre.upkeep.guard import Guard
from havre.upkeep.shelf import Shelf
from tests.support import documents
from tests.support.pulled import pull_all, push_image, session
from tests.support.server import HAVRE, HavreProcess
from tests.upkeep.conftest import New

pytestmark = pytest.mark.anyio

IMAGE, SECOND = documents.image("one"), documents.image("two")


@pytest.fixture
def registry(new: New) -> HavreProcess:
    """A registry that serves, with an image of alice's."""
    havre = new(people=True).start()
    with session(havre, "alice", "alice/app") as client:
        push_image(client, "alice/app", "latest", IMAGE)
    return havre


def copy_of(shelf: Path, content: bytes) -> Path:
    encoded = documents.digest_of(content).partition(":")[2]
    return shelf / "blobs" / "sha256" / encoded[:2] / encoded


def test_the_second_copies_what_is_new(registry: HavreProcess, tmp_path: Path) -> None:
    shelf = tmp_path / "shelf"
    first = json.loads(registry.command("backup", str(shelf), "--json"))
    assert (first["copied"], first["blobs"], first["missing"]) == (3, 3, [])
    with session(registry, "alice", "alice/app") as client:
        push_image(client, "alice/app", "two", SECOND)
    second = json.loads(registry.command("backup", str(shelf), "--json", "--verify", "--rate", "100"))
    assert (second["copied"], second["blobs"], second["damaged"]) == (3, 6, [])
    assert [line.split("\t")[0] for line in registry.command("backup", str(shelf), "--list").splitlines()] == [
        first["name"],
        second["name"],
    ]


def test_an_older_one_is_restored_by_name(registry: HavreProcess, new: New, tmp_path: Path) -> None:
    shelf = tmp_path / "shelf"
    first = json.loads(registry.command("backup", str(shelf), "--json"))
    with session(registry, "alice", "alice/app") as client:
        push_image(client, "alice/app", "latest", SECOND)
    registry.command("backup", str(shelf))
    with new() as restored:
        pass
    fresh = new()
    fresh.command("restore", str(shelf), "--generation", first["name"])
    with fresh:
        assert pull_all(fresh, "alice", "alice/app").tags == {"alice/app:latest": IMAGE.digest}
    # A registry that was started, but that nobody used, is as good as none.
    restored.command("restore", str(shelf))
    with restored:
        assert pull_all(restored, "alice", "alice/app").tags == {"alice/app:latest": SECOND.digest}


def test_only_the_newest_are_kept(registry: HavreProcess, tmp_path: Path) -> None:
    shelf = tmp_path / "shelf"
    registry.command("backup", str(shelf))
    with session(registry, "alice", "alice/app") as client:
        push_image(client, "alice/app", "two", SECOND)
        client.delete(f"/v2/alice/app/manifests/{IMAGE.digest}").raise_for_status()
        for blob in IMAGE.blobs:
            client.delete(f"/v2/alice/app/blobs/{documents.digest_of(blob)}").raise_for_status()
    registry.stop()
    # Collected, as far as the rows are concerned.
    import sqlite3

    with sqlite3.connect(registry.data / "havre.db") as rows:
        rows.execute("DELETE FROM blobs WHERE id NOT IN (SELECT blob_id FROM repository_blobs)")
    registry.command("backup", str(shelf), "--keep", "1")
    assert len(Shelf(shelf).generations()) == 1
    assert not any(copy_of(shelf, blob).exists() for blob in IMAGE.blobs)
    assert "read back 3 blobs" in registry.command("backup", str(shelf), "--check")


def test_a_copy_that_rotted_is_found_and_made_again(registry: HavreProcess, new: New, tmp_path: Path) -> None:
    shelf = tmp_path / "shelf"
    registry.command("backup", str(shelf))
    copy = copy_of(shelf, IMAGE.blobs[1])
    copy.write_bytes(b"X" + IMAGE.blobs[1][1:])
    refused = new().ended("restore", str(shelf))
    assert refused.returncode == 1
    assert "lacks 1 of its blobs" in refused.stderr
    checked = registry.ended("backup", str(shelf), "--check")
    assert checked.returncode == 4
    assert f"the backup has lost {documents.digest_of(IMAGE.blobs[1])}" in checked.stderr
    assert "1 blobs copied" in registry.command("backup", str(shelf), "--verify")


def test_a_registry_that_lost_content_is_backed_up_all_the_same(
    registry: HavreProcess, new: New, tmp_path: Path
) -> None:
    shelf = tmp_path / "shelf"
    copy_of(registry.data, IMAGE.blobs[1]).unlink()
    done = registry.ended("backup", str(shelf))
    assert done.returncode == 4
    assert f"the registry has lost {documents.digest_of(IMAGE.blobs[1])}" in done.stderr
    restored = new()
    assert restored.ended("restore", str(shelf)).returncode == 4
    with restored, session(restored, "alice", "alice/app") as client:
        push_image(client, "alice/app", "latest", IMAGE)
        assert pull_all(restored, "alice", "alice/app").broken == []


@pytest.mark.parametrize("damaged", ["the rows", "the sheet"])
def test_a_damaged_backup_is_refused(registry: HavreProcess, new: New, tmp_path: Path, damaged: str) -> None:
    shelf = tmp_path / "shelf"
    registry.command("backup", str(shelf))
    (file,) = (shelf / "generations").glob("*.zst" if damaged == "the rows" else "*.json")
    file.write_bytes(file.read_bytes()[:-9])
    refused = new().ended("restore", str(shelf))
    assert (refused.returncode, "damaged" in refused.stderr) == (1, True)


def test_what_is_not_empty_is_left_alone(registry: HavreProcess, new: New, tmp_path: Path) -> None:
    shelf = tmp_path / "shelf"
    registry.command("backup", str(shelf))
    refused = registry.ended("restore", str(shelf))
    assert refused.returncode == 1
    assert "the database is not empty" in refused.stderr
    other = new()
    (other.data / "blobs").mkdir(parents=True)
    (other.data / "blobs" / "mine").write_text("")
    refused = other.ended("restore", str(shelf))
    assert "a backup is restored into a new, empty data folder only" in refused.stderr
    assert pull_all(registry, "alice", "alice/app").broken == []


def test_there_is_nothing_to_restore(new: New, tmp_path: Path) -> None:
    assert "there is no complete backup in" in new().ended("restore", str(tmp_path / "nothing")).stderr


def test_one_that_was_killed_does_not_count(registry: HavreProcess, new: New, tmp_path: Path) -> None:
    shelf = tmp_path / "shelf"
    with session(registry, "alice", "alice/app") as client:
        large = documents.image("large")
        push_image(client, "alice/app", "large", large)
    command = [*HAVRE, "backup", str(shelf), "--rate", "0.000001"]
    running = subprocess.Popen(command, env=dict(registry.environ), cwd=registry.folder)
    try:
        for _ in range(100_000):
            # It has begun to copy, and takes hours for it.
            if list(shelf.glob("blobs/*/*/*")):
                break
            os.sched_yield()
    finally:
        running.send_signal(signal.SIGKILL)
        running.wait()
    assert Shelf(shelf).generations() == []
    assert new().ended("restore", str(shelf)).returncode == 1
    # The next one follows at once, and makes good.
    assert ": 0 damaged" in registry.command("backup", str(shelf), "--verify")
    restored = new()
    restored.command("restore", str(shelf))
    with restored:
        assert pull_all(restored, "alice", "alice/app").broken == []


def test_a_restore_that_broke_off_is_begun_again(registry: HavreProcess, new: New, tmp_path: Path) -> None:
    shelf = tmp_path / "shelf"
    registry.command("backup", str(shelf))
    restored = new()
    rows = next((shelf / "generations").glob("*.zst"))
    copy = copy_of(shelf, IMAGE.blobs[1])
    kept = copy.read_bytes()
    copy.unlink()
    assert restored.ended("restore", str(shelf)).returncode == 1
    assert len([one for one in (restored.data / "blobs").rglob("*") if one.is_file()]) == 2
    copy.write_bytes(kept)
    assert rows.exists()
    restored.command("restore", str(shelf))
    with restored:
        assert pull_all(restored, "alice", "alice/app").broken == []
    assert not list(restored.data.glob("restoring*"))


async def test_the_guard_stands_while_a_backup_runs(database: Database, tmp_path: Path) -> None:
    now = 1_000_000

    async def stands(at: int) -> bool:
        return await database.read(lambda rows: backup_runs(rows, at))

    assert not await stands(now)
    async with Guard(database, lambda: now, tmp_path / "a"):
        assert await stands(now)
        assert await stands(now + HOLD - 1)
        with pytest.raises(Conflict, match="another backup of this registry runs already"):
            await Guard(database, lambda: now, tmp_path / "b").__aenter__()
        # Whoever died holds nothing for ever.
        assert not await stands(now + HOLD)
    assert not await stands(now)
    async with Guard(database, lambda: now, tmp_path / "b"):
        assert await stands(now)


async def test_the_guard_of_one_that_died_is_taken_over(database: Database, tmp_path: Path) -> None:
    dead = Guard(database, lambda: 5, tmp_path)
    await dead.__aenter__()
    async with Guard(database, lambda: 6, tmp_path):
        assert await database.read(lambda rows: backup_runs(rows, 6))
        await dead.__aexit__(None, None, None)
        assert await database.read(lambda rows: backup_runs(rows, 6)), "it ended the guard of its follower"
    await asyncio.sleep(0)


def test_two_do_not_write_to_one_shelf(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path / "shelf")
    with shelf.changing(), pytest.raises(Conflict, match="another backup writes to"), shelf.changing():
        pass
    shutil.rmtree(shelf.folder)
