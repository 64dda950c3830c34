"""Digests: the grammar of the image specification, and hashing as bytes arrive."""

import hashlib
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from havre.errors import DigestInvalid
from havre.oci.digest import ALGORITHMS, Digest, Hasher
from tests.oci.texts import NEARLY, busy, one_character_off, parses, swift

SPECIFIED = re.compile(r"([a-z0-9]+(?:[+._-][a-z0-9]+)*):([a-zA-Z0-9=_-]+)")
"""descriptor.md: digest ::= algorithm ":" encoded. The registered algorithms narrow ``encoded`` further."""

CONTENTS = st.binary(max_size=200)
NAMES = st.sampled_from(sorted(ALGORITHMS))


def specified(text: str) -> bool:
    found = SPECIFIED.fullmatch(text)
    if found is None:
        return False
    length = {"sha256": 64, "sha512": 128}.get(found[1])
    return len(found[2]) == length and set(found[2]) <= set("0123456789abcdef")


@given(CONTENTS, NAMES)
def test_the_digest_of_content(content: bytes, algorithm: str) -> None:
    digest = Digest.of(content, algorithm)
    assert digest == f"{algorithm}:{hashlib.new(algorithm, content).hexdigest()}"
    assert Digest.parse(digest) == digest
    assert (digest.algorithm, digest.encoded, digest.short) == (algorithm, digest[7:], digest[7:19])


@given(st.data())
def test_the_grammar_is_that_of_the_specification(data: st.DataObject) -> None:
    right = Digest.of(data.draw(CONTENTS), data.draw(NAMES))
    text = data.draw(st.one_of(NEARLY, one_character_off(right), st.from_regex(SPECIFIED, fullmatch=True)))
    assert parses(Digest.parse, text) == specified(text)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "it has no algorithm; write sha256:<64 hexadecimal digits>"),
        ("a" * 64, "it has no algorithm"),
        ("md5:" + "a" * 32, "the algorithm is not one of sha256, sha512"),
        ("SHA256:" + "a" * 64, "the algorithm is not one of"),
        ("sha256:", "sha256 needs 64 lower-case hexadecimal digits, not 0 characters"),
        ("sha256:" + "a" * 63, "sha256 needs 64 lower-case hexadecimal digits, not 63 characters"),
        ("sha256:" + "A" * 64, "sha256 needs 64 lower-case hexadecimal digits, not 64 characters of 'AAAAAAAA'"),
        ("sha512:" + "a" * 64, "sha512 needs 128 lower-case hexadecimal digits, not 64 characters"),
        ("sha256:" + "a" * 64 + "\n", "sha256 needs 64"),
    ],
)
def test_a_refusal_says_which_part_is_wrong(text: str, why: str) -> None:
    with pytest.raises(DigestInvalid) as caught:
        Digest.parse(text)
    assert why in caught.value.message
    assert caught.value.detail == {"digest": text}


def test_long_texts_are_refused_at_once() -> None:
    with swift():
        for text in busy():
            assert not parses(Digest.parse, text)


@given(st.lists(CONTENTS, max_size=8), st.permutations(["sha256", "sha512"]), st.integers(0, 8))
def test_a_hasher_fed_in_pieces(pieces: list[bytes], algorithms: list[str], turn: int) -> None:
    hasher = Hasher(*algorithms)
    twin = hasher.copy()
    for number, piece in enumerate(pieces):
        if number == turn:
            twin = hasher.copy()
        hasher.update(bytearray(piece))
    whole, before = b"".join(pieces), b"".join(pieces[:turn] if turn < len(pieces) else [])
    assert (hasher.size, twin.size) == (len(whole), len(before))
    assert hasher.algorithms == tuple(algorithms)
    for name in algorithms:
        assert hasher.digest(name) == Digest.of(whole, name)
        assert twin.digest(name) == Digest.of(before, name)


def test_a_hasher_knows_only_what_it_was_asked_for() -> None:
    assert Hasher().algorithms == ("sha256",)
    with pytest.raises(KeyError):
        Hasher("sha512").digest("sha256")
