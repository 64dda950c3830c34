"""Upgrades: a database as the first version left it, with people and images in it, comes to this version whole."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from sqlalchemy import Connection, MetaData, Table, select, text

from havre.metadata import Database, migrations, upgrade
from havre.oci.digest import Digest
from havre.oci.names import RepositoryName, Tag
from tests.support import documents
from tests.support.databases import connected
from tests.support.documents import OCI_MANIFEST

pytestmark = pytest.mark.anyio

IMAGE = documents.image("old")
DIGESTS = [documents.digest_of(one) for one in IMAGE.blobs]
T = 1_700_000_000_000

ROWS: dict[str, list[dict[str, Any]]] = {
    "users": [
        {
            "id": number,
            "name": name,
            "email": f"{name}@example.org",
            "password": f"$argon2id$ of {name}",
            "is_admin": name == "carol",
            "disabled": name == "bobby",
            "default_visibility": "private",
            "language": "fr",
            "created": T,
        }
        for number, name in ((3, "alice"), (4, "bobby"), (7, "carol"))
    ],
    "namespaces": [
        {"id": number, "name": name, "kind": "user", "user_id": user, "created": T}
        for number, name, user in ((10, "alice", 3), (11, "bobby", 4), (12, "carol", 7))
    ],
    "sessions": [
        {
            "id": 1,
            "secret_hash": b"\x00\xff" * 16,
            "user_id": 3,
            "created": T,
            "last_seen": T + 1,
            "expires": T + 9,
            "address": "192.0.2.1",
            "user_agent": "Firefox",
        }
    ],
    "access_tokens": [
        {
            "id": 1,
            "uid": "0a",
            "user_id": 4,
            "label": "ci",
            "secret_hash": b"\x01" * 32,
            "hint": "abcd",
            "grants": "[]",
            "created": T,
            "expires": None,
            "last_used": T,
            "last_address": "",
            "last_client": "docker",
        }
    ],
    "login_failures": [{"key": "k", "failures": 3, "window_start": T}],
    "repositories": [
        {
            "id": number,
            "namespace_id": 10,
            "name": name,
            "path": f"alice/{name}",
            "visibility": visibility,
            "pulls": 41,
            "created": T,
            "updated": T + 5,
            "description": "Où est la crêpe ?",
            "readme": readme,
        }
        for number, name, visibility, readme in ((20, "app", "public", "# Läs mig"), (21, "hidden", "private", ""))
    ],
    "blobs": [
        {"id": 30 + n, "digest": digest, "size": len(blob), "storage_key": f"key {n}", "created": T}
        for n, (digest, blob) in enumerate(zip(DIGESTS, IMAGE.blobs, strict=True))
    ],
    "repository_blobs": [
        {"repository_id": repository, "blob_id": 30 + n, "linked": T} for repository in (20, 21) for n in range(3)
    ],
    "manifests": [
        {
            "id": 50 + repository,
            "repository_id": repository,
            "digest": IMAGE.digest,
            "media_type": OCI_MANIFEST,
            "size": len(IMAGE.content),
            "artifact_type": "",
            "subject": None,
            "platform": "linux/amd64",
            "total_size": sum(map(len, IMAGE.blobs)),
            "created": T,
            "annotations": "{}",
            "content": IMAGE.content,
        }
        for repository in (20, 21)
    ],
    "manifest_edges": [
        {"manifest_id": 50 + repository, "position": n, "digest": digest, "kind": "layer" if n else "config"}
        for repository in (20, 21)
        for n, digest in enumerate(DIGESTS)
    ],
    "tags": [
        {"id": 1, "repository_id": 20, "name": "latest", "manifest_id": 70, "updated": T, "user_id": 3},
        {"id": 2, "repository_id": 21, "name": "v1", "manifest_id": 71, "updated": T, "user_id": None},
    ],
    "tag_events": [
        {
            "id": 1,
            "repository_id": 20,
            "tag": "latest",
            "before": None,
            "after": IMAGE.digest,
            "user_id": 3,
            "at": T,
        }
    ],
    "uploads": [
        {
            "id": "u",
            "repository": "alice/app",
            "user_id": 3,
            "algorithm": "sha256",
            "size": 5,
            "prefixes": "{}",
            "created": T,
            "updated": T,
        }
    ],
    "settings": [{"key": "instance_id", "value": "i"}, {"key": "token_key", "value": "secret"}],
}


def tables_of(connection: Connection) -> dict[str, Table]:
    found = MetaData()
    found.reflect(connection)
    return dict(found.tables)


@pytest.fixture
def old_url(empty_url: str) -> str:
    """A database of the first schema, as a registry in use leaves it."""
    upgrade(empty_url, "0001")
    with connected(empty_url) as connection:
        if connection.dialect.name == "sqlite":
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        tables = tables_of(connection)
        untouched = set(tables) - set(ROWS) - {"alembic_version"}
        assert not untouched, "the test has no rows for these tables of the first schema"
        for name, rows in ROWS.items():
            connection.execute(tables[name].insert(), rows)
        connection.exec_driver_sql("COMMIT") if connection.dialect.name == "sqlite" else connection.commit()
    return empty_url


def test_nothing_is_lost(old_url: str) -> None:
    upgrade(old_url)
    assert migrations.is_current(old_url)
    with connected(old_url) as connection:
        tables = tables_of(connection)
        for name, rows in ROWS.items():
            for row in rows:
                kept = {key: value for key, value in row.items() if key != "readme"}
                table = tables[name]
                wanted = [table.c[key] == value for key, value in kept.items() if value is not None]
                found = connection.execute(select(*(table.c[key] for key in kept)).where(*wanted)).all()
                assert [tuple(one) for one in found] == [tuple(kept.values())], name
        assert connection.execute(text("SELECT repository_id, text FROM readmes")).all() == [(20, "# Läs mig")]


async def test_it_works_as_if_it_had_always_been_new(old_url: str) -> None:
    upgrade(old_url)
    database = Database.open(old_url)
    await database.start()
    try:
        manifest = await database.read(lambda rows: rows.manifests.tagged(20, Tag("latest")))
        assert manifest is not None
        assert hashlib.sha256(manifest.content).hexdigest() == IMAGE.digest.partition(":")[2]
        blob = await database.read(lambda rows: rows.blobs.linked(21, Digest(DIGESTS[1])))
        assert blob is not None
        assert (blob.key, blob.condemned) == ("key 1", False)
        repository = await database.read(lambda rows: rows.repositories.get(RepositoryName("alice/app")))
        assert repository is not None
        assert repository.pulls == 41
        # What is new was made from what was there: storage counted once for both repositories, words to search for.
        total = sum(map(len, IMAGE.blobs))
        assert await database.read(lambda rows: rows.checks.miscounted()) == 0
        stored = await database.read(
            lambda rows: rows.connection.scalar(text("SELECT storage FROM namespaces WHERE name = 'alice'"))
        )
        assert stored == total
        assert await database.read(lambda rows: rows.checks.dangling()) == []
        free = await database.write(
            lambda rows: rows.connection.scalar(text("SELECT count(*) FROM plans WHERE is_default AND name = 'free'"))
        )
        assert free == 1
    finally:
        await database.close()
