"""References: what follows a repository's name, and whole references as people type them."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from havre.errors import DigestInvalid, HavreError, NameInvalid
from havre.oci.digest import Digest
from havre.oci.names import RepositoryName, Tag
from havre.oci.reference import ImageReference, parse_reference
from tests.oci.texts import NEARLY, busy, one_character_off, outcome, parses, swift

DIGEST = Digest.of(b"hello")

HOST = re.compile(
    r"(?:(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])(?:\.(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9]))*"
    r"|\[(?:[a-fA-F0-9:]+)\])(?::[0-9]+)?"
)
"""domainAndPort of github.com/distribution/reference, which docker and podman read references by."""

PARTS = st.tuples(
    st.sampled_from(["", "localhost", "localhost:5000", "havre.example", "h-1.example:443", "[::1]:5000", "a:1"]),
    st.sampled_from(["python", "marin/app", "marin/team/app_1", "a__b/c--d"]),
    st.sampled_from(["", "latest", "1.0_rc-1", "_"]),
    st.sampled_from(["", str(DIGEST), str(Digest.of(b"", "sha512"))]),
)


def written(host: str, name: str, tag: str, digest: str) -> str:
    return f"{host}/{name}"[0 if host else 1 :] + (f":{tag}" if tag else "") + (f"@{digest}" if digest else "")


@given(PARTS)
def test_a_reference_and_its_parts(parts: tuple[str, str, str, str]) -> None:
    text = written(*parts)
    found = ImageReference.parse(text)
    assert (found.host, found.name, found.tag or "", found.digest or "") == parts
    assert str(found) == text
    assert found.reference == (found.digest or found.tag or "latest")


@given(st.one_of(NEARLY, PARTS.flatmap(lambda parts: one_character_off(written(*parts)))))
def test_whatever_is_typed(text: str) -> None:
    if not parses(ImageReference.parse, text):
        return
    found = ImageReference.parse(text)
    assert ImageReference.parse(str(found)) == found
    assert RepositoryName.parse(found.name) == found.name
    assert not found.host or HOST.fullmatch(found.host)


@given(st.one_of(st.from_regex(HOST, fullmatch=True), st.from_regex(HOST, fullmatch=True).flatmap(one_character_off)))
def test_hosts_are_those_that_docker_reads(host: str) -> None:
    if "/" in host or "@" in host or not ("." in host or ":" in host or host == "localhost"):
        return
    port = host.rpartition(":")[2] if not host.endswith("]") and ":" in host else ""
    fits = bool(HOST.fullmatch(host)) and len(port) <= 5 and len(host) < 250
    assert parses(ImageReference.parse, f"{host}/app") == fits


@pytest.mark.parametrize(
    ("text", "host", "name", "tag"),
    [
        ("python", "", "python", None),
        ("library/python:3", "", "python", "3"),
        ("marin/app", "", "marin/app", None),
        ("app:5000", "", "app", "5000"),
        ("localhost/app", "localhost", "app", None),
        ("host:5000/app", "host:5000", "app", None),
        ("host.example/marin/app:1", "host.example", "marin/app", "1"),
        ("Host.Example/app", "Host.Example", "app", None),
    ],
)
def test_what_is_a_host_and_what_a_tag(text: str, host: str, name: str, tag: str | None) -> None:
    found = ImageReference.parse(text)
    assert (found.host, found.name, found.tag) == (host, name, tag)


@pytest.mark.parametrize(
    ("text", "kind", "words"),
    [
        ("host.example/App", NameInvalid, "invalid repository name 'App'"),
        ("app:", NameInvalid, "nothing follows the ':'"),
        ("app:.x", NameInvalid, "invalid tag '.x'"),
        ("app@", DigestInvalid, "invalid digest ''"),
        ("app@sha256:abc", DigestInvalid, "invalid digest 'sha256:abc'"),
        ("-host.example/app", NameInvalid, "'-host.example' is not a host name"),
        ("a..b/app", NameInvalid, "'a..b' is not a host name"),
        ("h:123456/app", NameInvalid, "'h:123456' is not a host name"),
        ("/app", NameInvalid, "invalid repository name '/app'"),
        ("", NameInvalid, "invalid repository name ''"),
    ],
)
def test_a_refusal_says_which_part_is_wrong(text: str, kind: type[HavreError], words: str) -> None:
    with pytest.raises(kind) as caught:
        ImageReference.parse(text)
    assert words in caught.value.message


@pytest.mark.parametrize("length", [254, 255, 256])
def test_host_and_name_together_are_bounded(length: int) -> None:
    assert parses(ImageReference.parse, "a" * length) == (length <= 255)
    assert parses(ImageReference.parse, "h.example/" + "a" * (length - 10)) == (length <= 255)


@given(NEARLY)
def test_a_tag_or_a_digest(text: str) -> None:
    found = outcome(parse_reference, text)
    assert isinstance(found, (Digest, DigestInvalid) if ":" in text else (Tag, NameInvalid))
    assert isinstance(found, HavreError) or found == text


def test_the_kind_of_a_reference() -> None:
    assert isinstance(parse_reference(DIGEST), Digest)
    assert isinstance(parse_reference("v1"), Tag)


def test_long_texts_are_answered_at_once() -> None:
    with swift(2.0):
        for text in busy():
            assert not parses(ImageReference.parse, text)
            assert not parses(ImageReference.parse, f"{text}.example/app")
            assert not parses(parse_reference, text)
