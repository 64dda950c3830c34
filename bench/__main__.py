"""``make bench``: measure, print the table, keep it. ``--quick`` takes a minute, and its figures only show that it works."""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import threading
from pathlib import Path
from types import TracebackType
from typing import Self

from bench import client, collection, crowd, lists, pages, works
from bench.figures import Row, about, markdown
from bench.servers import Distribution, Havre, Server, memory

WORKS = {
    "rates": works.rates,
    "tokens": works.tokens,
    "downloads": works.downloads,
    "pushes": works.pushes,
    "images": works.images,
    "client": client.client,
    "crowd": crowd.crowd,
    "lists": lists.lists,
    "pages": pages.pages,
    "collection": collection.collection,
}


class Watch:
    """Looks at the memory of servers while they work, and remembers the most."""

    def __init__(self, servers: tuple[Server, ...]) -> None:
        self._servers = servers
        self.most = {server.name: 0 for server in servers}
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._ended.wait(0.25):
            for server in self._servers:
                self.most[server.name] = max(self.most[server.name], memory(server.processes()))

    def row(self) -> Row:
        """The row of the table: most memory, of which Havre may take 150 MB more than the peer."""
        own, peer = (self.most[server.name] / 1e6 for server in self._servers)
        ratios = {"distribution + 150 MB": (peer + 150) / own}
        return Row(
            "most memory during all this", "MB", own, {"distribution": peer}, ratios, {"distribution + 150 MB": 1}
        )


def main() -> int:
    """Run the works asked for; 1 if a goal was missed."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("works", nargs="*", help=f"of {', '.join(WORKS)}; all without any")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seconds", type=int, default=3, help="of each measurement of a rate")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--output", type=Path, help="file to keep the table in")
    options = parser.parse_args()
    if options.quick:
        options.seconds, options.rounds = 1, 2
    folder = Path(tempfile.mkdtemp(prefix="havre-bench-", dir="/var/tmp"))
    try:
        rows = _measure(folder, options)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    page = markdown(rows, about(options.workers))
    print(page)
    if options.output:
        options.output.write_text(page)
    return 0 if all(row.reached for row in rows) else 1


def _measure(folder: Path, options: argparse.Namespace) -> list[Row]:
    rows: list[Row] = []
    with (
        Havre(folder / "havre", options.workers) as havre,
        Distribution(folder / "distribution") as peer,
        Watch((havre, peer)) as watch,
    ):
        bench = works.Bench(havre, peer, folder, options.seconds, options.rounds)
        for name in options.works or WORKS:
            for row in WORKS[name](bench):
                rows.append(row)
                ratios = ", ".join(f"{value:.2f} x {other}" for other, value in row.ratios.items())
                print(f"{row.work}: {row.havre:.4g} {row.unit}, {ratios}", file=sys.stderr, flush=True)
        rows.append(watch.row())
    return rows


if __name__ == "__main__":
    sys.exit(main())
