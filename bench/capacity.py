"""Capacity: what a registry of some size needs, reckoned from what one request, one row and one byte were measured to take.

python -m bench.capacity                          # the tables of docs/scale.md
python -m bench.capacity --pulls 250 --megabytes 80 --repositories 400000
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass

MEASURED = "2026-11-24"

# Microseconds of the processor of one request: Havre's, PostgreSQL's. From `python -m bench.units`, medians of three runs.
TOKEN = (974, 190)
HEAD = (360, 46)
MANIFEST = (319, 40)
BLOB = (356, 50)
"""Found, and answered with an address of the object store."""
BLOB_PUSH = (7_049, 1_932)
MANIFEST_PUSH = (3_229, 1_310)
STREAMED = 200
"""For each MB that goes through Havre instead of coming from the object store."""

# The same of the rows that a request reads once something has been committed since the last, which in a registry that is
# never quiet is always. From `make simulate`: manifest by tag, and one pulled tag counted.
ROWS = (561, 405)
COUNTED = (141, 320)

# A pull, as clients make it: a token for every second (they last five minutes), HEAD by tag, index and manifest, and the
# blobs that the client does not have yet.
TOKENS, BLOBS = 0.5, 3
PUSHED_BLOBS = 6
PULLS_OF_A_PUSH = 100
COUNTED_SHARE = 0.4
"""Of pulls, that are the first of their tag in the two seconds between which a replica counts."""

REPOSITORY_BYTES = 30_000
"""Rows and indexes of one repository with 20 tags and 50 links."""
MEGABYTES = 30.0
"""Of one pull, in the mean."""

PEAK, USED = 3, 0.6
"""How much more is asked at the peak than in the mean; and how much of a processor may be used then."""
CORES_OF_A_SERVER = 32
CORE_HOUR, GIGABYTE = 0.04, 0.01
"""What an hour of one core and a GB out of a CDN are taken to cost, in whatever currency."""

HUB_QUARTER = 30_000_000_000
HUB_PULLS = HUB_QUARTER / (90 * 86_400)


@dataclass(frozen=True, slots=True)
class Load:
    """What is asked of a registry: pulls per second in the mean, and how many repositories it has."""

    name: str
    pulls: float
    repositories: int


LOADS = (
    Load("1 ×: a company", 1, 1_000),
    Load("10 ×", 10, 10_000),
    Load("1,000 ×", 1_000, 1_000_000),
    Load("Docker Hub", HUB_PULLS, 8_000_000),
)


def pull() -> tuple[float, float]:
    """Microseconds of Havre and of PostgreSQL of one pull, with counting it."""
    requests = ((TOKENS, TOKEN), (1, HEAD), (2, MANIFEST), (BLOBS, BLOB), (1, ROWS), (COUNTED_SHARE, COUNTED))
    havre, postgresql = (sum(number * cost[place] for number, cost in requests) for place in (0, 1))
    # Token, HEAD, two manifests and each blob read their rows anew; one of these is in the list above.
    again = TOKENS + 1 + 2 + BLOBS - 1
    return havre + again * ROWS[0], postgresql + again * ROWS[1]


def push() -> tuple[float, float]:
    """The same of one push."""
    havre, postgresql = (PUSHED_BLOBS * BLOB_PUSH[place] + MANIFEST_PUSH[place] for place in (0, 1))
    return havre, postgresql


def cores(load: Load) -> tuple[float, float]:
    """Of Havre and of PostgreSQL, at the peak, pulls and pushes together."""
    pulled, pushed = pull(), push()
    each = (pulled[place] + pushed[place] / PULLS_OF_A_PUSH for place in (0, 1))
    havre, postgresql = (load.pulls * PEAK * spent / 1e6 / USED for spent in each)
    return havre, postgresql


def units() -> str:
    """What one of each takes, as Markdown."""
    pulled, pushed = pull(), push()
    rows = (
        ("token, anonymous", *TOKEN),
        ("manifest HEAD by tag", *HEAD),
        ("manifest GET by digest", *MANIFEST),
        ("blob, answered with an address", *BLOB),
        ("rows read anew, for each of these", *ROWS),
        ("a pulled tag counted", *COUNTED),
        ("blob pushed", *BLOB_PUSH),
        ("manifest pushed", *MANIFEST_PUSH),
        ("**a pull, with all of it**", *pulled),
        (f"**a push of {PUSHED_BLOBS} blobs**", *pushed),
    )
    lines = ["| unit | µs of Havre | µs of PostgreSQL |", "|---|--:|--:|"]
    return "\n".join([*lines, *(f"| {name} | {havre:,.0f} | {sql:,.0f} |" for name, havre, sql in rows)])


def needs(loads: tuple[Load, ...] = LOADS, megabytes: float = MEGABYTES) -> str:
    """What each load needs, as Markdown."""
    lines = [
        "| | pulls/s, mean | peak | repositories | Havre, cores | PostgreSQL, cores | rows, GB | bytes out at the peak, Gbit/s |",
        "|---|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for load in loads:
        havre, postgresql = cores(load)
        size = load.repositories * REPOSITORY_BYTES / 1e9
        gigabits = load.pulls * PEAK * megabytes * 8 / 1000
        lines.append(
            f"| {load.name} | {load.pulls:,.0f} | {load.pulls * PEAK:,.0f} | {load.repositories:,} | {havre:,.2f}"
            f" | {postgresql:,.2f} | {size:,.2f} | {gigabits:,.1f} |"
        )
    return "\n".join(lines)


def cost(megabytes: float = MEGABYTES) -> str:
    """What a million pulls cost, as Markdown."""
    hours = [spent / USED / 3600 for spent in pull()]
    streamed = megabytes * STREAMED / USED / 3600
    lines = ["| of a million pulls | amount | price | cost |", "|---|--:|--:|--:|"]
    for name, amount in (
        ("Havre, core hours", hours[0]),
        ("PostgreSQL, core hours", hours[1]),
        ("the same bytes through Havre, core hours", streamed),
    ):
        lines.append(f"| {name} | {amount:,.2f} | {CORE_HOUR:.2f} | {amount * CORE_HOUR:,.2f} |")
    gigabytes = megabytes * 1000
    lines.append(f"| bytes out, GB | {gigabytes:,.0f} | {GIGABYTE:.2f} | {gigabytes * GIGABYTE:,.2f} |")
    return "\n".join(lines)


def limits(megabytes: float = MEGABYTES) -> str:
    """The figures that say when the next thing is needed, as Markdown. Pulls per second are means."""
    pulled, pushed = pull(), push()
    room = CORES_OF_A_SERVER * USED * 1e6
    wire = 10_000 / 8 * USED / megabytes / PEAK
    read = room / (pulled[1] + pushed[1] / PULLS_OF_A_PUSH) / PEAK
    counted = room / (COUNTED_SHARE * COUNTED[1] + pushed[1] / PULLS_OF_A_PUSH) / PEAK
    serial = USED * 1e6 / (COUNTED_SHARE * sum(COUNTED)) / PEAK
    memory = 256e9 / REPOSITORY_BYTES
    rows = (
        ("bytes straight from the store", "Havre streams over 10 Gbit/s", f"{wire:,.0f} pulls/s"),
        ("a CDN before the store", "the store's line of 100 Gbit/s is used up", f"{wire * 10:,.0f} pulls/s"),
        (
            "pulls counted in lines that are added up later",
            "replicas wait in turn to count the same tags",
            f"{serial:,.0f} pulls/s",
        ),
        ("replicas of PostgreSQL for reading", f"{CORES_OF_A_SERVER} cores read and write", f"{read:,.0f} pulls/s"),
        ("sharding by namespace", f"{CORES_OF_A_SERVER} cores only write", f"{counted:,.0f} pulls/s"),
        ("partitioned tables", "256 GB of memory no longer hold all rows", f"{memory:,.0f} repositories"),
    )
    lines = ["| what to put there | when | from |", "|---|---|--:|"]
    return "\n".join([*lines, *(f"| {what} | {when} | {figure} |" for what, when, figure in rows)])


def main() -> int:
    """Print everything."""
    parser = argparse.ArgumentParser(prog="python -m bench.capacity", description=__doc__)
    parser.add_argument("--pulls", type=float, help="per second, in the mean")
    parser.add_argument("--repositories", type=int, default=10_000)
    parser.add_argument("--megabytes", type=float, default=MEGABYTES, help="of one pull, in the mean")
    options = parser.parse_args()
    loads = (Load("yours", options.pulls, options.repositories),) if options.pulls else LOADS
    amount: float = options.megabytes
    print("\n\n".join([units(), needs(loads, amount), cost(amount), limits(amount)]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
