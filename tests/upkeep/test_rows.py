"""A registry moves from one engine to the other, its blobs where they are, and serves what it served."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support import documents
from tests.support.pulled import pull_all, push_image, session
from tests.upkeep.conftest import New

WAYS = [("sqlite", "postgresql"), ("postgresql", "sqlite")]


@pytest.mark.postgresql
@pytest.mark.parametrize(("source", "target"), WAYS, ids=["to PostgreSQL", "to SQLite"])
def test_a_registry_moves(new: New, tmp_path: Path, source: str, target: str) -> None:
    file = tmp_path / "rows.zst"
    with new(source, people=True) as old, session(old, "alice", "alice/app") as client:
        push_image(client, "alice/app", "latest", documents.image("one"))
        before = pull_all(old, "alice", "alice/app")
        assert " rows of " in old.command("rows", "export", str(file))
    moved = new(target)
    moved.data.mkdir()
    for folder in ("blobs", "uploads"):
        (old.data / folder).rename(moved.data / folder)
    assert " rows of " in moved.command("rows", "import", str(file))
    with moved:
        after = pull_all(moved, "alice", "alice/app")
        assert (after.tags, after.broken) == (before.tags, [])
        with session(moved, "alice", "alice/app") as client:
            push_image(client, "alice/app", "two", documents.image("two"))
        assert moved.ended("fsck").returncode == 0


def test_what_can_not_be_is_told(new: New, tmp_path: Path) -> None:
    havre = new(people=True)
    file = tmp_path / "rows"
    havre.command("rows", "export", str(file))
    assert file.read_bytes().startswith(b'{"havre":"rows"')
    assert "is there already" in havre.ended("rows", "export", str(file)).stderr
    assert "the database is not empty" in havre.ended("rows", "import", str(file)).stderr
    assert "No such file" in havre.ended("rows", "import", str(tmp_path / "nothing")).stderr
    (tmp_path / "other").write_bytes(b"\x28\xb5\x2f\xfd and no more")
    said = new().ended("rows", "import", str(tmp_path / "other"))
    assert (said.returncode, "damaged" in said.stderr) == (1, True)
