"""What a check finds, sets aside and repairs, and how a push brings back what was lost."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from tests.support import documents
from tests.support.databases import connected
from tests.support.pulled import pull_all, push_image, session
from tests.support.server import HavreProcess
from tests.upkeep.conftest import ENGINES, New

IMAGE = documents.image("one")
OTHER = documents.image("two")
CONFIG, FIRST, SECOND = (documents.digest_of(one) for one in IMAGE.blobs)


@pytest.fixture(params=ENGINES)
def registry(request: pytest.FixtureRequest, new: New) -> HavreProcess:
    """A registry that serves, with two images of alice's."""
    havre = new(request.param, people=True).start()
    with session(havre, "alice", "alice/app") as client:
        push_image(client, "alice/app", "latest", IMAGE)
        push_image(client, "alice/app", "other", OTHER)
    return havre


def file_of(havre: HavreProcess, digest: str) -> Path:
    encoded = digest.partition(":")[2]
    return havre.data / "blobs" / "sha256" / encoded[:2] / encoded


def fsck(havre: HavreProcess, *flags: str, code: int = 0) -> dict[str, Any]:
    """Run it, and expect that it ends with ``code``."""
    done = havre.ended("fsck", "--json", *flags)
    assert done.returncode == code, done.stdout + done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def problems(found: dict[str, Any]) -> list[tuple[str, str]]:
    return [(one["problem"], one["subject"]) for one in found["findings"]]


def url_of(havre: HavreProcess) -> str:
    return havre.environ.get("HAVRE_DATABASE_URL", f"sqlite:///{havre.data}/havre.db")


def broken_rows(havre: HavreProcess, *statements: str) -> None:
    """Change rows behind the registry's back, without its constraints."""
    with connected(url_of(havre)) as connection:
        if connection.dialect.name == "sqlite":
            connection.exec_driver_sql("PRAGMA foreign_keys = OFF")
        else:
            connection.execute(text("SET session_replication_role = replica"))
        for statement in statements:
            connection.execute(text(statement))
        if connection.dialect.name != "sqlite":
            connection.commit()


def test_a_sound_registry_is_well(registry: HavreProcess) -> None:
    found = fsck(registry)
    assert (found["blobs"], found["manifests"], found["damage"], found["findings"]) == (6, 2, 0, [])
    assert "all is well" in registry.command("fsck", "--rate", "500")


def test_a_damaged_file_is_never_served_again_and_a_push_heals(registry: HavreProcess) -> None:
    file_of(registry, FIRST).write_bytes(b"X" + IMAGE.blobs[1][1:])
    found = fsck(registry, "--dry-run", code=4)
    assert problems(found) == [("corrupt", FIRST)]
    assert file_of(registry, FIRST).exists()
    with session(registry, "alice", "alice/app") as client:
        found = fsck(registry, code=4)
        assert found["findings"][0]["tags"] == ["alice/app:latest"]
        address = f"/v2/alice/app/blobs/{FIRST}"
        reply = client.get(address)
        assert (reply.status_code, reply.json()["errors"][0]["code"]) == (404, "BLOB_UNKNOWN")
        assert client.head(address).status_code == 404
        (aside,) = (registry.data / "quarantine").iterdir()
        assert aside.read_bytes().startswith(b"X")
        mount = client.post(f"/v2/alice/app2/blobs/uploads/?mount={FIRST}&from=alice/app")
        assert mount.status_code in {202, 401}
        push_image(client, "alice/app", "latest", IMAGE)
    assert pull_all(registry, "alice", "alice/app").broken == []
    assert fsck(registry)["damage"] == 0


def test_repair_makes_room_for_a_push(registry: HavreProcess) -> None:
    file_of(registry, FIRST).unlink()
    file_of(registry, SECOND).write_bytes(b"short")
    found = fsck(registry, "--repair", code=3)
    assert {("corrupt", SECOND), ("missing", FIRST)} < set(problems(found))
    assert found["unrepaired"] == 0
    # The image lacks them now, which is no damage but what a push mends.
    assert ("incomplete", f"alice/app@{IMAGE.digest}") in problems(found)
    assert problems(fsck(registry)) == [("incomplete", f"alice/app@{IMAGE.digest}")]
    with session(registry, "alice", "alice/app") as client:
        push_image(client, "alice/app", "latest", IMAGE)
    assert fsck(registry)["findings"] == []
    pulled = pull_all(registry, "alice", "alice/app")
    assert (pulled.broken, len(pulled.tags)) == ([], 2)


def test_a_good_copy_is_found_again(registry: HavreProcess) -> None:
    plain = file_of(registry, FIRST)
    plain.rename(plain.with_name(f"{plain.name}.abc"))
    found = fsck(registry, "--repair", code=3)
    assert found["findings"][0]["done"] == "found a good copy"
    assert pull_all(registry, "alice", "alice/app").broken == []
    assert fsck(registry)["findings"] == []


def test_a_manifest_that_is_not_what_its_digest_says(registry: HavreProcess) -> None:
    broken_rows(
        registry,
        f"UPDATE manifests SET media_type = media_type, size = size, content = {_BYTES[is_sqlite(registry)]}"
        f" WHERE digest = '{IMAGE.digest}'",
    )
    with session(registry, "alice", "alice/app") as client:
        for reference in ("latest", IMAGE.digest):
            answer = client.get(f"/v2/alice/app/manifests/{reference}")
            assert (answer.status_code, "is damaged" in answer.text) == (503, True)
    found = fsck(registry, code=4)
    assert problems(found) == [("manifest", f"alice/app@{IMAGE.digest}")]
    assert found["findings"][0]["tags"] == ["alice/app:latest"]
    assert fsck(registry, "--repair", code=3)["unrepaired"] == 0
    assert any(one.name.startswith("manifest-") for one in (registry.data / "quarantine").iterdir())
    assert list(pull_all(registry, "alice", "alice/app").tags) == ["alice/app:other"]
    with session(registry, "alice", "alice/app") as client:
        push_image(client, "alice/app", "latest", IMAGE)
    assert fsck(registry)["findings"] == []


_BYTES = {True: "X'7b7d'", False: "'\\x7b7d'::bytea"}


def is_sqlite(havre: HavreProcess) -> bool:
    return url_of(havre).startswith("sqlite")


def test_rows_that_refer_to_nothing_and_wrong_figures(registry: HavreProcess) -> None:
    broken_rows(
        registry,
        "INSERT INTO tags (repository_id, name, manifest_id, updated) VALUES (1, 'ghost', 999, 1)",
        "INSERT INTO manifest_edges (manifest_id, position, digest, kind) VALUES (998, 0, 'sha256:0', 'layer')",
        "INSERT INTO repository_blobs (repository_id, blob_id, linked) VALUES (1, 997, 1)",
        "UPDATE namespaces SET storage = 12345 WHERE name = 'alice'",
        f"DELETE FROM manifest_edges WHERE position = 1 AND manifest_id ="
        f" (SELECT id FROM manifests WHERE digest = '{IMAGE.digest}')",
    )
    found = fsck(registry, code=4)
    kinds = {problem for problem, _ in problems(found)}
    assert kinds == {"dangling", "figures", "edges"}
    assert fsck(registry, "--repair", code=3)["unrepaired"] == 0
    assert fsck(registry)["findings"] == []


def test_strays_are_named_and_left(registry: HavreProcess) -> None:
    young = file_of(registry, documents.digest_of(b"young"))
    young.parent.mkdir(exist_ok=True)
    young.write_bytes(b"young")
    old = file_of(registry, documents.digest_of(b"old"))
    old.parent.mkdir(exist_ok=True)
    old.write_bytes(b"old")
    os.utime(old, (1, 1))
    assert problems(fsck(registry, "--repair")) == [("stray", old.relative_to(registry.data / "blobs").as_posix())]
    assert old.exists()
