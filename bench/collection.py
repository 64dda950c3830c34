"""Collection: how much it looks at in a second, and how much slower pulls are while it runs without end."""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
import statistics
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path

from bench import load
from bench.figures import Row, alternate, compare
from bench.servers import ACCOUNT, Havre
from bench.works import Bench, prepare_image, scope
from tests.support.server import HAVRE

LAYERS, IMAGES, UNNEEDED = 10, 10_000, 5_000
"""Layers of each image, images, and contents that nobody needs: the rows of a registry that is used."""

NAME = f"{ACCOUNT}/collected"


def collection(bench: Bench) -> list[Row]:
    """A registry of its own, for what it holds is taken away."""
    with Havre(bench.folder / "havre-collection", 2) as havre:
        prepare_image(havre, NAME)
        _fill(havre)
        rates = [_collect(havre)["rate"] for _ in range(3)]
        looked = Row("things that collection looks at", "per s of work", statistics.median(rates), {}, {})
        return [looked, _beside_pulls(bench, havre)]


def _collect(havre: Havre, *words: str, pace: str = "0") -> dict[str, float]:
    environ = {"PATH": os.environ["PATH"], "HAVRE_DATA": str(havre.data), "HAVRE_GC_PACE": pace}
    command = [*HAVRE, "gc", "--json", "--grace", "0", *words]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=True)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def _beside_pulls(bench: Bench, havre: Havre) -> Row:
    def pulls() -> float:
        headers = [*havre.headers(scope(NAME))]
        url = f"{havre.url}/v2/{NAME}/manifests/latest"
        return load.rate(url, headers, connections=16, seconds=max(4, bench.seconds)).per_second

    def beside() -> float:
        stop = threading.Event()
        running = threading.Thread(target=_without_end, args=(havre, stop))
        running.start()
        try:
            time.sleep(1)  # until the first of them has begun
            return pulls()
        finally:
            stop.set()
            running.join()

    measures: dict[str, Callable[[], float]] = {"Havre": beside, "without collection": pulls}
    found = alternate(bench.rounds, measures)
    return compare("manifest GET while collection runs", "requests/s", found, {"without collection": 0.8})


def _without_end(havre: Havre, stop: threading.Event) -> None:
    while not stop.is_set():
        _collect(havre, pace="300")


def _fill(havre: Havre) -> None:
    """Rows of many images, and files for what will be removed; the server need not know."""
    database = sqlite3.connect(havre.data / "havre.db", timeout=60)
    with database:
        (repository,) = database.execute("SELECT id FROM repositories WHERE path = ?", (NAME,)).fetchone()
        (first,) = database.execute("SELECT max(id) + 1 FROM blobs").fetchone()
        (manifest,) = database.execute("SELECT max(id) + 1 FROM manifests").fetchone()
        total = IMAGES * LAYERS + UNNEEDED
        digests = [f"sha256:{hashlib.sha256(str(number).encode()).hexdigest()}" for number in range(total)]
        database.executemany(
            "INSERT INTO blobs (id, digest, size, storage_key, created) VALUES (?, ?, 3, ?, 1)",
            [(first + number, one, _key(one)) for number, one in enumerate(digests)],
        )
        database.executemany(
            "INSERT INTO repository_blobs (repository_id, blob_id, size, linked) VALUES (?, ?, 3, 1)",
            [(repository, first + number) for number in range(total)],
        )
        database.executemany(
            "INSERT INTO manifests (id, repository_id, digest, media_type, size, artifact_type, platform, total_size,"
            " created, annotations, content) VALUES (?, ?, ?, 'x', 1, '', '', 3, 1, '{}', ?)",
            [(manifest + number, repository, f"sha256:{number:064x}", b"x" * 2000) for number in range(IMAGES)],
        )
        database.executemany(
            "INSERT INTO manifest_edges (manifest_id, position, digest, kind) VALUES (?, ?, ?, 'layer')",
            [
                (manifest + image, layer, digests[image * LAYERS + layer])
                for image in range(IMAGES)
                for layer in range(LAYERS)
            ],
        )
    database.close()
    for one in digests[-UNNEEDED:]:
        file = Path(havre.data) / "blobs" / _key(one)
        file.parent.mkdir(exist_ok=True, parents=True)
        file.write_bytes(b"abc")


def _key(digest: str) -> str:
    algorithm, _, encoded = digest.partition(":")
    return f"{algorithm}/{encoded[:2]}/{encoded}"
