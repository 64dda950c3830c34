"""Rule: every promise of docs/security.md names a test, and every test that it names is there."""

import ast
import re

from havre.config import SETTINGS
from tests.rules.source import ROOT, none_of

PAGE = ROOT / "docs" / "security.md"
NAMED = re.compile(r"`(tests/[a-z0-9_/]+\.py)::(test_[a-z0-9_]+)`")


def promises() -> list[tuple[str, str]]:
    """Rows of the tables: a promise and the cell that names its tests."""
    rows = [line.strip().strip("|").split(" | ") for line in PAGE.read_text().splitlines() if line.startswith("| ")]
    return [(cells[0].strip(), cells[1]) for cells in rows if len(cells) == 2 and cells[0].strip() != "promise"]


def test_every_promise_names_a_test():
    assert len(promises()) > 40
    none_of(
        "a promise without a test is a wish:",
        [promise for promise, named in promises() if not NAMED.search(named)],
    )


def test_every_test_that_is_named_exists():
    offences = []
    for path, name in NAMED.findall(PAGE.read_text()):
        file = ROOT / path
        functions = {
            node.name
            for node in ast.walk(ast.parse(file.read_text() if file.is_file() else ""))
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        }
        if name not in functions:
            offences.append(f"{path}::{name}")
    none_of("docs/security.md names tests that are not there:", offences)


def test_every_setting_that_is_named_exists():
    limits = PAGE.read_text().rpartition("## Limits")[2]
    named = [word for word in re.findall(r"`([a-z_]+)`", limits) if "_" in word and "/" not in word]
    assert len(named) > 8
    none_of("docs/security.md names settings that are not there:", [word for word in named if word not in SETTINGS])
