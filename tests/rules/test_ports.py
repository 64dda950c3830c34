"""Ports are small: what can be held in one's head can be implemented a second time."""

import ast

from tests.rules.source import none_of, package

METHODS = 8

EXCEPTIONS: dict[str, tuple[int, str]] = {}
"""Port → (methods it may have, why)."""


def ports() -> dict[str, tuple[str, int]]:
    """Every Protocol in a module named ports: class → (where, number of methods)."""
    found = {}
    for name, module in package().items():
        if name.split(".")[-1] != "ports":
            continue
        for node in module.tree.body:
            if isinstance(node, ast.ClassDef) and any("Protocol" in ast.unparse(base) for base in node.bases):
                methods = [line for line in node.body if isinstance(line, ast.FunctionDef | ast.AsyncFunctionDef)]
                properties = [
                    line for line in methods if any(ast.unparse(d) == "property" for d in line.decorator_list)
                ]
                found[node.name] = (f"{module.where}:{node.lineno}", len(methods) - len(properties))
    return found


def test_ports_have_few_methods() -> None:
    large = [
        f"{where} {name} has {count} methods"
        for name, (where, count) in ports().items()
        if count > EXCEPTIONS.get(name, (METHODS, ""))[0]
    ]
    none_of(f"a port has at most {METHODS} methods (or a reason in EXCEPTIONS), but:", large)


def test_exceptions_are_still_needed() -> None:
    idle = [name for name in EXCEPTIONS if ports().get(name, ("", 0))[1] <= METHODS]
    assert not idle, f"no longer exceptions: {idle}"
