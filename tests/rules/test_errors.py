"""One error page: errors.py names every failure, draws the tree it defines, and speaks only the specification's codes."""

import inspect
import re

import pytest

from havre import errors
from havre.errors import ConfigError, HavreError

CODES = {
    "BLOB_UNKNOWN", "BLOB_UPLOAD_INVALID", "BLOB_UPLOAD_UNKNOWN", "DIGEST_INVALID", "MANIFEST_BLOB_UNKNOWN",
    "MANIFEST_INVALID", "MANIFEST_UNKNOWN", "NAME_INVALID", "NAME_UNKNOWN", "SIZE_INVALID",
    "UNAUTHORIZED", "DENIED", "UNSUPPORTED", "TOOMANYREQUESTS",
}  # fmt: skip
"""The OCI distribution specification, section "Error Codes": the list is closed."""

CLASSES = [found for _, found in inspect.getmembers(errors, inspect.isclass) if found.__module__ == errors.__name__]
WIRE = [found for found in CLASSES if found not in {HavreError, ConfigError}]

_LINE = re.compile(r"^ {4}(?P<branch>[│├└─ ]*)(?P<name>[A-Z]\w+)(?: +(?P<status>\d{3}) (?P<code>[A-Z_]+))?")


def drawn() -> dict[str, tuple[str | None, str | None, str | None]]:
    """Read the tree in the docstring: class name → (parent, status, code)."""
    tree: dict[str, tuple[str | None, str | None, str | None]] = {}
    above: dict[int, str] = {}
    for line in (errors.__doc__ or "").splitlines():
        found = _LINE.match(line)
        if found and (found["branch"] or found["name"] == "HavreError"):
            depth = len(found["branch"]) // 4
            above[depth] = found["name"]
            tree[found["name"]] = (above.get(depth - 1), found["status"], found["code"])
    return tree


def test_the_fourteen_codes() -> None:
    assert len(CODES) == 14


@pytest.mark.parametrize("cls", WIRE, ids=lambda cls: cls.__name__)
def test_codes_are_the_specifications(cls: type[HavreError]) -> None:
    assert cls.code in CODES, f"{cls.__name__} has the code {cls.code}, which the specification does not know"
    assert 400 <= cls.status <= 599, f"{cls.__name__} has the status {cls.status}"


def test_every_failure_is_a_havre_error() -> None:
    strangers = [cls.__name__ for cls in CLASSES if not issubclass(cls, HavreError)]
    assert not strangers, f"in errors.py but no HavreError: {strangers}"


def test_the_tree_in_the_docstring_is_the_tree_in_the_code() -> None:
    tree = drawn()
    assert sorted(tree) == sorted(cls.__name__ for cls in CLASSES), "the docstring of errors.py draws other classes"
    for cls in WIRE:
        parent = cls.__mro__[1].__name__
        expected = (parent, str(cls.status), cls.code)
        assert tree[cls.__name__] == expected, (
            f"errors.py draws {cls.__name__} as {tree[cls.__name__]}, the code says {expected} (parent, status, code)"
        )


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_every_failure_says_what_it_means(cls: type[HavreError]) -> None:
    assert cls.__doc__, f"{cls.__name__} has no docstring"
    assert cls.__doc__ != cls.__mro__[1].__doc__
