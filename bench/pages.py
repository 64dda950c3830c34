"""Pages: how long the server takes for each, of a registry with 10,000 repositories and one with 100,000 tags.

One worker. Before each page something is committed, so that nothing which the server remembers can help it. What is
measured includes a small client in Python and the loopback.
"""

from __future__ import annotations

import http.client
import os
import random
import sqlite3
import statistics
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

from bench.figures import Row, alternate, compare
from bench.servers import ACCOUNT, Havre
from bench.works import Bench, prepare_image
from havre.metadata import search_index
from havre.metadata.sqlite_connection import make_engine

REPOSITORIES, TAGS = 10_000, 100_000
WORDS, README_WORDS = 3000, 150
GOAL = 15
"""Milliseconds."""

MANY = f"/r/{ACCOUNT}/many"
PAGES = {
    "home": "/",
    "all repositories": "/search",
    "search": "/search?q=harbour+light",
    "search, one letter": "/search?q=r",
    "search, a word that all have": "/search?q=repository",
    "search with filters": "/search?q=harbour&kind=image&platform=linux%2Farm64&sort=stars",
    "suggestions": "/search/suggest?q=rep",
    "profile": f"/u/{ACCOUNT}",
    "profile, by pulls": f"/u/{ACCOUNT}?sort=pulls",
    "repository": MANY,
    "tags, first page": f"{MANY}/tags",
    "tags, in the middle": f"{MANY}/tags?sort=name&after=0%3Av050000",
    "tags, a text that few have": f"{MANY}/tags?q=99999",
    "tags, a text that none has": f"{MANY}/tags?q=nothing",
}


def pages(bench: Bench) -> list[Row]:
    """The median of each page; the goal is 15 ms."""
    times = 10 if bench.seconds == 1 else 40
    with Havre(bench.folder / "havre-pages", 1) as havre:
        prepare_image(havre, f"{ACCOUNT}/many")
        _fill(havre.data / "havre.db")
        rows = []
        for name, path in PAGES.items():
            before = _processor_time(havre)
            found = alternate(bench.rounds, {"Havre": lambda path=path: _page(havre, path, times)})  # type: ignore[misc]
            spent = (_processor_time(havre) - before) / (bench.rounds * (times + 1))
            found[f"{GOAL} ms"] = [float(GOAL)] * bench.rounds
            note = f"of the processor {spent:.1f} ms"
            rows.append(compare(f"page: {name}", "ms", found, {f"{GOAL} ms": 1}, less_is_better=True, note=note))
    return rows


def _page(havre: Havre, path: str, times: int) -> float:
    """The median of asking ``times`` over one connection, after a first time that is not counted."""
    place = urlsplit(havre.url)
    taken = []
    with closing(http.client.HTTPConnection(place.netloc, timeout=30)) as client, closing(_open(havre)) as database:
        for turn in range(times + 1):
            database.execute("INSERT OR REPLACE INTO settings (key, value) VALUES ('bench', ?)", (str(turn),))
            started = time.perf_counter()
            client.request("GET", path, headers={"Accept-Language": "en"})
            answer = client.getresponse()
            answer.read()
            taken.append((time.perf_counter() - started) * 1000)
            if answer.status != 200:
                raise RuntimeError(f"GET {path} answers {answer.status}")
    return statistics.median(taken[1:])


def _processor_time(havre: Havre) -> float:
    """Milliseconds of all its processes so far: what a page takes on a machine that does other things as well."""
    ticks = 0
    for pid in havre.processes():
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks * 1000 / os.sysconf("SC_CLK_TCK")


def _open(havre: Havre) -> sqlite3.Connection:
    return sqlite3.connect(havre.data / "havre.db", timeout=60, isolation_level=None)


def _fill(path: Path) -> None:
    """Repositories with descriptions, overviews and figures, and a repository with tags, straight into the rows."""
    with make_engine(path).connect() as connection:
        execute = connection.exec_driver_sql
        execute("BEGIN IMMEDIATE")
        namespace = execute("SELECT id FROM namespaces WHERE name = ?", (ACCOUNT,)).scalar()
        many, manifest = execute(
            "SELECT repositories.id, manifests.id FROM manifests JOIN repositories ON repositories.id = repository_id"
            " WHERE path = ?",
            (f"{ACCOUNT}/many",),
        ).one()
        made = random.Random(1)
        words = list(_words(made))
        execute(
            "INSERT INTO repositories (namespace_id, name, path, visibility, description, pulls, stars, created, updated)"
            " VALUES (?, ?, ?, 'public', ?, ?, ?, 0, ?)",
            [
                (
                    namespace,
                    name,
                    f"{ACCOUNT}/{name}",
                    " ".join(made.sample(words, 8)),
                    made.randrange(10**6),
                    number % 97,
                    number,
                )
                for number, name in ((number, f"repository{number:06}") for number in range(REPOSITORIES))
            ],
        )
        new = [row[0] for row in execute("SELECT id FROM repositories WHERE id != ?", (many,))]
        execute(
            "INSERT INTO readmes (repository_id, text) VALUES (?, ?)",
            [(one, " ".join(made.choices(words, k=README_WORDS))) for one in new],
        )
        facets = [(one, "kind", "image") for one in new]
        facets += [(one, "platform", f"linux/{made.choice(('amd64', 'arm64'))}") for one in new]
        execute("INSERT INTO repository_facets (repository_id, facet, value, manifests) VALUES (?, ?, ?, 1)", facets)
        for one in new:
            search_index.refresh(connection, one)
        execute(
            "INSERT INTO tags (repository_id, name, manifest_id, updated) VALUES (?, ?, ?, ?)",
            [(many, f"v{number:06}", manifest, number) for number in range(TAGS)],
        )
        execute("COMMIT")


def _words(made: random.Random) -> Iterator[str]:
    """Made-up words, and a few that the searches look for."""
    yield from ("harbour", "light")
    for _ in range(WORDS):
        yield "".join(made.choices("abcdefghijklmnopqrstuvwxyz", k=made.randint(3, 10)))
