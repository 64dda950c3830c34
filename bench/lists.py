"""Long lists: a page of tags among 100,000, a page of the catalogue among 10,000 repositories."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

from bench import load
from bench.figures import Row, alternate, compare
from bench.servers import ACCOUNT, Distribution, Havre, Server
from bench.works import Bench, prepare_image, scope

MANY_TAGS, FEW = 100_000, 100
MANY_REPOSITORIES = 10_000


def lists(bench: Bench) -> list[Row]:
    """Time of a page of 100 entries: at the large size beside the peer, and beside the same page of a short list."""
    few, many = f"{ACCOUNT}/few", f"{ACCOUNT}/many"
    for name, tags in ((few, FEW), (many, MANY_TAGS)):
        digest, _ = prepare_image(bench.havre, name)
        _tag_havre(bench.havre, name, tags)
        digest, _ = prepare_image(bench.peer, name)
        _tag_peer(bench.peer, name, digest, tags)
    short = _page(bench.havre, f"/v2/{few}/tags/list?n=100", scope(few))
    rows = _compare(bench, f"page of 100 among {MANY_TAGS:,} tags", f"/v2/{many}/tags/list?n=100", scope(many), short)
    catalogue = "/v2/_catalog?n=100"
    short = _page(bench.havre, catalogue, "registry:catalog:*")
    alone = alternate(bench.rounds, {"short": short})["short"]
    for server in bench.registries:
        _add_repositories(server)
    # The short catalogue was measured before it grew.
    again = iter(alone)
    work = f"page of 100 among {MANY_REPOSITORIES:,} repositories"
    return rows + _compare(bench, work, catalogue, "registry:catalog:*", lambda: next(again))


def _compare(bench: Bench, work: str, path: str, asked: str, short: Callable[[], float]) -> list[Row]:
    measures = {server.name: _page(server, path, asked) for server in bench.registries}
    found = alternate(bench.rounds, {**measures, "a short list": short})
    goals = {"distribution": 20, "a short list": 0.5}
    return [compare(work, "ms", found, goals, less_is_better=True)]


def _page(server: Server, path: str, asked: str) -> Callable[[], float]:
    def measure() -> float:
        return load.rate(server.url + path, server.headers(asked), connections=1, seconds=2).p50

    return measure


def _tag_havre(server: Havre, name: str, number: int) -> None:
    with closing(sqlite3.connect(server.data / "havre.db", timeout=60)) as database, database:
        (repository,) = database.execute("SELECT id FROM repositories WHERE path = ?", (name,)).fetchone()
        (manifest,) = database.execute("SELECT id FROM manifests WHERE repository_id = ?", (repository,)).fetchone()
        database.executemany(
            "INSERT INTO tags (repository_id, name, manifest_id, updated) VALUES (?, ?, ?, 0)",
            ((repository, tag, manifest) for tag in _names("v", number)),
        )


def _tag_peer(server: Distribution, name: str, digest: str, number: int) -> None:
    tags = server.data / "docker/registry/v2/repositories" / name / "_manifests/tags"
    for tag in _names("v", number):
        current = tags / tag / "current"
        current.mkdir(parents=True)
        (current / "link").write_text(digest)


def _add_repositories(server: Server) -> None:
    if isinstance(server, Havre):
        with closing(sqlite3.connect(server.data / "havre.db", timeout=60)) as database, database:
            (namespace,) = database.execute("SELECT id FROM namespaces WHERE name = ?", (ACCOUNT,)).fetchone()
            database.executemany(
                "INSERT INTO repositories (namespace_id, name, path, visibility, description, pulls, created, updated)"
                " VALUES (?, ?, ?, 'public', '', 0, 0, 0)",
                ((namespace, name, f"{ACCOUNT}/{name}") for name in _names("repo", MANY_REPOSITORIES)),
            )
    elif isinstance(server, Distribution):
        root = Path(server.data) / "docker/registry/v2/repositories" / ACCOUNT
        for name in _names("repo", MANY_REPOSITORIES):
            for folder in ("_layers", "_manifests", "_uploads"):
                (root / name / folder).mkdir(parents=True)


def _names(prefix: str, number: int) -> Iterator[str]:
    return (f"{prefix}{at:06}" for at in range(number))
