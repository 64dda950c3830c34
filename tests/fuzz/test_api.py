"""Our JSON API, asked for everything that its own document allows and much that it does not."""

from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import given
from hypothesis import strategies as st
from schemathesis import GenerationMode

from tests.support.fuzzing import tries
from tests.support.inprocess import PASSWORD, basic, data_with_people
from tests.support.server import HavreProcess


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HavreProcess]:
    """A server of its own: what is sent here may change anything."""
    server = HavreProcess(tmp_path_factory.mktemp("api"), workers="1")
    data_with_people(server.data)
    with server:
        yield server


def test_nothing_breaks_it(served: HavreProcess) -> None:
    document = schemathesis.openapi.from_url(f"{served.url}/api/v1/openapi.json")
    operations = [found.ok() for found in document.get_all_operations()]
    assert len(operations) > 15
    for operation in operations:
        ask(served, operation)


def ask(served: HavreProcess, operation: Any) -> None:
    """Send one operation much that its document allows, and more that it does not."""

    @tries(5)
    @given(st.one_of(*(operation.as_strategy(generation_mode=mode) for mode in GenerationMode)))
    def once(case: schemathesis.Case) -> None:
        answer = case.call(headers=basic("carol", PASSWORD))
        assert answer.status_code < 500, (operation.label, answer.text[:300])

    once()
