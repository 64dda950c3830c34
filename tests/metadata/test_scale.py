"""docs/scale.md holds what the calculator reckons, word for word."""

from pathlib import Path

import pytest

from bench import capacity

PAGE = Path(__file__).parents[2] / "docs/scale.md"


@pytest.mark.parametrize("table", [capacity.units, capacity.needs, capacity.cost, capacity.limits])
def test_the_page_holds_the_tables_of_the_calculator(table):
    assert table() in PAGE.read_text(), "run python -m bench.capacity and copy its tables"


def test_twice_the_pulls_need_twice_the_processors():
    once, twice = (capacity.Load("", pulls, 1000) for pulls in (10, 20))
    assert capacity.cores(twice) == pytest.approx([2 * one for one in capacity.cores(once)])


def test_the_hub_is_asked_for_some_four_thousand_pulls_a_second():
    assert pytest.approx(3_900, rel=0.02) == capacity.HUB_PULLS
