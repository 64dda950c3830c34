"""One noun, one module name, in every layer: whoever knows one tree finds the way in the others."""

import pytest

from tests.rules.source import SRC, TESTS, none_of

NOUNS = ("blobs", "uploads", "manifests", "tags", "referrers")

BESIDE_THE_NOUNS = {
    "app",  # the application that finds the module of a request
    "call",  # one call of any of them: who, which repository, the headers that all answers share
    "catalog",  # the list of repositories; its noun is registry/repositories
    "ping",  # GET /v2/ itself: whether the caller is known
}
"""What server/v2 may hold besides: what is no noun of ours."""


@pytest.mark.parametrize("noun", NOUNS)
def test_a_noun_has_its_module_in_every_layer(noun: str) -> None:
    places = [SRC / "havre/registry" / f"{noun}.py", SRC / "havre/server/v2" / f"{noun}.py"]
    missing = [str(place.relative_to(SRC)) for place in places if not place.is_file()]
    missing += [
        f"tests/{room}/…/test_{noun}.py"
        for room in ("registry", "server")
        if not list((TESTS / room).rglob(f"test_{noun}*.py"))
    ]
    none_of(f"the noun {noun} has no module:", missing)


def test_the_wire_has_no_other_nouns() -> None:
    found = {path.stem for path in (SRC / "havre/server/v2").glob("*.py")} - {"__init__"}
    none_of("server/v2 holds what is no noun of the registry:", sorted(found - set(NOUNS) - BESIDE_THE_NOUNS))
