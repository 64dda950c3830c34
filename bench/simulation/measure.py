"""Measuring: each unit of work cold, warm, and once more to be told its plan."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random

from sqlalchemy import Connection, Engine

from bench.simulation.plans import Plan, explained
from bench.simulation.queries import Query
from bench.simulation.shape import Shape
from havre.metadata.rows import Rows

LARGE = 10_000
"""Rows of a table that no hot statement may read from one end."""

MOST_SECONDS = 2.0
"""Of the warm turns of one unit of work."""


@dataclass(slots=True)
class Timing:
    """Milliseconds of each turn, and microseconds of the processor in the mean."""

    turns: list[float]
    database: float
    python: float

    @property
    def median(self) -> float:
        """Milliseconds."""
        return statistics.median(self.turns)

    @property
    def worst(self) -> float:
        """The 99th of a hundred; of fewer turns, the last."""
        return sorted(self.turns)[min(len(self.turns) - 1, len(self.turns) * 99 // 100)]


@dataclass(slots=True)
class Result:
    """What one unit of work took."""

    query: Query
    cold: Timing
    warm: Timing
    plan: Plan
    walked: tuple[str, ...]
    """Large tables that were read from one end."""


@contextmanager
def begun(engine: Engine, query: Query) -> Iterator[Connection]:
    """A connection as the product uses it for this."""
    if query.writes:
        options = engine.execution_options(isolation_level="SERIALIZABLE")
    else:
        options = engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
    with options.connect() as connection:
        yield connection


def turns(engine: Engine, query: Query, shape: Shape, seeds: range, most: float = 3600) -> Timing:
    """Run it once with each seed, one after the other, each in a transaction that is committed."""
    taken: list[float] = []
    with begun(engine, query) as connection:
        with connection.begin():
            process = connection.exec_driver_sql("SELECT pg_backend_pid()").scalar_one()
        before, started = (_processor(process), time.thread_time()), time.monotonic()
        for seed in seeds:
            made = Random(f"{query.name}/{seed}")
            began = time.perf_counter()
            with connection.begin():
                query.work(Rows(connection), shape, made)
            taken.append((time.perf_counter() - began) * 1000)
            if time.monotonic() - started > most:
                break
        after = _processor(process), time.thread_time()
    spent = [(after[place] - before[place]) * 1e6 / len(taken) for place in (0, 1)]
    return Timing(taken, *spent)


def plan(engine: Engine, query: Query, shape: Shape, seeds: range) -> Plan:
    """The dearest of several turns, none of which is kept; indexes and tables of all of them."""
    found: list[Plan] = []
    with begun(engine, query) as connection, explained(connection) as taken:
        connection.commit()
        for seed in seeds:
            transaction = connection.begin()
            query.work(Rows(connection), shape, Random(f"{query.name}/{seed}"))
            # The last statement tells its plan when the transaction ends.
            transaction.rollback()
            found.append(taken())
    most = max(found, key=lambda one: one.visited)
    for one in found:
        most.indexes |= one.indexes
        for table, rows in one.walked.items():
            most.walked[table] = max(rows, most.walked.get(table, 0))
    return most


def large(engine: Engine) -> dict[str, int]:
    """Tables with so many rows that nobody may read them from one end."""
    with engine.connect() as connection:
        found = connection.exec_driver_sql(
            "SELECT relname, reltuples::bigint FROM pg_class WHERE relkind = 'r'"
            " AND relnamespace = 'public'::regnamespace AND reltuples > 0 ORDER BY 2 DESC"
        ).all()
    return {name: rows for name, rows in found if rows >= LARGE}


def _processor(process: int) -> float:
    """Seconds that a process has had of the processor."""
    return int(Path(f"/proc/{process}/schedstat").read_text().split()[0]) / 1e9
