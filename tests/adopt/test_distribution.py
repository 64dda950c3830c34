"""``havre import`` of a distribution registry's folder, made by a real one; what came is compared over the wire."""

from __future__ import annotations

import hashlib
import json
import signal
import sqlite3
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support import documents
from tests.support.foreign import Answer, Wire, assert_same, needed_blobs, revisions, their_wire
from tests.support.images import noise
from tests.support.peers import DockerRegistry
from tests.support.server import HAVRE, HavreProcess

MakeHavre = Callable[[], HavreProcess]

COPIES = 4 + 16
"""Blobs that are copied at the same time."""

PLACES = {
    "alice/files": "alice/files",
    "alice/many": "alice/many",
    "alice/moved": "alice/moved",
    "alice/team/docker-format": "alice/team/docker-format",
    "elsewhere/shared": "bobby/elsewhere/shared",
    "library/one": "library/one",
}
"""Where each repository goes: to the account of its first part, else below the one that was named."""


def run(server: HavreProcess, *words: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*HAVRE, "import", *map(str, words)],
        env=dict(server.environ),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def report(server: HavreProcess, *words: str | Path, code: int = 0) -> dict[str, Any]:
    done = run(server, *words, "--json")
    assert done.returncode == code, done.stdout + done.stderr
    document: dict[str, Any] = json.loads(done.stdout)
    return document


def blob(tree: Path, digest: str) -> Path:
    return tree / "docker/registry/v2/blobs/sha256" / digest[7:9] / digest[7:] / "data"


def fingerprint(tree: Path) -> dict[str, tuple[int, str]]:
    """Every file of a tree, with its time and content."""
    return {
        str(path): (path.stat().st_mtime_ns, hashlib.sha256(path.read_bytes()).hexdigest())
        for path in tree.rglob("*")
        if path.is_file()
    }


def test_everything_comes_byte_for_byte(filled: DockerRegistry, havre: MakeHavre) -> None:
    theirs, tree = their_wire(filled), filled.folder / "data"
    with havre() as server:
        done = run(server, tree, "--into", "bobby")
        assert (done.returncode, done.stderr) == (0, "")
        assert "came: 6 repositories, 10 tags, 12 manifests, 12 blobs" in done.stdout
        ours = Wire(server.host)
        for there, here in PLACES.items():
            assert_same(theirs, ours, there, here, revisions(filled, there))
        assert len(revisions(filled, "alice/moved")) == 2, "one of them has no tag"


def test_what_refers_to_something_is_found(filled: DockerRegistry, havre: MakeHavre) -> None:
    with havre() as server:
        report(server, filled.folder / "data", "--repository", "alice/*")
        ours = Wire(server.host)
        index = documents.digest_of(ours.manifest("alice/many", "1").body)
        [sbom] = ours.referrers("alice/many", index)
        assert sbom["digest"] == documents.digest_of(ours.manifest("alice/many", "sbom").body)
        notes = documents.digest_of(ours.manifest("alice/files", "notes").body)
        [signature] = ours.referrers("alice/files", notes)
        assert signature["annotations"]["kind"] == "signature"
        assert signature["artifactType"]
        assert index.replace(":", "-") + ".sig" in ours.tags("alice/many")


def test_times_and_moves_of_tags_are_kept(filled: DockerRegistry, havre: MakeHavre) -> None:
    tree, server = filled.folder / "data", havre()
    report(server, tree, "--into", "bobby")
    tag = tree / "docker/registry/v2/repositories/alice/moved/_manifests/tags/latest"
    moved = {
        f"sha256:{path.parent.name}": path.stat().st_mtime_ns // 1_000_000 for path in tag.glob("index/sha256/*/link")
    }
    current = (tag / "current/link").stat().st_mtime_ns // 1_000_000
    moved[(tag / "current/link").read_text()] = current
    with sqlite3.connect(server.data / "havre.db") as rows:
        found = rows.execute("select after, at, before from tag_events where tag = 'latest' order by id").fetchall()
    connected = [one for one in found if one[0] in moved]
    assert [after for after, _, _ in connected] == sorted(moved, key=moved.__getitem__)
    assert [at for _, at, _ in connected] == sorted(moved.values())
    assert connected[1][2] == connected[0][0], "the second move says where it came from"


def test_a_second_run_finds_everything_here(filled: DockerRegistry, havre: MakeHavre) -> None:
    server, tree = havre(), filled.folder / "data"
    report(server, tree, "--into", "bobby")
    again = report(server, tree, "--into", "bobby")
    assert again["brought"] == {"repositories": 0, "tags": 0, "manifests": 0, "blobs": 0, "bytes": 0}
    assert (again["present"]["repositories"], again["present"]["tags"], again["present"]["manifests"]) == (6, 10, 12)
    with sqlite3.connect(server.data / "havre.db") as rows:
        assert rows.execute("select count(*) from tag_events").fetchone() == (11,), "no move is remembered twice"


def test_a_dry_run_tells_the_same_and_changes_nothing(filled: DockerRegistry, havre: MakeHavre) -> None:
    server, tree = havre(), filled.folder / "data"
    told = report(server, tree, "--into", "bobby", "--dry-run")
    with sqlite3.connect(server.data / "havre.db") as rows:
        assert rows.execute("select count(*) from repositories").fetchone() == (0,)
    assert not list(server.data.glob("blobs/*/*/*"))
    done = report(server, tree, "--into", "bobby")
    assert told["brought"] == done["brought"]


def test_the_source_is_only_read(tree: Path, havre: MakeHavre) -> None:
    before = fingerprint(tree)
    for path in (*tree.rglob("*"), tree):
        path.chmod(0o555 if path.is_dir() else 0o444)
    report(havre(), tree, "--into", "bobby")
    assert fingerprint(tree) == before


def test_what_was_pushed_here_since_stays(filled: DockerRegistry, havre: MakeHavre) -> None:
    tree = filled.folder / "data"
    with havre() as server:
        report(server, tree, "--into", "bobby")
        ours, mine = Wire(server.host, "alice:correct horse 9"), documents.image("newer")
        ours.push("alice/moved", "latest", mine)
        [left] = report(server, tree, "--into", "bobby", code=1)["skipped"]
        assert (left["kind"], left["where"], left["what"]) == ("tag", "alice/moved", "latest")
        assert ours.manifest("alice/moved", "latest").body == mine.content


def test_the_next_run_brings_what_was_pushed_there_meanwhile(tmp_path: Path, havre: MakeHavre) -> None:
    with DockerRegistry(tmp_path) as registry, havre() as server:
        theirs, ours = their_wire(registry), Wire(server.host)
        theirs.push("alice/app", "1", documents.image("one"))
        report(server, tmp_path / "data")
        theirs.push("alice/app", "1", documents.image("two"))
        theirs.push("alice/app", "2", documents.image("three"))
        assert report(server, tmp_path / "data")["brought"]["tags"] == 2
        assert_same(theirs, ours, "alice/app", "alice/app", revisions(registry, "alice/app"))


@pytest.mark.parametrize("how", ["flipped", "cut", "gone"])
def test_damage_is_named_and_the_rest_comes(tree: Path, havre: MakeHavre, filled: DockerRegistry, how: str) -> None:
    theirs = their_wire(filled)
    manifest = theirs.manifest("alice/moved", "latest").body
    [_, layer] = needed_blobs(manifest)
    path = blob(tree, layer)
    content = path.read_bytes()
    if how == "gone":
        path.unlink()
    else:
        path.write_bytes(content[:-1] if how == "cut" else bytes([content[0] ^ 1]) + content[1:])
    server = havre()
    told = report(server, tree, "--into", "bobby", code=1)
    [damaged] = told["damaged"]
    assert (damaged["kind"], damaged["where"], damaged["what"]) == ("blob", "alice/moved", layer)
    assert ("missing" if how == "gone" else str(path)) in damaged["why"]
    assert [(one["kind"], one["what"]) for one in told["skipped"]] == [
        ("manifest", documents.digest_of(manifest)),
        ("tag", "latest"),
    ]
    assert layer in told["skipped"][0]["why"]
    with sqlite3.connect(server.data / "havre.db") as rows:
        assert rows.execute("select count(*) from uploads").fetchone() == (0,)
    path.write_bytes(content)
    with server:
        assert report(server, tree, "--into", "bobby")["brought"]["manifests"] == 1
        assert_same(theirs, Wire(server.host), "alice/moved", "alice/moved", revisions(filled, "alice/moved"))


def test_damaged_manifests_links_and_docker_schema_1(tree: Path, havre: MakeHavre, filled: DockerRegistry) -> None:
    theirs = their_wire(filled)
    broken = documents.digest_of(theirs.manifest("library/one", "1").body)
    blob(tree, broken).write_bytes(b"{}")
    old = json.dumps({"schemaVersion": 1, "name": "alice/old", "tag": "1", "fsLayers": [], "history": []}).encode()
    folder = tree / "docker/registry/v2/repositories/alice/old/_manifests"
    for place in (f"revisions/sha256/{'0' * 64}", "tags/1/current", "tags/lost/current"):
        (folder / place).mkdir(parents=True)
        (folder / place / "link").write_text(f"sha256:{'0' * 64}")
    blob(tree, f"sha256:{'0' * 64}").parent.mkdir(parents=True)
    blob(tree, f"sha256:{'0' * 64}").write_bytes(old)
    (folder / "tags/lost/current/link").write_text("")
    told = report(havre(), tree, "--into", "bobby", code=1)
    damaged = {(one["kind"], one["where"]) for one in told["damaged"]}
    assert damaged == {("manifest", "library/one"), ("manifest", "elsewhere/shared"), ("link", "alice/old")}
    skipped = {(one["kind"], one["where"]): one["why"] for one in told["skipped"]}
    assert "schema 1" in skipped["manifest", "alice/old"]
    assert ("tag", "alice/old") in skipped


def test_an_import_that_is_killed_goes_on(tmp_path: Path, havre: MakeHavre) -> None:
    images = [documents.image(f"{number}-{noise(str(number), 150_000).hex()}") for number in range(40)]
    with DockerRegistry(tmp_path) as registry, havre() as server:
        theirs, ours = their_wire(registry), Wire(server.host)
        for number, image in enumerate(images):
            theirs.push("alice/large", str(number), image)
        killed = 0
        for wanted in (1, 30, 70):
            killed += _killed_with(server, tmp_path / "data", wanted)
            # Whatever is here is whole.
            assert all(ours.manifest("alice/large", tag).status == 200 for tag in ours_tags(ours))
        assert killed >= 2
        told = report(server, tmp_path / "data")
        assert told["present"]["manifests"] > 0, "it went on where it was"
        assert told["brought"]["manifests"] + told["present"]["manifests"] == len(images)
        assert_same(theirs, ours, "alice/large", "alice/large", revisions(registry, "alice/large"))
        with sqlite3.connect(server.data / "havre.db") as rows:
            [(blobs,)] = rows.execute("select count(*) from blobs").fetchall()
        assert blobs == len({blob for image in images for blob in image.blobs})
        # A kill between a file and its row leaves a stray, which the collector takes; of each copy on its way at most.
        assert len(_stored(server)) <= blobs + killed * COPIES


def ours_tags(ours: Wire) -> list[str]:
    return ours.tags("alice/large") if ours.get("alice/large/tags/list").status == 200 else []


def _stored(server: HavreProcess) -> list[Path]:
    return [path for path in (server.data / "blobs").rglob("*") if path.is_file()]


def _killed_with(server: HavreProcess, source: Path, blobs: int) -> bool:
    """Import and kill that once so many blobs are stored; False if it was quicker."""
    process = subprocess.Popen([*HAVRE, "import", str(source), "-q"], env=dict(server.environ), start_new_session=True)
    while process.poll() is None and len(_stored(server)) < blobs:
        time.sleep(0.002)
    alive = process.poll() is None
    if alive:
        process.send_signal(signal.SIGKILL)
    process.wait(20)
    return alive


def test_answers_keep_their_media_type(filled: DockerRegistry, havre: MakeHavre) -> None:
    with havre() as server:
        report(server, filled.folder / "data", "--repository", "alice/team/*")
        answer = Wire(server.host).manifest("alice/team/docker-format", "v2")
        assert isinstance(answer, Answer)
        assert answer.media_type == documents.DOCKER_MANIFEST
