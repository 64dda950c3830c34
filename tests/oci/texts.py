"""Texts that somebody outside may send: almost right, plainly wrong, and made to keep a matcher busy."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from hypothesis import strategies as st

from havre.errors import HavreError

T = TypeVar("T")

ALPHABET = "abz09AZ._-/:@+=\\ \n\0é²\uff41\ud800"
"""Letters of every role in the grammars, and those that a careless matcher takes for them."""

NEARLY = st.one_of(st.text(ALPHABET, max_size=40), st.text(max_size=60))

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=12,
)
"""Anything that JSON can say."""


def busy() -> Iterator[str]:
    """Long texts on which a matcher that goes back and tries again would take for ever."""
    for unit in ("a", "-", "a-", "a_", "a__", "a.", "--", "/", "a/", "0", ":", "a:", "1-", ",", "1-2,", "[", "a-" * 30):
        for head, tail in (("", ""), ("", "!"), ("a", "!"), ("sha256:", "\n"), ("bytes=", "x"), ("a/", "-")):
            yield head + unit * (100_000 // len(unit)) + tail


@contextmanager
def swift(seconds: float = 1.0) -> Iterator[None]:
    """The work inside may take so much of this process's time: a thousand times what it needs."""
    before = time.process_time()
    yield
    assert time.process_time() - before < seconds


def outcome(parse: Callable[[str], T], text: str) -> T | HavreError:
    """What ``text`` is read as, or why it is refused; a refusal must be one of ours."""
    try:
        return parse(text)
    except HavreError as error:
        return error


def parses(parse: Callable[[str], object], text: str) -> bool:
    """Whether ``text`` is accepted; a refusal must be a sentence that can be shown."""
    found = outcome(parse, text)
    if not isinstance(found, HavreError):
        return True
    assert found.status in (400, 416)
    assert 20 < len(found.message) < 1000
    return False


def one_character_off(text: str) -> st.SearchStrategy[str]:
    """``text`` with one character replaced, added or removed."""

    def changed(where: int, character: str, keep: bool) -> str:
        return text[:where] + character + text[where + (0 if keep else 1) :]

    return st.builds(changed, st.integers(0, len(text)), st.sampled_from(["", *ALPHABET]), st.booleans())
