"""Ranges: chunks of an upload, and what a reader asks for."""

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from havre.errors import HavreError, RangeNotSatisfiable, UploadInvalid
from havre.oci.ranges import MAX_RANGES, ByteRange, parse_chunk, parse_range
from tests.oci.texts import NEARLY, busy, one_character_off, outcome, parses, swift

SIZES = st.integers(0, 10**18 - 2)

CHUNK = re.compile(r"^[0-9]+-[0-9]+$")
"""As spec.md prints it, in section "Pushing a blob in chunks"."""


@given(SIZES, SIZES)
@example(0, 0)
def test_a_chunk(first: int, last: int) -> None:
    first, last = sorted((first, last))
    chunk = ByteRange(first, last + 1)
    for text in (f"{first}-{last}", f"bytes {first}-{last}/*", f"bytes={first}-{last}", f"{first}-{last}/{last + 1}"):
        assert parse_chunk(text) == chunk
    assert chunk.length == last - first + 1
    assert parse_chunk(chunk.content_range(10)) == chunk


@given(st.one_of(NEARLY, st.text("0123456789-", max_size=12), st.just("100-199").flatmap(one_character_off)))
def test_the_grammar_of_chunks_is_that_of_the_specification(text: str) -> None:
    if "bytes" in text or "/" in text or text != text.strip():
        parses(parse_chunk, text)
        return
    found = CHUNK.match(text) and text.isascii()
    ends = [int(part) for part in text.split("-")] if found else []
    assert parses(parse_chunk, text) == bool(
        ends and ends[0] <= ends[1] < 10**18 and max(map(len, text.split("-"))) <= 18
    )


@pytest.mark.parametrize(
    "text", ["", "-", "1-", "-1", "9-8", "a-b", "0-1,2-3", "٣-٤", "0x1-0x2", "1" * 30 + "-" + "2" * 30]
)
def test_a_refused_chunk_says_how_to_write_it(text: str) -> None:
    with pytest.raises(UploadInvalid, match="write <first byte>-<last byte>, such as 0-1023"):
        parse_chunk(text)


SPANS = st.lists(
    st.one_of(
        st.tuples(st.integers(0, 120), st.integers(0, 120)),
        st.tuples(st.integers(0, 120), st.none()),
        st.tuples(st.none(), st.integers(0, 120)),
    ),
    min_size=1,
    max_size=5,
)


@given(SPANS, st.integers(0, 100))
def test_ranges_select_what_rfc_9110_says(spans: list[tuple[int | None, int | None]], size: int) -> None:
    """Against lists of positions: each span is written out, byte by byte."""
    places = range(size)
    wanted = []
    for first, last in spans:
        if first is None:
            assert last is not None
            wanted.append([place for place in places if place >= size - last])
        else:
            wanted.append([place for place in places if first <= place and (last is None or place <= last)])
    header = "bytes=" + ", ".join(
        f"{'' if first is None else first}-{'' if last is None else last}" for first, last in spans
    )
    satisfied = [span for span in wanted if span]
    if not satisfied:
        with pytest.raises(RangeNotSatisfiable) as caught:
            parse_range(header, size)
        assert caught.value.size == size
        return
    found = parse_range(header, size)
    if sum(map(len, satisfied)) > size:
        assert found is None
    else:
        assert found is not None
        assert [list(range(one.start, one.stop)) for one in found] == satisfied


@pytest.mark.parametrize(
    "header",
    ["", "bytes", "bytes=", "items=0-1", "bytes=a-b", "bytes=1", "bytes=--1", "bytes=0-1,x", "bytes=+1-2", "0-1"],
)
def test_what_is_no_byte_range_is_ignored(header: str) -> None:
    assert parse_range(header, 100) is None


@given(NEARLY, SIZES)
def test_any_header(text: str, size: int) -> None:
    for header in (text, f"bytes={text}", f"bytes=0-1,{text}"):
        found = outcome(lambda header: parse_range(header, size), header)
        if isinstance(found, HavreError):
            assert isinstance(found, RangeNotSatisfiable)
            assert found.size == size
        else:
            assert found is None or all(0 <= one.start < one.stop <= size for one in found)


def test_the_number_of_ranges_is_bounded() -> None:
    spans = [f"{2 * number}-{2 * number}" for number in range(MAX_RANGES + 1)]
    found = parse_range("bytes=" + ",".join(spans[:MAX_RANGES]), 10_000)
    assert found is not None
    assert len(found) == MAX_RANGES
    assert parse_range("bytes=" + ",".join(spans), 10_000) is None


def test_the_header_of_a_partial_answer() -> None:
    assert ByteRange(0, 10).content_range(100) == "bytes 0-9/100"


def test_long_texts_are_answered_at_once() -> None:
    with swift(2.0):
        for text in busy():
            assert not parses(parse_chunk, text)
            parses(lambda header: parse_range(header, 100), text)
            parses(lambda header: parse_range(header, 100), f"bytes={text}")
