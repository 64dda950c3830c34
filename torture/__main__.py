"""``make torture``: kill the registry two hundred times on each database, and tell what it kept."""

from __future__ import annotations

import argparse
import asyncio
import shutil
import sys
import tempfile
from pathlib import Path

from torture import report
from torture.rounds import Result, torture
from torture.victim import Victim


def main() -> int:
    """Run; 1 if a promise was broken, 2 if not as many kills were made as were asked for."""
    parser = argparse.ArgumentParser(prog="make torture", description=__doc__)
    parser.add_argument("databases", nargs="*", help="sqlite, postgresql; both without any")
    parser.add_argument("--kills", type=int, default=200, help="on each database")
    parser.add_argument("--clients", type=int, default=12)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=1e9, help="end earlier after so many, on each database")
    parser.add_argument("--seed", type=int, default=1, help="of what is killed when; the load is never the same twice")
    parser.add_argument("--keep", type=Path, help="page to keep the figures on")
    options = parser.parse_args()
    results = [_run(database, options) for database in options.databases or ("sqlite", "postgresql")]
    text = report.table(results)
    print(text)
    for result in results:
        for fault in result.journal.faults:
            print(f"{result.database}: {fault}", file=sys.stderr)
    if any(result.journal.faults for result in results):
        return 1
    if options.keep:
        report.keep(options.keep, "torture", text)
    return 0 if all(result.kills >= options.kills for result in results) else 2


def _run(database: str, options: argparse.Namespace) -> Result:
    folder = Path(tempfile.mkdtemp(prefix="havre-torture-", dir="/var/tmp"))
    victim = Victim(folder, database, deep=True, workers=options.workers)

    def tell(line: str) -> None:
        print(line, file=sys.stderr, flush=True)

    broken = True
    try:
        result = asyncio.run(
            torture(victim, options.kills, options.clients, options.seed, tell, seconds=options.seconds)
        )
        broken = bool(result.journal.faults)
        return result
    finally:
        victim.remove()
        if broken:
            print(f"{database}: look at {folder}", file=sys.stderr)
        else:
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
