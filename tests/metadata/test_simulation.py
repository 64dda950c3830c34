"""The simulation of a large registry, small: every hot unit of work runs, and none reads a large table whole."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine, func, select

from bench.simulation.__main__ import page, simulated
from bench.simulation.load import load
from bench.simulation.queries import QUERIES
from bench.simulation.shape import Shape, Sizes
from havre.metadata.engine import parse_url
from havre.metadata.postgresql_connection import make_engine
from havre.metadata.schema import metadata
from tests.support.databases import migrated
from tests.support.postgresql import Cluster

pytestmark = pytest.mark.postgresql

SIZES = Sizes(600)
MOST_VISITED = 20_000
"""Rows, by one unit of work: of the pages of collection, which look at the most."""


@pytest.fixture(scope="module")
def engine(postgresql_cluster: Cluster) -> Iterator[Engine]:
    """A database of its own."""
    engine = make_engine(parse_url(postgresql_cluster.create(migrated(postgresql_cluster))))
    yield engine
    engine.dispose()


def test_what_is_loaded_is_as_much_as_was_asked_for_and_no_hot_unit_of_work_reads_a_large_table_whole(engine):
    shape = Shape(SIZES)
    load(engine, shape)
    with engine.connect() as connection:
        counts = {
            name: connection.scalar(select(func.count()).select_from(metadata.tables[name]))
            for name in ("repositories", "tags", "repository_blobs", "blobs", "users")
        }
    assert counts == {
        "repositories": SIZES.repositories,
        "tags": SIZES.tags,
        "repository_blobs": SIZES.links,
        "blobs": SIZES.blobs,
        "users": SIZES.accounts,
    }
    results = simulated(engine, shape, 4)
    assert {one.query.name: one.walked for one in results if one.walked} == {}
    assert {one.query.name: one.plan.visited for one in results if one.plan.visited > MOST_VISITED} == {}
    assert all(one.plan.statements for one in results)
    text = page(engine, shape, results)
    assert all(f"| {query.name} |" in text for query in QUERIES)
