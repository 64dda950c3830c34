"""The size budget: a file that is read in one sitting, a function that is seen in one look."""

import ast
from collections.abc import Iterator

from tests.rules.source import Module, files_of_tests, none_of, package

FILE, FUNCTION, TEST_FILE, CONFTEST = 400, 50, 600, 150

EXCEPTIONS: dict[str, tuple[int, str]] = {}
"""Path of a file, or ``path:function`` → (lines it may have, why)."""


def limit(module: Module) -> int:
    """Return the lines that this file may have."""
    if module.path.name == "conftest.py":
        return CONFTEST
    return FILE if module.name.startswith("havre") else TEST_FILE


def measured() -> Iterator[tuple[str, int, int]]:
    """Every file, and every function of the package: name, lines, limit."""
    for module in [*package().values(), *files_of_tests()]:
        yield module.where, module.lines, limit(module)
    for module in package().values():
        if ".migrations.versions." in module.name:
            continue  # a migration is a list of columns, written once and never changed
        for node in ast.walk(module.tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield f"{module.where}:{node.name}", (node.end_lineno or node.lineno) - node.lineno + 1, FUNCTION


def test_files_and_functions_are_small() -> None:
    large = [
        f"{name} has {lines} lines, {EXCEPTIONS.get(name, (budget, ''))[0]} are allowed"
        for name, lines, budget in measured()
        if lines > EXCEPTIONS.get(name, (budget, ""))[0]
    ]
    none_of("find the second room in it (or a reason for EXCEPTIONS):", large)


def test_exceptions_are_still_needed() -> None:
    over = {name for name, lines, budget in measured() if lines > budget}
    idle = [name for name in EXCEPTIONS if name not in over]
    assert not idle, f"no longer exceptions: {idle}"
