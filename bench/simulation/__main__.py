"""``make simulate``: load, run every hot unit of work, print the table. Ends with 1 if one reads a large table whole."""

from __future__ import annotations

import argparse
import platform
import sys
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import Engine

from bench.simulation import measure
from bench.simulation.load import load
from bench.simulation.measure import Result
from bench.simulation.queries import QUERIES, Query
from bench.simulation.server import Server
from bench.simulation.shape import Shape, Sizes

FULL = 1_000_000
COLD, WARM, PLANS = 12, 200, 8
WARMING = 20
"""Turns before the warm ones that are not counted: then statements are prepared, and plans are those that stay."""


def main() -> int:
    """Load and measure; 1 if a hot unit of work read a large table from one end."""
    parser = argparse.ArgumentParser(prog="make simulate", description=__doc__)
    parser.add_argument("--repositories", type=int, default=FULL, help="some 30 KB of disk each (1,000,000)")
    parser.add_argument("--turns", type=int, default=WARM, help="of each unit of work, warm")
    parser.add_argument("--output", type=Path, help="a file to keep the table in")
    options = parser.parse_args()
    shape = Shape(Sizes(options.repositories))
    server = Server()
    try:
        load(server.engine, shape)
        server.forget()
        results = simulated(server.engine, shape, options.turns)
        text = page(server.engine, shape, results)
    finally:
        server.remove()
    print(text)
    if options.output:
        options.output.write_text(text)
    return 1 if any(one.walked for one in results) else 0


def simulated(engine: Engine, shape: Shape, turns: int) -> list[Result]:
    """What each hot unit of work takes: first all of them once, cold as they are, then each several times."""
    cold = {query.name: measure.turns(engine, query, shape, range(min(COLD, turns))) for query in QUERIES}
    large = measure.large(engine)
    results = []
    for query in QUERIES:
        results.append(_measured(engine, query, shape, turns, large, cold[query.name]))
        print(_row(results[-1]), file=sys.stderr, flush=True)
    return results


def _measured(
    engine: Engine, query: Query, shape: Shape, turns: int, large: dict[str, int], cold: measure.Timing
) -> Result:
    measure.turns(engine, query, shape, range(COLD, COLD + min(WARMING, turns)), measure.MOST_SECONDS)
    warm = measure.turns(engine, query, shape, range(COLD, COLD + turns), measure.MOST_SECONDS)
    # Other keys: what these turns find to be settled or folded was left to them.
    plan = measure.plan(engine, query, shape, range(FULL, FULL + min(PLANS, turns)))
    walked = tuple(
        f"{table} ({rows:,} rows)" for table, rows in plan.walked.items() if table in large and table not in query.walks
    )
    return Result(query, cold, warm, plan, walked)


def page(engine: Engine, shape: Shape, results: list[Result]) -> str:
    """The figures as Markdown."""
    with engine.connect() as connection:
        run = connection.exec_driver_sql
        version = run("SHOW server_version").scalar_one().split()[0]
        size = run("SELECT pg_database_size(current_database())").scalar_one()
        tables = run(
            "SELECT relname, reltuples::bigint, pg_relation_size(oid), pg_indexes_size(oid) FROM pg_class"
            " WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace AND reltuples > 1000"
            " ORDER BY pg_total_relation_size(oid) DESC"
        ).all()
    sizes = shape.sizes
    lines = [
        (
            f"{datetime.now(UTC):%Y-%m-%d}, PostgreSQL {version}, Python {platform.python_version()}:"
            f" {sizes.repositories:,} repositories, {sizes.tags:,} tags, {sizes.links:,} links to blobs,"
            f" {sizes.accounts:,} accounts; {size / 1e9:.1f} GB. The largest repository has"
            f" {shape.tags[shape.largest]:,} tags."
        ),
        "",
        "| table | rows | bytes of a row | of its indexes |",
        "|---|--:|--:|--:|",
        *(f"| {name} | {rows:,} | {heap / rows:.0f} | {indexes / rows:.0f} |" for name, rows, heap, indexes in tables),
        "",
        (
            "| unit of work | statements | rows visited | pages | cold ms, median | p99 | warm ms, median | p99"
            " | µs of PostgreSQL | µs of Python | indexes |"
        ),
        "|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|---|",
        *map(_row, results),
    ]
    return "\n".join(lines) + "\n"


def _row(one: Result) -> str:
    plan, cold, warm = one.plan, one.cold, one.warm
    shown = [name.replace("ix_", "").replace("uq_", "").replace("pk_", "") for name in plan.indexes]
    more = f" and {len(shown) - 4} more" if len(shown) > 5 else ""
    through = ", ".join(shown[: 4 if more else 5]) + more
    if one.walked:
        through += f" **reads {', '.join(one.walked)}**"
    times = f"{cold.median:.2f} | {cold.worst:.2f} | {warm.median:.2f} | {warm.worst:.2f}"
    spent = f"{warm.database:,.0f} | {warm.python:,.0f}"
    counts = f"{plan.statements} | {plan.visited:,} | {plan.buffers:,}"
    return f"| {one.query.name} | {counts} | {times} | {spent} | {through} |"


if __name__ == "__main__":
    sys.exit(main())
