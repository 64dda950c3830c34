"""``make torture``: kill the registry two hundred times on each database, and tell what it kept."""

from __future__ import annotations

import argparse
import asyncio
import shutil
import sys
import tempfile
import time
from pathlib import Path

from torture import report
from torture.journal import Journal
from torture.rounds import Result, torture
from torture.victim import Victim

LIFE = 25
"""Kills that one registry survives. Then another begins with nothing: each check looks at all that a registry ever got."""


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
    result, started = Result(database, Journal()), time.monotonic()
    life = 0
    while result.kills < options.kills and not result.journal.faults:
        left = options.seconds - (time.monotonic() - started)
        if left <= 0:
            break
        result.add(_live(database, life, min(LIFE, options.kills - result.kills), left, options))
        life += 1
    return result


def _live(database: str, life: int, kills: int, seconds: float, options: argparse.Namespace) -> Result:
    folder = Path(tempfile.mkdtemp(prefix="havre-torture-", dir="/var/tmp"))
    victim = Victim(folder, database, deep=True, workers=options.workers)

    def tell(line: str) -> None:
        print(f"registry {life + 1}: {line}", file=sys.stderr, flush=True)

    broken = True
    try:
        result = asyncio.run(torture(victim, kills, options.clients, options.seed + life, tell, seconds=seconds))
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
