"""The page about conformance: ``python -m tests.conformance.page > docs/conformance.md``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path

from tests.conformance.marks import Proof, proofs
from tests.conformance.requirements import LEVELS, REQUIREMENTS, SPECIFICATION

PAGE = Path(__file__).resolve().parents[2] / "docs/conformance.md"
PREFACE = Path(__file__).with_name("preface.md")
"""What people wrote: the words above the tables."""


def page() -> str:
    """The whole page, as it has to be committed."""
    return "".join(f"{line}\n" for line in _lines(proofs()))


def _lines(proven: Mapping[str, Sequence[Proof]]) -> Iterator[str]:
    yield PREFACE.read_text().replace("{commit}", SPECIFICATION[:12]).rstrip()
    yield from ("", "| level | demands | tests that cite them |", "|---|---|---|")
    for level in LEVELS:
        names = [name for name, one in REQUIREMENTS.items() if one.level == level]
        tests = {proof for name in names for proof in proven.get(name, ())}
        yield f"| {level} | {len(names)} | {len(tests)} |"
    for section, members in groupby(REQUIREMENTS.items(), lambda item: item[1].section):
        yield from ("", f"### {section}", "", "| demand | level | rule | tests |", "|---|---|---|---|")
        for name, one in members:
            rule = f"{one.rule} — *here: {one.here}*" if one.here else one.rule
            yield f"| `{name}` | {one.level} | {rule} | {_links(proven.get(name, ()))} |"


def _links(found: Sequence[Proof]) -> str:
    return "<br>".join(f"[{_sentence(proof.test)}](../{proof.path})" for proof in found)


def _sentence(test: str) -> str:
    return test.removeprefix("test_").replace("_", " ")


if __name__ == "__main__":
    print(page(), end="")  # noqa: T201 - what this program is for
