"""Tests drive the real parts: nothing of ours is patched or mocked, nothing waits by sleeping."""

import ast

from tests.rules.source import files_of_tests, imports, none_of


def test_nothing_is_patched() -> None:
    offences = []
    for module in files_of_tests():
        offences += [
            f"{module.where}:{found.line} imports {found.target}"
            for found in imports(module)
            if found.target.split(".")[:2] == ["unittest", "mock"]
            or found.target.split(".")[0] in {"mock", "pytest_mock"}
        ]
        offences += [
            f"{module.where}:{node.lineno} {ast.unparse(node.func)}"
            for node in ast.walk(module.tree)
            if isinstance(node, ast.Call)
            if ast.unparse(node.func) in {"monkeypatch.setattr", "monkeypatch.setitem", "mocker.patch"}
        ]
    none_of("a fake is a real adapter, handed in where the part is made, but:", offences)


def waits(call: ast.Call) -> bool:
    """Whether it waits for time to pass. ``sleep(0)`` does not: it lets others run once."""
    sleeps = ast.unparse(call.func) in {"time.sleep", "sleep", "anyio.sleep", "asyncio.sleep"}
    return sleeps and [ast.unparse(argument) for argument in call.args] != ["0"]


def test_synchronisation_is_not_a_sleep() -> None:
    offences = [
        f"{module.where}:{node.lineno}"
        for module in files_of_tests()
        for function in ast.walk(module.tree)
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef) and function.name.startswith("test_")
        for node in ast.walk(function)
        if isinstance(node, ast.Call) and waits(node)
    ]
    none_of("a test waits for something that it names, with a deadline, but:", offences)
