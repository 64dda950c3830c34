"""Strings become values at the edge: below it a digest is a Digest, a tag is a Tag."""

import ast
from collections.abc import Iterator

from tests.rules.source import none_of, rooms

VALUES = {"digest": "Digest", "tag": "Tag", "repository": "RepositoryName or Repository", "reference": "Digest | Tag"}


def named(tree: ast.Module) -> Iterator[tuple[str, ast.expr, int]]:
    """Every annotated parameter and every annotated field of a class: name, annotation, line."""
    for node in ast.walk(tree):
        if isinstance(node, ast.arg) and node.annotation:
            yield node.arg, node.annotation, node.lineno
        elif isinstance(node, ast.ClassDef):
            for line in node.body:
                if isinstance(line, ast.AnnAssign) and isinstance(line.target, ast.Name):
                    yield line.target.id, line.annotation, line.lineno


def is_text(annotation: ast.expr) -> bool:
    """Whether ``str`` stands anywhere in the annotation: ``str``, ``str | None``, ``Collection[str]``."""
    if isinstance(annotation, ast.Constant) and isinstance(annotation.value, str):
        annotation = ast.parse(annotation.value, mode="eval").body
    return any(isinstance(node, ast.Name) and node.id == "str" for node in ast.walk(annotation))


def test_no_text_is_passed_for_a_value() -> None:
    offences = [
        f"{module.where}:{line} {name}: {ast.unparse(annotation)}, should be {VALUES[name]}"
        for module in rooms("registry", "storage", "metadata", "access")
        for name, annotation, line in named(module.tree)
        if name in VALUES and is_text(annotation)
    ]
    none_of("parse text at the edge (server, cli) and pass the value, but:", offences)
