"""One translation of failures, and one room for addresses."""

import ast

from tests.rules.source import Module, none_of, package, rooms


def in_v2() -> list[Module]:
    """Every module under server/v2."""
    return [module for name, module in package().items() if name.startswith("havre.server.v2")]


def builds_a_response(handler: ast.ExceptHandler) -> bool:
    """Whether the handler returns more than None or a flag, or makes a response itself."""
    for node in ast.walk(handler):
        if isinstance(node, ast.Return) and node.value and not isinstance(node.value, ast.Constant):
            return True
        if isinstance(node, ast.Call):
            name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
            if name.endswith("Response") or name in {"send", "respond"}:
                return True
    return False


def test_no_except_in_v2_builds_a_response() -> None:
    offences = [
        f"{module.where}:{node.lineno}"
        for module in in_v2()
        for node in ast.walk(module.tree)
        if isinstance(node, ast.ExceptHandler) and builds_a_response(node)
    ]
    none_of("only server/errors.py turns exceptions into responses, but:", offences)


def docstrings(tree: ast.Module) -> set[int]:
    """Return the ids of the nodes that are docstrings, of modules, classes, functions and attributes."""
    return {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}


def test_addresses_of_the_registry_are_written_in_one_room() -> None:
    offences = []
    for module in rooms("server", "web"):
        if module.name in {"havre.server.urls", "havre.server.routes"}:
            continue
        prose = docstrings(module.tree)
        offences += [
            f"{module.where}:{node.lineno} has {node.value!r}"
            for node in ast.walk(module.tree)
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and "/v2/" in node.value
            if id(node) not in prose
        ]
    none_of('"/v2/" is written only in server/urls.py and server/routes.py, but:', offences)
