"""Moves: a file whose content is gone in one place and came in another is told as moved, and nothing else is."""

from __future__ import annotations

from havre.registry.inside.compare import compared
from havre.registry.inside.entries import MOVED_FROM, MOVED_TO, Change, Entry, Facts, Kind, split
from havre.registry.inside.pages import key_of


def tree(**files: tuple[str, int]) -> list[Entry]:
    """Files by their path (with __ for slashes), each with what it holds and how long that is."""
    made = [
        Entry(*split(name.replace("__", "/").encode()), Facts(Kind.FILE, size, identity=text.encode().ljust(16, b".")))
        for name, (text, size) in files.items()
    ]
    return sorted(made, key=key_of)


def changes(before: list[Entry], after: list[Entry]) -> dict[str, Change]:
    found = compared(before, after)
    return {one.path.decode(): one for one in found.records() if one.kind is Kind.FILE}


def test_a_file_that_moved_tells_where_from_and_where_to() -> None:
    found = changes(tree(etc__old=("light", 40), etc__same=("x", 1)), tree(usr__new=("light", 40), etc__same=("x", 1)))
    assert {path: (one.status, one.note) for path, one in found.items()} == {
        "etc/old": ("r", MOVED_TO + b"usr/new"),
        "usr/new": ("a", MOVED_FROM + b"etc/old"),
    }


def test_copies_changes_and_empty_files_are_no_moves() -> None:
    found = changes(
        tree(a=("light", 40), b=("dark", 10), c=("", 0), d=("grey", 5)),
        tree(a=("light", 40), copy=("light", 40), b=("light", 40), e=("", 0), f=("green", 5)),
    )
    assert {path: (one.status, one.note) for path, one in found.items()} == {
        "copy": ("a", b""),
        "b": ("c", b""),
        "c": ("r", b""),
        "d": ("r", b""),
        "e": ("a", b""),
        "f": ("a", b""),
    }


def test_of_several_alike_one_moved() -> None:
    found = changes(tree(a=("light", 40)), tree(x=("light", 40), y=("light", 40)))
    assert [one.note for one in found.values()].count(b"") == 1
