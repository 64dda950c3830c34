"""Which tests prove what: the marks as they stand in the source of the tests, so that nothing needs to run to know."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from typing import NamedTuple

from tests.rules.source import files_of_tests


class Proof(NamedTuple):
    """A test that names a demand."""

    path: str
    """Of the test's file, from the root of the project."""
    test: str


def _cited(function: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[str]:
    for decorator in function.decorator_list:
        if isinstance(decorator, ast.Call) and ast.unparse(decorator.func) == "pytest.mark.spec":
            yield from (ast.literal_eval(argument) for argument in decorator.args)


@cache
def proofs() -> dict[str, list[Proof]]:
    """Every name that some test cites, known or not, with those tests in the order of files and lines."""
    found: dict[str, list[Proof]] = defaultdict(list)
    for module in files_of_tests():
        for node in ast.walk(module.tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                for name in _cited(node):
                    found[name].append(Proof(module.where, node.name))
    return found
