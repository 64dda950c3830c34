"""Each module opens with what the room is for; each promise of a port is written down."""

import ast

from tests.rules.source import files_of_tests, none_of, package


def test_every_module_says_what_it_is_for() -> None:
    silent = [
        module.where
        for module in [*package().values(), *files_of_tests()]
        if module.lines and not ast.get_docstring(module.tree)
    ]
    none_of("a module opens with a sentence that says what it is for, but:", silent)


def promises(cls: ast.ClassDef) -> list[ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef]:
    """Return the class and its methods; a property says by its name and type what it is."""
    methods = [node for node in cls.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    return [cls, *(node for node in methods if not node.decorator_list)]


def test_every_port_and_its_methods_are_documented() -> None:
    silent = [
        f"{module.where}:{node.lineno} {node.name}"
        for name, module in package().items()
        if name.endswith(".ports")
        for cls in module.tree.body
        if isinstance(cls, ast.ClassDef)
        for node in promises(cls)
        if not ast.get_docstring(node)
    ]
    none_of("a port states its promises, but:", silent)
