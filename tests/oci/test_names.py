"""Names: the grammar of the distribution specification, and official images."""

import re
from collections.abc import Callable
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from havre.errors import NameInvalid
from havre.oci.names import Namespace, RepositoryName, Tag
from tests.oci.texts import NEARLY, busy, one_character_off, parses, swift

NAME = re.compile(r"[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(\/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*")
TAG = re.compile(r"[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}")
"""Both as spec.md of the distribution specification prints them, in section "Pulling manifests"."""

EXAMPLES = ["a", "library/a", "a/b/c", "a--b", "a__b.c/d-e", "library", "0/9", "library/a/b"]


def names(pattern: re.Pattern[str], examples: list[str]) -> st.SearchStrategy[str]:
    return st.one_of(
        NEARLY, st.from_regex(pattern, fullmatch=True), st.sampled_from(examples).flatmap(one_character_off)
    )


@given(names(NAME, EXAMPLES))
def test_repository_names_follow_the_specification(text: str) -> None:
    assert parses(RepositoryName.parse, text) == (bool(NAME.fullmatch(text)) and len(text) <= 255)


@given(names(TAG, ["latest", "1.0-rc_1", "_", "a" * 128]))
def test_tags_follow_the_specification(text: str) -> None:
    assert parses(Tag.parse, text) == bool(TAG.fullmatch(text))


@given(st.from_regex(NAME, fullmatch=True).filter(lambda text: len(text) <= 255))
def test_a_name_and_its_parts(text: str) -> None:
    name = RepositoryName.parse(text)
    assert RepositoryName.parse(name) == name
    assert RepositoryName.parse(f"{name.namespace}/{name.leaf}"[:255]) == name or len(name) > 240
    assert name.official == ("/" not in name)
    if not name.official:
        assert f"{name.namespace}/{name.leaf}" == name == text


@pytest.mark.parametrize(
    ("text", "name", "namespace", "leaf", "official"),
    [
        ("marin/app", "marin/app", "marin", "app", False),
        ("marin/team/app", "marin/team/app", "marin", "team/app", False),
        ("python", "python", "library", "python", True),
        ("library/python", "python", "library", "python", True),
        ("library", "library", "library", "library", True),
        ("library/library", "library", "library", "library", True),
        ("library/team/app", "library/team/app", "library", "team/app", False),
    ],
)
def test_official_images(text: str, name: str, namespace: str, leaf: str, official: bool) -> None:
    found = RepositoryName.parse(text)
    assert (found, found.namespace, found.leaf, found.official) == (name, namespace, leaf, official)


@pytest.mark.parametrize("length", [254, 255, 256, 257, 10_000])
def test_the_length_of_a_name_is_bounded(length: int) -> None:
    assert parses(RepositoryName.parse, "a" * length) == (length <= 255)
    assert parses(RepositoryName.parse, "a/" * (length // 2) + "a" * (length % 2 or 1)) == (length <= 255)


@pytest.mark.parametrize("length", [1, 127, 128, 129, 10_000])
def test_the_length_of_a_tag_is_bounded(length: int) -> None:
    assert parses(Tag.parse, "a" * length) == (length <= 128)


def namespace(text: str) -> bool:
    """Written without a pattern: 1 to 30 letters and digits, single separators between them."""
    letters = set("abcdefghijklmnopqrstuvwxyz0123456789")
    if not 1 <= len(text) <= 30 or not set(text) <= letters | set("._-"):
        return False
    inner = pairwise(text)
    return text[0] in letters and text[-1] in letters and all(a in letters or b in letters for a, b in inner)


@given(
    st.one_of(
        NEARLY, st.text("ab9._-", max_size=32), st.sampled_from(["marin", "a-b_c", "a" * 30]).flatmap(one_character_off)
    )
)
def test_namespaces(text: str) -> None:
    assert parses(Namespace.parse, text) == namespace(text)


@pytest.mark.parametrize(
    ("parse", "text", "words"),
    [
        (RepositoryName.parse, "Marin/App", "invalid repository name 'Marin/App': use lower-case letters and digits"),
        (RepositoryName.parse, "a" * 300, "300 characters, at most 255 are allowed"),
        (RepositoryName.parse, "a//b", "invalid repository name 'a//b'"),
        (RepositoryName.parse, "", "invalid repository name ''"),
        (Tag.parse, ".x", "invalid tag '.x': use 1 to 128 letters, digits, '_', '.' or '-'"),
        (Tag.parse, "x" * 200, "..."),
        (Namespace.parse, "a--b", "invalid namespace 'a--b': use 1 to 30 lower-case letters and digits"),
    ],
)
def test_a_refusal_names_the_value_and_the_rule(parse: Callable[[str], str], text: str, words: str) -> None:
    with pytest.raises(NameInvalid) as caught:
        parse(text)
    assert words in caught.value.message


def test_long_texts_are_answered_at_once() -> None:
    with swift():
        for text in busy():
            for parse in (RepositoryName.parse, Tag.parse, Namespace.parse):
                assert not parses(parse, text)
    with swift():
        for unit in ("a-", "a_", "a__", "a.", "a/", "-", "a--"):
            for tail in ("", "!", "-"):
                parses(RepositoryName.parse, (unit * 255)[:254] + tail)
