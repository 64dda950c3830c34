"""Many at once: what a second worker brings, and how evenly sixteen pushes and sixty-four pulls are served."""

from __future__ import annotations

import os
from collections.abc import Callable

from bench import load
from bench.figures import Row, alternate, compare
from bench.servers import ACCOUNT, Havre, Server
from bench.works import Bench, prepare_image, scope

NAME = f"{ACCOUNT}/crowd"


def crowd(bench: Bench) -> list[Row]:
    """Any answer that is an error ends the benchmark, so each row also says that there was none."""
    return [_workers(bench), _pulls(bench), _pushes(bench)]


def _workers(bench: Bench) -> Row:
    with Havre(bench.folder / "one-worker", 1) as alone:
        both: dict[str, Havre] = {"Havre": bench.havre, "one worker": alone}
        for server in both.values():
            prepare_image(server, NAME)
        measures = {name: _rate(server, 64, bench.seconds) for name, server in both.items()}
        found = alternate(bench.rounds, measures)
    return compare("manifest GET, 64 connections, two workers", "requests/s", found, {"one worker": 1.1})


def _rate(server: Server, connections: int, seconds: int) -> Callable[[], float]:
    def measure() -> float:
        url = f"{server.url}/v2/{NAME}/manifests/latest"
        return load.rate(url, server.headers(scope(NAME)), connections=connections, seconds=seconds).per_second

    return measure


def _pulls(bench: Bench) -> Row:
    name, blob = f"{ACCOUNT}/megabyte", os.urandom(1_000_000)
    for server in bench.registries:
        load.push_many(server.url, server.headers(scope(name)), name, [blob], 1)
    spread: list[load.Rate] = []
    path = f"/v2/{name}/blobs/{load.digest_of(blob)}"

    def pull(server: Server) -> Callable[[], float]:
        def measure() -> float:
            seen = load.rate(server.url + path, server.headers(scope(name)), connections=64, seconds=bench.seconds)
            if server is bench.havre:
                spread.append(seen)
            return seen.per_second

        return measure

    found = alternate(bench.rounds, {one.name: pull(one) for one in bench.registries})
    note = f"p50 {max(one.p50 for one in spread):.0f} ms, p99 {max(one.p99 for one in spread):.0f} ms"
    return compare("64 pulls of 1 MB at a time", "pulls/s", found, {"distribution": 1}, note=note)


def _pushes(bench: Bench) -> Row:
    turn = iter(range(1_000_000))
    spread: list[list[float]] = []

    def push(server: Server) -> Callable[[], float]:
        def measure() -> float:
            name = f"{ACCOUNT}/crowd{next(turn)}"
            blobs = [os.urandom(1_000_000) for _ in range(96)]
            taken, times = load.push_many(server.url, server.headers(scope(name)), name, blobs, 16)
            if server is bench.havre:
                spread.append(times)
            return taken

        return measure

    found = alternate(bench.rounds, {one.name: push(one) for one in bench.registries})
    every = sorted(time for times in spread for time in times)
    middle, slowest = (every[int(len(every) * part)] * 1000 for part in (0.5, 0.99))
    note = f"p50 {middle:.0f} ms, p99 {slowest:.0f} ms"
    return compare("16 pushes of 1 MB at a time", "s", found, {"distribution": 1}, less_is_better=True, note=note)
