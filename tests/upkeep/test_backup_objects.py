"""Backups of a registry whose bytes lie in a real object store, and the ways back: into a bucket, into a folder, and over."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests.conftest import PASSWORD
from tests.support import documents
from tests.support.documents import digest_of
from tests.support.objectstore import ObjectStore
from tests.support.pulled import pull_all, push_image, session
from tests.support.server import HavreProcess
from tests.upkeep.conftest import New

IMAGE = documents.image("one")
LARGE = os.urandom(20 * 1024 * 1024)


@pytest.fixture
def in_bucket(new: New, object_store: ObjectStore, tmp_path: Path) -> New:
    """Make registries that keep their bytes in a bucket, each below a prefix of its own."""

    def make(prefix: str, **settings: str) -> HavreProcess:
        name = f"{tmp_path.name.replace('_', '-')}-{prefix}"
        registry = new(**object_store.settings(name), storage_redirect="stream", **settings)
        registry.environ = {**registry.environ, **object_store.environ()}
        return registry

    return make


@pytest.fixture
def registry(in_bucket: New) -> HavreProcess:
    """One that serves an image, and a blob of several parts."""
    havre = in_bucket("first")
    havre.add_user("alice", PASSWORD)
    havre.start()
    with session(havre, "alice", "alice/app") as client:
        push_image(client, "alice/app", "latest", IMAGE)
        where = client.post("/v2/alice/app/blobs/uploads/").headers["location"]
        assert client.put(where, params={"digest": digest_of(LARGE)}, content=LARGE).status_code == 201
    return havre


def test_from_bucket_to_bucket_to_folder(registry: HavreProcess, in_bucket: New, new: New, tmp_path: Path) -> None:
    shelf, before = str(tmp_path / "shelf"), pull_all(registry, "alice", "alice/app")
    first = json.loads(registry.command("backup", shelf, "--json", "--verify"))
    assert (first["copied"], first["missing"], first["damaged"]) == (4, [], [])
    assert json.loads(registry.command("backup", shelf, "--json"))["copied"] == 0
    for target in (in_bucket("second"), new()):
        assert "4 blobs" in target.command("restore", shelf)
        with target:
            assert pull_all(target, "alice", "alice/app") == before
            with session(target, "alice", "alice/app") as client:
                assert client.get(f"/v2/alice/app/blobs/{digest_of(LARGE)}").content == LARGE
        assert "0 damaged" in target.command("fsck") or target.ended("fsck").returncode == 0


def test_a_prefix_that_is_not_empty_is_left_alone(
    registry: HavreProcess, in_bucket: New, object_store: ObjectStore, tmp_path: Path
) -> None:
    shelf = str(tmp_path / "shelf")
    registry.command("backup", shelf)
    # The same prefix, with other rows.
    refused = in_bucket("first").ended("restore", shelf)
    assert refused.returncode
    assert "is restored into a new, empty bucket or prefix only" in refused.stderr
    assert pull_all(registry, "alice", "alice/app")


def test_content_that_the_bucket_lost_is_named(
    registry: HavreProcess, object_store: ObjectStore, tmp_path: Path
) -> None:
    prefix = f"{tmp_path.name.replace('_', '-')}-first"
    (lost,) = [
        key
        for key in object_store.keys_below(prefix)
        if LARGE.startswith(object_store.ask("GET", f"{prefix}/{key}")[1][:1000])
    ]
    object_store.ask("DELETE", f"{prefix}/{lost}")
    ended = registry.ended("backup", str(tmp_path / "shelf"))
    assert ended.returncode == 4
    assert f"the registry has lost {digest_of(LARGE)}" in ended.stderr
