"""The source tree as data: every module parsed once, and the imports between them."""

import ast
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SRC = ROOT / "src"
TESTS = ROOT / "tests"


@dataclass(frozen=True)
class Module:
    """One file of the package or of the tests, parsed."""

    name: str
    path: Path
    tree: ast.Module
    lines: int

    @property
    def where(self) -> str:
        """The path as a reader of a failure wants it."""
        return str(self.path.relative_to(ROOT))

    @property
    def room(self) -> str:
        """The part of the package it belongs to: ``havre.registry.tags`` is in ``registry``; the root is ``havre``."""
        parts = self.name.split(".")
        return parts[1] if len(parts) > 1 else parts[0]


def _parse(path: Path, base: Path) -> Module:
    parts = path.relative_to(base).with_suffix("").parts
    name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
    text = path.read_text(encoding="utf-8")
    return Module(name, path, ast.parse(text, str(path)), text.count("\n"))


@cache
def package() -> dict[str, Module]:
    """Every module of the package, by dotted name."""
    modules = (_parse(path, SRC) for path in sorted(SRC.rglob("*.py")))
    return {module.name: module for module in modules}


@cache
def files_of_tests() -> tuple[Module, ...]:
    """Every Python file of the tests."""
    return tuple(_parse(path, ROOT) for path in sorted(TESTS.rglob("*.py")))


def rooms(*names: str) -> list[Module]:
    """The modules of these rooms."""
    return [module for module in package().values() if module.room in names]


@dataclass(frozen=True)
class Import:
    """One import statement: the module that is imported, and the line."""

    target: str
    line: int


def _absolute(module: Module, node: ast.ImportFrom) -> str:
    if not node.level:
        return node.module or ""
    parts = module.name.split(".")
    is_package = module.path.name == "__init__.py"
    parts = parts[: len(parts) - node.level + is_package]
    return ".".join([*parts, node.module] if node.module else parts)


@cache
def imports(module: Module) -> list[Import]:
    """Every import of a module wherever it stands: at the top, inside a function, for types only."""
    found = []
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            found += [Import(alias.name, node.lineno) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = _absolute(module, node)
            for alias in node.names:
                inner = f"{base}.{alias.name}"
                found.append(Import(inner if inner in package() else base, node.lineno))
    return found


def none_of(rule: str, offences: list[str]) -> None:
    """Fail with the rule and one offence a line; pass when there is none."""
    if offences:
        pytest.fail("\n  ".join([rule, *offences]), pytrace=False)
