"""Each demand of the specification is proved by a test, each test that names one names one that there is."""

import re

import pytest

from tests.conformance.marks import proofs
from tests.conformance.page import PAGE, page
from tests.conformance.requirements import LEVELS, REQUIREMENTS, Requirement
from tests.rules.source import none_of


@pytest.mark.parametrize("name", REQUIREMENTS)
def test_a_demand_has_a_test(name: str):
    rule = REQUIREMENTS[name].rule
    assert name in proofs(), f"nothing proves that {rule!r}: write a test with @pytest.mark.spec({name!r})"


def test_no_test_cites_what_is_not_demanded():
    unknown = [f"{name}: {one.path} {one.test}" for name, found in proofs().items() for one in found]
    none_of(
        "tests/conformance/requirements.py knows no such demand:",
        [line for line in unknown if line.partition(":")[0] not in REQUIREMENTS],
    )


@pytest.mark.parametrize(("name", "one"), REQUIREMENTS.items(), ids=REQUIREMENTS)
def test_a_demand_is_well_formed(name: str, one: Requirement):
    assert re.fullmatch("[a-z0-9]+(-[a-z0-9]+)*", name)
    assert one.level in LEVELS
    assert "|" not in one.rule + one.here, "it stands in a table"
    assert one.here or one.level != "MAY", "where there is a choice, say what Havre chose"


def test_the_page_is_current():
    assert PAGE.read_text() == page(), "write it again: python -m tests.conformance.page > docs/conformance.md"
